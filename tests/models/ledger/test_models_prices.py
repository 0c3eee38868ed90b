"""Money: exact, from a named source, or unknown."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_vendor import NOW_MS, deployment

from inhouse.models.ledger.prices import (
    UNPRICED,
    Price,
    contract_rates,
    from_pico,
    price_of,
    rates_in,
    to_pico,
)
from inhouse.models.types import INHOUSE, ContractPrice, Outcome, ProviderAnswer, Usage

USED = Usage(tokens_in=1_000, tokens_cached=200, tokens_out=50)
CONTRACT = ContractPrice(
    in_usd_per_mtok=Decimal("0.1"),
    cached_usd_per_mtok=Decimal("0.01"),
    out_usd_per_mtok=Decimal("0.4"),
    request_usd=Decimal("0.000001"),
)


def _answer(
    usage: Usage | None = USED, outcome: Outcome = "ok", spillover: str | None = None
) -> ProviderAnswer:
    return ProviderAnswer(
        refs=("a",), scores=None, outcome=outcome, latency_ms=1.0, usage=usage, spillover=spillover
    )


def test_the_pinned_list_prices_tokens_by_kind() -> None:
    """800 fresh at 0.15, 200 cached at 0.075, 50 out at 0.60 dollars a million."""
    price = price_of(deployment("http://v"), _answer(), NOW_MS)
    assert Decimal("0.000165") == price.cost_usd
    assert price.version is not None
    assert price.version.startswith("genai-prices ")
    assert price.version.endswith(" openai/gpt-4o-mini")


def test_a_contract_beats_the_list() -> None:
    """800 x 0.1 + 200 x 0.01 + 50 x 0.4 per million, and something per request."""
    price = price_of(deployment("http://v", contract=CONTRACT), _answer(), NOW_MS)
    assert Decimal("0.000103") == price.cost_usd
    assert price.version == "contract 0.1/0.01/0.4+0.000001"
    assert rates_in(price.version) == contract_rates(deployment("http://v", contract=CONTRACT))


@given(st.lists(st.decimals(0, 9_999_999, places=8), min_size=4, max_size=4))
def test_a_contracts_price_is_read_back_as_it_was(rates: list[Decimal]) -> None:
    """Whatever its digits and however they are written, and it has room in the ledger."""
    contract = ContractPrice(
        in_usd_per_mtok=rates[0],
        cached_usd_per_mtok=rates[1],
        out_usd_per_mtok=rates[2],
        request_usd=rates[3],
    )
    version = price_of(deployment("http://v", contract=contract), _answer(), NOW_MS).version or ""
    assert len(version) <= 96
    assert rates_in(version) == contract_rates(deployment("http://v", contract=contract))


@pytest.mark.parametrize(
    "version", [None, "owned", "contract 1a2b3c4d5e6f", "contract 1/2/3", "contract 1/2/-3+0", ""]
)
def test_what_is_no_price_of_a_contract_is_none(version: str | None) -> None:
    """A digest of before among them."""
    assert rates_in(version) is None


def test_spilled_requests_are_charged_by_the_list() -> None:
    """The contract is for the capacity that was full."""
    azure = deployment("http://v", host="azure", contract=CONTRACT)
    price = price_of(azure, _answer(spillover="standard"), NOW_MS)
    assert Decimal("0.000165") == price.cost_usd


def test_a_name_can_be_mapped_to_the_list() -> None:
    """Azure's deployments have names of their own."""
    named = deployment("http://v", host="azure", model="team-7")
    mapped = deployment("http://v", host="azure", model="team-7", price_as="openai/gpt-4o-mini")
    assert price_of(named, _answer(), NOW_MS) == UNPRICED
    assert Decimal("0.000165") == price_of(mapped, _answer(), NOW_MS).cost_usd


def test_an_unknown_model_has_no_price() -> None:
    """None, not zero."""
    assert price_of(deployment("http://v", model="nobody-knows"), _answer(), NOW_MS) == UNPRICED
    assert price_of(deployment("http://v", host="nowhere"), _answer(), NOW_MS) == UNPRICED


def test_without_usage_there_is_no_price() -> None:
    """A vendor that does not say what was used leaves the cost unknown."""
    assert price_of(deployment("http://v"), _answer(usage=None), NOW_MS) == UNPRICED
    with_contract = deployment("http://v", contract=CONTRACT)
    assert price_of(with_contract, _answer(usage=None), NOW_MS) == UNPRICED


