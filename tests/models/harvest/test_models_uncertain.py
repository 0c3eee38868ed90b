"""Choosing what to ask a person: uncertain, different, and a fifth at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.models.harvest.uncertain import choose

# Words of one letter each share no run of characters and so no feature but spaces.
WORDS = "abcdefghijklmnopqrstuvwxyz0123456789"
APART = [letter * 2 + str(place) * 5 for place, letter in enumerate(WORDS)]


def test_the_nearest_to_the_threshold_come_first_and_a_fifth_at_random() -> None:
    """Of ten, eight are the nearest in any category, in order; two are others, by the seed."""
    p = np.full((len(APART), 2), np.nan)
    p[:, 0] = np.linspace(0.0, 0.3, len(APART))
    p[20, 1] = 0.5
    chosen = choose(APART, p, 10, 0.5, 1)
    assert chosen[:8] == [20, 35, 34, 33, 32, 31, 30, 29]
    assert len(set(chosen)) == 10
    assert choose(APART, p, 10, 0.5, 1) == chosen
    assert {tuple(choose(APART, p, 10, 0.5, seed)[8:]) for seed in range(5)} != {tuple(chosen[8:])}


def test_nearly_the_same_text_is_asked_about_once() -> None:
    """Spam that comes twenty times with another number at its end is one question."""
    copies = [f"buy a thousand followers today, call now {n}" for n in range(20)]
    p = np.array([[0.5]] * 20 + [[0.1]] * len(APART))
    chosen = choose([*copies, *APART], p, 10, 0.5, 1)
    assert chosen[0] == 0
    assert sum(place < 20 for place in chosen) == 1
    assert choose(copies, p[:20], 10, 0.5, 1) == [0]


def test_texts_without_words_and_without_an_opinion_do_no_harm() -> None:
    """Empty, emoji and right-to-left texts; categories that the model does not know; no category
    at all; no text at all."""
    texts = ["", "😀", "مرحبا بالعالم", "\u202e", "x" * 5_000]
    assert sorted(choose(texts, np.full((5, 2), np.nan), 5, 0.5, 1)) == [0, 1, 2, 3, 4]
    assert len(choose(texts, np.zeros((5, 0)), 2, 0.5, 1)) == 2
    assert choose([], np.zeros((0, 2)), 3, 0.5, 1) == []


def test_what_cannot_be_is_refused() -> None:
    """Rows that are not as many as the texts, no k, a threshold that nothing is on one side of."""
    with pytest.raises(InputError, match="2 rows of probabilities for 1 texts"):
        choose(["a"], np.zeros((2, 1)), 1, 0.5, 1)
    for k, threshold in ((0, 0.5), (1, 1.0)):
        with pytest.raises(InputError, match="expected k of 1 or more, threshold within 0 and 1"):
            choose(["a"], np.zeros((1, 1)), k, threshold, 1)


@given(
    st.lists(st.tuples(st.text(max_size=30), st.floats(0, 1)), max_size=20),
    st.integers(1, 30),
    st.integers(0, 5),
)
def test_a_choice_is_within_bounds(rows: list[tuple[str, float]], k: int, seed: int) -> None:
    """At most k places, each of a text and none twice; something, where there is a text."""
    p = np.array([[p] for _, p in rows]).reshape(len(rows), 1)
    chosen = choose([text for text, _ in rows], p, k, 0.5, seed)
    assert len(chosen) == len(set(chosen)) <= min(k, len(rows))
    assert all(0 <= place < len(rows) for place in chosen)
    assert bool(chosen) == bool(rows)
