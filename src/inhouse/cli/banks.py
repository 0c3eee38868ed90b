"""inhouse moderate banks: hashes of pictures, videos and files that are known."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from inhouse.app.build import Services, open_services
from inhouse.cli.output import Json, complaints, console, print_json, progress_bar, show
from inhouse.core.errors import InputError
from inhouse.moderation.media.banks import MOST_LINES, BankFacts
from inhouse.moderation.media.types import BankHash, BankSpec, HashKind, HashState

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Banks of known hashes.")
Name = Annotated[str, typer.Argument(help="of the bank, as `list` shows it")]
Hash = Annotated[str, typer.Argument(help="in hex digits, as `hashes` shows it")]
_HASHES = 100


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 48 of a-z 0-9 _ -")],
    kind: Annotated[
        HashKind, typer.Option(help="pdq for likenesses; md5, sha256 for files")
    ] = "pdq",
    category: Annotated[str | None, typer.Option(help="of the policy")] = None,
    harmless: Annotated[bool, typer.Option("--harmless", help="what must not match")] = False,
    p: Annotated[float, typer.Option(help="probability of the category after a match")] = 0.95,
    distance: Annotated[int, typer.Option(help="bits a match may differ in, 0 to 31")] = 31,
    least_quality: Annotated[int, typer.Option(help="of the post's picture, 0 to 100")] = 50,
    share: Annotated[int, typer.Option(help="per cent of the hashes that count")] = 100,
) -> None:
    """Make a bank without hashes. It says that a post is of a category, or, with --harmless, that
    a picture is none of what other banks say."""
    if (category is None) != harmless:
        raise InputError("give either --category NAME or --harmless")
    spec = BankSpec(
        name=name,
        kind=kind,
        category=category,
        p=p,
        distance=distance,
        least_quality=least_quality,
        share=share,
    )
    with open_services() as services:
        services.hash_banks.create(spec, _now_ms(services))
    console.print(f"{name} is there; add hashes with `inhouse moderate banks add {name} FILE`")


@app.command("list")
def list_banks(as_json: Json = False) -> None:
    """Every bank, what it says, and how full it is."""
    with open_services() as services:
        found = services.hash_banks.facts()
    columns = (
        ("name", lambda f: f.bank.spec.name),
        ("kind", lambda f: f.bank.spec.kind),
        ("says", _says),
        ("within", lambda f: f"{f.bank.spec.distance} bits" if f.bank.spec.kind == "pdq" else ""),
        ("counts", _counts),
        ("hashes", lambda f: f"{f.hashes:,}"),
        ("disabled", lambda f: f"{f.disabled:,}"),
    )
    show(found, columns, as_json=as_json)


@app.command()
def change(
    name: Name,
    category: Annotated[str | None, typer.Option(help="of the policy")] = None,
    p: Annotated[float | None, typer.Option(help="probability after a match")] = None,
    distance: Annotated[int | None, typer.Option(help="bits, 0 to 31")] = None,
    least_quality: Annotated[int | None, typer.Option(help="0 to 100")] = None,
    share: Annotated[int | None, typer.Option(help="per cent of the hashes that count")] = None,
    active: Annotated[bool | None, typer.Option("--on/--off", help="whether any counts")] = None,
) -> None:
    """Change what a bank says; whatever is not named stays. Workers hear of it within seconds."""
    given = {
        "category": category,
        "p": p,
        "distance": distance,
        "least_quality": least_quality,
        "share": share,
        "active": active,
    }
    with open_services() as services:
        spec = services.hash_banks.get(name).spec
        services.hash_banks.change(replace(spec, **_named(given)))
    console.print(f"{name} is changed")


@app.command()
def add(
    name: Name,
    file: Annotated[
        Path, typer.Argument(help="lines of HEX or HEX,a note; - reads standard input")
    ],
) -> None:
    """Add hashes to a bank. A line that is wrong is named; of its hundred thousand none is added,
    what came before them is. The same file again does no harm."""
    added = known = 0
    with open_services() as services, _opened(file) as lines:
        for first, text in _parts(lines):
            done = services.hash_banks.add(name, text, _now_ms(services), first_line=first)
            added, known = added + done.added, known + done.known
            complaints.print(f"{added + known:,} hashes", end="\r", highlight=False)
    console.print(f"{added:,} hashes added, {known:,} were there")


@contextmanager
def _opened(file: Path) -> Iterator[IO[str]]:
    if str(file) == "-":
        yield sys.stdin
        return
    try:
        with file.open(encoding="utf-8") as lines:
            yield lines
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {file}: {error}; give a text file of hashes") from error


@app.command()
def hashes(
    name: Name,
    after: Annotated[int, typer.Option(help="number of the last hash seen")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = _HASHES,
    as_json: Json = False,
) -> None:
    """The hashes of a bank, with their notes."""
    with open_services() as services:
        found = services.hash_banks.hashes(name, after, limit)
    columns = (
        ("number", lambda h: h.hash_id),
        ("hash", lambda h: h.hash),
        ("state", lambda h: h.state),
        ("note", lambda h: h.note or ""),
    )
    show(found, columns, as_json=as_json)


@app.command()
def disable(name: Name, hash_: Hash) -> None:
    """Let one hash count no longer; it stays on the list."""
    _set_state(name, hash_, "disabled")


@app.command()
def enable(name: Name, hash_: Hash) -> None:
    """Let one hash that was disabled count again."""
    _set_state(name, hash_, "active")


@app.command()
def drop(name: Name, hash_: Hash) -> None:
    """Take one hash out of a bank, with its note."""
    _set_state(name, hash_, "removed")


@app.command()
def remove(name: Name) -> None:
    """Remove a bank with all its hashes."""
    with open_services() as services:
        removed = services.hash_banks.remove(name)
    console.print(f"{name} is gone, and {removed:,} hashes with it")


@app.command()
def rescan(as_json: Json = False) -> None:
    """Hold the media of every post against the banks of now, and let what nobody has read yet be
    read by the worker. Killed, it goes on where it was."""
    with open_services() as services, progress_bar() as tell:
        services.catch_clock_up()
        job = services.media_rescan
        enrolled = 0
        if services.is_media_wanted():
            enrolled = sum(job.enrol_unread(items) for items in services.catalog.all_items())
        done = job.run(lambda count, total: tell("posts", count, total))
    if as_json:
        print_json({"rescanned": done, "enrolled": enrolled})
        return
    console.print(
        f"{done.looked_at:,} posts held against the banks, {done.changed:,} new verdicts, "
        f"{done.cases:,} cases opened or added to; {enrolled:,} wait to be read"
    )


def _parts(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The number of the first line and the text of every hundred thousand."""
    numbered = iter(lines)
    first = 1
    while part := list(islice(numbered, MOST_LINES)):
        yield first, "".join(part)
        first += len(part)


def _named(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _set_state(name: str, hash_: str, state: HashState) -> None:
    with open_services() as services:
        done: BankHash = services.hash_banks.set_state(name, hash_, state, _now_ms(services))
    console.print(f"{done.hash[:16]}… of {name} is {done.state}")


def _now_ms(services: Services) -> int:
    services.catch_clock_up()
    return services.clock.now_ms()


def _says(facts: BankFacts) -> str:
    spec = facts.bank.spec
    return f"{spec.category} {spec.p:g}" if spec.matches else "does not match"


def _counts(facts: BankFacts) -> str:
    spec = facts.bank.spec
    return f"{spec.share}%" if spec.active else "off"
