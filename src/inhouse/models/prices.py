"""What a request costs: a contract's price, else the pinned price list, else unknown.

The list is the one inside the installed `genai-prices` package; it is never fetched. Its version
and the entry used are kept with every amount, so that a bill can be worked out again. An amount is
rounded to whole millionths of a millionth of a dollar: finer than any price per token, and exact
to add up in a database.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from genai_prices import Usage as ListUsage
from genai_prices import __version__ as list_version
from genai_prices import calc_price

from inhouse.models.types import (
    INHOUSE,
    LOCAL,
    ContractPrice,
    Deployment,
    Outcome,
    ProviderAnswer,
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """An amount and where it comes from."""

    cost_usd: Decimal | None  # None where it cannot be known
    version: str | None  # list and entry, contract, owned, local or unbilled; None unknown


UNPRICED: Final = Price(cost_usd=None, version=None)


def price_of(deployment: Deployment, answer: ProviderAnswer, at_ms: int) -> Price:
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
    digest = hashlib.sha256(repr(contract).encode()).hexdigest()[:12]
    return Price(cost_usd=cost.quantize(_QUANTUM), version=f"contract {digest}")


def _list_price(deployment: Deployment, usage: Usage | None, at_ms: int) -> Price:
    name = deployment.price_as or f"{deployment.host}/{deployment.model}"
    provider, _, model = name.partition("/")
    given = usage or Usage(tokens_in=0)
    counts = ListUsage(
        input_tokens=given.tokens_in,
        cache_read_tokens=min(given.tokens_cached, given.tokens_in),
        output_tokens=given.tokens_out,
        **({"input_audio_tokens": given.tokens_audio_in} if given.tokens_audio_in else {}),
        **({"output_audio_tokens": given.tokens_audio_out} if given.tokens_audio_out else {}),
    )
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    try:
        found = calc_price(counts, model, provider_id=provider, genai_request_timestamp=when)
    except (LookupError, ValueError):
        return UNPRICED
    entry = f"{found.provider.id}/{found.model.id}"
    version = f"genai-prices {list_version} {entry}"[:_LONGEST_VERSION]
    if not any(rate is not None for rate in vars(found.model_price).values()):
        free = entry in _FREE
        return Price(cost_usd=Decimal(0), version=version) if free else UNPRICED
    if usage is None:
        return UNPRICED
    return Price(cost_usd=found.total_price.quantize(_QUANTUM), version=version)
