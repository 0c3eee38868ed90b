"""A synthetic community written straight into a store: skewed, with tastes, with verdicts.

Popularity of posts and activity of people follow Zipf's law; each person likes three of twenty
topics and acts on posts of those ten times as often. That is enough structure for a model to learn
and for caches to behave as in life; it is no claim about quality.
"""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User, text_key
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.log import EventLog
from inhouse.events.types import Event, EventKind
from inhouse.moderation.types import Evidence, Label, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store.database import Database

TOPICS: Final = 20
NOW_MS: Final = 1_760_000_000_000
_CHUNK: Final = 5_000
_KINDS: Final[tuple[EventKind, ...]] = ("impression", "click", "like", "hide")
_CHANCES: Final = (0.72, 0.18, 0.08, 0.02)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large."""

    items: int
    people: int
    events: int
    seed: int = 1


def build(database: Database, size: Size) -> None:
    """Fill an empty, migrated store."""
    catalog = Catalog(database)
    topic_of = stream(size.seed, "topics").integers(0, TOPICS, size.items)
    for start in range(0, size.items, _CHUNK):
        items = [item(i, int(topic_of[i])) for i in range(start, min(start + _CHUNK, size.items))]
        catalog.put_items(items)
        verdicts = [allowed(each) for each in items]
        database.write(functools.partial(_write, verdicts))
    for start in range(0, size.people, _CHUNK):
        ids = range(start, min(start + _CHUNK, size.people))
        catalog.put_users([User(user_id=UserId(f"u{i}"), created_ms=NOW_MS) for i in ids])
    _behave(EventLog(database), size, topic_of)


def _write(verdicts: list[Verdict], connection: Connection) -> None:
    append_verdicts(connection, verdicts)


def item(number: int, topic: int) -> Item:
    """A post of a topic."""
    return Item(
        item_id=ItemId(f"i{number}"),
        creator_id=UserId(f"c{number % 997}"),
        title=f"topic{topic} words about subject{number % 311}",
        topics=(f"topic{topic}",),
        created_ms=NOW_MS - (number * 7_919) % (20 * DAY_MS),
    )


def drawn_person(size: Size, dice: np.random.Generator) -> int:
    """Whose turn it is: number p with a chance that falls as 1 / p."""
    return int(_zipf(dice, size.people, 1)[0])


def live_event(
    event_id: str, number: int, size: Size, dice: np.random.Generator
) -> dict[str, object]:
    """What somebody does while it is measured, as a body holds it; every fourth is a like."""
    return {
        "event_id": event_id,
        "at_ms": NOW_MS + number,
        "kind": "impression" if number % 4 else "like",
        "user_id": f"u{drawn_person(size, dice)}",
        "item_id": f"i{int(dice.integers(size.items))}",
    }


def allowed(each: Item) -> Verdict:
    """A verdict that lets a post be shown everywhere."""
    return Verdict(
        item_id=each.item_id,
        at_ms=each.created_ms,
        text_key=text_key(each.title, each.text),
        evidence=Evidence(labels=(Label(category="spam", p=0.01, source="benchmark"),)),
        decided_by="no rule",
        policy_version="benchmark",
    )


def _behave(
    log: EventLog, size: Size, topic_of: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> None:
    """Write the behaviour of the last ten days, in the order of time."""
    dice = stream(size.seed, "behaviour")
    liked = dice.integers(0, TOPICS, (size.people, 3))
    by_topic = [np.flatnonzero(topic_of == topic) for topic in range(TOPICS)]
    start_ms = NOW_MS - 10 * DAY_MS
    for start in range(0, size.events, _CHUNK):
        count = min(_CHUNK, size.events - start)
        people = _zipf(dice, size.people, count)
        events = []
        for k in range(count):
            number, person = start + k, int(people[k])
            topic = int(liked[person, dice.integers(3)]) if dice.random() < 0.9 else None
            pool = by_topic[topic] if topic is not None else None
            i = int(pool[_zipf(dice, len(pool), 1)[0]]) if pool is not None and len(pool) else 0
            events.append(
                Event(
                    event_id=EventId(f"e{number}"),
                    at_ms=start_ms + 10 * DAY_MS * number // size.events,
                    kind=_KINDS[int(dice.choice(4, p=_CHANCES))],
                    user_id=UserId(f"u{person}"),
                    item_id=ItemId(f"i{i}"),
                )
            )
        log.append(events)


def _zipf(
    dice: np.random.Generator, n: int, count: int
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """`count` draws from 0..n-1, the first ones far more often than the last."""
    return np.minimum((n + 1) ** dice.random(count) - 1, n - 1).astype(np.int64)
