"""What a request costs: a contract's price, else the pinned price list, else unknown.

The list is the one inside the installed `genai-prices` package; it is never fetched. Its version
and the entry used are kept with every amount, and so are a contract's prices themselves, so that a
bill can be worked out again when vendors.toml has long been another. An amount is
rounded to whole millionths of a millionth of a dollar: finer than any price per token, and exact
to add up in a database.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final, Protocol

from genai_prices import Usage as ListUsage
from genai_prices import __version__ as list_version
from genai_prices import calc_price
from genai_prices.types import ModelPrice

from inhouse.models.types import (
    INHOUSE,
    LOCAL,
    ContractPrice,
    Deployment,
    Outcome,
    Usage,
)

PICO: Final = 1_000_000_000_000  # parts of a dollar
_QUANTUM: Final = Decimal(1) / PICO
_MTOK: Final = Decimal(1_000_000)
# Vendors do not charge for these; for other failures nobody but the invoice knows.
_UNBILLED: Final[frozenset[Outcome]] = frozenset(
    ("rate_limited", "server_error", "unreachable", "denied")
)
# Entries of the list without any rate that stand for "free"; others merely lack a rate.
_FREE: Final[frozenset[str]] = frozenset(("openai/moderation",))
_LONGEST_VERSION: Final = 96
# Digits and point of a contract's price, so that four of them have room in a version.
MOST_PRICE_CHARS: Final = 18
_PRICE: Final = r"([0-9]+(?:\.[0-9]+)?)"
_CONTRACT: Final = re.compile(rf"contract {_PRICE}/{_PRICE}/{_PRICE}\+{_PRICE}")
_MINUTE_S: Final = 60


class Priced(Protocol):
    """What came of a request, as far as its price depends on it."""

    @property
    def outcome(self) -> Outcome: ...

    @property
    def usage(self) -> Usage | None: ...

    @property
    def spillover(self) -> str | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """An answer as if it had come to its end where it is."""

    usage: Usage
    outcome: Outcome = "ok"
    spillover: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An amount and where it comes from."""

    cost_usd: Decimal | None  # None where it cannot be known
    version: str | None  # list and entry, contract, owned, local or unbilled; None unknown


CACHED: Final = "cache"  # the version of a price that nobody charged: the answer was kept
UNPRICED: Final = Price(cost_usd=None, version=None)


def price_of(deployment: Deployment, answer: Priced, at_ms: int) -> Price:
    """What one request cost at that time."""
    if deployment.host == INHOUSE:
        return Price(cost_usd=Decimal(0), version="owned")
    if deployment.host == LOCAL:
        return Price(cost_usd=Decimal(0), version="local")
    if answer.outcome in _UNBILLED:
        return Price(cost_usd=Decimal(0), version="unbilled")
    if answer.outcome in ("timeout", "aborted", "refused", "broken") and answer.usage is None:
        return UNPRICED
    # Azure moves what a paid-for capacity cannot take to a deployment at the list's price.
    if deployment.contract is not None and answer.spillover is None:
        return _contract_price(deployment.contract, answer.usage)
    return _list_price(deployment, answer.usage, at_ms)


def warm_prices(deployment: Deployment, at_ms: int) -> None:
    """Look a deployment's prices up before they are needed."""
    _list_price(deployment, None, at_ms)


def estimate_of(deployment: Deployment, seen: Usage, at_ms: int) -> Decimal | None:
    """About what an attempt cost whose usage nobody told, from what was seen of it."""
    if deployment.host in (INHOUSE, LOCAL):
        return None
    return price_of(deployment, _Seen(usage=seen), at_ms).cost_usd


def to_pico(cost_usd: Decimal) -> int:
    """Dollars as the whole number the ledger keeps."""
    return int((cost_usd * PICO).to_integral_value(ROUND_HALF_EVEN))


def from_pico(pico_usd: int) -> Decimal:
    """Dollars of the ledger's whole number, exactly."""
    return Decimal(pico_usd).scaleb(-12)


def _contract_price(contract: ContractPrice, usage: Usage | None) -> Price:
    if usage is None:
        return UNPRICED
    if usage.tokens_audio_in or usage.tokens_audio_out:
        return UNPRICED  # a contract names no price for sound
    cached = min(usage.tokens_cached, usage.tokens_in)
    cost = (
        contract.request_usd
        + (
            contract.in_usd_per_mtok * (usage.tokens_in - cached)
            + contract.cached_usd_per_mtok * cached
            + contract.out_usd_per_mtok * usage.tokens_out
        )
        / _MTOK
    )
    return Price(cost_usd=cost.quantize(_QUANTUM), version=_contract_version(contract))


def list_name(deployment: Deployment) -> str:
    """What the price list calls a deployment's model, `provider/model`."""
    return deployment.price_as or f"{deployment.host}/{deployment.model}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """What a deployment's tokens cost, in dollars for a million, and a request by itself."""

    fresh: Decimal
    cached: Decimal
    out: Decimal
    request: Decimal  # dollars
    version: str  # as of a price

    def cost_usd(self, usage: Usage, requests: int) -> Decimal:
        """Of all of some requests' tokens together. usage: its sound counts as words."""
        fresh = usage.tokens_in - usage.tokens_cached
        tokens = (
            fresh * self.fresh + usage.tokens_cached * self.cached + usage.tokens_out * self.out
        )
        return tokens / _MTOK + requests * self.request


