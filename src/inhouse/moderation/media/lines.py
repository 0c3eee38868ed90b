"""Lines of hashes: `HEX` or `HEX,a note`, one hash a line; every fault is told by its line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from inhouse.core.errors import InputError
from inhouse.moderation.media.types import HASH_BYTES, HashKind

MOST_NOTE_CHARS: Final = 200
_MOST_SHOWN: Final = 20  # faults


@dataclass(frozen=True, kw_only=True, slots=True)
class HashLine:
    """A line that was understood."""

    hash: bytes
    note: str | None


def read_lines(kind: HashKind, text: str, most: int, first_line: int = 1) -> list[HashLine]:
    """Every hash, each once; empty lines and those that begin with # are passed over.

    most: lines; first_line: the number of the first one. Raises InputError that names the lines
    that are wrong.
    """
    lines = text.splitlines()
    if len(lines) > most:
        raise InputError(f"{len(lines)} lines; expected at most {most}, send the rest separately")
    faults: list[str] = []
    found: dict[bytes, HashLine] = {}
    for line in _read(kind, enumerate(lines, first_line), faults):
        found.setdefault(line.hash, line)
    if faults:
        shown = "\n".join(f"  {fault}" for fault in faults[:_MOST_SHOWN])
        more = len(faults) - _MOST_SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        raise InputError(f"{len(faults)} of {len(lines)} lines cannot be read\n{shown}{rest}")
    return list(found.values())


def read_hash(kind: HashKind, text: str) -> bytes:
    """One hash from its hex digits. Raises InputError."""
    digest = _digest(kind, text.strip())
    if digest is None:
        raise InputError(f"the hash is {text[:80]!r}; expected {_expected(kind)}")
    return digest


def _read(
    kind: HashKind, lines: Iterable[tuple[int, str]], faults: list[str]
) -> Iterator[HashLine]:
    for number, line in lines:
        written, _, note = (part.strip() for part in line.partition(","))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        digest = _digest(kind, written)
        if digest is None:
            faults.append(f"line {number}: got {written[:80]!r}, expected {_expected(kind)}")
        elif len(note) > MOST_NOTE_CHARS or not note.isprintable():
            faults.append(
                f"line {number}: a note of {len(note)} characters, expected at most "
                f"{MOST_NOTE_CHARS} printable ones"
            )
        else:
            yield HashLine(hash=digest, note=note or None)


def _digest(kind: HashKind, written: str) -> bytes | None:
    digits = 2 * HASH_BYTES[kind]
    if len(written) != digits or not written.isascii() or not written.isalnum():
        return None
    try:
        return bytes.fromhex(written)
    except ValueError:
        return None


def _expected(kind: HashKind) -> str:
    return f"the {2 * HASH_BYTES[kind]} hex digits of a {kind} hash"
