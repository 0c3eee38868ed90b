"""Budgets of API keys: the most a call can cost is held before it is made, what it cost is spent.

Holding is one row changed in one transaction, and transactions of all processes take turns, so
however many calls are made at once none is made that could go over. A call whose cost nobody knows
counts as the most it could have cost. What a killed process held stays held until the period ends.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError, SpentError, UnknownError
from inhouse.models.bounds.known import Known
from inhouse.models.ledger.prices import from_pico, to_pico
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

Period = Literal["day", "month", "ever"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)
MOST_USD: Final = Decimal(1_000_000)
_LONG_S: Final = 86_400  # to wait for a budget without a period: somebody has to raise it


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a key may spend in a period."""

    key_id: str
    limit_usd: Decimal  # in one period
    period: Period  # a day or month in UTC, or all of time
    spent_usd: Decimal  # in the present one
    held_usd: Decimal  # for calls under way


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Money set aside for one attempt."""

    key_id: str
    pico_usd: int


class Budgets:
    """The budgets of one community."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """clock: the machine's; money is spent in real time."""
        self._database = database
        self._clock = clock
        self._known = Known(lambda: frozenset(budget.key_id for budget in self.all()))

    def set(self, key_id: str, limit_usd: Decimal, period: Period) -> None:
        """Give a key a budget, or another one; what it has spent in the period stays spent.

        Raises UnknownError where there is no such key, InputError for an amount out of range.
        """
        if not (limit_usd.is_finite() and 0 < limit_usd <= MOST_USD):
            raise InputError(
                f"budget: got {limit_usd} dollars, expected above 0, at most {MOST_USD:,}"
            )
        now_ms = self._clock.now_ms()

        def write(connection: Connection) -> None:
            keys = tables.api_keys
            if connection.execute(sa.select(keys).where(keys.c.key_id == key_id)).first() is None:
                raise UnknownError(f"no key {key_id!r}; `inhouse keys list` shows them")
            row = _row(connection, key_id)
            same = row is not None and row["period"] == period
            values = {
                "key_id": key_id,
                "limit_pico_usd": to_pico(limit_usd),
                "period": period,
                "since_ms": row["since_ms"] if same else _start_ms(period, now_ms),
                "spent_pico_usd": row["spent_pico_usd"] if same else 0,
                "held_pico_usd": row["held_pico_usd"] if same else 0,
            }
            upsert(connection, tables.budgets, [values])

        self._database.write(write)

    def remove(self, key_id: str) -> None:
        """Let a key spend without a bound. Raises UnknownError where it has no budget."""
        delete = tables.budgets.delete().where(tables.budgets.c.key_id == key_id)
        if self._database.write(lambda connection: connection.execute(delete).rowcount) == 0:
            raise UnknownError(f"no budget of {key_id!r}; `inhouse keys budgets` shows them")

    def all(self) -> list[Budget]:
        """Every budget by key, as it stands in the present period."""
        now_ms = self._clock.now_ms()
        with self._database.read() as connection:
            rows = connection.execute(sa.select(tables.budgets).order_by("key_id")).mappings().all()
        return [_budget(row, now_ms) for row in rows]

    async def bounds(self, key_id: str) -> bool:
        """Whether a key has a budget, as of at most two seconds ago."""
        return key_id in await self._known.get()

    async def hold(self, key_id: str, most_usd: Decimal) -> Hold:
        """Set the most an attempt can cost aside. Raises SpentError where it could go over."""
        hold = Hold(key_id=key_id, pico_usd=to_pico(most_usd))
        now_ms = self._clock.now_ms()
        held = self._database.submit(lambda connection: _hold(connection, hold, now_ms))
        try:
            await asyncio.shield(asyncio.wrap_future(held))
        except asyncio.CancelledError:
            held.add_done_callback(lambda done: self._take_back(hold, done))
            raise
        return hold

    def settle(self, hold: Hold, cost_usd: Decimal | None) -> None:
        """An attempt is over; None where nobody knows what it cost. Written soon."""
        spent = hold.pico_usd if cost_usd is None else to_pico(cost_usd)
        self._database.submit(lambda connection: _settle(connection, hold, spent), patient=True)

    def _take_back(self, hold: Hold, held: "Future[None]") -> None:
        """The caller went away while the money was set aside."""
        if held.exception() is None:
            self.settle(hold, Decimal(0))


def _hold(connection: Connection, hold: Hold, now_ms: int) -> None:
    row = _row(connection, hold.key_id)
    if row is None:  # removed a moment ago
        return
    start_ms = _start_ms(row["period"], now_ms)
    same = row["since_ms"] == start_ms
    spent, held = (row["spent_pico_usd"], row["held_pico_usd"]) if same else (0, 0)
    left = row["limit_pico_usd"] - spent - held
    if hold.pico_usd > left:
        raise _over(row, hold, left, now_ms)
    _change(
        connection,
        hold.key_id,
        since_ms=start_ms,
        spent_pico_usd=spent,
        held_pico_usd=held + hold.pico_usd,
    )


def _settle(connection: Connection, hold: Hold, spent: int) -> None:
    row = _row(connection, hold.key_id)
    if row is not None:
        # A new period begins with nothing held.
        held = max(0, row["held_pico_usd"] - hold.pico_usd)
        total = row["spent_pico_usd"] + spent
        _change(connection, hold.key_id, spent_pico_usd=total, held_pico_usd=held)


def _row(connection: Connection, key_id: str) -> Any:
    query = sa.select(tables.budgets).where(tables.budgets.c.key_id == key_id)
    return connection.execute(query).mappings().first()


def _change(connection: Connection, key_id: str, **values: int) -> None:
    table = tables.budgets
    connection.execute(table.update().where(table.c.key_id == key_id).values(**values))


def _budget(row: Any, now_ms: int) -> Budget:
    same = row["since_ms"] == _start_ms(row["period"], now_ms)
    return Budget(
        key_id=row["key_id"],
        limit_usd=from_pico(row["limit_pico_usd"]),
        period=row["period"],
        spent_usd=from_pico(row["spent_pico_usd"] if same else 0),
        held_usd=from_pico(row["held_pico_usd"] if same else 0),
    )


def _start_ms(period: Period, now_ms: int) -> int:
    return _edges_ms(period, now_ms)[0]


def _edges_ms(period: Period, now_ms: int) -> Sequence[int]:
    """When the present period began and when it ends."""
    now = datetime.fromtimestamp(now_ms / 1_000, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "ever":
        return 0, now_ms + _LONG_S * 1_000
    if period == "day":
        edges = (day, day + timedelta(days=1))
    else:
        month = day.replace(day=1)
        edges = (month, (month + timedelta(days=32)).replace(day=1))
    return [round(edge.timestamp() * 1_000) for edge in edges]


def _over(row: Any, hold: Hold, left: int, now_ms: int) -> SpentError:
    limit, period = from_pico(row["limit_pico_usd"]), row["period"]
    often = {"day": "a day", "month": "a month", "ever": "in all"}[period]
    return SpentError(
        f"this call may cost {from_pico(hold.pico_usd):.6f} dollars and the key has "
        f"{from_pico(max(0, left)):.6f} left of {limit.normalize():f} {often}; ask for fewer "
        "tokens, or have the budget raised",
        retry_after_s=-(-(_edges_ms(period, now_ms)[1] - now_ms) // 1_000),
    )
