"""Numbers, money and times as people read them."""

import doctest
from decimal import Decimal
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.console import feed_page, login, markup, spending, words
from inhouse.console.bill import lines, page
from inhouse.console.moderation import marked
from inhouse.console.moderation import page as moderation_page
from inhouse.console.overview import experiment


@pytest.mark.parametrize(
    "module",
    [words, markup, spending, feed_page, login, lines, page, marked, moderation_page, experiment],
    ids=lambda module: module.__name__,
)
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    """Every example in the console's docstrings gives what it says."""
    assert doctest.testmod(module).failed == 0


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
