"""How much comes in, waits and is decided, by queue and by day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS
from inhouse.moderation.types import UNDO
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """One queue on one day, or over all days."""

    queue: str
    day_ms: int | None  # when the day began, UTC; None for the whole time
    inbound: int  # cases opened
    decided: int  # cases closed by a decision that stands
    took_ms: float | None  # median from taking a case to deciding it; None where none was timed
    waited_ms: float | None  # median from opening a case to deciding it


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What went through the queues since a time."""

    since_ms: int
    queues: Sequence[Flow]  # over the whole time, the busiest first
    days: Sequence[Flow]  # each queue's days, oldest first
    waiting: Mapping[str, int]  # open cases by queue, now


def review_statistics(database: Database, since_ms: int) -> Statistics:
    """Reads what was opened and decided since then."""
    cases = tables.review_cases
    opened = sa.select(cases.c.queue, cases.c.opened_ms).where(
        cases.c.opened_ms >= since_ms, cases.c.gold_id.is_(None)
    )
    waits = (
        sa.select(cases.c.queue, sa.func.count())
        .where(cases.c.state == "open")
        .group_by(cases.c.queue)
        .order_by(cases.c.queue)
    )
    with database.read() as connection:
        inbound = [(row[0], row[1]) for row in connection.execute(opened)]
        decided = _decided(connection, since_ms)
        waiting = {row[0]: row[1] for row in connection.execute(waits)}
    queues = _flows([(name, None) for name, _ in inbound], [(d, None) for d in decided])
    days = _flows(
        [(name, _day(at_ms)) for name, at_ms in inbound], [(d, _day(d.at_ms)) for d in decided]
    )
    return Statistics(
        since_ms=since_ms,
        queues=sorted(queues, key=lambda flow: (-flow.inbound - flow.decided, flow.queue)),
        days=sorted(days, key=lambda flow: (flow.day_ms or 0, flow.queue)),
        waiting=waiting,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    queue: str
    at_ms: int
    took_ms: int | None
    waited_ms: int


def _decided(connection: Connection, since_ms: int) -> list[_Decided]:
    made, cases = tables.review_decisions, tables.review_cases
    undone = sa.select(made.c.undoes).where(made.c.undoes.is_not(None))
    query = (
        sa.select(cases.c.queue, made.c.at_ms, made.c.took_ms, cases.c.opened_ms)
        .join(cases, cases.c.case_id == made.c.case_id)
        .where(made.c.at_ms >= since_ms, made.c.action != UNDO, made.c.decision_id.not_in(undone))
    )
    return [
        _Decided(queue=row[0], at_ms=row[1], took_ms=row[2], waited_ms=max(0, row[1] - row[3]))
        for row in connection.execute(query)
    ]


def _flows(
    inbound: Sequence[tuple[str, int | None]], decided: Sequence[tuple[_Decided, int | None]]
) -> list[Flow]:
    came: dict[tuple[str, int | None], int] = defaultdict(int)
    went: dict[tuple[str, int | None], list[_Decided]] = defaultdict(list)
    for key in inbound:
        came[key] += 1
    for one, day_ms in decided:
        went[one.queue, day_ms].append(one)
    return [
        Flow(
            queue=key[0],
            day_ms=key[1],
            inbound=came[key],
            decided=len(went[key]),
            took_ms=_median([one.took_ms for one in went[key] if one.took_ms is not None]),
            waited_ms=_median([one.waited_ms for one in went[key]]),
        )
        for key in {*came, *went}
    ]


def _median(values: Sequence[int]) -> float | None:
    return median(values) if values else None


def _day(at_ms: int) -> int:
    return at_ms - at_ms % DAY_MS
