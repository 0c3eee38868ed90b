"""The circuit breaker: rules that remove too much ask people instead.

What rules removed within the last hour is counted from the log of verdicts, and when the breaker
opened stands in a table, in the transaction of the verdict that opened it; so a restart changes
nothing. It stays open until a person closes it. A post that comes while it is open carries a mark
in its evidence (`decide.HELD_BACK`), so it is decided the same way ever after.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import HOUR_MS, MINUTE_MS
from inhouse.core.logs import logger
from inhouse.moderation.policy.types import BreakerLimit, Policy
from inhouse.moderation.verdicts.history import last_verdict, offset_before
from inhouse.store import tables
from inhouse.store.database import Database

_AT_ONCE: Final = 20_000
_BREAKER: Final = "breaker"  # who opens it
_log = logger("breaker")

Kind = Literal["opened", "closed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerEvent:
    """It opened, or somebody closed it."""

    at_ms: int
    kind: Kind
    rule: str | None  # None: for all rules together
    removals: int | None = None  # within the hour before it opened
    judged: int | None = None  # posts judged within that hour
    who: str = _BREAKER  # the person who closed it


@dataclass
class Fuse:
    """The breaker during one scan: told of every post in order, it says which to hold back."""

    policy: Policy
    now_ms: int
    removals: Counter[str | None]  # within the hour, by rule; None: all together
    judged: int  # within the hour
    open: set[str | None]
    opened: list[BreakerEvent] = field(default_factory=list)  # since the scan began

    def __post_init__(self) -> None:
        self._limits: Mapping[str | None, BreakerLimit] = {
            None: self.policy.breaker,
            **{rule.name: rule.breaker for rule in self.policy.rules if rule.breaker is not None},
        }

    def holds_back(self, removed_by: str | None) -> bool:
        """Whether a post that was judged just now is to go to a person although a rule, if any,
        would remove it."""
        self.judged += 1
        if removed_by is None:
            return False
        keys = (None, removed_by)
        for key in keys:
            if key in self._limits and self._is_too_much(key):
                self._open(key)
        if self.open.intersection(keys):
            return True
        self.removals.update(keys)
        return False

    def _is_too_much(self, key: str | None) -> bool:
        limit, removals = self._limits[key], self.removals[key] + 1
        many = removals > limit.removals_per_hour
        return many and removals > limit.least_share * self.judged and key not in self.open

    def _open(self, key: str | None) -> None:
        self.open.add(key)
        event = BreakerEvent(
            at_ms=self.now_ms,
            kind="opened",
            rule=key,
            removals=self.removals[key],
            judged=self.judged,
        )
        self.opened.append(event)
        _log.error("breaker_opened", rule=key, removals=event.removals, judged=event.judged)


class _Known(msgspec.Struct, frozen=True, gc=False):
    """As much as is counted of the column `labels`."""

    removed_by: str | None = None
    person: dict[str, str | None] | None = None


_DECODER: Final = msgspec.json.Decoder(_Known)


class Breaker:
    """Counts what rules removed, by minutes of the last hour."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: int | None = None  # offset of the last verdict counted
        self._minutes: dict[int, Counter[str | None]] = {}  # removals by rule, None: all
        self._judged: Counter[int] = Counter()
        self._closed_ms: dict[str | None, int] = {}

    def fuse(self, policy: Policy, now_ms: int) -> Fuse:
        """The breaker as the log has it now."""
        with self._database.read() as connection:
            events = breaker_events(connection)
            self._forget_closed(events)
            self._count(connection, now_ms)
        return Fuse(
            policy=policy,
            now_ms=now_ms,
            removals=sum(self._minutes.values(), Counter()),
            judged=self._judged.total(),
            open={event.rule for event in open_in(events)},
        )

    def _forget_closed(self, events: Sequence[BreakerEvent]) -> None:
        """Whoever closes it has seen what was removed: counting starts anew."""
        for event in events:
            if event.kind == "closed" and event.at_ms > self._closed_ms.get(event.rule, -1):
                self._closed_ms[event.rule] = event.at_ms
                for counts in self._minutes.values():
                    counts.pop(event.rule, None)

    def _count(self, connection: Connection, now_ms: int) -> None:
        first_ms = now_ms - HOUR_MS
        if self._seen is None:
            self._seen = offset_before(connection, first_ms)
        table = tables.verdicts
        until = last_verdict(connection)
        while self._seen < until:
            query = (
                sa.select(table.c.log_offset, table.c.at_ms, table.c.labels)
                .where(table.c.log_offset > self._seen)
                .order_by(table.c.log_offset)
                .limit(_AT_ONCE)
            )
            rows = connection.execute(query).all()
            for _, at_ms, labels in rows:
                self._take_in(at_ms, _DECODER.decode(labels))
            self._seen = rows[-1].log_offset if rows else until
        for minute in [m for m in self._judged if m <= first_ms // MINUTE_MS]:
            del self._judged[minute]
            self._minutes.pop(minute, None)

    def _take_in(self, at_ms: int, known: _Known) -> None:
        if known.person is not None:
            return
        minute = at_ms // MINUTE_MS
        self._judged[minute] += 1
        if known.removed_by is not None:
            keys = (None, known.removed_by)
            late = [key for key in keys if at_ms > self._closed_ms.get(key, -1)]
            self._minutes.setdefault(minute, Counter()).update(late)


def breaker_events(connection: Connection) -> list[BreakerEvent]:
    """Every opening and closing, the oldest first."""
    table = tables.breaker_events
    names = [column for column in table.c if column is not table.c.log_offset]
    query = sa.select(*names).order_by(table.c.log_offset)
    return [BreakerEvent(**row) for row in connection.execute(query).mappings()]


def append_events(connection: Connection, events: Sequence[BreakerEvent]) -> None:
    """Write them, in the caller's transaction."""
    if events:
        rows = [dataclasses.asdict(event) for event in events]
        connection.execute(tables.breaker_events.insert(), rows)


def open_in(events: Sequence[BreakerEvent]) -> list[BreakerEvent]:
    """The openings that nobody has closed yet, one for each rule: the first."""
    standing: dict[str | None, BreakerEvent] = {}
    for event in events:
        if event.kind == "closed":
            standing.pop(event.rule, None)
        else:
            standing.setdefault(event.rule, event)
    return list(standing.values())


def open_breakers(database: Database) -> list[BreakerEvent]:
    """What is open now, and since when."""
    with database.read() as connection:
        return open_in(breaker_events(connection))


def close_breakers(database: Database, who: str, now_ms: int) -> list[BreakerEvent]:
    """A person closes whatever is open; returns what was. Posts that were held back stay with
    people; rules remove what comes from now on, and counting starts anew."""

    def write(connection: Connection) -> list[BreakerEvent]:
        standing = open_in(breaker_events(connection))
        closings = [
            BreakerEvent(at_ms=now_ms, kind="closed", rule=event.rule, who=who)
            for event in standing
        ]
        append_events(connection, closings)
        return standing

    return database.write(write)


def opening_in_words(event: BreakerEvent) -> str:
    """What opened, for people."""
    what = "all rules together" if event.rule is None else f"the rule {event.rule}"
    return f"{what} removed {event.removals:,} of {event.judged:,} posts judged within an hour"
