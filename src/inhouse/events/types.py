"""The nouns of the log.

A page holds a hundred small ones. Those are structs, which take a fifth of the time to make.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import msgspec

from inhouse.core.ids import EventId, ItemId, PageId, UserId

EventKind = Literal[
    "visit",
    "impression",
    "click",
    "dwell",
    "watch",
    "like",
    "comment",
    "share",
    "save",
    "hide",
    "report",
    "more",
    "follow",
    "unfollow",
    "mute",
    "unmute",
    "block",
    "unblock",
    "reset",
    "pause",
    "resume",
    "undo",
    "link",
]
EVENT_KINDS: Final[tuple[EventKind, ...]] = get_args(EventKind)

# What models are trained with, by place; new kinds stand behind these and never move them.
LEARNED_KINDS: Final = EVENT_KINDS[: EVENT_KINDS.index("reset") + 1]

# Kinds that speak of an item, and kinds that speak of a creator, topic or word.
ITEM_KINDS: Final = frozenset(
    (
        "impression",
        "click",
        "dwell",
        "watch",
        "like",
        "comment",
        "share",
        "save",
        "hide",
        "report",
        "more",
        "undo",
    )
)
TARGET_KINDS: Final = frozenset(("follow", "unfollow", "mute", "unmute", "block", "unblock"))
# Kinds that only inhouse itself writes, when it is asked to.
OWN_KINDS: Final = frozenset(("link",))
# Kinds whose `value` is a time in milliseconds.
TIMED_KINDS: Final = frozenset(("dwell", "watch"))
# What a person does that says they wanted the item; a dwell or watch is judged by its length.
POSITIVE_KINDS: Final = frozenset(("click", "like", "comment", "share", "save", "more"))
NEGATIVE_KINDS: Final = frozenset(("hide", "report"))
TARGET_PREFIXES: Final = ("creator:", "topic:", "word:")
# A person known by a session alone: `session:` and whatever the app calls it.
SESSION_PREFIX: Final = "session:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something a person did. Written once, never edited."""

    event_id: EventId  # chosen by the sender; the same id twice is stored once
    at_ms: int  # when it happened, by the sender's clock
    kind: EventKind  # what was done
    user_id: UserId  # by whom
    item_id: ItemId | None = None  # to which item, for ITEM_KINDS
    target: str | None = None  # `creator:ID`, `topic:NAME`, `word:TEXT`; of a link the session
    value: float | None = None  # milliseconds, for TIMED_KINDS
    page_id: PageId | None = None  # the served page it happened on
    position: int | None = None  # place on that page, 0 first


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """An event with its place in the log."""

    log_offset: int  # rises by one or more; the order of the log
    received_ms: int  # when it was made durable
    event: Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Appended:
    """What became of a batch."""

    stored: int  # new rows
    repeated: int  # ids the log had already
    last_offset: int  # of the log after the batch


class PageItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One place on a served page, and why it is there."""

    item_id: ItemId  # what was shown
    position: int  # 0 first
    source: str  # the source that offered it first: taste, similar, following, …
    sources: tuple[str, ...]  # every source that offered it
    value: float  # the value model's number that ordered it
    predicted: dict[str, float]  # p_click, p_like, p_hide, watch_ms, …: what the ranker expected
    propensity: float  # probability that this item came to this place, in (0, 1]
    explored: bool  # whether chance, not the ranker, put it here
    because: tuple[ItemId, ...] = ()  # the person's own recent items that weighed most
    notes: tuple[str, ...] = ()  # what arranging did: moved down for its creator, label, …


class RemovedItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A candidate that was not shown, and the stage and reason that took it out."""

    item_id: ItemId  # which candidate
    stage: str  # the filter's or arranger's name
    reason: str  # seen, muted_creator, verdict_remove, …


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedPage:
    """A page as it was served: enough to explain it a month later and to learn from it."""

    page_id: PageId  # in every event that follows from it
    at_ms: int  # when it was served
    user_id: UserId  # to whom
    surface: str  # for_you, following, latest, similar, trending
    items: tuple[PageItem, ...]  # in the order shown
    removed: tuple[RemovedItem, ...] = ()  # what was considered and taken out
    reserve: tuple[ItemId, ...] = ()  # ranked but beyond the page's end
    arms: dict[str, str] = field(default_factory=dict)  # experiment -> arm
    snapshot_id: str | None = None  # the model that ranked it
    policy_version: str | None = None  # the moderation policy in force
    seed: int = 0  # of the page's randomness
    log_offset: int = 0  # of the events the state had seen
    took_ms: dict[str, float] = field(default_factory=dict)  # stage -> time
    profiled: bool = True  # whether what the person did was used
    level: int = 0  # what was left out under load: see `recommend.levels`; 0 nothing
    kept_from: PageId | None = None  # at level 2: the earlier page whose reserve it came from
