"""Why one line of an invoice differs from the ledger: reasons whose amounts add up to it. Pure.

The difference in tokens, at the ledger's own price, is what more or fewer calls make; whose calls
they are follows from how many requests the vendor counts more. What is left is another price, which
counts as a reason only where a price that is known makes the invoice to its last decimal. Whatever
no reason accounts for is told as unexplained.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from inhouse.models.reconcile.pricing import UNBILLED, Guess, Prices, cost_at
from inhouse.models.reconcile.types import (
    NO_TOKENS,
    Difference,
    Entry,
    InvoiceLine,
    Kind,
    Reason,
    Tokens,
)

_HALF_PICO: Final = Decimal(5).scaleb(-13)  # the ledger rounds each attempt to whole ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """Calls that only one side has."""

    kind: Kind
    tokens: Tokens  # that the invoice has more
    requests: int  # likewise; 0 where it does not count them
    like: Entry  # rows of the ledger at whose price they are valued
    exact: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One line of the invoice and the rows of the ledger that belong to it."""

    line: InvoiceLine
    entries: Sequence[Entry]
    shift_usd: Decimal = Decimal(0)  # of the ledger, by the vendor's beginning of days
    spare: int = 0  # attempts without an answer of other lines that may be this line's
    moved: Tokens = NO_TOKENS  # that the vendor has on this day, and the ledger on the next or last
    moved_requests: int = 0  # likewise

    @property
    def attempts(self) -> int:
        """All that the ledger has."""
        return sum(entry.attempts for entry in self.entries)

    @property
    def lost(self) -> int:
        """Attempts of which neither usage nor cost is known."""
        return sum(_lost(entry) for entry in self.entries)

    @property
    def unbilled(self) -> int:
        """Attempts that failed and should not be charged."""
        return sum(entry.attempts for entry in self.entries if entry.price_version == UNBILLED)

    @property
    def counted(self) -> int:
        """Attempts whose usage is known or whose price is."""
        return self.attempts - self.lost - self.unbilled

    @property
    def more_tokens(self) -> Tokens | None:
        """What the invoice has more, but for what moved; None where it counts none."""
        if self.line.tokens is None:
            return None
        ledger = sum((entry.tokens for entry in self.entries), NO_TOKENS)
        return self.line.tokens - ledger - self.moved

    @property
    def more_requests(self) -> int | None:
        """What the invoice counts more than the ledger is sure of, but for what moved; None where
        it counts none."""
        if self.line.requests is None:
            return None
        return self.line.requests - self.counted - self.moved_requests


def _lost(entry: Entry) -> int:
    return entry.attempts - entry.told if entry.price_version is None else 0


@dataclass(slots=True)
class _Account:
    """What is left to explain of a line, and the reasons so far."""

    left: Decimal
    reasons: list[Reason] = field(default_factory=list)
    hint: str = ""

    def give(self, reason: Reason) -> None:
        if reason.amount_usd or reason.attempts:
            self.reasons.append(reason)
            self.left -= reason.amount_usd


def explain(side: Side, prices: Prices) -> Difference:
    """The reasons of a line that the invoice has. Their amounts and what is unexplained add up to
    the difference, exactly."""
    line = side.line
    # What the ledger holds of the vendor's day; `shift_usd` of it is of another day in UTC.
    ledger = sum((entry.cost_usd for entry in side.entries), Decimal(0))
    in_utc = ledger - side.shift_usd
    account = _Account(left=line.cost_usd - in_utc)
    _shift(side, account)
    if line.capacity:
        _capacity(side, account)
    elif not side.entries:
        _outside(side, account)
    else:
        extras = [*_moved(side), *extras_of(side)]
        if line.tokens is None:
            _by_estimate(side, account)
        _by_price(side, extras, prices, account)
        _unpriced(side, account)
        _round(side, account)
    return Difference(
        day=line.day,
        model=line.model,
        rows=line.rows,
        invoice_usd=line.cost_usd,
        ledger_usd=in_utc,
        difference_usd=line.cost_usd - in_utc,
        requests=line.requests,
        attempts=side.attempts,
        reasons=tuple(account.reasons),
        unexplained_usd=account.left,
        hint=account.hint if account.left else "",
    )


def missing(day: str, model: str, entries: Sequence[Entry]) -> Difference:
    """What the ledger has and the invoice has no line for."""
    ledger = sum((entry.cost_usd for entry in entries), Decimal(0))
    attempts = sum(entry.attempts for entry in entries)
    detail = f"{attempts:,} attempts in the ledger, no such line on the invoice"
    reason = Reason(
        kind="missing", amount_usd=-ledger, attempts=attempts, exact=True, detail=detail
    )
    return Difference(
        day=day,
        model=model,
        rows=(),
        invoice_usd=Decimal(0),
        ledger_usd=ledger,
        difference_usd=-ledger,
        requests=None,
        attempts=attempts,
        reasons=(reason,) if ledger else (),
        unexplained_usd=Decimal(0),
        hint="",
    )


