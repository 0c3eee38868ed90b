"""From the values of a row, whatever their file, to the fields of a record.

A field is named as in the API. Times may be given in three units, and the name says which:
`created_ms`, `created_s` (both numbers since 1970 UTC) and `created` (ISO 8601).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, get_args

import msgspec

from inhouse.app.imports.types import Record
from inhouse.catalog.types import Item, ItemKind, User
from inhouse.core.errors import Fault
from inhouse.events.types import EVENT_KINDS, Event
from inhouse.models.harvest.labels import PERSON
from inhouse.models.harvest.terms import full_name, hint
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Label

_ITEM_KINDS: Final = get_args(ItemKind)


class WrongValue(Exception):  # noqa: N818 - a signal between the functions of this module
    """A value does not fit its field; the message says what would."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRule:
    """How the value of one named field becomes one attribute of the record."""

    attribute: str  # of the record
    read: Callable[[object], Any]  # raises WrongValue
    required: bool = False


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise WrongValue("text")


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return int(value) if isinstance(value, str) else int("")
    except ValueError:
        raise WrongValue("a whole number") from None


def _number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise WrongValue("a number")


def _seconds(value: object) -> int:
    try:
        return round(_number(value) * 1_000)
    except (OverflowError, ValueError, WrongValue):
        raise WrongValue("seconds since 1970") from None


def _moment(value: object) -> int:
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime):
        raise WrongValue("a time like 2026-01-31T12:00:00Z")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000)


def _truth(value: object) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    truth = known.get(str(value).lower())
    if truth is None:
        raise WrongValue("true or false")
    return truth


def _terms(value: object) -> str:
    name = _text(value)
    found = full_name(name)
    if found is None:
        raise WrongValue(hint(name))
    return found


def _topics(value: object) -> tuple[str, ...]:
    parts = value.split("|") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise WrongValue("a list of names, or names parted by |")
    return tuple(dict.fromkeys(part.strip().lower() for part in parts if part.strip()))


def _vectors(value: object) -> dict[str, tuple[float, ...]]:
    wrong = WrongValue("an object of lists of numbers, by name")
    if not isinstance(value, dict):
        raise wrong
    try:
        named = {str(name): tuple(map(_number, part)) for name, part in value.items() if part}
    except (TypeError, WrongValue):
        raise wrong from None
    return named


def _one_of(names: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value in names:
            return str(value)
        raise WrongValue("one of " + ", ".join(names))

    return read


def _times(name: str, *, required: bool = False) -> dict[str, FieldRule]:
    attribute = f"{name}_ms"
    return {
        f"{name}_ms": FieldRule(attribute=attribute, read=_whole, required=required),
        f"{name}_s": FieldRule(attribute=attribute, read=_seconds, required=required),
        name: FieldRule(attribute=attribute, read=_moment, required=required),
    }


def _plain(*names: str, read: Callable[[object], Any] = _text) -> dict[str, FieldRule]:
    return {name: FieldRule(attribute=name, read=read) for name in names}


def _needed(*names: str) -> dict[str, FieldRule]:
    return {name: FieldRule(attribute=name, read=_text, required=True) for name in names}


_ITEM_RULES: Final = {
    **_needed("item_id", "creator_id"),
    **_plain("title", "text", "language", "region", "media_url", "reply_to"),
    **_plain("kind", read=_one_of(_ITEM_KINDS)),
    **_plain("topics", read=_topics),
    **_plain("duration_ms", read=_whole),
    **_plain("hidden", read=_truth),
    **_plain("vectors", read=_vectors),
    **_times("created"),
    **_times("expires"),
}
_USER_RULES: Final = {
    **_needed("user_id"),
    **_plain("name", "language", "region"),
    **_plain("topics", read=_topics),
    **_plain("birth_year", read=_whole),
    **_plain("is_creator", read=_truth),
    **_times("created"),
}
_EVENT_RULES: Final = {
    **_needed("user_id"),
    "kind": FieldRule(attribute="kind", read=_one_of(EVENT_KINDS), required=True),
    **_times("at", required=True),
    **_plain("event_id", "item_id", "target", "page_id"),
    **_plain("value", read=_number),
    **_plain("position", read=_whole),
}
_LABEL_RULES: Final = {
    **_needed("text"),
    "category": FieldRule(attribute="category", read=_one_of(TEXT_HARM.categories), required=True),
    "value": FieldRule(attribute="value", read=_truth, required=True),
    **_plain("ref", "labelled_by"),
    **_plain("terms", read=_terms),
    **_times("at"),
}
RULES: Final[Mapping[str, Mapping[str, FieldRule]]] = {
    "items": _ITEM_RULES,
    "users": _USER_RULES,
    "events": _EVENT_RULES,
    "labels": _LABEL_RULES,
}


def derived_id(prefix: str, parts: object) -> str:
    """An id that is the same for the same parts, for records that have none of their own."""
    digest = hashlib.blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16)
    return f"{prefix}-{digest.hexdigest()}"


def _label(**filled: Any) -> Label:
    """What a person said of a text: whether it belongs to one category."""
    return Label(
        task=TEXT_HARM.name,
        ref=filled.get("ref") or derived_id("text", filled["text"]),
        text=filled["text"],
        scores={filled["category"]: float(filled["value"])},
        source=f"{PERSON}:{filled.get('labelled_by', 'import')}",
        terms=filled.get("terms", ""),
        at_ms=filled.get("at_ms", 0),
    )


_RECORDS: Final[Mapping[str, Callable[..., Record]]] = {
    "items": Item,
    "users": User,
    "events": Event,
    "labels": _label,
}


def record_of(table: str, values: Mapping[str, object]) -> Record | Fault:
    """A record of one of the tables in `RULES` from values by field name; an absent value (None or
    empty text) leaves the default. Or the first thing wrong with it."""
    filled: dict[str, Any] = {}
    for name, value in values.items():
        rule = RULES[table][name]
        if value is None or value == "":
            continue
        try:
            filled[rule.attribute] = rule.read(value)
        except WrongValue as wrong:
            return Fault(field=name, value=repr(value)[:80], expected=str(wrong))
    for name, rule in RULES[table].items():
        if rule.required and rule.attribute not in filled:
            return Fault(field=name, value="nothing", expected="a value, since it is required")
    if table == "events" and "event_id" not in filled:
        filled["event_id"] = derived_id("x", filled)
    return _RECORDS[table](**filled)
