"""The command `inhouse`. A command's module is imported when that command is called, so that
`inhouse keys` does not wait for what `inhouse train` needs."""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import typer

from inhouse import __version__
from inhouse.cli.output import ASKED_WRONGLY, FAILED, complaints
from inhouse.core.errors import InhouseError, InputError
from inhouse.core.logs import configure_logs
from inhouse.core.settings import COMMUNITY

_COMMUNITY_OPTION: Final = "--community"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A command and where it lives."""

    module: str  # of this package
    name: str  # of a function, or of a typer app with commands of its own
    help: str  # one line for the list of commands


COMMANDS: Final = {
    "demo": Entry(module="demo", name="demo", help="a living community on this machine"),
    "up": Entry(module="up", name="up", help="run the server, or one role of it"),
    "import": Entry(module="imports", name="app", help="take over what another system holds"),
    "replay": Entry(module="replay", name="replay", help="score the feed on recorded behaviour"),
    "train": Entry(module="train", name="train", help="learn everything the log holds, now"),
    "evaluate": Entry(module="evaluate", name="evaluate", help="how good the predictions were"),
    "moderate": Entry(module="moderate", name="app", help="judge what waits; check a policy"),
    "review": Entry(module="review", name="app", help="the moderators' queue"),
    "models": Entry(module="models", name="app", help="who answers each task; owned models"),
    "bill": Entry(module="bill", name="app", help="what AI calls cost, and who is paid"),
    "drill": Entry(module="drill", name="drill", help="rehearse that a vendor is gone; a grade"),
    "experiment": Entry(module="experiment", name="app", help="start, read and stop experiments"),
    "rules": Entry(module="rules", name="app", help="pin, boost and block posts"),
    "communities": Entry(module="communities", name="app", help="add, list and remove communities"),
    "keys": Entry(module="keys", name="app", help="make, list and revoke API keys"),
    "staff": Entry(module="staff", name="app", help="who works in the console, and as what"),
    "doctor": Entry(module="doctor", name="doctor", help="is everything as it should be"),
}


def command_line(wanted: Sequence[str]) -> typer.Typer:
    """The commands: those in `wanted` as they are, the others as lines of the help."""
    app = typer.Typer(
        name="inhouse",
        help="The For You feed on models you own.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for name, entry in COMMANDS.items():
        if name not in wanted:
            app.command(name, help=entry.help)(_not_called)
            continue
        target = getattr(importlib.import_module(f"inhouse.cli.{entry.module}"), entry.name)
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name)
        else:
            app.command(name)(target)
    return app


def _not_called() -> None:
    """Stands in the help for a command that this call does not import."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inhouse {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="print the version"
    ),
    community: str = typer.Option(
        "", _COMMUNITY_OPTION, envvar=COMMUNITY, help="the community that the command is about"
    ),
) -> None:
    """The For You feed on models you own."""
    configure_logs(role="cli", level="warning")
    if community:
        os.environ[COMMUNITY] = community  # for whoever asks for settings, here and in children


def run() -> None:
    """Entry point: turns what inhouse raises on purpose into a message and an exit code."""
    try:
        command_line(_called(sys.argv[1:]))()
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
    except OSError as error:  # of a file that was named, or of a disk that is full
        what = f"cannot use {error.filename}: " if error.filename else ""
        complaints.print(f"inhouse: {what}{error.strerror or error}", markup=False, highlight=False)
        sys.exit(FAILED)


def _called(words: Sequence[str]) -> list[str]:
    """The command among the words of a call: the first bare one that is no option's value."""
    values = {index + 1 for index, word in enumerate(words) if word == _COMMUNITY_OPTION}
    bare = [w for index, w in enumerate(words) if not w.startswith("-") and index not in values]
    return bare[:1]


if __name__ == "__main__":
    run()
