"""What model calls cost, and how much depends on whom.

The database groups the rows (whole numbers of millionths of a millionth of a dollar, so its sums
are exact); the rest is adding up a few thousand groups. Days and months are UTC.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

import sqlalchemy as sa

from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.prices import CACHED, from_pico
from inhouse.models.types import ASKED_BESIDES, INHOUSE, Layer
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the bill. Simulated spending has lines of its own and is never mixed in."""

    key: str  # the month, day, host, owner, task or model
    simulated: bool  # charged by a stand-in: no money changed hands
    spend_usd: Decimal  # of the priced attempts
    calls: int  # inputs answered to a caller: retries, shadows, escalations and failures do not
    attempts: int  # requests sent
    tokens_in: int  # as told by vendors; cached ones included
    tokens_cached: int
    tokens_out: int
    unpriced: int  # attempts whose cost is unknown and not in `spend_usd`


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much goes to one vendor. None where there is nothing to divide."""

    layer: Layer  # host: who runs the model; owner: who made it
    vendor: str
    spend: float | None  # of all money spent, 0 to 1
    calls: float | None  # of all inputs answered, the owned ones included
    tokens: float | None  # of all tokens sent to and got from vendors


@dataclass(frozen=True, kw_only=True, slots=True)
class Concentration:
    """Herfindahl-Hirschman index among vendors: 10,000 x the sum of squared shares.

    10,000 is one vendor for all; above 1,800 counts as highly concentrated (US merger guidelines,
    2023). Models of one's own are no vendor. None where no vendor was paid, called or sent tokens.
    """

    layer: Layer
    spend: float | None
    calls: float | None
    tokens: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpriced:
    """Attempts whose cost nobody can tell: no price is known, or no usage was reported."""

    host: str
    owner: str
    model: str
    outcome: str
    simulated: bool
    attempts: int
    tokens_in: int
    tokens_out: int
    estimate_usd: Decimal  # about what they cost, of those with an estimate; in no sum


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalated:
    """What cascades cost: texts that an owned model was unsure of and a rented one judged."""

    texts: int  # answered by a rented model after an owned one
    share: float | None  # of the inputs that owned models answered; None without any
    spend_usd: Decimal  # of the priced attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What answers kept from earlier calls saved."""

    calls: int  # answered from memory
    usd: Decimal  # what they had cost when they were asked for, as far as it is known


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """What was spent in a span of time, looked at from six sides."""

    since_ms: int  # from here
    until_ms: int  # to before here
    spend_usd: Decimal  # money really spent, as far as it is priced
    simulated_usd: Decimal  # what stand-ins would have charged
    months: tuple[Line, ...]  # 2026-01, in order
    days: tuple[Line, ...]  # 2026-01-31, in order
    hosts: tuple[Line, ...]  # dearest first, as the following
    owners: tuple[Line, ...]
    tasks: tuple[Line, ...]
    models: tuple[Line, ...]  # host/owner/model
    shares: tuple[Share, ...]  # of each vendor in both layers
    concentration: tuple[Concentration, ...]  # in both layers
    basis: Literal["real", "simulated"]  # whose rented rows shares and concentration count
    owned_calls: float | None  # share of inputs answered by models of one's own; None without calls
    escalated: Escalated  # counted among the shares' rows
    saved: Saved  # their calls are among those of the lines, at no cost
    unpriced: tuple[Unpriced, ...]


