"""The index of hashes: nothing within the distance is missed, whatever was added or removed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_worlds import flipped

from inhouse.core.errors import StoreError
from inhouse.moderation.media.index import Entry, HashIndex, Near
from inhouse.moderation.media.pdq import distance


def some_bits(seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(32)


def entry(hash_id: int, bits: bytes, *, bank: int = 1, active: bool = True) -> Entry:
    return Entry(hash_id=hash_id, bank=bank, bits=bits, active=active)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(0, 31), st.booleans())
@settings(max_examples=60, deadline=None)
def test_all_within_the_distance_are_found_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, turned: list[int], most: int, folded: bool
) -> None:
    """Before and after folding, for any number of bits that differ."""
    index = HashIndex(tmp_path_factory.mktemp("index"))
    wanted = some_bits(1)
    hashes = [flipped(wanted, bits, seed) for seed, bits in enumerate(turned)]
    index.apply((entry(i, bits) for i, bits in enumerate(hashes, 1)), len(hashes))
    if folded:
        index.fold([1])
    expected = [
        Near(hash_id=i, bank=1, distance=distance(bits, wanted))
        for i, bits in enumerate(hashes, 1)
        if distance(bits, wanted) <= most
    ]

    assert index.find(wanted, most) == sorted(expected, key=lambda n: (n.distance, n.hash_id))


def test_what_is_removed_is_not_found_until_it_is_back(tmp_path: Path) -> None:
    """In the arrays as in the list of recent ones."""
    index = HashIndex(tmp_path)
    index.apply([entry(1, some_bits(1)), entry(2, some_bits(2)), entry(3, some_bits(2))], 3)
    index.fold([1])
    index.apply([entry(4, some_bits(4)), entry(5, some_bits(5)), entry(6, some_bits(6))], 6)
    index.apply([entry(i, some_bits(i), active=False) for i in (2, 4, 9)], 9)
    found = {i: [n.hash_id for n in index.find(some_bits(i), 0)] for i in range(1, 7)}
    assert found == {1: [1], 2: [3], 3: [], 4: [], 5: [5], 6: [6]}
    assert len(index) == 4

    index.apply([entry(2, some_bits(2)), entry(4, some_bits(4))], 11)
    index.fold([1])
    assert [n.hash_id for n in index.find(some_bits(2), 0)] == [2, 3]
    assert [n.hash_id for n in index.find(some_bits(4), 0)] == [4]
    assert len(index) == 6


def test_a_process_that_starts_takes_up_what_lies_there(tmp_path: Path) -> None:
    """The arrays on disk, up to the change they were made at; an older folder goes."""
    first = HashIndex(tmp_path)
    first.apply([entry(i, some_bits(i), bank=i % 2) for i in range(1, 500)], 700)
    first.fold([0, 1])
    first.apply([entry(500, some_bits(500))], 701)
    first.fold([1])
    second = HashIndex(tmp_path)

    assert (second.through, len(second)) == (701, 251)
    assert second.find(some_bits(499), 31) == [Near(hash_id=499, bank=1, distance=0)]
    assert second.find(some_bits(498), 31) == []
    assert len(list(tmp_path.glob("arrays-*"))) == 1


def test_more_answers_than_there_was_room_for_are_all_given(tmp_path: Path) -> None:
    """A bank may hold thousands of likenesses of one picture."""
    index = HashIndex(tmp_path)
    index.apply((entry(i, flipped(some_bits(1), 8, i)) for i in range(1_000)), 1_000)
    index.fold([1])
    index.apply((entry(i, some_bits(1)) for i in range(1_000, 2_000)), 2_000)

    assert len(index.find(some_bits(1), 8)) == 2_000


def test_much_that_is_new_is_due_to_be_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody looks through long lists."""
    monkeypatch.setattr("inhouse.moderation.media.index._MOST_RECENT", 10)
    index = HashIndex(tmp_path)
    index.apply((entry(i, some_bits(i)) for i in range(10)), 10)
    assert not index.is_due()
    index.apply([entry(10, some_bits(10))], 11)
    assert index.is_due()
    index.fold([1])
    assert not index.is_due()


def test_a_torn_index_says_how_to_be_rid_of_it(tmp_path: Path) -> None:
    """It is made from the database and may be removed."""
    index = HashIndex(tmp_path)
    index.apply([entry(1, some_bits(1))], 1)
    index.fold([1])
    next(tmp_path.glob("arrays-*/order.npy")).unlink()

    with pytest.raises(StoreError, match="remove the folder, it is made anew from the database"):
        HashIndex(tmp_path)


def test_a_distance_that_the_index_cannot_promise_is_refused(tmp_path: Path) -> None:
    """It promises 31 bits and no more."""
    with pytest.raises(ValueError, match="most is 32; expected 0 to 31"):
        HashIndex(tmp_path).find(some_bits(1), 32)
    with pytest.raises(ValueError, match="a hash of 3 bytes; expected 32"):
        HashIndex(tmp_path).find(b"abc")
