"""What makes an event wrong, and how it is said."""

from typing import Any

import pytest

from inhouse.core.ids import ID_RULE
from inhouse.events.types import (
    EVENT_KINDS,
    ITEM_KINDS,
    OWN_KINDS,
    TARGET_KINDS,
    TIMED_KINDS,
    Event,
)
from inhouse.events.validate import fault_of

_LATEST_MS = 2_000
_FORMS = "creator:NAME or topic:NAME or word:NAME"


def _event(**changes: Any) -> Event:
    """A right event of the kind, then changed."""
    kind = changes.get("kind", "click")
    right: dict[str, Any] = {"event_id": "e", "at_ms": 1_000, "kind": kind, "user_id": "u"}
    if kind in ITEM_KINDS:
        right["item_id"] = "i"
    if kind in TARGET_KINDS:
        right["target"] = "creator:c"
    if kind in TIMED_KINDS:
        right["value"] = 500.0
    return Event(**(right | changes))


@pytest.mark.parametrize("kind", [kind for kind in EVENT_KINDS if kind not in OWN_KINDS])
def test_every_kind_has_a_right_form(kind: str) -> None:
    """With what its kind needs, an event has no fault."""
    event = _event(kind=kind, page_id="p", position=0)

    assert fault_of(event, lambda item: item == "i", _LATEST_MS) is None


def test_a_kind_of_our_own_is_refused() -> None:
    """Nobody outside says that a session is a person; there is a call for that."""
    fault = fault_of(_event(kind="link", target="session:s"), lambda item: True, _LATEST_MS)

    assert fault is not None
    assert (fault.field, fault.value) == ("kind", "'link'")


@pytest.mark.parametrize(
    ("changes", "field", "shown", "expected"),
    [
        ({"event_id": "a b"}, "event_id", "'a b'", ID_RULE),
        ({"user_id": ""}, "user_id", "''", ID_RULE),
        ({"page_id": "ä"}, "page_id", "'ä'", ID_RULE),
        ({"at_ms": -1}, "at_ms", "-1", "milliseconds since 1970, 0 to 2000"),
        ({"at_ms": 2_001}, "at_ms", "2001", "milliseconds since 1970, 0 to 2000"),
        ({"item_id": None}, "item_id", "None", "the item of the click"),
        ({"item_id": "no"}, "item_id", "'no'", "an item posted to /v1/items before"),
        (
            {"kind": "visit", "item_id": "i"},
            "item_id",
            "'i'",
            "no item for an event of kind visit",
        ),
        ({"target": "word:x"}, "target", "'word:x'", "no target for an event of kind click"),
        ({"kind": "mute", "target": None}, "target", "None", _FORMS),
        ({"kind": "mute", "target": "word: "}, "target", "'word: '", _FORMS),
        ({"kind": "mute", "target": "word:a\x00"}, "target", "'word:a\\x00'", _FORMS),
        (
            {"kind": "follow", "target": "topic:x"},
            "target",
            "'topic:x'",
            "creator:ID for an event of kind follow",
        ),
        (
            {"kind": "watch", "value": float("nan")},
            "value",
            "nan",
            "milliseconds of the watch, 0 to 86400000",
        ),
        (
            {"kind": "dwell", "value": None},
            "value",
            "None",
            "milliseconds of the dwell, 0 to 86400000",
        ),
        ({"value": 1.0}, "value", "1.0", "no value for an event of kind click"),
        ({"position": -1}, "position", "-1", "0 to 10000"),
    ],
)
def test_a_wrong_event_names_field_value_and_expectation(
    changes: dict[str, Any], field: str, shown: str, expected: str
) -> None:
    """The first fault is told as the API and an import show it."""
    fault = fault_of(_event(**changes), lambda item: item == "i", _LATEST_MS)

    assert fault is not None
    assert (fault.field, fault.value, fault.expected) == (field, shown, expected)
