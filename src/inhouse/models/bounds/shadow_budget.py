"""What may be spent a day on asking rented models only to check.

Before such a request the most it can cost is held, afterwards what it did cost is spent: one row a
day, changed in transactions that take turns, so that all processes together never go over. What
nobody knows the cost of counts as the most it could have cost, and what a killed process held stays
held until the day ends.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS, Clock
from inhouse.core.logs import logger
from inhouse.models.ledger.prices import from_pico, price_of, to_pico
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Deployment, ProviderAnswer, Task, TaskInput, Usage
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import insert_new

_FRAME_TOKENS: Final = 4_000  # of a request, around the instructions and the texts
_ESCAPED: Final = 6  # bytes that one of a text may take in JSON
_LOG = logger("models")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowHold:
    """Money set aside."""

    day_ms: int
    pico_usd: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowSpend:
    """A day's checking in money."""

    spent_usd: Decimal
    held_usd: Decimal  # for requests under way, or of a process that was killed


class ShadowBudget:
    """The budget of one community."""

    def __init__(self, database: Database, clock: Clock, settings: ModelSettings) -> None:
        """clock: by which the ledger's rows are dated; days are UTC."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self._limit = to_pico(Decimal(str(settings.shadow_usd_a_day)))
        self._told = False  # whether it was logged that a price is not known

    async def hold(
        self, deployment: Deployment, task: Task, inputs: Sequence[TaskInput]
    ) -> ShadowHold | None:
        """Set the most aside that asking about one cut of texts can cost; None where it must not
        be asked."""
        now_ms = self._clock.now_ms()
        nothing = ShadowHold(day_ms=now_ms - now_ms % DAY_MS, pico_usd=0)
        if not self._limit:
            return nothing
        most = _most_usd(deployment, task, inputs, self._settings.reserve_tokens_out, now_ms)
        if most is None:
            if not self._told:
                _LOG.warning("shadow_without_price", deployment=deployment.name)
                self._told = True
            return None
        hold = ShadowHold(day_ms=nothing.day_ms, pico_usd=to_pico(most))
        held = self._database.submit(lambda connection: _hold(connection, hold, self._limit))
        return hold if await asyncio.shield(asyncio.wrap_future(held)) else None

    def settle(self, hold: ShadowHold, cost_usd: Decimal | None) -> None:
        """It was asked; None where nobody knows what it cost. Written soon."""
        if not hold.pico_usd:
            return
        spent = hold.pico_usd if cost_usd is None else to_pico(cost_usd)
        self._database.submit(lambda connection: _settle(connection, hold, spent), patient=True)


def shadow_spend(database: Database, now_ms: int) -> ShadowSpend:
    """What the present day (UTC) has cost so far."""
    with database.read() as connection:
        row = _row(connection, now_ms - now_ms % DAY_MS)
    spent, held = (row["spent_pico_usd"], row["held_pico_usd"]) if row else (0, 0)
    return ShadowSpend(spent_usd=from_pico(spent), held_usd=from_pico(held))


def _most_usd(
    deployment: Deployment, task: Task, inputs: Sequence[TaskInput], most_out: int, now_ms: int
) -> Decimal | None:
    """The most one cut of texts can cost: a token is a byte at least, and a filter may force a
    second round in which every text has a request to itself."""
    requests = 1 if len(inputs) == 1 else 1 + len(inputs)
    frame = len(task.instructions.encode()) + _FRAME_TOKENS
    texts = sum(len(given.text.encode("utf-8", "surrogatepass")) for given in inputs)
    usage = Usage(tokens_in=requests * frame + 2 * _ESCAPED * texts, tokens_out=requests * most_out)
    answer = ProviderAnswer(refs=(), scores=None, outcome="ok", latency_ms=0.0, usage=usage)
    cost = price_of(deployment, answer, now_ms).cost_usd
    if cost is None or deployment.contract is None:
        return cost
    return cost + deployment.contract.request_usd * (requests - 1)


def _hold(connection: Connection, hold: ShadowHold, limit: int) -> bool:
    table = tables.shadow_spend
    first = {"day_ms": hold.day_ms, "spent_pico_usd": 0, "held_pico_usd": 0}
    insert_new(connection, table, [first])
    row = _row(connection, hold.day_ms)
    if row["spent_pico_usd"] + row["held_pico_usd"] + hold.pico_usd > limit:
        return False
    _change(connection, hold.day_ms, held_pico_usd=row["held_pico_usd"] + hold.pico_usd)
    return True


def _settle(connection: Connection, hold: ShadowHold, spent: int) -> None:
    row = _row(connection, hold.day_ms)
    _change(
        connection,
        hold.day_ms,
        spent_pico_usd=row["spent_pico_usd"] + spent,
        held_pico_usd=max(0, row["held_pico_usd"] - hold.pico_usd),
    )


def _row(connection: Connection, day_ms: int) -> Any:
    query = sa.select(tables.shadow_spend).where(tables.shadow_spend.c.day_ms == day_ms)
    return connection.execute(query).mappings().first()


def _change(connection: Connection, day_ms: int, **values: int) -> None:
    table = tables.shadow_spend
    connection.execute(table.update().where(table.c.day_ms == day_ms).values(**values))
