"""A person as the log tells of them."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from inhouse.core.ids import ItemId, UserId

HISTORY_KEPT: Final = 200
SERVED_KEPT: Final = 500


@dataclass(slots=True)
class Action:
    """The strongest thing a person did with an item at one sitting."""

    item: int  # index in the item table
    kind: int  # features.outcomes.KIND_CODES
    at_ms: int  # of the latest event that was merged into it
    value: float  # longest dwell or watch, ms; 0 where there was none


@dataclass(slots=True)
class Person:
    """Everything a request needs to know of a person; derived from the log, kept in memory."""

    user_id: UserId
    seen: set[int] = field(default_factory=set)  # items with an impression or anything stronger
    recent: deque[Action] = field(
        default_factory=lambda: deque(maxlen=HISTORY_KEPT)
    )  # oldest first
    served: deque[tuple[int, int]] = field(
        default_factory=lambda: deque(maxlen=SERVED_KEPT)
    )  # item, creator
    follows: set[int] = field(default_factory=set)  # creators
    muted_creators: set[int] = field(default_factory=set)
    blocked_creators: set[int] = field(default_factory=set)
    blocked_by: set[int] = field(default_factory=set)  # creators who blocked this person
    muted_topics: set[int] = field(default_factory=set)
    muted_words: set[str] = field(default_factory=set)
    topics: tuple[int, ...] = ()  # chosen at sign-up
    region: str | None = None
    language: str | None = None
    birth_year: int | None = None
    created_ms: int = 0  # joined
    first_ms: int = 0  # first event
    last_ms: int = 0  # latest event
    pages: int = 0  # pages served so far
    last_page_items: tuple[ItemId, ...] = ()  # what the latest page showed
