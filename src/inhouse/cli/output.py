"""How commands speak: tables for people, JSON for programs, exit codes for both."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from inhouse.core.errors import InputError
from inhouse.stats.types import Interval, NotEnough

FAILED: Final = 1
ASKED_WRONGLY: Final = 2
console: Final = Console()
complaints: Final = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="print JSON for a program to read")]


def show(
    rows: Sequence[Any],
    columns: Sequence[tuple[str, Callable[[Any], object]]],
    *,
    as_json: bool,
    title: str = "",
) -> None:
    """Print rows as a table, or the whole rows as JSON."""
    if as_json:
        print_json(rows)
        return
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name, _ in columns:
        table.add_column(name, overflow="fold")  # a hash cut off in the middle is of no use
    for row in rows:
        table.add_row(*(str(read(row)) for _, read in columns))
    console.print(table)


def read_file(path: Path) -> bytes:
    """What is in a file that was named. Raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a file with JSON") from error


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar that is told what is being done, steps done and steps in all."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=complaints, transient=True) as bar:
        task = bar.add_task("log", total=1)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        yield tell


def print_json(value: object) -> None:
    """Print anything made of dataclasses, sequences, mappings and decimals."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def plain(value: object) -> object:
    """The same in JSON's own types."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value


def share_in_words(share: Interval | NotEnough) -> str:
    """A share in hundredths with its range, or why it is unknown.

    >>> share_in_words(Interval(estimate=0.5, low=0.25, high=0.75, level=0.95))
    '50.0% (25.0 to 75.0)'
    """
    if isinstance(share, NotEnough):
        return f"unknown ({share.reason})"
    digits = 1 if share.high >= 0.1 else 2
    ends = (100 * value for value in (share.estimate, share.low, share.high))
    estimate, low, high = (f"{value:.{digits}f}" for value in ends)
    return f"{estimate}% ({low} to {high})"
