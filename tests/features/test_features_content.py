"""Content vectors: near for the like, fixed for ever."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId
from inhouse.features.content import content_vector, word_hash, words_of


def _item(item_id: str, title: str, topics: tuple[str, ...] = (), creator: str = "c") -> Item:
    return Item(item_id=ItemId(item_id), creator_id=UserId(creator), title=title, topics=topics)


def test_words_are_lower_case_and_without_common_ones() -> None:
    """Words are cut at anything that is no letter or digit; common English ones are left out."""
    assert words_of("The Quick-brown fox, and the 2nd!") == ["quick", "brown", "fox", "2nd"]


def test_words_of_other_scripts_are_kept() -> None:
    """Arabic, Cyrillic and accents are words like any other; emoji are none."""
    assert words_of("مرحبا Привет café 🎉") == ["مرحبا", "привет", "café"]


def test_a_vector_has_unit_length() -> None:
    """Whatever the length of the post, its vector is of length one."""
    for words in (1, 10, 500):
        vector = content_vector(_item("a", "word " * words))
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5


def test_same_topic_is_nearer_than_another() -> None:
    """Posts of one topic by different creators are nearer than posts of different topics."""
    tea = content_vector(_item("a", "green leaves", ("tea",), "x"))
    also_tea = content_vector(_item("b", "black pot", ("tea",), "y"))
    chess = content_vector(_item("c", "queen sacrifice", ("chess",), "z"))

    assert tea @ also_tea > tea @ chess + 0.3


def test_given_vectors_put_alike_posts_near() -> None:
    """Pictures alike but for a common offset and scale are near, others are not; names differ."""
    numbers = np.random.default_rng(0)
    picture, other = numbers.normal(size=128), numbers.normal(size=128)

    def lies(item_id: str, name: str, vector: NDArray[np.float64]) -> NDArray[np.float32]:
        item = _item(item_id, "", creator=item_id)
        return content_vector(replace(item, vectors={name: tuple(vector.tolist())}))

    here = lies("a", "image", picture)
    assert here @ lies("b", "image", 30 + 5 * picture) > 0.7
    assert abs(here @ lies("c", "image", 30 + other)) < 0.4
    assert abs(here @ lies("d", "sound", picture)) < 0.4


def test_a_vector_of_equal_numbers_says_nothing() -> None:
    """What a broken model gives, one number over and over, moves no post."""
    plain = _item("a", "green tea")

    flat = replace(plain, vectors={"image": (0.1,) * 64})

    assert content_vector(flat).tobytes() == content_vector(plain).tobytes()


def test_a_vector_is_the_same_in_every_process() -> None:
    """The first numbers of a known post never change: snapshots of old models rely on them."""
    vector = content_vector(_item("a", "green tea", ("tea",), "x"))

    assert np.round(vector[:3], 4).tolist() == [
        0.20600000023841858,
        0.11829999834299088,
        -0.0044999998062849045,
    ]


def test_a_word_has_one_hash_in_any_case() -> None:
    """Muted words are compared without regard to case."""
    assert word_hash("Tea") == word_hash("tea")
