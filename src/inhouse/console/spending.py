"""The ledger by day and host: what the bill and the overview draw over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa

from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.bill import Bill
from inhouse.models.ledger.prices import from_pico
from inhouse.models.types import ASKED_BESIDES, INHOUSE
from inhouse.store import tables
from inhouse.store.database import Database

OWN_NAME: Final = "your own"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostDay:
    """What one host did on one day."""

    day: int  # days since 1970
    host: str
    simulated: bool  # a stand-in that charges nobody
    calls: int  # inputs answered to a caller; shadows and escalations do not count
    spend_usd: Decimal  # of the attempts with a price


def host_days(database: Database, since_ms: int, until_ms: int) -> list[HostDay]:
    """One entry a day and host with attempts, in order of days."""
    c = tables.ledger.c
    day = (c.at_ms // DAY_MS).label("day")
    served = sa.case((c.role.in_(ASKED_BESIDES), 0), else_=c.answered)
    query = (
        sa.select(
            day,
            c.host,
            c.simulated,
            sa.func.sum(served),
            sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0),
        )
        .where(c.at_ms >= since_ms, c.at_ms < until_ms)
        .group_by(day, c.host, c.simulated)
        .order_by(day, c.host, c.simulated)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        HostDay(
            day=int(row[0]),
            host=row[1],
            simulated=row[2],
            calls=int(row[3]),
            spend_usd=from_pico(int(row[4])),
        )
        for row in rows
    ]


def host_name(host: str, *, simulated: bool) -> str:
    """What a chart calls a host; a stand-in is always called simulated."""
    if host == INHOUSE:
        return OWN_NAME
    return f"{host} (simulated)" if simulated else host


@dataclass(frozen=True, kw_only=True, slots=True)
class Daily:
    """The same as columns, every day of the span in it."""

    days: tuple[str, ...]  # names for the axis, oldest first
    spend_usd: dict[str, list[float]]  # host's name -> dollars a day; hosts that charge
    calls: dict[str, list[float]]  # host's name -> answers a day
    owned: tuple[float | None, ...]  # share of answers by models of one's own; None without any


def daily(entries: Sequence[HostDay]) -> Daily:
    """Entries as columns for charts, from the first day with any to the last."""
    if not entries:
        return Daily(days=(), spend_usd={}, calls={}, owned=())
    first, last = entries[0].day, entries[-1].day
    span = last - first + 1
    spend: dict[str, list[float]] = {}
    calls: dict[str, list[float]] = {}
    for entry in entries:
        name = host_name(entry.host, simulated=entry.simulated)
        calls.setdefault(name, [0.0] * span)[entry.day - first] += entry.calls
        if entry.host != INHOUSE:
            spend.setdefault(name, [0.0] * span)[entry.day - first] += float(entry.spend_usd)
    whole = [sum(column[i] for column in calls.values()) for i in range(span)]
    own = calls.get(OWN_NAME, [0.0] * span)
    return Daily(
        days=tuple(day_name(first + i) for i in range(span)),
        spend_usd=spend,
        calls=calls,
        owned=tuple(part / all_ if all_ else None for part, all_ in zip(own, whole, strict=True)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What judgements cost: real money, or what a stand-in would have charged; never both."""

    spend_usd: Decimal
    simulated: bool  # whose it is
    calls: int  # inputs answered, by models of one's own too

    @property
    def per_1k_usd(self) -> Decimal | None:
        """For a thousand answers; None where there were none."""
        return 1000 * self.spend_usd / self.calls if self.calls else None


def cost_of(month: Bill) -> Cost:
    """The cost on the bill's own basis: simulated only where no real vendor was asked."""
    is_simulated = month.basis == "simulated"
    counted = [
        line for line in month.hosts if line.key == INHOUSE or line.simulated == is_simulated
    ]
    return Cost(
        spend_usd=sum((line.spend_usd for line in counted), Decimal(0)),
        simulated=is_simulated,
        calls=sum(line.calls for line in counted),
    )


def day_name(day: int) -> str:
    """A day for an axis.

    >>> day_name(20_454)
    '1 Jan'
    """
    at = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
    return f"{at.day} {at:%b}"


def month_start_ms(now_ms: int) -> int:
    """When the month of a moment began, UTC.

    >>> month_start_ms(1_717_243_200_000)
    1717200000000
    """
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    begin = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return int(begin.timestamp() * 1000)
