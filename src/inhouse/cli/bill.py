"""inhouse bill: what AI calls cost, who is paid, and whether the vendor's invoice is right."""

from typing import Annotated, Final

import typer

from inhouse.app.build import open_services
from inhouse.cli.bill_dependence import dependence
from inhouse.cli.bill_reconcile import reconcile
from inhouse.cli.output import Json, console, print_json, show
from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.bill import Bill, Line, bill
from inhouse.models.ledger.priced import in_words, prices_used

_SIDES: Final = ("months", "days", "hosts", "owners", "tasks", "models")

app = typer.Typer(
    help="what AI calls cost, and who is paid", rich_markup_mode=None, add_completion=False
)
app.command("reconcile")(reconcile)
app.command("dependence")(dependence)


@app.command()
def prices(
    days: Annotated[int, typer.Option(min=1, max=4_000, help="how far back")] = 30,
    as_json: Json = False,
) -> None:
    """By which prices the amounts were worked out: a contract's own figures, kept with every
    amount whatever `vendors.toml` says now, or the version of the list."""
    with open_services() as services:
        services.catch_clock_up()
        now_ms = services.clock.now_ms()
        found = prices_used(services.database, now_ms - days * DAY_MS, now_ms + 1)
    columns = (
        ("deployment", lambda one: one.deployment),
        ("model", lambda one: f"{one.host}/{one.model}"),
        ("from", lambda one: one.since),
        ("to", lambda one: one.until),
        ("requests", lambda one: f"{one.attempts:,}"),
        ("USD", lambda one: f"{one.spend_usd:,.4f}"),
        ("price", in_words),
    )
    show(found, columns, as_json=as_json)


@app.callback(invoke_without_command=True)
def show_bill(
    context: typer.Context,
    by: Annotated[str, typer.Option(help=f"one of {', '.join(_SIDES)}")] = "models",
    days: Annotated[int, typer.Option(min=1, max=4_000, help="how far back")] = 30,
    as_json: Json = False,
) -> None:
    """The bill of the last days by month, vendor, task or model, with each vendor's share."""
    if context.invoked_subcommand is not None:
        return
    if by not in _SIDES:
        raise typer.BadParameter(f"got {by!r}, expected one of {', '.join(_SIDES)}")
    with open_services() as services:
        services.catch_clock_up()
        now_ms = services.clock.now_ms()
        found = bill(services.database, now_ms - days * DAY_MS, now_ms + 1)
    if as_json:
        print_json(found)
        return
    lines: tuple[Line, ...] = getattr(found, by)
    columns = (
        (by, lambda line: line.key + (" (simulated)" if line.simulated else "")),
        ("USD", lambda line: f"{line.spend_usd:,.4f}"),
        ("answered", lambda line: f"{line.calls:,}"),
        ("requests", lambda line: f"{line.attempts:,}"),
        ("tokens in", lambda line: f"{line.tokens_in:,}"),
        ("tokens out", lambda line: f"{line.tokens_out:,}"),
        ("unpriced", lambda line: line.unpriced or ""),
    )
    show(lines, columns, as_json=False)
    _print_dependence(found)


def _print_dependence(found: Bill) -> None:
    mark = " (simulated)" if found.basis == "simulated" else ""
    for share in found.shares:
        if share.calls is not None:
            spend = "" if share.spend is None else f", {share.spend:.0%} of the money"
            console.print(
                f"{share.layer} {share.vendor}: {share.calls:.0%} of answers{spend}{mark}"
            )
    if found.escalated.texts:
        part = "" if found.escalated.share is None else f" ({found.escalated.share:.1%})"
        console.print(
            f"asked again of a rented model: {found.escalated.texts:,} texts{part}, "
            f"{found.escalated.spend_usd:,.4f} USD{mark}"
        )
    if found.saved.calls:
        console.print(
            f"answered from memory: {found.saved.calls:,} calls, {found.saved.usd:,.4f} USD saved"
        )
    if found.owned_calls is not None:
        console.print(f"models of our own: {found.owned_calls:.0%} of answers")