def bill(database: Database, since_ms: int, until_ms: int) -> Bill:
    """The bill of attempts at `since_ms` or later and before `until_ms`.

    Shares count real rented rows, or, where there are none, the simulated ones: a demo shows its
    dependence too, and `basis` says so.
    """
    groups = _groups(database, since_ms, until_ms)
    rented = [group for group in groups if group.host != INHOUSE]
    simulated = bool(rented) and all(group.simulated for group in rented)
    counted = [g for g in groups if g.host == INHOUSE or g.simulated == simulated]
    calls = sum(group.calls for group in counted)
    owned = sum(group.calls for group in counted if group.host == INHOUSE)
    return Bill(
        since_ms=since_ms,
        until_ms=until_ms,
        spend_usd=from_pico(sum(g.pico_usd for g in groups if not g.simulated)),
        simulated_usd=from_pico(sum(g.pico_usd for g in groups if g.simulated)),
        months=_in_order(_lines(groups, lambda group: group.day[:7])),
        days=_in_order(_lines(groups, lambda group: group.day)),
        hosts=_dearest(_lines(groups, lambda group: group.host)),
        owners=_dearest(_lines(groups, lambda group: group.owner)),
        tasks=_dearest(_lines(groups, lambda group: group.task)),
        models=_dearest(_lines(groups, lambda group: f"{group.host}/{group.owner}/{group.model}")),
        shares=tuple(share for layer in _LAYERS for share in _shares(counted, layer)),
        concentration=tuple(_concentration(counted, layer) for layer in _LAYERS),
        basis="simulated" if simulated else "real",
        owned_calls=_part(owned, calls),
        escalated=_escalated(counted, owned),
        saved=_saved(database, since_ms, until_ms),
        unpriced=_unpriced(groups),
    )


_LAYERS: Final[tuple[Layer, ...]] = ("host", "owner")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Rows that differ in nothing the bill shows, added up by the database."""

    day: str
    task: str
    host: str
    owner: str
    model: str
    outcome: str
    role: str
    simulated: bool
    attempts: int
    answered: int
    calls: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    pico_usd: int
    unpriced: int
    estimate_pico_usd: int

    def vendor(self, layer: Layer) -> str:
        return self.host if layer == "host" else self.owner

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


def _groups(database: Database, since_ms: int, until_ms: int) -> list[_Group]:
    c = tables.ledger.c
    keys = (c.task, c.host, c.owner, c.model, c.outcome, c.role, c.simulated)
    day = (c.at_ms // DAY_MS).label("day")
    served = sa.case((c.role.in_(ASKED_BESIDES), 0), else_=c.answered)
    sums = (
        sa.func.count().label("attempts"),
        sa.func.sum(c.answered).label("answered"),
        sa.func.sum(served).label("calls"),
        sa.func.coalesce(sa.func.sum(c.tokens_in), 0).label("tokens_in"),
        sa.func.coalesce(sa.func.sum(c.tokens_cached), 0).label("tokens_cached"),
        sa.func.coalesce(sa.func.sum(c.tokens_out), 0).label("tokens_out"),
        sa.func.coalesce(sa.func.sum(c.cost_pico_usd), 0).label("pico_usd"),
        (sa.func.count() - sa.func.count(c.cost_pico_usd)).label("unpriced"),
        sa.func.coalesce(sa.func.sum(c.estimate_pico_usd), 0).label("estimate_pico_usd"),
    )
    query = (
        sa.select(day, *keys, *sums)
        .where(c.at_ms >= since_ms, c.at_ms < until_ms)
        .group_by(day, *keys)
    )
    with database.read() as connection:
        return [_group(row._mapping) for row in connection.execute(query)]


def _group(row: sa.RowMapping) -> _Group:
    # PostgreSQL adds up wide integers as numerics.
    whole = {name: int(row[name]) for name in _SUMS}
    return _Group(
        day=datetime.fromtimestamp(row["day"] * DAY_MS / 1000, UTC).strftime("%Y-%m-%d"),
        task=row["task"],
        host=row["host"],
        owner=row["owner"],
        model=row["model"],
        outcome=row["outcome"],
        role=row["role"],
        simulated=row["simulated"],
        **whole,
    )


_SUMS: Final = (
    "attempts",
    "answered",
    "calls",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "pico_usd",
    "unpriced",
    "estimate_pico_usd",
)


def _lines(groups: Iterable[_Group], key: Callable[[_Group], str]) -> list[Line]:
    together: dict[tuple[str, bool], list[_Group]] = defaultdict(list)
    for group in groups:
        together[key(group), group.simulated].append(group)
    return [_line(name, simulated, same) for (name, simulated), same in together.items()]


def _line(key: str, simulated: bool, groups: list[_Group]) -> Line:
    return Line(
        key=key,
        simulated=simulated,
        spend_usd=from_pico(sum(group.pico_usd for group in groups)),
        calls=sum(group.calls for group in groups),
        attempts=sum(group.attempts for group in groups),
        tokens_in=sum(group.tokens_in for group in groups),
        tokens_cached=sum(group.tokens_cached for group in groups),
        tokens_out=sum(group.tokens_out for group in groups),
        unpriced=sum(group.unpriced for group in groups),
    )


def _in_order(lines: list[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (line.key, line.simulated)))


def _dearest(lines: list[Line]) -> tuple[Line, ...]:
    return tuple(sorted(lines, key=lambda line: (-line.spend_usd, -line.calls, line.key)))


def _shares(groups: list[_Group], layer: Layer) -> list[Share]:
    """Every vendor's share; in calls the owned models are part of the whole."""
    rented = [group for group in groups if group.host != INHOUSE]
    spend = sum(group.pico_usd for group in rented)
    calls = sum(group.calls for group in groups)
    tokens = sum(group.tokens for group in rented)
    shares = []
    for vendor in sorted({group.vendor(layer) for group in rented}):
        own = [group for group in rented if group.vendor(layer) == vendor]
        shares.append(
            Share(
                layer=layer,
                vendor=vendor,
                spend=_part(sum(group.pico_usd for group in own), spend),
                calls=_part(sum(group.calls for group in own), calls),
                tokens=_part(sum(group.tokens for group in own), tokens),
            )
        )
    return shares


