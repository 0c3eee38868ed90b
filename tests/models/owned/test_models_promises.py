"""What columns promise: by what they tell, within a bound, and less where traffic calls for it."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.models_texts import CATEGORIES, posts

from inhouse.core.random import stream
from inhouse.models.owned.fit import featurise_all, fit_text
from inhouse.models.owned.hashing import COLUMNS
from inhouse.models.owned.promises import Traffic, promises_of, traffic_of
from inhouse.models.owned.text import TextClassifier, matrix_of
from inhouse.stats.classification import roc_auc


def test_a_telling_column_promises_more() -> None:
    """By the softened log-ratio of its shares on both sides, worked out by hand, within a bound."""
    features = featurise_all(["aa", "bb", "aa", "bb"])
    promises = promises_of(features, np.array([[1.0], [0.0], [1.0], [np.nan]], dtype=np.float32))
    table = matrix_of(features).toarray()
    yes, no = table[0] + table[2] + 0.2, table[1] + 0.2
    seen = (table[:3] > 0).any(axis=0)
    ratio = np.log(yes[seen] / yes[seen].sum()) - np.log(no[seen] / no[seen].sum())
    softened = np.sqrt(ratio**2 + 0.1)
    assert softened.max() > 1.6 > softened.min()
    np.testing.assert_allclose(promises[seen, 0], np.minimum(softened, 1.6), rtol=1e-5)
    assert (promises[~seen] == 1).all()


def test_what_is_said_as_often_elsewhere_promises_as_before() -> None:
    """Traffic that holds no column oftener than the labelled texts leaves weights as they were."""
    texts, truth = posts(300)
    without = fit_text(texts, truth, CATEGORIES, 1)
    alike = fit_text(texts, truth, CATEGORIES, 1, texts[::-1])
    elsewhere = fit_text(texts, truth, CATEGORIES, 1, ["\u65e5\u672c"] * 300)
    assert isinstance(without, TextClassifier)
    assert isinstance(alike, TextClassifier)
    assert isinstance(elsewhere, TextClassifier)
    assert np.array_equal(without.weights, alike.weights)
    assert np.array_equal(without.weights, elsewhere.weights)


def test_a_column_promises_less_the_more_often_it_is_met() -> None:
    """By its share of the labelled texts and by what it has beyond that in traffic, less two
    standard errors."""
    features = featurise_all(["zzz"] * 10 + ["walk"] * 90)
    targets = np.array([[1.0]] * 10 + [[0.0]] * 90, dtype=np.float32)
    word = int(features.columns[features.starts[1] - 1])
    held = np.zeros(COLUMNS, dtype=np.int64)
    held[word] = 500
    promises = promises_of(features, targets, Traffic(texts=1_000, held=held))
    excess = 0.5 - 0.1 - 2 * np.sqrt(0.1 * (1 / 100 + 1 / 1_000))
    expected = 1.6 / (1 + np.sqrt(0.1 * excess) / 0.02)
    assert float(promises[word, 0]) == np.float32(expected)
    others = np.arange(COLUMNS) != word
    assert np.array_equal(promises[others], promises_of(features, targets)[others])


@given(st.integers(0, 1_000), st.integers(0, 1_000))
@settings(max_examples=25, deadline=None)
def test_traffic_never_raises_a_promise(one: int, other: int) -> None:
    """The more texts there hold a column, the less it promises, whatever it tells."""
    features = featurise_all(["zzz walk"] * 30 + ["walk river"] * 50 + ["zzz"] * 4)
    targets = np.array([[1.0]] * 30 + [[0.0]] * 50 + [[0.5]] * 4, dtype=np.float32)
    rarer, commoner = (
        promises_of(features, targets, Traffic(texts=1_000, held=np.full(COLUMNS, count)))
        for count in sorted((one, other))
    )
    assert (commoner <= rarer).all()
    assert (rarer <= promises_of(features, targets)).all()


def test_texts_are_counted_once_for_each_column() -> None:
    """However often a text says a word."""
    features = featurise_all(["zzz"])
    traffic = traffic_of(["zzz zzz zzz", "walk", "a zzz"])
    assert traffic.texts == 3
    assert set(traffic.held[features.columns].tolist()) == {2}


def test_the_rest_of_what_they_say_is_learned_where_a_word_is_in_everybodys_mouth() -> None:
    """Labels were collected by a word that only one side said. Where both sides say it, the model
    that was shown texts from there tells them apart better."""
    texts, truth = _collected(1_500, seed=1, collected=True)
    here, wanted = _collected(600, seed=2, collected=False)
    traffic, _ = _collected(600, seed=3, collected=False)
    blind = fit_text(texts, truth, ("hate",), 1)
    shown = fit_text(texts, truth, ("hate",), 1, traffic)
    assert isinstance(blind, TextClassifier)
    assert isinstance(shown, TextClassifier)
    before, after = (roc_auc(wanted[:, 0] > 0, m.margins(here)[:, 0]) for m in (blind, shown))
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert after > before + 0.03


def _collected(
    count: int, seed: int, *, collected: bool
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Posts of which two in five are hateful, by words that each tell a little. collected: a third
    of the hateful ones, and no others, hold the word they were found by; else half of all do."""
    random = stream(seed, "collected")
    truth = random.random(count) < 0.4
    texts = []
    for hateful in truth:
        mean = random.random(6) < (0.6 if hateful else 0.4)
        words = [f"{'foul' if one else 'fair'}{random.integers(40)}" for one in mean]
        said = (hateful and random.random() < 0.33) if collected else random.random() < 0.5
        texts.append(" ".join([*words, "blorgz"] if said else words))
    return texts, truth[:, None].astype(np.float64)
