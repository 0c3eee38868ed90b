"""Whether an event makes sense: every rule that its types do not say."""

import math
from collections.abc import Callable
from typing import Final

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import Fault
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.events.types import (
    EVENT_KINDS,
    ITEM_KINDS,
    OWN_KINDS,
    TARGET_KINDS,
    TARGET_PREFIXES,
    TIMED_KINDS,
    Event,
)

MOST_TARGET_CHARS: Final = 160
MOST_POSITION: Final = 10_000
MOST_VALUE_MS: Final = DAY_MS


def fault_of(event: Event, knows_item: Callable[[str], bool], latest_ms: int) -> Fault | None:
    """The first thing wrong with an event, or None.

    knows_item: whether the catalog has an item of that id.
    latest_ms: events may not be later than this; a sender's clock may run a little ahead.
    """
    return (
        _kind_fault(event)
        or _id_fault(event)
        or _time_fault(event, latest_ms)
        or _item_fault(event, knows_item)
        or _target_fault(event)
        or _number_fault(event)
    )


def _fault(field: str, value: object, expected: str) -> Fault:
    return Fault(field=field, value=repr(value)[:80], expected=expected)


def _kind_fault(event: Event) -> Fault | None:
    if event.kind not in OWN_KINDS:
        return None
    allowed = ", ".join(kind for kind in EVENT_KINDS if kind not in OWN_KINDS)
    return _fault("kind", event.kind, f"one of {allowed}")


def _id_fault(event: Event) -> Fault | None:
    if not is_valid_id(event.event_id):
        return _fault("event_id", event.event_id, ID_RULE)
    if not is_valid_id(event.user_id):
        return _fault("user_id", event.user_id, ID_RULE)
    if event.page_id is not None and not is_valid_id(event.page_id):
        return _fault("page_id", event.page_id, ID_RULE)
    return None


def _time_fault(event: Event, latest_ms: int) -> Fault | None:
    if 0 <= event.at_ms <= latest_ms:
        return None
    return _fault("at_ms", event.at_ms, f"milliseconds since 1970, 0 to {latest_ms}")


def _item_fault(event: Event, knows_item: Callable[[str], bool]) -> Fault | None:
    if event.kind not in ITEM_KINDS:
        if event.item_id is None:
            return None
        return _fault("item_id", event.item_id, f"no item for an event of kind {event.kind}")
    if event.item_id is None:
        return _fault("item_id", None, f"the item of the {event.kind}")
    if not knows_item(event.item_id):
        return _fault("item_id", event.item_id, "an item posted to /v1/items before")
    return None


def _target_fault(event: Event) -> Fault | None:
    if event.kind not in TARGET_KINDS:
        if event.target is None:
            return None
        return _fault("target", event.target, f"no target for an event of kind {event.kind}")
    target = event.target or ""
    forms = " or ".join(f"{prefix}NAME" for prefix in TARGET_PREFIXES)
    if event.kind in ("mute", "unmute"):
        right = target.startswith(TARGET_PREFIXES) and len(target) <= MOST_TARGET_CHARS
        name = target.partition(":")[2].strip()
        return (
            None if right and name and "\x00" not in name else _fault("target", event.target, forms)
        )
    if target.startswith("creator:") and is_valid_id(target.removeprefix("creator:")):
        return None
    return _fault("target", event.target, f"creator:ID for an event of kind {event.kind}")


def _number_fault(event: Event) -> Fault | None:
    if event.kind in TIMED_KINDS:
        value = event.value
        if value is None or not math.isfinite(value) or not 0 <= value <= MOST_VALUE_MS:
            return _fault("value", value, f"milliseconds of the {event.kind}, 0 to {MOST_VALUE_MS}")
    elif event.value is not None:
        return _fault("value", event.value, f"no value for an event of kind {event.kind}")
    if event.position is not None and not 0 <= event.position <= MOST_POSITION:
        return _fault("position", event.position, f"0 to {MOST_POSITION}")
    return None
