"""The words of posts."""

import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from inhouse.core.random import stream
from inhouse.simulator.topics import ANGLES, HARMS, NO_HARM, TOPICS
from inhouse.simulator.words import Plan, Wording, grammar, name_of, write


def plan_number(number: int, harm: int = NO_HARM) -> Plan:
    return Plan(
        topic=number % len(TOPICS),
        angle=number // len(TOPICS) % len(ANGLES),
        bait=(number * 7 % 10) / 10,
        harm=harm,
        severity=(number * 3 % 10) / 10,
    )


def texts(count: int, harm: int = NO_HARM) -> list[Wording]:
    return [write(plan_number(n, harm), stream(1, "test", harm, n)) for n in range(count)]


def test_the_same_plan_and_stream_give_the_same_words() -> None:
    """A post can be written again from its truth."""
    first = write(plan_number(5), stream(1, "words"))
    assert first == write(plan_number(5), stream(1, "words"))


def test_no_slot_is_left_open() -> None:
    """Every slot of every grammar has something to be filled with."""
    for harm in (NO_HARM, *range(len(HARMS))):
        for words in texts(400, harm):
            assert "{" not in words.title + words.text
            assert "|" not in words.title + words.text
            assert words.title
            assert words.text


def test_every_line_of_the_harm_grammar_can_be_filled() -> None:
    """Slots named in harm's sentences exist in its category, the topics or the shared lists."""
    known = set(grammar().slots) | set(grammar().topics[0]) | {"other"}
    for harm, near in zip(grammar().harms, grammar().near, strict=True):
        for line in (*harm["mild"], *harm["strong"], *near):
            slots = set(re.findall(r"\{(?:[Aa]n? |the )?(\w+)\}", line))
            assert slots <= known | set(harm), line


def test_there_are_thousands_of_different_sentences() -> None:
    """Posts do not read alike."""
    sentences = {s for w in texts(3_000) for s in re.split(r"(?<=[.?!]) ", w.text)}
    titles = {w.title for w in texts(3_000)}
    assert len(sentences) > 4_000
    assert len(titles) > 2_000


@pytest.mark.parametrize("noun", ["umbrella", "eyepiece case", "oak stool", "unicycle"])
def test_articles_fit_the_sound(noun: str) -> None:
    """`an` stands before vowels that sound like vowels."""
    texts_with = [w.title + " " + w.text for w in texts(3_000)]
    wrong = {"umbrella": "a", "eyepiece case": "a", "oak stool": "a", "unicycle": "an"}[noun]
    assert not any(re.search(rf"\b{wrong} {noun}\b", text) for text in texts_with)


def test_sentences_begin_with_capitals() -> None:
    """What fills the first slot of a sentence is capitalised."""
    for words in texts(500):
        if not words.near_miss:
            assert re.match(r"[A-Z0-9]", words.text)
            assert not re.search(r"[.?!] [a-z]", words.text)


def test_names_are_two_words() -> None:
    """People have a first and a last name."""
    assert all(len(name_of(stream(1, "name", n)).split(" ")) == 2 for n in range(50))


def test_harm_is_learnable_from_words_but_not_from_one_word() -> None:
    """A linear model tells each category; harmless look-alikes use every frequent word too."""
    harmless = [w.title + " " + w.text for w in texts(1_200)]
    tokens = [set(re.findall(r"[a-z]+", text.lower())) for text in harmless]
    common = Counter(token for found in tokens for token in found)
    half = len(harmless) // 2
    for harm, name in enumerate(HARMS):
        harmful = [w.title + " " + w.text for w in texts(240, harm)]
        found = [set(re.findall(r"[a-z]+", text.lower())) for text in harmful]
        shares = Counter(token for words in found for token in words)
        for token, count in shares.items():
            if count / len(found) > 0.3:
                assert common[token] > 0, f"{token!r} gives {name} away"
        fit = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
        x = fit.fit_transform(harmless[:half] + harmful[:120])
        model = LogisticRegression(C=20, solver="liblinear").fit(x, [0] * half + [1] * 120)
        held = fit.transform(harmless[half:] + harmful[120:])
        truth = np.repeat([0, 1], [len(harmless) - half, 120])
        assert roc_auc_score(truth, model.decision_function(held)) > 0.95, name


def test_some_harm_is_disguised() -> None:
    """Leet, spaced letters, letters of other scripts and zero width all occur."""
    disguised = " ".join(w.text for harm in range(len(HARMS)) for w in texts(200, harm))
    assert "\u200b" in disguised
    assert re.search(r"[\u0400-\u04ff]", disguised)
    assert re.search(r"\b[a-z] [a-z] [a-z] [a-z]\b", disguised)
    assert re.search(r"[a-z][0$1347][a-z]", disguised)
