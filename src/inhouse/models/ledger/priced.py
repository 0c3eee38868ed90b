"""By which prices the ledger's amounts were worked out, so that an old bill can be explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import sqlalchemy as sa

from inhouse.models.ledger.prices import CACHED, Rates, from_pico, plainly, rates_in
from inhouse.store import tables
from inhouse.store.database import Database

# No price of a vendor's: models of one's own or of this machine, and answers from memory.
_OF_NOBODY: Final = ("owned", "local", CACHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceUsed:
    """A price that a deployment's requests had, from a day to a day."""

    deployment: str
    host: str
    model: str
    version: str | None  # as every row keeps it; None where the price was not known
    rates: Rates | None  # a contract's, whatever vendors.toml says now
    since: str  # the first day, YYYY-MM-DD in UTC
    until: str  # the last one
    attempts: int
    spend_usd: Decimal


def prices_used(database: Database, since_ms: int, until_ms: int) -> Sequence[PriceUsed]:
    """Every price of rented models in a period, by deployment and then by first use."""
    c = tables.ledger.c
    keys = (c.deployment, c.host, c.model, c.price_version)
    query = (
        sa.select(
            *keys,
            sa.func.min(c.at_ms).label("first_ms"),
            sa.func.max(c.at_ms).label("last_ms"),
            sa.func.count().label("attempts"),
            sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0).label("pico_usd"),
        )
        .where(c.at_ms >= since_ms, c.at_ms < until_ms)
        .where(sa.func.coalesce(c.price_version, "").not_in(_OF_NOBODY))
        .group_by(*keys)
    )
    with database.read() as connection:
        found = [_used(row._mapping) for row in connection.execute(query)]
    return sorted(found, key=lambda one: (one.deployment, one.since, one.version or ""))


def in_words(used: PriceUsed) -> str:
    """What a price is.

    >>> from inhouse.models.ledger.prices import rates_in
    >>> told = dict(deployment="d", host="h", model="m", since="", until="", attempts=1)
    >>> version = "contract 0.15/0.075/0.6+0"
    >>> in_words(PriceUsed(**told, version=version, rates=rates_in(version), spend_usd=Decimal(0)))
    'contract: a million tokens 0.15 in, 0.075 cached, 0.6 out'
    """
    if used.version is None:
        return "not known"
    if used.rates is None:
        return used.version
    rates = used.rates
    tokens = f"{plainly(rates.fresh)} in, {plainly(rates.cached)} cached, {plainly(rates.out)} out"
    request = f"; {plainly(rates.request)} a request" if rates.request else ""
    return f"contract: a million tokens {tokens}{request}"


def _used(row: sa.RowMapping) -> PriceUsed:
    return PriceUsed(
        deployment=row["deployment"],
        host=row["host"],
        model=row["model"],
        version=row["price_version"],
        rates=rates_in(row["price_version"]),
        since=_day(row["first_ms"]),
        until=_day(row["last_ms"]),
        attempts=row["attempts"],
        spend_usd=from_pico(int(row["pico_usd"])),
    )


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d")
