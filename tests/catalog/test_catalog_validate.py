"""What makes an item or a user wrong, and how it is said."""

from dataclasses import replace
from typing import Any

import pytest

from inhouse.catalog.types import Item, User
from inhouse.catalog.validate import item_fault, user_fault
from inhouse.core.ids import ID_RULE, ItemId, UserId

_ITEM = Item(
    item_id=ItemId("i"),
    creator_id=UserId("c"),
    kind="video",
    title="t",
    text="x",
    topics=("a", "b c"),
    language="pt-BR",
    region="BR",
    media_url="https://cdn.example/v.mp4?x=1",
    duration_ms=0,
    created_ms=0,
    expires_ms=1 << 53,
)
_USER = User(user_id=UserId("u"), name="Ada", topics=("a",), birth_year=1900)
_URL = "an http or https URL of at most 2000 characters"
_TOPIC = "lower-case names of 1 to 64 characters"
_NUMBER = "numbers from -60000 to 60000"


def test_right_ones_have_no_fault() -> None:
    """Limits are included."""
    longest = replace(_ITEM, title="t" * 500, text="x" * 50_000, topics=("a" * 64,) * 20)

    assert [item_fault(_ITEM), item_fault(longest), user_fault(_USER)] == [None, None, None]
    assert item_fault(Item(item_id=ItemId("i"), creator_id=UserId("c"))) is None


@pytest.mark.parametrize(
    ("field", "value", "shown", "expected"),
    [
        ("item_id", "a b", "'a b'", ID_RULE),
        ("creator_id", "", "''", ID_RULE),
        ("title", "t" * 501, "501 characters", "0 to 500 characters"),
        ("text", "x" * 50_001, "50001 characters", "0 to 50000 characters"),
        ("text", "a\x00b", "a NUL character", "text without NUL characters"),
        ("topics", ("Upper",), "'Upper'", _TOPIC),
        ("topics", ("",), "''", _TOPIC),
        ("topics", ("a",) * 21, "'21 topics'", "0 to 20 topics"),
        ("language", "", "''", "a code of 1 to 16 ASCII characters"),
        ("region", "ß", "'ß'", "a code of 1 to 16 ASCII characters"),
        ("media_url", "javascript:alert(1)", "'javascript:alert(1)'", _URL),
        ("media_url", "https://", "'https://'", _URL),
        ("media_url", "https://[", "'https://['", _URL),
        ("media_url", "https://a/\n", "'https://a/\\n'", _URL),
        ("duration_ms", -1, "-1", "0 to 86400000"),
        ("created_ms", -1, "-1", "0 to 9007199254740992"),
        ("expires_ms", 1 << 54, "18014398509481984", "0 to 9007199254740992"),
        ("vectors", {str(n): (0.0, 1.0) for n in range(5)}, "'5 vectors'", "0 to 4 vectors"),
        ("vectors", {"Image": (0.0, 1.0)}, "'Image'", "names of 1 to 32 of a-z, 0-9 and _"),
        ("vectors.image", {"image": (1.0,)}, "'1 numbers'", "2 to 2048 numbers"),
        ("vectors.image", {"image": (0.0, float("nan"))}, "nan", _NUMBER),
        ("vectors.image", {"image": (0.0, 1e6)}, "1000000.0", _NUMBER),
        ("reply_to", "i", "'i'", "the id of another item"),
        ("reply_to", "", "''", ID_RULE),
        ("reply_to", "👍" * 9, repr("👍" * 9), ID_RULE),
    ],
)
def test_a_wrong_item_names_field_value_and_expectation(
    field: str, value: Any, shown: str, expected: str
) -> None:
    """The first fault is told as the API and an import show it."""
    fault = item_fault(replace(_ITEM, **{field.partition(".")[0]: value}))

    assert fault is not None
    assert (fault.field, fault.value, fault.expected) == (field, shown, expected)


@pytest.mark.parametrize(
    ("field", "value", "shown", "expected"),
    [
        ("user_id", "ä", "'ä'", ID_RULE),
        ("name", "n" * 201, "201 characters", "0 to 200 characters"),
        ("topics", ("A",), "'A'", _TOPIC),
        ("birth_year", 1899, "1899", "1900 to 2100"),
        ("created_ms", 1 << 54, "18014398509481984", "0 to 9007199254740992"),
    ],
)
def test_a_wrong_user_names_field_value_and_expectation(
    field: str, value: Any, shown: str, expected: str
) -> None:
    """The first fault is told as the API and an import show it."""
    fault = user_fault(replace(_USER, **{field: value}))

    assert fault is not None
    assert (fault.field, fault.value, fault.expected) == (field, shown, expected)
