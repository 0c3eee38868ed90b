"""What the ledger tells of the past: spending by the week, each task's days, who made what."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.models.ledger.owning import TaskDay, Traffic
from inhouse.models.ledger.prices import from_pico
from inhouse.models.types import ASKED_BESIDES, INHOUSE
from inhouse.store import tables
from inhouse.store.database import Database

WEEK_MS: Final = 7 * DAY_MS


def weekly_usd(database: Database, now_ms: int, weeks: int, *, simulated: bool) -> list[float]:
    """Money spent in each of the last whole weeks, which end with the last whole day (UTC); from
    the first week with any on, oldest first."""
    c = tables.ledger.c
    end_ms = now_ms // DAY_MS * DAY_MS
    since_ms = end_ms - weeks * WEEK_MS
    week = ((c.at_ms - since_ms) // WEEK_MS).label("week")
    query = (
        sa.select(week, sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0))
        .where(c.at_ms >= since_ms, c.at_ms < end_ms, c.host != INHOUSE)
        .where(c.simulated.is_(simulated))
        .group_by(week)
    )
    with database.read() as connection:
        found = {int(row[0]): float(from_pico(int(row[1]))) for row in connection.execute(query)}
    # The week of the first attempt is rarely whole.
    first = min(found, default=weeks) + 1
    return [found.get(place, 0.0) for place in range(first, weeks)]


def read_traffic(database: Database, now_ms: int, days: int, *, simulated: bool) -> list[Traffic]:
    """Each task's last whole days, from its first one on."""
    end_ms = now_ms // DAY_MS * DAY_MS
    hours: dict[str, dict[int, list[TaskDay]]] = defaultdict(lambda: defaultdict(list))
    for row in _hourly(database, end_ms - days * DAY_MS, end_ms, simulated=simulated):
        hours[row["task"]][int(row["hour"])].append(_part(row))
    return [_traffic(task, found, end_ms) for task, found in sorted(hours.items())]


def _hourly(
    database: Database, since_ms: int, until_ms: int, *, simulated: bool
) -> Sequence[sa.RowMapping]:
    c = tables.ledger.c
    hour = (c.at_ms // HOUR_MS).label("hour")
    own = sa.case((c.host == INHOUSE, True), else_=False).label("own")
    served = sa.case((c.role.in_(ASKED_BESIDES), 0), else_=c.answered)
    query = (
        sa.select(
            c.task,
            hour,
            own,
            sa.func.sum(served).label("served"),
            sa.func.sum(c.answered).label("answered"),
            sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0).label("pico_usd"),
            sa.func.sum(c.latency_ms).label("latency_ms"),
        )
        .where(c.at_ms >= since_ms, c.at_ms < until_ms)
        .where(sa.or_(c.host == INHOUSE, c.simulated.is_(simulated)))
        .group_by(c.task, hour, own)
    )
    with database.read() as connection:
        return connection.execute(query).mappings().all()


def _part(row: sa.RowMapping) -> TaskDay:
    values: dict[str, Any] = dict(row)
    if values["own"]:
        return TaskDay(
            rented=0,
            spend_usd=0.0,
            owned=int(values["answered"]),
            owned_s=float(values["latency_ms"]) / 1_000,
        )
    return TaskDay(
        rented=int(values["served"]),
        spend_usd=float(from_pico(int(values["pico_usd"]))),
        owned=0,
        owned_s=0.0,
    )


def _traffic(task: str, hours: dict[int, list[TaskDay]], end_ms: int) -> Traffic:
    by_day: dict[int, list[TaskDay]] = defaultdict(list)
    for hour, parts in hours.items():
        by_day[hour // 24].extend(parts)
    busiest = max(sum(p.rented + p.owned for p in parts) for parts in hours.values())
    days = [_sum(by_day.get(day, [])) for day in range(min(by_day), end_ms // DAY_MS)]
    return Traffic(task=task, days=days, busiest_per_s=busiest / 3_600)


def _sum(parts: Sequence[TaskDay]) -> TaskDay:
    return TaskDay(
        rented=sum(part.rented for part in parts),
        spend_usd=sum(part.spend_usd for part in parts),
        owned=sum(part.owned for part in parts),
        owned_s=sum(part.owned_s for part in parts),
    )


def owners_of(database: Database) -> dict[str, str]:
    """Who made the model of each `host/model` of the ledger."""
    c = tables.ledger.c
    query = sa.select(c.host, c.model, sa.func.min(c.owner)).group_by(c.host, c.model)
    with database.read() as connection:
        return {f"{host}/{model}": owner for host, model, owner in connection.execute(query)}
