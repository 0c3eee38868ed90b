"""Batches from outside: the good rows are taken, each bad one is named.

The whole batch is decoded at once where it is clean, which is the usual case and the fast one; only
otherwise rows are looked at one by one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Final, Generic, TypeVar, get_args, get_type_hints

import msgspec

from inhouse.core.decoding import UNREADABLE
from inhouse.core.errors import Fault, InputError

T = TypeVar("T")
_PATH: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_MOST_SHOWN: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A row that was not taken, and what to do about it."""

    index: int  # place in the batch, 0 first
    field: str  # which part of the row
    value: str  # what was given, shortened
    expected: str  # what would have been right


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch(Generic[T]):
    """A batch, sorted into good and bad; together they are all of it."""

    good: list[T]
    rejected: list[Rejected]


class RowReader(Generic[T]):
    """Decodes `{"<name>": [row, …]}` into rows of one type."""

    def __init__(self, name: str, kind: type[T], most_rows: int) -> None:
        self._name = name
        self._kind = kind
        self._most_rows = most_rows
        envelope = msgspec.defstruct(
            f"{name}_envelope", [(name, GenericAlias(list, kind))], forbid_unknown_fields=True
        )
        raw = msgspec.defstruct(
            f"{name}_raw", [(name, list[msgspec.Raw])], forbid_unknown_fields=True
        )
        self._whole: msgspec.json.Decoder[Any] = msgspec.json.Decoder(envelope)
        self._rows: msgspec.json.Decoder[Any] = msgspec.json.Decoder(raw)

    def read(self, body: bytes, fault_of: Callable[[T], Fault | None]) -> Batch[T]:
        """Sort a body into good and bad rows. Raises InputError where it is no batch at all."""
        try:
            rows: list[T | Rejected] = getattr(self._whole.decode(body), self._name)
        except UNREADABLE:
            rows = [self._one(index, raw) for index, raw in enumerate(self._raw_rows(body))]
        self._check_size(len(rows))
        return _sorted(rows, fault_of)

    def _raw_rows(self, body: bytes) -> Sequence[msgspec.Raw]:
        try:
            rows: Sequence[msgspec.Raw] = getattr(self._rows.decode(body), self._name)
        except UNREADABLE as error:
            raise InputError(
                f'body: {_plain(error)}, expected JSON like {{"{self._name}": [{{…}}, …]}}'
            ) from error
        self._check_size(len(rows))
        return rows

    def _check_size(self, count: int) -> None:
        if count > self._most_rows:
            raise InputError(
                f"{self._name}: got {count} rows, expected at most {self._most_rows}; "
                "send smaller batches"
            )

    def _one(self, index: int, raw: msgspec.Raw) -> T | Rejected:
        try:
            plain = msgspec.json.decode(raw)
        except UNREADABLE as error:
            return Rejected(
                index=index, field="", value=_shown(bytes(raw)), expected=f"valid JSON: {error}"
            )
        try:
            return msgspec.convert(plain, self._kind, strict=True)
        except msgspec.ValidationError as error:
            return _rejected(index, plain, error, self._kind)


def _sorted(rows: Sequence[T | Rejected], fault_of: Callable[[T], Fault | None]) -> Batch[T]:
    good: list[T] = []
    rejected: list[Rejected] = []
    for index, row in enumerate(rows):
        if isinstance(row, Rejected):
            rejected.append(row)
        elif (fault := fault_of(row)) is not None:
            rejected.append(
                Rejected(index=index, field=fault.field, value=fault.value, expected=fault.expected)
            )
        else:
            good.append(row)
    return Batch(good=good, rejected=rejected)


def _rejected(
    index: int, plain: object, error: msgspec.ValidationError, kind: type[object]
) -> Rejected:
    match = _PATH.match(str(error))
    problem = match["problem"] if match else str(error)
    path = (match["path"] or "") if match else ""
    missing = re.search(r"missing required field `(\w+)`", problem)
    field = missing[1] if missing else path
    expected = "a value, since it is required" if missing else _expectation(problem, kind, field)
    return Rejected(index=index, field=field, value=_shown(_at(plain, field)), expected=expected)


def _expectation(problem: str, kind: type[object], field: str) -> str:
    if problem.startswith("Invalid enum value"):
        names = get_args(get_type_hints(kind).get(field))
        return f"one of {', '.join(names)}" if names else "another word; /docs lists them"
    return problem.removeprefix("Expected ").partition(", got")[0]


def _at(plain: object, field: str) -> object:
    value = plain
    for part in filter(None, re.split(r"[.\[\]]+", field)):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def _plain(error: Exception) -> str:
    text = str(error)
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