def _shift(side: Side, account: _Account) -> None:
    detail = "the vendor's day begins at another time than UTC's"
    account.give(
        Reason(kind="day", amount_usd=side.shift_usd, attempts=0, exact=True, detail=detail)
    )


def _capacity(side: Side, account: _Account) -> None:
    detail = "paid by the hour, not by the call"
    amount = account.left
    account.give(Reason(kind="capacity", amount_usd=amount, attempts=0, exact=True, detail=detail))


def _outside(side: Side, account: _Account) -> None:
    requests = side.line.requests
    many = "calls" if requests is None else f"{requests:,} calls"
    detail = f"{many} of a model that inhouse was not asked for that day"
    amount, attempts = account.left, requests or 0
    account.give(
        Reason(kind="outside", amount_usd=amount, attempts=attempts, exact=True, detail=detail)
    )


def _moved(side: Side) -> list[Extra]:
    if not side.moved_requests:
        return []
    like = _like(side, "day")
    requests = side.moved_requests
    return [Extra(kind="day", tokens=side.moved, requests=requests, like=like, exact=True)]


def extras_of(side: Side) -> list[Extra]:
    """Whose calls the invoice has more, or fewer, and their tokens."""
    tokens, requests = side.more_tokens, side.more_requests
    if tokens is None or not (tokens or requests):
        return []
    if requests is None:
        kind: Kind = "unknown" if side.lost else "retried" if side.unbilled else "outside"
        if tokens.least < 0:
            kind = "cached" if _only_cached(tokens) else "missing"
        exact = kind == "cached" or not (side.lost and side.unbilled)
        return [Extra(kind=kind, tokens=tokens, requests=0, like=_like(side, kind), exact=exact)]
    if requests == 0:
        if not _only_cached(tokens):
            return []
        like = _like(side, "cached")
        return [Extra(kind="cached", tokens=tokens, requests=0, like=like, exact=True)]
    if requests < 0:
        like = _like(side, "missing")
        return [Extra(kind="missing", tokens=tokens, requests=requests, like=like, exact=True)]
    return _shared(side, tokens, requests)


def _shared(side: Side, tokens: Tokens, requests: int) -> list[Extra]:
    """More requests, and so more tokens: first of the attempts that had no answer, then of those
    that failed, then of nobody here."""
    lost = min(requests, side.lost + side.spare)
    retried = min(requests - lost, side.unbilled)
    parts: list[tuple[Kind, int]] = [
        ("unknown", lost),
        ("retried", retried),
        ("outside", requests - lost - retried),
    ]
    parts = [part for part in parts if part[1]]
    extras, given = [], NO_TOKENS
    for place, (kind, count) in enumerate(parts):
        last = place == len(parts) - 1
        part = tokens - given if last else _part(tokens, count, requests)
        given += part
        like, exact = _like(side, kind), len(parts) == 1
        extras.append(Extra(kind=kind, tokens=part, requests=count, like=like, exact=exact))
    return extras


def _part(tokens: Tokens, count: int, whole: int) -> Tokens:
    return Tokens(
        fresh=tokens.fresh * count // whole,
        cached=tokens.cached * count // whole,
        out=tokens.out * count // whole,
    )


def _only_cached(tokens: Tokens) -> bool:
    return not tokens.out and tokens.fresh == -tokens.cached


def _like(side: Side, kind: Kind) -> Entry:
    """The rows whose price fits best: those without an answer for the unknown, else the most."""

    def fit(entry: Entry) -> tuple[int, int]:
        if kind == "unknown":
            return _lost(entry), entry.attempts
        failed = entry.price_version == UNBILLED
        return entry.attempts if failed == (kind == "retried") else 0, entry.attempts

    return max(side.entries, key=fit)


def _by_estimate(side: Side, account: _Account) -> None:
    """The invoice counts no tokens: what the ledger thinks that the lost attempts cost."""
    estimate = sum((entry.estimate_usd for entry in side.entries), Decimal(0))
    amount = min(estimate, account.left)
    if not side.lost or amount <= 0:
        return
    detail = (
        f"{side.lost:,} attempts that were left, broke off or took too long; the amount is the "
        "ledger's estimate, for the invoice counts no tokens"
    )
    account.give(
        Reason(kind="unknown", amount_usd=amount, attempts=side.lost, exact=False, detail=detail)
    )


