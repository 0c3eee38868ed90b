"""An invoice beside the ledger, line by line: which rows belong to which line, and since when."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.models.reconcile.books import day_at, names_of, read_entries
from inhouse.models.reconcile.explain import Side, explain, missing
from inhouse.models.reconcile.pricing import Prices
from inhouse.models.reconcile.types import (
    KINDS,
    NO_TOKENS,
    Difference,
    Entry,
    Invoice,
    InvoiceLine,
    Reconciliation,
)
from inhouse.models.types import Deployment
from inhouse.store.database import Database

_OFFSETS: Final = range(-24, 29)  # half-hours: UTC-12 to UTC+14
Key = tuple[str, str]  # day, and model as the invoice names it
Row = tuple[str, Entry]  # the name of its line, and rows of the ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What an invoice is compared by."""

    deployments: Sequence[Deployment]  # configured now; their contracts price what is compared
    now_ms: int
    names: Mapping[str, str] = field(default_factory=dict)  # the invoice's -> a deployment or model
    hosts: frozenset[str] = frozenset()  # whose rows; none: whoever the invoice speaks of


def reconcile(database: Database, invoice: Invoice, terms: Terms) -> Reconciliation:
    """Explain each difference between an invoice and the ledger of the same days."""
    lines = {(line.day, line.model): line for line in invoice.lines}
    since_ms, until_ms = _span_ms(invoice.lines)
    entries = read_entries(database, since_ms - DAY_MS, until_ms + DAY_MS)
    named = names_of((line.model for line in invoice.lines), terms.names, terms.deployments)
    placed = [(named.of(entry), entry) for entry in entries]
    hosts = terms.hosts or frozenset(entry.host for name, entry in placed if name is not None)
    rows = [
        (entry.spillover or entry.model if name is None else name, entry)
        for name, entry in placed
        if entry.host in hosts
    ]
    offset = best_offset(lines, rows)
    found = list(_differences(lines, rows, _Day(offset=offset, terms=terms)))
    return _together(invoice, found, offset, hosts)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Day:
    """When days begin, and what they are compared by."""

    offset: int
    terms: Terms


def _differences(
    lines: Mapping[Key, InvoiceLine], rows: Sequence[Row], day: _Day
) -> Iterable[Difference]:
    length = len(next(iter(lines))[0])
    days = {key[0] for key in lines}
    by_line = _by_line(rows, day.offset, length)
    in_utc = _by_line(rows, 0, length) if day.offset else by_line
    prices = Prices(day.terms.deployments, day.terms.now_ms)
    sides = {
        key: Side(
            line=line,
            entries=by_line.get(key, ()),
            shift_usd=_cost(by_line.get(key, ())) - _cost(in_utc.get(key, ())),
        )
        for key, line in lines.items()
    }
    sides = about_midnight(sides)
    for key, side in sides.items():
        yield explain(_with_spare(key, side, sides), prices)
    for (at, model), same in sorted(by_line.items()):
        if at in days and (at, model) not in lines:
            yield missing(at, model, same)


def about_midnight(sides: Mapping[Key, Side]) -> dict[Key, Side]:
    """Calls that one side has on one day and the other on the next: the vendor counts when a call
    comes, the ledger when it ends. Where the invoice has fewer calls on one day, and the day beside
    it at least as many more, they have moved."""
    found = dict(sides)
    for (day, model), side in sides.items():
        fewer, requests = side.more_tokens, side.more_requests
        if requests is None or requests >= 0 or fewer is None:
            continue
        away = NO_TOKENS - fewer
        for beside in _beside(day):
            other = found.get((beside, model))
            more = None if other is None else other.more_tokens
            if other is None or more is None or (other.more_requests or 0) < -requests:
                continue
            if away.least >= 0 and (more - away).least >= 0 and not other.moved_requests:
                found[day, model] = replace(side, moved=fewer, moved_requests=requests)
                found[beside, model] = replace(other, moved=away, moved_requests=-requests)
                break
    return found


def _beside(day: str) -> list[str]:
    """The day before and the one after; none of a month."""
    if len(day) != len("2026-01-31"):
        return []
    at = date.fromisoformat(day)
    return [(at + timedelta(days=step)).isoformat() for step in (-1, 1)]


