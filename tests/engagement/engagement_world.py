"""Short ways to say who did what when."""

from collections.abc import Sequence
from itertools import count

from inhouse.core.clock import DAY_MS, HOUR_MS, MINUTE_MS
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import Event, EventKind
from inhouse.store.database import Database

FIRST_DAY = 20_000  # 2024-10-04
_NUMBERS = count()


def at(day: float, hours: float = 0, minutes: float = 0) -> int:
    """A time so many days, hours and minutes after the first day began."""
    return int((FIRST_DAY + day) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS)


def did(
    user: str,
    at_ms: int,
    kind: EventKind = "visit",
    item: str | None = None,
    value: float | None = None,
) -> Event:
    """An event with an id of its own."""
    return Event(
        event_id=EventId(f"e{next(_NUMBERS)}"),
        at_ms=at_ms,
        kind=kind,
        user_id=UserId(user),
        item_id=ItemId(item) if item else None,
        value=value,
    )


def log(database: Database, events: Sequence[Event]) -> None:
    """Append them in the order given."""
    EventLog(database).append(events)
