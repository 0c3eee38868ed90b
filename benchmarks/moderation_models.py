"""What the moderation benchmark compares: the owned model and its peers, each trained alike."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.moderation_sets import Labelled, Targets
from inhouse.core.random import stream
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.text import TextClassifier
from inhouse.moderation.signals.normalise import read_forms
from inhouse.moderation.signals.read import unmasked_of
from inhouse.stats.classification import average_precision

Scorer = Callable[[Sequence[str]], Targets]  # texts -> [texts, categories], probabilities
Trainer = Callable[[Labelled], Scorer]
_STRENGTHS: Final = (0.3, 1.0, 3.0, 10.0)
_HELD: Final = 0.15  # of the training texts, to choose the strength by


def owned(train: Labelled, traffic: Sequence[str] = ()) -> Scorer:
    """The model of `inhouse models train`. traffic: texts without labels from where it answers."""
    model = fit_text(train.texts, train.targets, train.categories, 1, traffic)
    if not isinstance(model, TextClassifier):
        raise SystemExit(f"nothing to train on: {model.reason}")
    places = [model.categories.index(category) for category in train.categories]
    return lambda texts: model.probabilities(texts)[:, places]


def unmasking(scorer: Scorer) -> Scorer:
    """As the moderator asks: every text as it stands and without its disguises, the highest
    probability counts."""

    def score(texts: Sequence[str]) -> Targets:
        p = scorer(texts)
        ways = [
            (row, way) for row, text in enumerate(texts) for way in unmasked_of(read_forms(text))
        ]
        if ways:
            rows = np.array([row for row, _ in ways])
            np.maximum.at(p, rows, scorer([way for _, way in ways]))
        return p

    return score


def tfidf(train: Labelled) -> Scorer:
    """Words and pairs, and 2 to 5 characters of words, sublinear TF-IDF, with scikit-learn's
    logistic regression, its strength chosen on held-out training texts for each category."""
    order = stream(1, "inner split").permutation(len(train.texts))
    cut = round(len(order) * (1 - _HELD))
    inner, held = train.part(order[:cut]), train.part(order[cut:])
    words = _Features(inner.texts)
    strengths = [
        _best_strength(words, inner, held, place) for place in range(len(train.categories))
    ]
    features = _Features(train.texts)
    models = [
        _fit(features.table, train.targets[:, place], strength)
        for place, strength in enumerate(strengths)
    ]

    def score(texts: Sequence[str]) -> Targets:
        table = features.of(texts)
        return np.stack([model.predict_proba(table)[:, 1] for model in models], axis=1)

    return score


class _Features:
    def __init__(self, texts: Sequence[str]) -> None:
        self._words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self._chars = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2
        )
        parts = [self._words.fit_transform(texts), self._chars.fit_transform(texts)]
        self.table = hstack(parts).tocsr()

    def of(self, texts: Sequence[str]) -> Any:
        return hstack([self._words.transform(texts), self._chars.transform(texts)]).tocsr()


def _fit(table: Any, target: Targets, strength: float) -> LogisticRegression:
    known = np.flatnonzero(~np.isnan(target))
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=300)
    return model.fit(table[known], target[known] >= 0.5)


def _best_strength(features: _Features, inner: Labelled, held: Labelled, place: int) -> float:
    table = features.of(held.texts)
    known = ~np.isnan(held.targets[:, place])
    truth = held.targets[known, place] >= 0.5

    def quality(strength: float) -> float:
        model = _fit(features.table, inner.targets[:, place], strength)
        found = average_precision(truth, model.decision_function(table)[known])
        return found if isinstance(found, float) else 0.0

    return max(_STRENGTHS, key=quality)


def profanity(train: Labelled) -> Scorer:
    """alt-profanity-check: a linear model that comes trained, in the package. One score for all."""
    check = importlib.import_module("profanity_check")

    def score(texts: Sequence[str]) -> Targets:
        p = np.asarray(check.predict_prob(list(texts)), dtype=np.float64)
        return np.repeat(p[:, None], len(train.categories), axis=1)

    return score


def trainers() -> dict[str, Trainer]:
    """By name; those that come trained where they are installed."""
    found: dict[str, Trainer] = {"owned": owned, "tf-idf + logistic regression": tfidf}
    if importlib.util.find_spec("profanity_check") is not None:
        found["alt-profanity-check"] = profanity
    return found
