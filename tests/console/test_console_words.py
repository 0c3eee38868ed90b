"""Numbers, money and times as people read them."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from inhouse.console import words


@given(st.decimals(min_value=Decimal("0.0000001"), max_value=Decimal(10**9), places=9))
def test_money_above_zero_is_never_shown_as_zero(usd: Decimal) -> None:
    """However little was spent, the figure shows that something was."""
    shown = words.money(usd).removeprefix("$").replace(",", "")
    assert Decimal(shown) > 0


@given(st.integers(min_value=0, max_value=10**13))
def test_a_span_has_at_most_two_units(ms: int) -> None:
    """A length of time is readable at a glance, whatever it is."""
    parts = words.span(ms).split()
    assert 2 <= len(parts) <= 4
    assert parts[0] != "0" or ms < 50


def test_what_is_unknown_is_never_zero() -> None:
    """None is shown as unknown by every formatter."""
    shown = [
        words.count(None),
        words.share(None),
        words.probability(None),
        words.span(None),
        words.minutes(None),
        words.money(None),
        words.ago(None, 5),
    ]
    assert shown == ["—", "—", "—", "—", "—", "no price", "never"]
