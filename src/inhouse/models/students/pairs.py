"""What a model of words is taught by: what was asked and what was answered, with source and terms.

Pairs come from whoever keeps them (`Pairs`) or from a file of JSON lines, each either

    {"messages": [{"role": "user", "content": "..."}], "answer": "...", "at_ms": 0,
     "source": "openai/openai/gpt-5-nano", "terms": "..."}

or in the format that vendors fine-tune by, where the assistant's last message is the answer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from inhouse.core.errors import Fault, InputError
from inhouse.models.harvest import pairs as kept
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.labels import without_terms
from inhouse.store.database import Database

ROLES: Final = ("system", "developer", "user", "assistant")
MOST_CHARS: Final = 400_000  # of a line of the file
_MOST_FAULTS: Final = 10
T = TypeVar("T")
_LONGEST: Final = 128  # of a source, and of terms


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """What was asked, and what was answered."""

    messages: tuple[Message, ...]  # all that the answer was given to
    answer: str
    at_ms: int  # when; the latest judge what the earlier taught
    source: str  # who answered: host/owner/model, or person:NAME
    terms: str  # under which the answer may be used


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Pairs by time."""

    teach: Sequence[Pair]
    stop: Sequence[Pair]  # later: whether to go on
    judge: Sequence[Pair]  # latest: how good it is

    @property
    def size(self) -> int:
        """Pairs in all."""
        return len(self.teach) + len(self.stop) + len(self.judge)


class Provided(Protocol):
    """Anything that somebody gave under terms."""

    @property
    def source(self) -> str: ...

    @property
    def terms(self) -> str: ...


class Pairs(Protocol):
    """Whoever keeps pairs."""

    def pairs(self, task: str, limit: int) -> Sequence[Pair]:
        """The newest `limit` pairs of a task, oldest first."""


class KeptPairs:
    """The pairs of calls that were kept, but for those under some terms."""

    def __init__(self, database: Database, without: Sequence[str] = ()) -> None:
        self._kept = kept.Pairs(database)
        self._without = tuple(without)

    def pairs(self, task: str, limit: int) -> list[Pair]:
        """See `Pairs`."""
        return [
            Pair(
                messages=one.messages,
                answer=one.answer,
                at_ms=one.at_ms,
                source=one.source,
                terms=one.terms,
            )
            for one in without_terms(self._kept.latest(task, limit), self._without)
        ]


class _Line(msgspec.Struct):
    messages: list[Message]
    answer: str | None = None
    at_ms: int = 0
    source: str | None = None
    terms: str = ""


class FilePairs:
    """The pairs of one file, for whatever task is trained."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pairs(self, task: str, limit: int) -> Sequence[Pair]:
        """Sorted by time. Raises InputError that names the first faulty lines."""
        return sorted(read_pairs(self._path), key=lambda pair: pair.at_ms)[-limit:]


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file, in its order. Raises InputError that names the first faulty lines."""
    lines = read_lines(path, _Line)
    faults, pairs = [], []
    for number, line in enumerate(lines, 1):
        found = _pair(line, number, f"file:{path.name}")
        if isinstance(found, Pair):
            pairs.append(found)
        else:
            faults.append(found)
    if faults:
        raise _unusable(path, faults)
    return pairs


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """The JSON lines of a file as what they are to be; empty ones are not counted. Raises
    InputError that names the first faulty ones, without their words."""
    found: list[T] = []
    faults: list[Fault] = []
    decoder = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as lines:
            for number, raw in enumerate((line for line in lines if line.strip()), 1):
                if len(raw) > MOST_CHARS:
                    told = f"{len(raw):,} bytes"
                    faults.append(_fault(f"line {number}", told, f"at most {MOST_CHARS:,}"))
                    continue
                try:
                    found.append(decoder.decode(raw))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    expected = f"JSON of the form that is documented ({error})"
                    faults.append(_fault(f"line {number}", "another thing", expected))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a file of lines") from None
    if faults:
        raise _unusable(path, faults)
    return found


def _unusable(path: Path, faults: Sequence[Fault]) -> InputError:
    told = [f"{len(faults)} line(s) of {path} cannot be used", *faults[:_MOST_FAULTS]]
    return InputError("\n  ".join(map(str, told)))


def _pair(line: _Line, number: int, name: str) -> Pair | Fault:
    """A line as a pair. The words themselves are not repeated in what is wrong."""
    where = f"line {number}"
    messages, answer = line.messages, line.answer
    if answer is None and messages and messages[-1].role == "assistant":
        messages, answer = messages[:-1], messages[-1].content
    if not messages or not (answer or "").strip():
        return _fault(where, "no answer", "messages, and an answer or an assistant's last message")
    strange = next((one.role for one in messages if one.role not in ROLES), None)
    if strange is not None:
        return _fault(f"{where}.role", repr(strange)[:40], "one of " + ", ".join(ROLES))
    source = line.source or name
    if len(source) > _LONGEST or len(line.terms) > _LONGEST:
        return _fault(where, "a long source or terms", f"at most {_LONGEST} characters each")
    return Pair(
        messages=tuple(messages),
        answer=answer or "",
        at_ms=line.at_ms,
        source=source,
        terms=line.terms,
    )


def _fault(field: str, value: str, expected: str) -> Fault:
    return Fault(field=field, value=value, expected=expected)


def provenance_of(pairs: "Sequence[Provided]") -> tuple[dict[str, int], dict[str, int]]:
    """Counts by source and by terms: what a model taught by them is bound by."""
    sources = Counter(pair.source for pair in pairs)
    terms = Counter(pair.terms for pair in pairs)
    return dict(sorted(sources.items())), dict(sorted(terms.items()))
