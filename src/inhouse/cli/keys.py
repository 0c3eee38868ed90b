"""inhouse keys: make, list and revoke API keys."""

from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.keys import SCOPES
from inhouse.cli.output import Json, console, print_json, show

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="what the key is for, as lists will show it")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"what it may do, repeatable; all by default: {', '.join(SCOPES)}"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once and stored as a hash."""
    with open_services() as services:
        key, secret = services.keys.create(name, scope or list(SCOPES))
    if as_json:
        print_json({"key_id": key.key_id, "secret": secret, "scopes": sorted(key.scopes)})
        return
    console.print(f"[bold]{secret}[/bold]")
    console.print(f"{key.key_id} {name!r}, may: {', '.join(sorted(key.scopes))}; shown only now")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Show every key, newest first; never the secrets."""
    with open_services() as services:
        keys = services.keys.list()
    columns = (
        ("key", lambda k: k.key_id),
        ("name", lambda k: k.name),
        ("may", lambda k: ", ".join(sorted(k.scopes))),
        ("revoked", lambda k: "no" if k.revoked_ms is None else "yes"),
    )
    show(keys, columns, as_json=as_json)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="as `inhouse keys list` shows it")]) -> None:
    """Make a key void, in every process within two seconds."""
    with open_services() as services:
        services.keys.revoke(key_id)
    console.print(f"{key_id} is void")