def _by_price(side: Side, extras: Sequence[Extra], prices: Prices, account: _Account) -> None:
    """What more and fewer calls cost at the ledger's price; then the price that makes the rest."""
    valued = {extra.kind: _value(extra, prices, None) for extra in extras}
    for extra in extras:
        amount = valued[extra.kind]
        if amount is None:
            account.hint = f"no price is known for {extra.like.deployment}; see vendors.toml"
            continue
        account.give(
            Reason(
                kind=extra.kind,
                amount_usd=amount,
                attempts=abs(extra.requests),
                exact=extra.exact,
                detail=_in_words(side, extra),
            )
        )
    unvalued = any(amount is None for amount in valued.values())
    unpriced = any(entry.price_version is None and entry.told for entry in side.entries)
    if unvalued or unpriced or abs(account.left) <= _tolerance(side):
        return
    for guess in prices.guesses():
        amount = _changed_by(guess, side, extras, prices)
        if amount and abs(account.left - amount) <= _tolerance(side):
            attempts = sum(e.attempts for e in side.entries if guess.rates(e) is not None)
            account.give(
                Reason(
                    kind=guess.kind,
                    amount_usd=amount,
                    attempts=attempts,
                    exact=True,
                    detail=guess.detail,
                )
            )
            return
    account.hint = _hint(side)


def _value(extra: Extra, prices: Prices, guess: Guess | None) -> Decimal | None:
    rates = (guess.rates(extra.like) if guess else None) or prices.rates(extra.like)
    return None if rates is None else cost_at(rates, extra.tokens, extra.requests)


def _changed_by(guess: Guess, side: Side, extras: Sequence[Extra], prices: Prices) -> Decimal:
    """What another price would make of the line."""
    change = Decimal(0)
    for entry in side.entries:
        rates = guess.rates(entry)
        if rates is not None and entry.told and entry.price_version not in (None, UNBILLED):
            change += cost_at(rates, entry.tokens, entry.told) - entry.cost_usd
    for extra in extras:
        other, own = _value(extra, prices, guess), _value(extra, prices, None)
        change += (other or Decimal(0)) - (own or Decimal(0))
    return change


def _unpriced(side: Side, account: _Account) -> None:
    """The rest of a line, where the ledger knows what was used and not what it costs."""
    found = [entry for entry in side.entries if entry.price_version is None and entry.told]
    if not found or account.left <= 0:
        return
    attempts = sum(entry.told for entry in found)
    tokens = sum((entry.tokens for entry in found), NO_TOKENS)
    spilled = all(entry.spillover is not None for entry in found)
    detail = f"{attempts:,} attempts, {tokens.whole:,} tokens, that no price was known for"
    if tokens.whole:
        detail += f"; charged {account.left * 1_000_000 / tokens.whole:.4f} USD a million"
    only = all(entry.price_version in (None, UNBILLED) for entry in side.entries)
    account.give(
        Reason(
            kind="spilled" if spilled else "unpriced",
            amount_usd=account.left,
            attempts=attempts,
            exact=only and not side.more_tokens,
            detail=detail,
        )
    )


def _round(side: Side, account: _Account) -> None:
    if abs(account.left) <= _tolerance(side):
        detail = "the invoice shows no smaller parts"
        amount = account.left
        account.give(
            Reason(kind="rounding", amount_usd=amount, attempts=0, exact=True, detail=detail)
        )


def _tolerance(side: Side) -> Decimal:
    return side.line.half_unit_usd + side.attempts * _HALF_PICO


def _in_words(side: Side, extra: Extra) -> str:
    many = f"{abs(extra.requests):,}" if extra.requests else "some"
    tokens_in, tokens_out = extra.tokens.fresh + extra.tokens.cached, extra.tokens.out
    told = f"{abs(tokens_in):,} tokens in, {abs(tokens_out):,} out"
    return {
        "unknown": f"{many} attempts of {side.lost + side.spare:,} that were left, broke off or "
        f"took too long: the vendor charged {told}",
        "retried": f"{many} failed attempts of {side.unbilled:,} were charged: {told}",
        "outside": f"{many} calls that never passed through inhouse: {told}",
        "day": f"{many} calls about midnight, that the ledger has on "
        f"{'another day' if extra.requests > 0 else 'this day and the vendor on another'}: {told}",
        "missing": f"{many} calls of the ledger are not on the invoice: {told}",
        "cached": f"{abs(extra.tokens.cached):,} tokens "
        f"{'more' if extra.tokens.cached > 0 else 'fewer'} charged as cached",
    }[extra.kind]


def _hint(side: Side) -> str:
    """Where to look, for a line whose rest no price explains."""
    tokens = side.more_tokens
    if tokens is None:
        return "the invoice counts no tokens; give the usage export too"
    if tokens and side.more_requests == 0:
        return f"the same requests, but {tokens.whole:+,} tokens"
    ledger = sum((entry.cost_usd for entry in side.entries), Decimal(0))
    if not tokens and ledger:
        return f"the same usage at {side.line.cost_usd / ledger:.4f} times the ledger's price"
    return "neither tokens nor a known price account for it"
