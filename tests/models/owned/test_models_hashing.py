"""Features: the same everywhere, independent of the batch, and what they claim to be."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.models.owned.hashing import (
    CHAR_RUNS,
    COLUMNS,
    WORDS_FROM,
    Features,
    featurise,
    grams_of,
    normal_parts,
    normalise,
    rarity_of,
)

_TEXTS = st.text(
    st.sampled_from(list("abzAB01 .,!  \u00e9\u0301\u200b\ufb01\u0416\u4e2d\U0001f600\n\x01")),
    max_size=30,
)


def _row(features: Features, row: int) -> list[tuple[int, float]]:
    part = slice(features.starts[row], features.starts[row + 1])
    values = [round(float(value), 5) for value in features.values[part]]
    return list(zip(features.columns[part].tolist(), values, strict=True))


def _mixed(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD % 2**64
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 % 2**64
    return value ^ value >> 33


def _column(letters: str, extra: int, *, rising: bool) -> int:
    """A polynomial over code points + 1, read from the front or from the back."""
    order = reversed(letters) if rising else iter(letters)
    total = 0
    for letter in order:
        total = (total * 0x9E3779B97F4A7C15 + ord(letter) + 1) % 2**64
    return _mixed((total if rising else total + extra) % 2**64)


def test_a_text_has_these_features_in_every_process() -> None:
    """The columns of a text are fixed for good: models on disk depend on them."""
    runs = [" a", "ab", "b ", " c", "c ", " ab", "ab ", " c ", " ab "]
    hashes = [_column(run, len(run), rising=False) for run in runs]
    words = [_column(word, 0, rising=True) for word in ("ab", "c")]
    hashes += [_mixed((word + 0xA24BAED4963EE407) % 2**64) for word in words]
    pair = words[0] * 0x9E3779B97F4A7C15 + words[1] + 0x9FB21C651E98DF25
    hashes.append(_mixed(pair % 2**64))
    # Runs have the lower half of 2^20 columns, words and pairs the upper one.
    columns = [
        (value >> 45) + (2**19 if place >= len(runs) else 0) for place, value in enumerate(hashes)
    ]
    assert sorted(columns) == featurise(["Ab c"]).columns.tolist()


@given(st.lists(_TEXTS, max_size=6))
def test_features_do_not_depend_on_the_batch(texts: list[str]) -> None:
    """A text alone and among others has the same features."""
    together = featurise(texts)
    assert [_row(featurise([text]), 0) for text in texts] == [
        _row(together, row) for row in range(len(texts))
    ]


@given(_TEXTS)
def test_windows_and_words_are_those_of_a_plain_reading(text: str) -> None:
    """As many runs, words and pairs as one counts by hand on the normal form."""
    normal = "".join(chr(point) for point in normalise([text]).points[1:-1])
    pieces = [f" {piece} " for piece in normal.split()]
    runs = sum(max(0, len(piece) - size + 1) for size in CHAR_RUNS for piece in pieces)
    plain = "".join(
        c if ord(c) > 0xFFFF or unicodedata.category(c)[0] in "LNM" else " " for c in normal
    )
    words = len(plain.split())
    assert runs + words + max(0, words - 1) == len(grams_of(normalise([text])).columns)


@given(_TEXTS)
def test_a_text_has_length_one(text: str) -> None:
    """Values are scaled so that long and short texts weigh the same."""
    values = featurise([text]).values
    assert not len(values) or abs(float((values**2).sum()) - 1) < 1e-5


@given(st.text(st.sampled_from("abcde ,!"), max_size=60))
def test_words_weigh_as_much_as_runs(text: str) -> None:
    """Long words, which have many runs of characters, do not drown what words say."""
    features = featurise([text])
    words = features.columns >= WORDS_FROM
    shares = [float((features.values[side] ** 2).sum()) for side in (words, ~words)]
    # Signs alone have runs and no word; an empty text has neither.
    expected = [0.5, 0.5] if words.any() else [0.0, float(bool(text.strip()))]
    assert shares == pytest.approx(expected, abs=1e-5)


def test_disguises_of_form_do_not_change_features() -> None:
    """Case, accents, full width, ligatures, invisible characters and long runs are one form."""
    plain = featurise(["so fine cafe"]).columns.tolist()
    disguised = [
        "SO fine caf\u00e9",
        "so \ufb01ne cafe",
        "s\u200bo  fine cafe\u0301",
        "\uff53o fine cafe",
    ]
    assert [plain] * 4 == [featurise([text]).columns.tolist() for text in disguised]
    assert featurise(["cooool"]).columns.tolist() == featurise(["coooooool"]).columns.tolist()


def test_a_column_of_a_single_text_counts_for_nothing_among_many() -> None:
    """What one text of a thousand has says nothing of the next; in a few texts it may."""
    many = [f"tea {place % 500:03}" for place in range(999)]
    for texts, seen in (([*many, "quux"], False), (["tea", "tea", "quux"], True)):
        features = featurise(texts)
        rarity = rarity_of(features)
        # The longest run of the word stands in no other text.
        columns = set(featurise(["quux"]).columns.tolist())
        columns -= {column for row in range(len(texts) - 1) for column, _ in _row(features, row)}
        assert columns
        assert {seen} == {bool(rarity[column] > 0) for column in columns}


def test_vowel_signs_of_other_scripts_stay() -> None:
    """Only accents are dropped: marks that are letters in their script are kept."""
    assert normal_parts("\u0939\u093f") == ["\u0939", "\u093f"]


def test_rare_columns_weigh_more() -> None:
    """A column that every text has weighs least."""
    features = featurise(["same one", "same two", "same three"])
    rarity = rarity_of(features)
    shared = set.intersection(*(set(dict(_row(features, row))) for row in range(3)))
    seen = np.unique(features.columns)
    assert rarity[list(shared)].max() <= rarity[seen].min()
    assert rarity.shape == (COLUMNS,)
