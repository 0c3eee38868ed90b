"""The ledger's side: rows of real vendors, added up by half-hour and what their price rests on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import sqlalchemy as sa

from inhouse.core.clock import MINUTE_MS
from inhouse.models.ledger.prices import CACHED, from_pico, list_name
from inhouse.models.reconcile.types import Entry, Tokens
from inhouse.models.types import INHOUSE, LOCAL, Deployment
from inhouse.store import tables
from inhouse.store.database import Database

SLOT_MS: Final = 30 * MINUTE_MS  # time zones differ by half-hours
_VERSION: Final = re.compile(r"-(\d{8}|\d{4}(-\d{2}-\d{2})?)$")  # gpt-4o-2024-08-06, -0806


def read_entries(database: Database, since_ms: int, until_ms: int) -> list[Entry]:
    """Attempts at real rented models, from `since_ms` to before `until_ms`."""
    c = tables.ledger.c
    keys = (c.deployment, c.host, c.model, c.spillover, c.outcome, c.price_version)
    slot = (c.at_ms // SLOT_MS).label("slot")
    sums = {
        "attempts": sa.func.count(),
        "unknown": sa.func.count() - sa.func.count(c.cost_pico_usd),
        "told": sa.func.count(c.tokens_in),
        "tokens_in": sa.func.coalesce(sa.func.sum(c.tokens_in), 0),
        "tokens_cached": sa.func.coalesce(sa.func.sum(c.tokens_cached), 0),
        "tokens_out": sa.func.coalesce(sa.func.sum(c.tokens_out), 0),
        "pico_usd": sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0),
        "estimate_pico_usd": sa.func.coalesce(sa.func.sum(c.estimate_pico_usd), 0),
    }
    query = (
        sa.select(slot, *keys, *(column.label(name) for name, column in sums.items()))
        .where(c.at_ms >= since_ms, c.at_ms < until_ms, c.simulated.is_(False))
        .where(c.host.not_in((INHOUSE, LOCAL)))
        # What was answered from memory no vendor heard of.
        .where(sa.or_(c.price_version.is_(None), c.price_version != CACHED))
        .group_by(slot, *keys)
        .order_by(slot, *keys)
    )
    with database.read() as connection:
        return [_entry(row, sums) for row in connection.execute(query).mappings()]


def _entry(row: sa.RowMapping, sums: Iterable[str]) -> Entry:
    # PostgreSQL adds up wide integers as numerics.
    whole: dict[str, int] = {name: int(row[name]) for name in sums}
    cached = whole["tokens_cached"]
    return Entry(
        slot=int(row["slot"]),
        deployment=row["deployment"],
        host=row["host"],
        model=row["model"],
        spillover=row["spillover"],
        outcome=row["outcome"],
        price_version=row["price_version"],
        attempts=whole["attempts"],
        unknown=whole["unknown"],
        told=whole["told"],
        tokens=Tokens(fresh=whole["tokens_in"] - cached, cached=cached, out=whole["tokens_out"]),
        cost_usd=from_pico(whole["pico_usd"]),
        estimate_usd=from_pico(whole["estimate_pico_usd"]),
    )


@lru_cache(maxsize=1 << 16)
def day_at(slot: int, offset_slots: int, length: int) -> str:
    """The day of a half-hour where days begin so many half-hours before UTC's; 7 characters are
    its month.

    >>> day_at(982_080 // 2, 0, 10), day_at(982_080 // 2 - 1, 4, 10), day_at(982_080 // 2, 0, 7)
    ('1998-01-04', '1998-01-04', '1998-01')
    """
    at = datetime.fromtimestamp((slot + offset_slots) * SLOT_MS / 1_000, UTC)
    return at.strftime("%Y-%m-%d")[:length]


def plain_name(name: str) -> str:
    """A model's name as it is compared: without capitals, marks and the date of its version.

    >>> plain_name("GPT-4o-mini-2024-07-18"), plain_name("gpt 4o mini"), plain_name("gpt-4o-0806")
    ('gpt4omini', 'gpt4omini', 'gpt4o')
    """
    lowered = _VERSION.sub("", name.strip().lower().replace(" ", "-").replace("_", "-"))
    return re.sub(r"[^a-z0-9]", "", lowered)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """Which line of an invoice a row of the ledger belongs to."""

    wanted: Mapping[str, str]  # as compared -> as the invoice has it
    given: Mapping[str, str]  # a deployment's or model's name -> the invoice's, as a person told
    listed: Mapping[str, str]  # a deployment's name -> its model's in the price list

    def of(self, entry: Entry) -> str | None:
        """The invoice's name for it; None where the invoice has none. The most exact one counts:
        where a call went over, then the deployment, then the model."""
        names = (entry.spillover, entry.deployment, entry.model, self.listed.get(entry.deployment))
        for name in names:
            if name and self.given.get(name) in self.wanted.values():
                return self.given[name]
        for name in names:
            if name and name in self.wanted.values():
                return name
        for name in names:
            if name and plain_name(name) in self.wanted:
                return self.wanted[plain_name(name)]
        return "" if "" in self.wanted.values() else None


def names_of(
    invoiced: Iterable[str], given: Mapping[str, str], deployments: Sequence[Deployment]
) -> Names:
    """invoiced: names on the invoice. given: the invoice's names -> ours."""
    return Names(
        wanted={plain_name(name): name for name in sorted(invoiced)},
        given={ours: theirs for theirs, ours in given.items()},
        listed={one.name: list_name(one).partition("/")[2] for one in deployments},
    )
