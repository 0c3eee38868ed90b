"""Where a page in the order of time goes on: the time of the last item on the one before, a dot and
its id."""

from typing import Final

from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, is_valid_id

_MS_DIGITS: Final = 17


def place_in(after: str) -> tuple[int, ItemId] | None:
    """Behind which item of which time; None for the first page. Raises InputError."""
    if not after:
        return None
    at_ms, _, item_id = after.partition(".")
    whole = at_ms.isdigit() and at_ms.isascii() and len(at_ms) < _MS_DIGITS
    if not (whole and is_valid_id(item_id)):
        raise InputError(f"after: got {after[:80]!r}, expected the `next` of the page before")
    return int(at_ms), ItemId(item_id)


def place_of(at_ms: int, item_id: str) -> str:
    """As `place_in` reads it."""
    return f"{at_ms}.{item_id}"
