"""The nouns: a line of an invoice, a group of the ledger's rows, a reason, what came of it all."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

# Why an invoice and the ledger differ.
Kind = Literal[
    "unknown",  # attempts that were left, broke off or took too long: the ledger had no cost
    "retried",  # attempts that failed, and that the vendor charged all the same
    "outside",  # calls that never passed through inhouse
    "cached",  # more or fewer tokens were read from the vendor's cache than it told
    "spilled",  # a full deployment's calls, answered by a dearer one
    "price",  # another price than the ledger's: the list's for the contract's, or an older one
    "unpriced",  # attempts whose usage is known and whose price was not
    "capacity",  # paid for by the hour, whether or not it is called
    "day",  # the vendor's day begins at another moment
    "rounding",  # the vendor shows, or charges, no smaller parts
    "missing",  # the ledger has it, the invoice does not
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Amounts of tokens, or differences of them."""

    fresh: int  # of the prompt, read anew
    cached: int  # of the prompt, from the vendor's cache
    out: int  # of the answer

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            fresh=self.fresh + other.fresh,
            cached=self.cached + other.cached,
            out=self.out + other.out,
        )

    def __sub__(self, other: "Tokens") -> "Tokens":
        return self + Tokens(fresh=-other.fresh, cached=-other.cached, out=-other.out)

    def __bool__(self) -> bool:
        return bool(self.fresh or self.cached or self.out)

    @property
    def least(self) -> int:
        """The smallest of the three."""
        return min(self.fresh, self.cached, self.out)

    @property
    def whole(self) -> int:
        """Whatever they are."""
        return self.fresh + self.cached + self.out


NO_TOKENS: Final = Tokens(fresh=0, cached=0, out=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceLine:
    """What a vendor charges for one model on one day."""

    day: str  # 2026-01-31, or 2026-01, as the vendor counts days
    model: str  # as the vendor names it; empty where it names none
    rows: tuple[int, ...]  # lines of the file
    cost_usd: Decimal
    half_unit_usd: Decimal  # half of the last decimal shown, of all rows together
    requests: int | None  # None where the invoice does not say, as below
    tokens: Tokens | None
    capacity: bool = False  # a charge by the hour, not by the call


@dataclass(frozen=True, kw_only=True, slots=True)
class Invoice:
    """A file, understood."""

    format: str  # openai, azure or plain
    lines: tuple[InvoiceLine, ...]  # by day and model
    skipped: int  # rows about something else than models


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """Rows of the ledger that differ in nothing that matters here, added up."""

    slot: int  # half-hours since 1970, UTC
    deployment: str
    host: str
    model: str
    spillover: str | None  # the deployment that really answered
    outcome: str
    price_version: str | None
    attempts: int
    unknown: int  # attempts without a cost
    told: int  # attempts whose usage is known
    tokens: Tokens  # of those
    cost_usd: Decimal  # of the attempts with one
    estimate_usd: Decimal  # of the attempts without one, as far as there is an estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A part of a difference, and why."""

    kind: Kind
    amount_usd: Decimal  # of the invoice more than of the ledger; negative: less
    attempts: int  # that it is about; 0 where it is about all of the line
    exact: bool  # worked out from both sides' figures; False where a part is an estimate
    detail: str  # in words


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One line of the invoice beside the same of the ledger."""

    day: str
    model: str  # as the invoice names it, or as the ledger does where that has no such line
    rows: tuple[int, ...]  # lines of the file; none where the invoice has no such line
    invoice_usd: Decimal
    ledger_usd: Decimal
    difference_usd: Decimal  # invoice less ledger
    requests: int | None  # that the invoice counts
    attempts: int  # that the ledger has
    reasons: tuple[Reason, ...]
    unexplained_usd: Decimal  # what no reason accounts for
    hint: str  # what to look at where something is unexplained; empty otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """An invoice beside the ledger."""

    format: str
    since: str  # first day of the invoice
    until: str  # its last one
    day_starts_at: str  # when the vendor's days begin, as +02:00; +00:00 is UTC
    invoice_usd: Decimal
    ledger_usd: Decimal
    difference_usd: Decimal
    reasons_usd: Mapping[Kind, Decimal]  # amounts by kind
    unexplained_usd: Decimal  # sum over lines; amounts of both signs may cancel
    unexplained_lines: int  # lines with anything unexplained
    hosts: tuple[str, ...]  # whose rows were compared
    skipped: int  # rows of the file about something else
    lines: tuple[Difference, ...]  # by day and model