def _with_spare(key: Key, side: Side, sides: Mapping[Key, Side]) -> Side:
    """Attempts without an answer that their own line does not need may be this line's: they may
    have gone over unseen, or the vendor may have noticed after midnight that nobody listens. Of a
    line with failed attempts too nobody can tell which of both were charged there."""
    through = {entry.deployment for entry in side.entries if entry.spillover is not None}
    spare = 0
    for (day, model), other in sides.items():
        if other is side or other.more_requests is None:
            continue
        own = {entry.deployment for entry in other.entries if entry.spillover is None}
        went_over = day == key[0] and bool(through & own)
        later = model == key[1] and day in _beside(key[0])
        if went_over or later:
            charged = max(
                0, other.more_requests - other.unbilled if went_over else other.more_requests
            )
            spare += max(0, other.lost - charged)
    return replace(side, spare=spare)


def _by_line(rows: Iterable[Row], offset: int, length: int) -> dict[Key, list[Entry]]:
    found: dict[Key, list[Entry]] = defaultdict(list)
    for model, entry in rows:
        found[day_at(entry.slot, offset, length), model].append(entry)
    return found


def _cost(entries: Iterable[Entry]) -> Decimal:
    return sum((entry.cost_usd for entry in entries), Decimal(0))


def best_offset(lines: Mapping[Key, InvoiceLine], rows: Sequence[Row]) -> int:
    """How many half-hours before UTC's the vendor's days begin: the offset by which both sides
    differ least, where that is less than half of what they differ by in UTC; else 0."""
    length = len(next(iter(lines))[0])
    gaps = {offset: _gap(lines, _by_line(rows, offset, length)) for offset in _OFFSETS}
    best = min(_OFFSETS, key=lambda offset: (gaps[offset], abs(offset)))
    return best if 2 * gaps[best] < gaps[0] else 0


def _gap(lines: Mapping[Key, InvoiceLine], by_line: Mapping[Key, Sequence[Entry]]) -> Decimal:
    """How far apart both sides are, in what the invoice counts best."""
    gap = Decimal(0)
    for key, line in lines.items():
        side = Side(line=line, entries=by_line.get(key, ()))
        if line.tokens is not None:
            tokens = side.more_tokens
            gap += abs(tokens.whole) if tokens else 0
        elif line.requests is not None:
            gap += abs(side.more_requests or 0)
        else:
            gap += abs(line.cost_usd - _cost(side.entries))
    return gap


def _span_ms(lines: Sequence[InvoiceLine]) -> tuple[int, int]:
    """From the first day of an invoice to behind its last one, UTC."""
    days = sorted({line.day for line in lines})
    first = datetime.fromisoformat(f"{days[0]}-01"[:10]).replace(tzinfo=UTC)
    last = datetime.fromisoformat(f"{days[-1]}-01"[:10]).replace(tzinfo=UTC)
    monthly = len(days[0]) == 7
    end = (last + timedelta(days=32)).replace(day=1) if monthly else last + timedelta(days=1)
    since_ms, until_ms = (round(edge.timestamp() * 1_000) for edge in (first, end))
    if until_ms - since_ms > 400 * DAY_MS:
        raise InputError(
            f"the invoice goes from {days[0]} to {days[-1]}; give at most 400 days at once"
        )
    return since_ms, until_ms


def _together(
    invoice: Invoice, found: Sequence[Difference], offset: int, hosts: Iterable[str]
) -> Reconciliation:
    days = sorted(line.day for line in invoice.lines)
    amounts = dict.fromkeys(KINDS, Decimal(0))
    seen = set()
    for reason in (reason for one in found for reason in one.reasons):
        amounts[reason.kind] += reason.amount_usd
        seen.add(reason.kind)
    sign, minutes = "-" if offset < 0 else "+", abs(offset) * 30
    return Reconciliation(
        format=invoice.format,
        since=days[0],
        until=days[-1],
        day_starts_at=f"{sign}{minutes // 60:02}:{minutes % 60:02}",
        invoice_usd=sum((one.invoice_usd for one in found), Decimal(0)),
        ledger_usd=sum((one.ledger_usd for one in found), Decimal(0)),
        difference_usd=sum((one.difference_usd for one in found), Decimal(0)),
        reasons_usd={kind: amounts[kind] for kind in KINDS if kind in seen},
        unexplained_usd=sum((one.unexplained_usd for one in found), Decimal(0)),
        unexplained_lines=sum(bool(one.unexplained_usd) for one in found),
        hosts=tuple(sorted(hosts)),
        skipped=invoice.skipped,
        lines=tuple(sorted(found, key=lambda one: (one.day, one.model))),
    )
