"""Lines of the bill with the same key made one: real and simulated money side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from inhouse.models.ledger.bill import Line


@dataclass(frozen=True, kw_only=True, slots=True)
class Together:
    """Everything under one key. The two sums of money are never added up."""

    key: str
    spend_usd: Decimal  # on real vendors
    simulated_usd: Decimal  # what stand-ins would have charged
    simulated: bool  # whether any stand-in was asked
    calls: int  # inputs answered to a caller
    attempts: int
    tokens: int  # in and out
    unpriced: int


def together(lines: Sequence[Line]) -> list[Together]:
    """One entry a key, in the order of its first line."""
    keys = list(dict.fromkeys(line.key for line in lines))
    return [_one(key, [line for line in lines if line.key == key]) for key in keys]


def _one(key: str, lines: Sequence[Line]) -> Together:
    real = [line.spend_usd for line in lines if not line.simulated]
    stand_ins = [line.spend_usd for line in lines if line.simulated]
    return Together(
        key=key,
        spend_usd=sum(real, Decimal(0)),
        simulated_usd=sum(stand_ins, Decimal(0)),
        simulated=bool(stand_ins),
        calls=sum(line.calls for line in lines),
        attempts=sum(line.attempts for line in lines),
        tokens=sum(line.tokens_in + line.tokens_out for line in lines),
        unpriced=sum(line.unpriced for line in lines),
    )


def month_name(key: str) -> str:
    """A month as people write it.

    >>> month_name("2026-03")
    'March 2026'
    """
    year, month = map(int, key.split("-"))
    return f"{date(year, month, 1):%B} {year}"


def date_name(key: str) -> str:
    """A day as people write it.

    >>> date_name("2026-03-01")
    'Sun 1 Mar'
    """
    found = date.fromisoformat(key)
    return f"{found:%a} {found.day} {found:%b}"
