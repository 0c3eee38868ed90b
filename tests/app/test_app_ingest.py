"""Batches from outside: good rows are taken, bad rows are named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.app.ingest import Batch, Rejected, RowReader
from inhouse.catalog.types import Item
from inhouse.catalog.validate import item_fault
from inhouse.core.errors import Fault, InputError
from inhouse.events.types import EVENT_KINDS, Event
from inhouse.events.validate import fault_of

LATEST_MS = 2_000_000_000_000


def _fault(event: Event) -> Fault | None:
    return fault_of(event, lambda item_id: item_id.startswith("known"), LATEST_MS)


def _read(rows: list[object], most: int = 100) -> Batch[Event]:
    body = json.dumps({"events": rows}).encode()
    return RowReader("events", Event, most).read(body, _fault)


def _row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "event_id": "e1",
        "at_ms": 1_700_000_000_000,
        "kind": "like",
        "user_id": "u1",
        "item_id": "known1",
    }
    row.update(changes)
    return {key: value for key, value in row.items() if value is not ...}


def test_good_rows_are_taken_beside_bad_ones() -> None:
    """Of three rows the middle one is bad: the others are decoded, it is named."""
    batch = _read([_row(), _row(kind="love"), _row(event_id="e2")])

    assert [event.event_id for event in batch.good] == ["e1", "e2"]
    assert [(r.index, r.field, r.value) for r in batch.rejected] == [(1, "kind", "'love'")]


@pytest.mark.parametrize(
    ("changes", "field", "value", "expected"),
    [
        ({"event_id": ...}, "event_id", "None", "a value, since it is required"),
        ({"at_ms": "now"}, "at_ms", "'now'", "`int`"),
        ({"at_ms": -5}, "at_ms", "-5", f"milliseconds since 1970, 0 to {LATEST_MS}"),
        ({"at_ms": 10**15}, "at_ms", str(10**15), f"milliseconds since 1970, 0 to {LATEST_MS}"),
        ({"item_id": "ghost"}, "item_id", "'ghost'", "an item posted to /v1/items before"),
        ({"item_id": ...}, "item_id", "None", "the item of the like"),
        ({"user_id": "a b"}, "user_id", "'a b'", None),
        ({"user_id": "x" * 200}, "user_id", None, None),
        ({"kind": "dwell"}, "value", "None", "milliseconds of the dwell, 0 to 86400000"),
        ({"kind": "dwell", "value": -1.0}, "value", "-1.0", None),
        ({"value": 3.0}, "value", "3.0", "no value for an event of kind like"),
        ({"kind": "visit"}, "item_id", "'known1'", "no item for an event of kind visit"),
        ({"kind": "follow", "item_id": ..., "target": "topic:x"}, "target", "'topic:x'", None),
        ({"kind": "mute", "item_id": ..., "target": "word: "}, "target", "'word: '", None),
        ({"position": -1}, "position", "-1", "0 to 10000"),
    ],
)
def test_a_bad_row_says_what_was_expected(
    changes: dict[str, object], field: str, value: str | None, expected: str | None
) -> None:
    """Each way of being wrong names its field, what was given, and what would be right."""
    (rejected,) = _read([_row(**changes)]).rejected

    assert rejected.field == field
    assert value is None or rejected.value == value
    assert expected is None or rejected.expected == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"events": 3}', b'{"items": []}', b"\xff\xfe", b'{"events": [1,]}'],
)
def test_a_body_that_is_no_batch_is_refused_whole(body: bytes) -> None:
    """Truncated, mistyped or foreign bodies raise one clear error."""
    with pytest.raises(InputError, match=r'expected JSON like \{"events": \[\{…\}, …\]\}'):
        RowReader("events", Event, 10).read(body, _fault)


def test_too_many_rows_are_refused_whole() -> None:
    """A batch over the bound is not half taken."""
    with pytest.raises(InputError, match="events: got 3 rows, expected at most 2"):
        _read([_row(event_id=f"e{i}") for i in range(3)], most=2)


def test_emoji_and_right_to_left_text_are_items_like_any_other() -> None:
    """Words of any script survive the way in unchanged."""
    row = {
        "item_id": "i",
        "creator_id": "c",
        "title": "مرحبا 🎉",
        "text": "\u202eabc",
        "topics": ["茶"],
    }
    body = json.dumps({"items": [row]}).encode()
    (item,) = RowReader("items", Item, 10).read(body, item_fault).good

    assert (item.title, item.text, item.topics) == ("مرحبا 🎉", "\u202eabc", ("茶",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("media_url", "javascript:alert(1)"),
        ("media_url", "http://[bad"),
        ("text", "x" * 60_000),
        ("title", "nul\x00"),
        ("topics", ["Upper"]),
        ("topics", ["t"] * 30),
        ("duration_ms", -1),
        ("created_ms", 2**60),
    ],
)
def test_items_out_of_bounds_are_refused(field: str, value: object) -> None:
    """Every bound of an item is checked."""
    row = {"item_id": "i", "creator_id": "c", field: value}
    batch = RowReader("items", Item, 10).read(json.dumps({"items": [row]}).encode(), item_fault)

    assert [rejected.field for rejected in batch.rejected] == [field]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
_ROWS = st.lists(
    _JSON
    | st.fixed_dictionaries(
        {
            "event_id": st.text(max_size=5) | st.integers(),
            "at_ms": st.integers(),
            "kind": st.sampled_from(EVENT_KINDS),
            "user_id": st.sampled_from(["u1", "", "é"]),
        },
        optional={
            "item_id": st.sampled_from(["known", "ghost", None]),
            "value": st.floats(allow_nan=False, allow_infinity=False),
        },
    ),
    max_size=6,
)


@given(_ROWS)
def test_every_row_is_either_good_or_named(rows: list[object]) -> None:
    """Whatever is sent, the counts add up and each rejected index is a place in the batch."""
    body = json.dumps({"events": rows}).encode()
    batch = RowReader("events", Event, 100).read(body, _fault)

    assert len(batch.good) + len(batch.rejected) == len(rows)
    assert {r.index for r in batch.rejected} <= set(range(len(rows)))
    assert all(isinstance(r, Rejected) and r.expected for r in batch.rejected)