def contract_rates(deployment: Deployment) -> Rates | None:
    """The contract's; None without one."""
    contract = deployment.contract
    if contract is None:
        return None
    return Rates(
        fresh=contract.in_usd_per_mtok,
        cached=contract.cached_usd_per_mtok,
        out=contract.out_usd_per_mtok,
        request=contract.request_usd,
        version=_contract_version(contract),
    )


def list_rates(deployment: Deployment, at_ms: int) -> Rates | None:
    """The list's at a time, for short prompts where long ones cost more; None where it has none."""
    entry = _entry(list_name(deployment), at_ms // (_MINUTE_S * 1_000))
    if entry is None or not entry.rated:
        return None
    ones = (
        Usage(tokens_in=1),
        Usage(tokens_in=1, tokens_cached=1),
        Usage(tokens_in=0, tokens_out=1),
    )
    costs = [_cost(entry, one) for one in ones]
    fresh, cached, out = (Decimal(0) if cost is None else cost * _MTOK for cost in costs)
    return Rates(fresh=fresh, cached=cached, out=out, request=Decimal(0), version=entry.version)


def rates_in(version: str | None) -> Rates | None:
    """The contract's prices that an amount was worked out by, as they were kept with it.

    >>> rates_in("contract 0.15/0.075/0.6+0").out
    Decimal('0.6')
    """
    found = _CONTRACT.fullmatch(version or "")
    if found is None:
        return None
    fresh, cached, out, request = map(Decimal, found.groups())
    return Rates(fresh=fresh, cached=cached, out=out, request=request, version=found[0])


@lru_cache(maxsize=1_024)
def _contract_version(contract: ContractPrice) -> str:
    fresh, cached, out, request = map(
        plainly,
        (
            contract.in_usd_per_mtok,
            contract.cached_usd_per_mtok,
            contract.out_usd_per_mtok,
            contract.request_usd,
        ),
    )
    return f"contract {fresh}/{cached}/{out}+{request}"


def plainly(amount: Decimal) -> str:
    """Its digits and no more: 0.6 for 0.60, 100 for 1E+2."""
    return f"{amount.normalize():f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """The list's prices for a model at a time."""

    version: str
    free: bool  # is known to cost nothing
    rated: bool  # has any rate at all
    rates: ModelPrice
    plain: tuple[Decimal, Decimal, Decimal] | None  # fresh, cached, out; None where not so simple


@lru_cache(maxsize=1_024)
def _entry(name: str, minute: int) -> _Entry | None:
    """Prices may change with the time of day; looking one up takes as long as a whole call."""
    provider, _, model = name.partition("/")
    when = datetime.fromtimestamp(minute * _MINUTE_S, UTC)
    try:
        found = calc_price(
            ListUsage(input_tokens=0), model, provider_id=provider, genai_request_timestamp=when
        )
    except (LookupError, ValueError):
        return None
    entry, rates = f"{found.provider.id}/{found.model.id}", found.model_price
    three = tuple(getattr(rates, f"{kind}_mtok") for kind in ("input", "cache_read", "output"))
    return _Entry(
        version=f"genai-prices {list_version} {entry}"[:_LONGEST_VERSION],
        free=entry in _FREE,
        rated=any(rate is not None for rate in vars(rates).values()),
        rates=rates,
        plain=three if all(isinstance(rate, Decimal) for rate in three) else None,
    )


def _list_price(deployment: Deployment, usage: Usage | None, at_ms: int) -> Price:
    entry = _entry(list_name(deployment), at_ms // (_MINUTE_S * 1_000))
    if entry is None:
        return UNPRICED
    if not entry.rated:
        return Price(cost_usd=Decimal(0), version=entry.version) if entry.free else UNPRICED
    if usage is None:
        return UNPRICED
    cost = _cost(entry, usage)
    if cost is None:
        return UNPRICED
    return Price(cost_usd=cost.quantize(_QUANTUM), version=entry.version)


def _cost(entry: _Entry, usage: Usage) -> Decimal | None:
    """None where the list names no price for sound: it would count it as words."""
    rates = entry.rates
    if (usage.tokens_audio_in and rates.input_audio_mtok is None) or (
        usage.tokens_audio_out and rates.output_audio_mtok is None
    ):
        return None
    cached = min(usage.tokens_cached, usage.tokens_in)
    if entry.plain is not None and not (usage.tokens_audio_in or usage.tokens_audio_out):
        fresh_rate, cached_rate, out_rate = entry.plain
        fresh = usage.tokens_in - cached
        return (fresh * fresh_rate + cached * cached_rate + usage.tokens_out * out_rate) / _MTOK
    counts = ListUsage(
        input_tokens=usage.tokens_in,
        cache_read_tokens=cached,
        output_tokens=usage.tokens_out,
        **({"input_audio_tokens": usage.tokens_audio_in} if usage.tokens_audio_in else {}),
        **({"output_audio_tokens": usage.tokens_audio_out} if usage.tokens_audio_out else {}),
    )
    return Decimal(rates.calc_price(counts)["total_price"])
