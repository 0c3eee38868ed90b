"""inhouse rules: what operators pin, boost and block."""

from pathlib import Path
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.rules import read_rule
from inhouse.cli.output import Json, console, read_file, show
from inhouse.recommend.rule import Rule

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Pin, boost and block.")


@app.command("list")
def list_rules(as_json: Json = False) -> None:
    """Every rule there ever was, newest first."""
    with open_services() as services:
        services.catch_clock_up()
        found, now_ms = services.feed_rules.list(), services.clock.now_ms()
    columns = (
        ("id", lambda r: r.rule_id),
        ("does", _does),
        ("to", lambda r: r.target),
        ("on", lambda r: ", ".join(r.surfaces)),
        ("state", lambda r: _state(r, now_ms)),
        ("reason", lambda r: r.reason),
    )
    show(found, columns, as_json=as_json)


@app.command()
def add(file: Annotated[Path, typer.Argument(help="JSON as POST /v1/rules takes it")]) -> None:
    """Put a rule described in a file in force; servers hear of it within a second."""
    with open_services() as services:
        services.catch_clock_up()
        made = services.feed_rules.add(read_rule(read_file(file)), services.clock.now_ms())
    console.print(f"{made.rule_id}: {_does(made)} {made.target}", markup=False)


@app.command()
def withdraw(
    rule_id: Annotated[str, typer.Argument(help="as `inhouse rules list` shows it")],
) -> None:
    """Let a rule hold no longer."""
    with open_services() as services:
        services.catch_clock_up()
        services.feed_rules.withdraw(rule_id, services.clock.now_ms())
    console.print(f"{rule_id} is withdrawn")


def _does(rule: Rule) -> str:
    if rule.action == "pin":
        return f"pin to place {rule.position + 1}"
    return f"boost x{rule.factor:g}" if rule.action == "boost" else "block"


def _state(rule: Rule, now_ms: int) -> str:
    if rule.withdrawn_ms is not None:
        return "withdrawn"
    if rule.holds_at(now_ms):
        return "in force"
    return "to come" if now_ms < rule.from_ms else "over"
