"""The part of the owned model that reads words in their order."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special
from tests.models.models_texts import register

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.owned import fit
from inhouse.models.owned.files import weights_of
from inhouse.models.owned.fit import fit_text, update_text
from inhouse.models.owned.hashing import normalise
from inhouse.models.owned.reader import Network, Reader
from inhouse.models.owned.reader_fit import unread_of
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import Linear, Reading, TextClassifier
from inhouse.models.owned.tokens import places_in, tokens_of, vocabulary_of
from inhouse.models.owned.vectors import word_vectors
from inhouse.stats.classification import average_precision
from inhouse.store.database import Database

_FILLERS = [f"{a}{b}" for a in ("gar", "bre", "mor", "riv", "wal") for b in ("den", "ad", "ing")]


def ordered(count: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Posts in which one word before another is harmful, and after it is not: every word, every
    pair of neighbours and every run of characters is as frequent on both sides."""
    random = stream(seed, "ordered posts")
    harmful = random.random(count) < 0.4
    texts = []
    for bad in harmful:
        a, b, c = random.choice(_FILLERS, 3)
        texts.append(f"{a} grob {b} zarp {c}" if bad else f"{a} zarp {b} grob {c}")
    return texts, harmful.astype(np.float64)[:, None]


@pytest.fixture(scope="module")
def model() -> TextClassifier:
    texts, truth = ordered(2_000, seed=1)
    found = fit_text(texts, truth, ("hate",), seed=1)
    assert isinstance(found, TextClassifier)
    return found


def test_it_learns_what_only_the_order_tells(model: TextClassifier) -> None:
    """Where no word and no pair of words is harmful, the reader alone finds the harm."""
    texts, truth = ordered(500, seed=2)
    alone = fit_text(*ordered(1_900, seed=1), ("hate",), seed=1)
    assert isinstance(alone, TextClassifier)
    assert alone.reading is None
    without = average_precision(truth[:, 0] > 0, alone.margins(texts)[:, 0])
    read = average_precision(truth[:, 0] > 0, model.margins(texts)[:, 0])
    assert isinstance(without, float)
    assert isinstance(read, float)
    assert without < 0.6
    assert read > 0.95


def test_a_word_commoner_in_traffic_is_oftener_read_as_unknown() -> None:
    """The others, and all of them where no traffic is known, once in ten times."""
    texts = ["grob zarp", "grob garden"] * 50
    told = [tokens_of(normalise(texts))]
    vocabulary = vocabulary_of(told)
    taught = places_in(vocabulary, told[0].words), told[0].starts
    alone = unread_of(vocabulary, taught, ())
    among = unread_of(vocabulary, taught, ["zarp grob", "zarp"] * 300)
    zarp = int(places_in(vocabulary, tokens_of(normalise(["zarp"])).words)[0])
    others = np.arange(len(alone)) != zarp
    np.testing.assert_allclose(alone, 0.1, rtol=1e-6)
    np.testing.assert_allclose(among[others], 0.1, rtol=1e-6)
    assert 0.9 < float(among[zarp]) < 1.0


def test_an_explanation_still_adds_up(model: TextClassifier) -> None:
    """Base and the words' parts are the logit, whatever the text looks like, with a reader too."""
    curve = model.curves[0]
    for text in (
        "garden grob bread zarp morning",
        "",
        "?! 🙂",
        "unknown words alone",
        "a  zarp\n!",
    ):
        told = model.explain(text, "hate")
        logit = told.base + sum(part.weight for part in told.parts)
        margin = float(model.margins([text])[0, 0])
        assert pytest.approx(curve.slope * margin + curve.offset, abs=1e-4) == logit
        p = curve.floor + (curve.ceiling - curve.floor) * special.expit(logit)
        assert pytest.approx(float(p)) == told.p


def test_an_explanation_points_at_the_words_in_order(model: TextClassifier) -> None:
    """What lies between the two words whose order is the harm, and they, speak for it most."""
    told = model.explain("garden grob bread zarp morning", "hate")
    weights = {part.word: part.weight for part in told.parts}
    inside = weights["grob"] + weights["bread"] + weights["zarp"]
    assert inside > 0
    assert inside > 2 * abs(weights["garden"] + weights["morning"])


