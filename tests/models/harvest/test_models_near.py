"""Near-duplicates: found however they are dressed up, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.random import stream
from inhouse.models.harvest.near import Recent, groups_of

_WORDS = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in ("rn", "st", "lk", "mp")]


def _text(seed: int, words: int = 30) -> str:
    return " ".join(stream(seed, "near text").choice(_WORDS, words))


@given(st.integers(0, 10_000), st.sampled_from(["case", "spaces", "ending", "sign", "accent"]))
@settings(max_examples=60, deadline=None)
def test_a_text_dressed_up_is_found(seed: int, how: str) -> None:
    """Other case, spaces, signs, accents or an ending change nothing about what it is."""
    text = _text(seed)
    dressed = {
        "case": text.upper(),
        "spaces": f"  {text.replace(' ', '   ')}\n",
        "ending": f"{text} now",
        "sign": text.replace("a", "a", 1) + "!!!!",
        "accent": text.replace("a", "á"),
    }[how]
    others = [_text(seed + n) for n in range(1, 6)]

    assert groups_of([*others, text, dressed]).tolist() == [0, 1, 2, 3, 4, 5, 5]


def test_pairs_are_what_their_runs_say() -> None:
    """On all pairs of a small collection, whoever shares seven runs in ten is together."""
    random = stream(3, "pairs")
    texts = []
    for seed in range(30):
        words = _text(seed, 24).split()
        texts.append(" ".join(words))
        words[int(random.integers(24))] = "zzzzz"
        texts.append(" ".join(words))
    groups = groups_of(texts)
    alike = [[_jaccard(a, b) >= 0.7 for b in texts] for a in texts]

    assert np.array_equal(groups[:, None] == groups[None, :], np.array(alike))


def _jaccard(one: str, other: str) -> float:
    a, b = ({text[i : i + 5] for i in range(len(text) - 4)} for text in (one, other))
    return len(a & b) / len(a | b)


def test_a_template_makes_nobody_alike() -> None:
    """Texts that differ in a word within the same sentences stay apart where most are like that."""
    words = [f"{_text(n, 3)}" for n in range(200)]
    frame = "Dear moderator, please say whether the following post is harmful: {} Answer yes or no."
    texts = [frame.format(word) for word in words]

    assert len(set(groups_of(texts).tolist())) > 190
    assert len(set(groups_of([*texts, texts[7].upper()]).tolist())) > 190
    assert groups_of([*texts, texts[7].upper()])[-1] == 7


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], []),
        ([""], [0]),
        (["", " ", "\n\t", "a"], [0, 0, 0, 3]),
        (["ok", "OK", "no"], [0, 0, 2]),
        (["🙂🙂", "🙂 🙂", "🙃"], [0, 1, 2]),
        (["שלום עולם", "שלום  עולם", "مرحبا"], [0, 0, 2]),
        (["x" * 50_000, "x", "xx"], [0, 1, 0]),
    ],
)
def test_odd_texts_are_texts(texts: list[str], expected: list[int]) -> None:
    """Empty, short, huge, emoji, right to left: no fault, and equal where their normal form is."""
    assert groups_of(texts).tolist() == expected


def test_the_latest_are_remembered() -> None:
    """Nearly the same is known again, until so many others came that it is forgotten."""
    recent = Recent(most=3, alike=0.9)
    texts = [_text(seed) for seed in range(5)]

    assert [recent.is_new(text) for text in [texts[0], texts[0] + "!", texts[1]]] == [
        True,
        False,
        True,
    ]
    assert [recent.is_new(text) for text in (*texts[2:4], texts[0], texts[3])] == [
        True,
        True,
        True,
        False,
    ]