def _concentration(groups: list[_Group], layer: Layer) -> Concentration:
    rented = [group for group in groups if group.host != INHOUSE]

    def index(amount: Callable[[_Group], int]) -> float | None:
        by_vendor: dict[str, int] = defaultdict(int)
        for group in rented:
            by_vendor[group.vendor(layer)] += amount(group)
        whole = sum(by_vendor.values())
        if whole == 0:
            return None
        return 10_000 * sum((part / whole) ** 2 for part in by_vendor.values())

    return Concentration(
        layer=layer,
        spend=index(lambda group: group.pico_usd),
        calls=index(lambda group: group.calls),
        tokens=index(lambda group: group.tokens),
    )


def _escalated(groups: Iterable[_Group], owned: int) -> Escalated:
    again = [group for group in groups if group.role == "escalation"]
    texts = sum(group.answered for group in again)
    return Escalated(
        texts=texts,
        share=_part(texts, owned),
        spend_usd=from_pico(sum(group.pico_usd for group in again)),
    )


def _saved(database: Database, since_ms: int, until_ms: int) -> Saved:
    c = tables.ledger.c
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(c.saved_pico_usd), 0)).where(
        c.at_ms >= since_ms, c.at_ms < until_ms, c.price_version == CACHED
    )
    with database.read() as connection:
        calls, pico = connection.execute(query).one()
    return Saved(calls=calls, usd=from_pico(int(pico)))


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _unpriced(groups: Iterable[_Group]) -> tuple[Unpriced, ...]:
    together: dict[tuple[str, str, str, str, bool], list[_Group]] = defaultdict(list)
    for group in groups:
        if group.unpriced:
            key = (group.host, group.owner, group.model, group.outcome, group.simulated)
            together[key].append(group)
    return tuple(
        Unpriced(
            host=host,
            owner=owner,
            model=model,
            outcome=outcome,
            simulated=simulated,
            attempts=sum(group.unpriced for group in same),
            tokens_in=sum(group.tokens_in for group in same),
            tokens_out=sum(group.tokens_out for group in same),
            estimate_usd=from_pico(sum(group.estimate_pico_usd for group in same)),
        )
        for (host, owner, model, outcome, simulated), same in sorted(together.items())
    )
