"""What the log says of one person: their latest actions and the controls they set."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import TARGET_KINDS, TIMED_KINDS
from inhouse.features.outcomes import STRENGTH, is_positive
from inhouse.store import tables
from inhouse.store.database import Database

# The log has no index by person (it would cost every append), so a look back has an end.
LOOKED_BACK: Final = 2_000_000
ACTIONS_SHOWN: Final = 300
_HALF_LIFE_MS: Final = 14 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """Something the person did."""

    log_offset: int
    at_ms: int
    kind: str  # an event kind
    item_id: ItemId | None
    target: str | None
    value: float | None  # ms, of a dwell or a watch


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """What the person asked for and did not take back, latest first."""

    follows: tuple[str, ...]  # creators
    muted: tuple[str, ...]  # `creator:ID`, `topic:NAME`, `word:TEXT`
    blocked: tuple[str, ...]  # creators


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaning:
    """How much of what a person did speaks for something, or against it."""

    name: str  # a topic, or a creator's id
    weight: float  # strength of what they did, halved for every 14 days since


def actions_of(database: Database, user_id: UserId, most: int = ACTIONS_SHOWN) -> list[Done]:
    """The person's latest events within the part of the log that is looked at, newest first."""
    return _rows(database, tables.events.c.user_id == user_id, most)


def controls_of(database: Database, user_id: UserId) -> Controls:
    """Follows, mutes and blocks in force, as the log tells of them."""
    c = tables.events.c
    asked = sa.and_(c.user_id == user_id, c.kind.in_(sorted(TARGET_KINDS)))
    return fold_controls(reversed(_rows(database, asked, LOOKED_BACK)))


def is_paused(database: Database, user_id: UserId) -> bool:
    """Whether the person has paused personalisation and not resumed it."""
    c = tables.events.c
    asked = _rows(database, sa.and_(c.user_id == user_id, c.kind.in_(("pause", "resume"))), 1)
    return bool(asked) and asked[0].kind == "pause"


def fold_controls(events: Iterable[Done]) -> Controls:
    """Controls after events in the order of the log."""
    kept: dict[str, dict[str, None]] = {"follow": {}, "mute": {}, "block": {}}
    for event in events:
        if event.target is None:
            continue
        taken_back = event.kind.startswith("un")
        held = kept.get(event.kind.removeprefix("un"))
        if held is not None:
            held.pop(event.target, None)
            if not taken_back:
                held[event.target] = None

    def latest(kind: str) -> tuple[str, ...]:
        return tuple(reversed(kept[kind]))

    return Controls(
        follows=tuple(_name(target) for target in latest("follow")),
        muted=latest("mute"),
        blocked=tuple(_name(target) for target in latest("block")),
    )


def strength(done: Done, item: Item | None) -> float:
    """How much one action says about taste; a short look says nothing."""
    if done.kind in TIMED_KINDS:
        duration_ms = item.duration_ms if item else None
        wanted = is_positive(done.kind, done.value, duration_ms)  # type: ignore[arg-type]
        return 1.0 if wanted else 0.0
    return STRENGTH.get(done.kind, 0.0)  # type: ignore[call-overload, no-any-return]


def leanings(
    actions: Sequence[Done], items: dict[ItemId, Item], now_ms: int
) -> tuple[list[Leaning], list[Leaning]]:
    """Topics and creators by what the person did with their posts, the heaviest first."""
    topics: dict[str, float] = {}
    creators: dict[str, float] = {}
    for done in actions:
        item = items.get(done.item_id) if done.item_id else None
        if item is None or not (says := strength(done, item)):
            continue
        weight = says * 0.5 ** (max(0, now_ms - done.at_ms) / _HALF_LIFE_MS)
        creators[item.creator_id] = creators.get(item.creator_id, 0.0) + weight
        for topic in item.topics:
            topics[topic] = topics.get(topic, 0.0) + weight
    return _heaviest(topics), _heaviest(creators)


def _heaviest(weights: dict[str, float]) -> list[Leaning]:
    found = [Leaning(name=name, weight=weight) for name, weight in weights.items()]
    return sorted(found, key=lambda one: (-abs(one.weight), one.name))


def _rows(database: Database, where: sa.ColumnElement[bool], most: int) -> list[Done]:
    c = tables.events.c
    wanted = (c.log_offset, c.at_ms, c.kind, c.item_id, c.target, c.value)
    with database.read() as connection:
        last = connection.execute(sa.select(sa.func.max(c.log_offset))).scalar() or 0
        query = (
            sa.select(*wanted)
            .where(where, c.log_offset > last - LOOKED_BACK)
            .order_by(c.log_offset.desc())
            .limit(most)
        )
        rows = connection.execute(query).all()
    return [
        Done(
            log_offset=row[0],
            at_ms=row[1],
            kind=row[2],
            item_id=row[3],
            target=row[4],
            value=row[5],
        )
        for row in rows
    ]


def _name(target: str) -> str:
    return target.partition(":")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """What was done with one post at one sitting, or one action without a post."""

    at_ms: int  # of the latest action
    item_id: ItemId | None
    target: str | None
    kinds: tuple[str, ...]  # in the order they were done, each once
    spent_ms: float  # longest look or watch; 0 where there was none


_TOGETHER: Final = 8  # sittings back within which actions on the same post belong together
_SITTING_MS: Final = 30 * 60_000


def sittings(actions: Sequence[Done]) -> list[Sitting]:
    """Actions, newest first, with those on the same post drawn together."""
    groups: list[list[Done]] = []
    for done in actions:
        near = (
            group
            for group in groups[-_TOGETHER:]
            if done.item_id is not None
            and group[0].item_id == done.item_id
            and group[-1].at_ms - done.at_ms <= _SITTING_MS
        )
        group = next(near, None)
        if group is None:
            groups.append([done])
        else:
            group.append(done)
    return [_sitting(group) for group in groups]


def _sitting(group: Sequence[Done]) -> Sitting:
    spent = [done.value or 0.0 for done in group if done.kind in TIMED_KINDS]
    return Sitting(
        at_ms=group[0].at_ms,
        item_id=group[0].item_id,
        target=group[0].target,
        kinds=tuple(dict.fromkeys(done.kind for done in reversed(group))),
        spent_ms=max(spent, default=0.0),
    )
