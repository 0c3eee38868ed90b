"""The command `inhouse`."""

import os
import sys
from typing import Annotated

import typer

from inhouse import __version__
from inhouse.cli import keys
from inhouse.cli.demo import demo
from inhouse.cli.output import ASKED_WRONGLY, FAILED, complaints
from inhouse.cli.up import up
from inhouse.core.errors import InhouseError, InputError

app = typer.Typer(
    name="inhouse",
    help="The For You feed on models you own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(keys.app, name="keys")
app.command()(demo)
app.command()(up)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inhouse {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options before the command."""


def run() -> None:
    """Entry point: turns what inhouse raises on purpose into a message and an exit code."""
    try:
        app()
    except InputError as error:
        complaints.print(f"inhouse: {error}", markup=False, highlight=False)
        sys.exit(ASKED_WRONGLY)
    except InhouseError as error:
        complaints.print(f"inhouse: {error}", markup=False, highlight=False)
        sys.exit(FAILED)
    except BrokenPipeError:
        # The reader of our output has gone; let the interpreter's own flush find nothing to do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


if __name__ == "__main__":
    run()