def test_a_free_endpoint_costs_nothing_even_without_usage() -> None:
    """OpenAI's moderations are in the list as free."""
    free = deployment("http://v", model="omni-moderation-latest")
    assert Decimal(0) == price_of(free, _answer(usage=None), NOW_MS).cost_usd


def test_an_entry_without_rates_is_not_free() -> None:
    """A list that knows a model but not its rates does not know its price."""
    rateless = deployment("http://v", price_as="cerebras/qwen-3-coder-480b")
    assert price_of(rateless, _answer(), NOW_MS) == UNPRICED


def test_failures_cost_nothing_or_nobody_knows() -> None:
    """Vendors do not charge for 429 and 5xx; a request that timed out may be charged."""
    main = deployment("http://v")
    unbilled: list[Outcome] = ["rate_limited", "server_error", "unreachable", "denied"]
    unknown: list[Outcome] = ["timeout", "aborted", "refused", "content_filter", "bad_answer"]
    free = Price(cost_usd=Decimal(0), version="unbilled")
    assert [free] * 4 == [price_of(main, _answer(None, o), NOW_MS) for o in unbilled]
    assert [price_of(main, _answer(None, o), NOW_MS) for o in unknown] == [UNPRICED] * 5


def test_owned_models_cost_no_vendor_anything() -> None:
    """Zero, marked as owned."""
    own = deployment("", host=INHOUSE, owner=INHOUSE)
    assert Price(cost_usd=Decimal(0), version="owned") == price_of(own, _answer(None), NOW_MS)


@given(st.integers(0, 10**15))
def test_the_ledger_keeps_every_part_of_a_cent(pico: int) -> None:
    """Whole millionths of a millionth survive the way there and back."""
    assert pico == to_pico(from_pico(pico))


@given(
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 10**6),
    st.integers(1, 10**6).map(lambda n: Decimal(n).scaleb(-6)),
)
def test_contract_prices_are_exact(fresh: int, cached: int, out: int, rate: Decimal) -> None:
    """No rounding as long as rates have at most six decimals."""
    contract = ContractPrice(
        in_usd_per_mtok=rate, cached_usd_per_mtok=rate / 1, out_usd_per_mtok=2 * rate
    )
    used = Usage(tokens_in=fresh + cached, tokens_cached=cached, tokens_out=out)
    price = price_of(deployment("http://v", contract=contract), _answer(used), NOW_MS)
    expected = rate * (fresh + cached + 2 * out) / 1_000_000
    assert expected == price.cost_usd
    assert price.cost_usd is not None
    assert expected == from_pico(to_pico(price.cost_usd))


@given(
    st.sampled_from(
        [
            "openai/gpt-4o-mini",
            "google/gemini-2.5-pro",
            "openai/gpt-4o",
            "anthropic/claude-sonnet-4-5",
        ]
    ),
    st.integers(0, 400_000),
    st.integers(0, 400_000),
    st.integers(0, 20_000),
)
def test_our_arithmetic_is_the_lists(name: str, fresh: int, cached: int, out: int) -> None:
    """What is worked out from a remembered entry is what the list's own package works out, steps in
    the price of long prompts included."""
    provider, _, model = name.partition("/")
    when = datetime.fromtimestamp(NOW_MS / 1_000, UTC)
    counts = ListUsage(input_tokens=fresh + cached, cache_read_tokens=cached, output_tokens=out)
    theirs = calc_price(counts, model, provider_id=provider, genai_request_timestamp=when)
    used = Usage(tokens_in=fresh + cached, tokens_cached=cached, tokens_out=out)
    ours = price_of(deployment("http://v", price_as=name), _answer(used), NOW_MS)

    assert ours.cost_usd == theirs.total_price.quantize(Decimal("1e-12"))


def test_sound_has_its_own_price() -> None:
    """400 words at 2.5 and 600 of sound at 32, 60 and 40 said at 10 and 64 dollars a million; where
    list or contract name no price for sound, the cost is unknown."""
    heard = Usage(tokens_in=1_000, tokens_audio_in=600, tokens_out=100, tokens_audio_out=40)
    listed = deployment("http://v", price_as="openai/gpt-audio")
    unlisted = deployment("http://v", price_as="openai/gpt-4o-audio-preview")
    under_contract = deployment("http://v", contract=CONTRACT)

    assert price_of(listed, _answer(heard), NOW_MS).cost_usd == Decimal("0.02336")
    assert price_of(unlisted, _answer(heard), NOW_MS) == UNPRICED
    assert price_of(under_contract, _answer(heard), NOW_MS) == UNPRICED
