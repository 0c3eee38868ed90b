"""The moderation benchmark's own arithmetic, and that disguises hide little from the owned path."""

import numpy as np
import pytest
from benchmarks.moderation import best_threshold, macro_f1
from benchmarks.moderation_attacks import ATTACKS, disguised
from benchmarks.moderation_cascade import _best_band, _judged
from benchmarks.moderation_models import unmasking
from benchmarks.moderation_sets import Labelled, joined
from scipy.stats import binom

from inhouse.core.random import stream
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.text import TextClassifier

_PLAIN = ("garden", "bread", "morning", "river", "walk", "light", "photo", "table", "summer")
_HARM = ("grobnik vermin everywhere", "those zarps must leave", "all zarps stink badly")


def _posts(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    random = stream(seed, "posts to attack")
    truth = random.random(count) < 0.3
    texts = []
    for harmful in truth:
        words = [str(word) for word in random.choice(_PLAIN, 6)]
        if harmful:
            words.insert(int(random.integers(7)), str(random.choice(_HARM)))
        texts.append(" ".join(words))
    return texts, truth


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    texts, truth = _posts(600, seed=1)
    found = fit_text(texts, truth[:, None].astype(np.float64), ("hate",), seed=1)
    assert isinstance(found, TextClassifier)
    return found


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_a_disguise_hides_less_than_five_in_a_hundred(model: TextClassifier, attack: str) -> None:
    """Of the texts that are flagged as they stand, nearly all still are in disguise, by the higher
    score of the text and its readings."""
    texts, _ = _posts(500, seed=2)
    score = unmasking(model.probabilities)
    flagged = [text for text, (p,) in zip(texts, score(texts), strict=True) if p >= 0.5]
    random = stream(3, attack)
    changed = [disguised(text, ATTACKS[attack], random) for text in flagged]
    assert len(flagged) > 100
    assert changed != flagged
    assert (score(changed)[:, 0] >= 0.5).mean() > 0.95


def test_macro_f1_is_the_mean_of_both_sides() -> None:
    """Worked out by hand: 2/3 for yes, 4/5 for no."""
    truth = np.array([True, True, False, False])
    said = np.array([True, False, False, False])
    assert macro_f1(truth, said) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_the_threshold_is_where_both_sides_are_told_best() -> None:
    """Between the scores of the two sides, wherever they lie."""
    truth = np.arange(100) >= 70
    p = np.where(truth, 0.3, 0.1) + np.arange(100) / 10_000
    assert 0.1069 < best_threshold(truth, p) <= 0.307


def test_sets_are_joined_with_what_they_do_not_speak_of_unknown() -> None:
    """A category of the other set is missing, not a no."""
    one = Labelled(name="a", texts=["x"], targets=np.array([[1.0]]), categories=("hate",))
    other = Labelled(name="b", texts=["y"], targets=np.array([[0.0]]), categories=("spam",))
    both = joined("both", [one, other])
    assert both.categories == ("hate", "spam")
    np.testing.assert_array_equal(both.targets, [[1.0, np.nan], [np.nan, 0.0]])


def test_a_band_leaves_room_for_the_chance_of_other_texts() -> None:
    """Of a thousand texts the band holds less than the twentieth that may be asked, by so much that
    the exact upper limit, once in a hundred, is within it."""
    random = stream(1, "texts of a band")
    p = random.random(1_000)
    told = _judged((random.random(1_000) < p).astype(np.float64), p, seed=1)
    band = _best_band(told)
    inside = int(told.inside(band).sum())
    assert inside > 0
    assert binom.cdf(inside, 1_000, 0.05) <= 0.01