def test_a_text_reads_the_same_alone_and_among_others(model: TextClassifier) -> None:
    """No filter looks from one text into the next; texts without a word are allowed."""
    texts = ["garden grob", "", "bread zarp morning", "!", "zarp"]
    together = model.margins(texts)
    alone = np.concatenate([model.margins([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_reader_comes_back_from_disk_as_it_was(
    model: TextClassifier, database: Database, tmp_path: Path
) -> None:
    """Saved and loaded, it scores the same to the last bit."""
    registry = Registry(database, tmp_path)
    register(registry, model, "v1")
    texts, _ = ordered(50, seed=3)
    assert np.array_equal(model.probabilities(texts), registry.load("v1").probabilities(texts))


def test_a_reader_of_several_categories_comes_back_too(
    model: TextClassifier, database: Database, tmp_path: Path
) -> None:
    """Some of its categories, in another order: their columns do not lie row by row in memory."""
    texts, _ = ordered(50, seed=3)
    (one,) = (model.reading,) if model.reading else ()
    networks = [
        replace(
            network,
            head=np.hstack([network.head, -network.head, 2 * network.head]),
            biases=np.concatenate([network.biases, -network.biases, 2 * network.biases]),
        )
        for network in one.reader.networks
    ]
    reader = Reader(one.reader.vocabulary, networks)
    parts = Linear(
        weights=np.repeat(model.weights, 2, axis=1),
        biases=np.repeat(model.biases, 2),
        curves=model.curves * 2,
    )
    reading = Reading(reader=reader, shares=np.ones(3)).only([2, 0])
    several = TextClassifier(("hate", "spam"), model.rarity, parts, reading)
    registry = Registry(database, tmp_path)
    register(registry, several, "v1")
    assert np.array_equal(several.probabilities(texts), registry.load("v1").probabilities(texts))


def test_the_same_labels_give_the_same_reader(model: TextClassifier) -> None:
    """Teaching in other processes has no hidden chance either."""
    again = fit_text(*ordered(2_000, seed=1), ("hate",), seed=1)
    assert isinstance(again, TextClassifier)
    first, second = (hashlib.sha256(weights_of(one)).hexdigest() for one in (model, again))
    assert first == second


def test_an_update_keeps_the_reader(model: TextClassifier) -> None:
    """A few new labels move the linear part; what was read stays."""
    updated = update_text(model, ["brand new glorp"], np.array([[1.0]]), seed=1)
    assert updated.reading is model.reading
    p = [one.probabilities(["another glorp"])[0, 0] for one in (model, updated)]
    assert p[1] > p[0]


def test_a_category_with_few_texts_is_not_read() -> None:
    """The reader speaks of categories with labels enough alone; the others stay linear."""
    targets = np.full((2_000, 2), np.nan, dtype=np.float32)
    targets[:, 0] = np.arange(2_000) % 2
    targets[:60, 1] = np.arange(60) % 2
    assert fit._readable(targets).tolist() == [True, False]
    assert fit._can_read(targets)
    assert not fit._can_read(targets[:1_500])


def test_words_are_found_with_their_places() -> None:
    """A word is a run of letters and figures, any other sign is one of its own."""
    normal = normalise(["Ab, c!", "", "d"])
    tokens = tokens_of(normal)
    points = normal.points
    words = [
        "".join(chr(point) for point in points[first:last])
        for first, last in zip(tokens.first, tokens.last, strict=True)
    ]
    assert words == ["ab", ",", "c", "!", "d"]
    assert tokens.starts.tolist() == [0, 4, 4, 5]


def test_a_vocabulary_knows_what_was_met_twice() -> None:
    """Other words are unknown, place 0."""
    told = tokens_of(normalise(["tea cup tea", "cup pot"]))
    vocabulary = vocabulary_of([told])
    assert len(vocabulary) == 2
    places = places_in(vocabulary, told.words)
    assert places[0] == places[2] != places[1] == places[3]
    assert places[4] == 0
    assert places_in(vocabulary[:0], told.words).tolist() == [0] * 5


def test_words_of_like_company_have_like_vectors() -> None:
    """Two words that stand among the same words are nearer than two that do not."""
    random = stream(4, "company")
    texts = [
        f"{random.choice(['tea', 'mocha'])} {random.choice(['cup', 'pot', 'sip'])} warm"
        if random.random() < 0.5
        else f"{random.choice(['bus', 'tram'])} {random.choice(['stop', 'line', 'road'])} late"
        for _ in range(400)
    ]
    told = tokens_of(normalise(texts))
    vocabulary = vocabulary_of([told])
    vectors = word_vectors(places_in(vocabulary, told.words), told.starts, len(vocabulary), 8, 1)

    def vector(word: str) -> np.ndarray:
        return vectors[places_in(vocabulary, tokens_of(normalise([word])).words)[0]]

    assert vector("tea") @ vector("mocha") > 0.5
    assert vector("tea") @ vector("tram") < 0.2
    assert not vectors[0].any()


def test_a_reader_of_other_words_is_refused(model: TextClassifier) -> None:
    """Vectors and vocabulary belong together, and so do reader and categories."""
    network = Network(
        vectors=np.zeros((3, 2), dtype=np.float32),
        filters=np.zeros((6, 2, 1), dtype=np.float32),
        thresholds=np.zeros((3, 1), dtype=np.float32),
        head=np.zeros((5, 2), dtype=np.float32),
        biases=np.zeros(2, dtype=np.float32),
    )
    with pytest.raises(InputError) as caught:
        Reader(np.zeros(4, dtype=np.uint64), [network])
    assert str(caught.value) == (
        "the networks of a reader have [3] vectors, expected 6 in each; train the model again"
    )
    reading = Reading(reader=Reader(np.zeros(1, dtype=np.uint64), [network]), shares=np.ones(2))
    parts = fit.Linear(weights=model.weights, biases=model.biases, curves=model.curves)
    with pytest.raises(InputError, match="the reader tells 2 categories, expected 1"):
        TextClassifier(("hate",), model.rarity, parts, reading)
