"""Sequences: read from files, cut, and packed into rows."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.learning.sequences.flat import Sequences, from_lists, pack, read_sequences, timed_codes


def _lists(sequences: Sequences) -> list[list[int]]:
    return [sequences.of(person).tolist() for person in range(len(sequences))]


def test_a_line_a_person_is_read_gzipped_too(tmp_path: Path) -> None:
    """Items are numbered as they appear, and their names are kept."""
    path = tmp_path / "some.txt.gz"
    path.write_bytes(gzip.compress(b"u1 a b c\nu2 c a\n"))

    named = read_sequences(path)

    assert (named.users, named.items) == (("u1", "u2"), ("a", "b", "c"))
    assert _lists(named.sequences) == [[0, 1, 2], [2, 0]]


@pytest.mark.parametrize("header", ["", "user_id,position,movie_id\n"])
def test_a_table_is_read_in_any_order_with_or_without_a_header(tmp_path: Path, header: str) -> None:
    """A person's rows are sorted by position, as a number."""
    path = tmp_path / "some.csv"
    path.write_text(header + "2,1,x\n1,10,z\n1,9,y\n")

    named = read_sequences(path)

    assert (named.users, named.items) == (("1", "2"), ("y", "z", "x"))
    assert _lists(named.sequences) == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("u a\nv\n", ":2: no item, expected `user item item …`"),
        ("u,1,a\nv,1\n", ":2: 2 columns, expected user,position,item"),
        ("u,1,a\nv,first,b\n", ":2: position is 'first', expected a number"),
    ],
)
def test_what_is_neither_form_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    """A file is read whole or refused."""
    path = tmp_path / "some.txt"
    path.write_text(text)

    with pytest.raises(InputError) as refused:
        read_sequences(path)

    assert str(refused.value) == f"{path}{told}"


def test_sequences_are_cut_at_either_end() -> None:
    """The last go for a hold-out, the first go where a model reads no further."""
    sequences = from_lists([[1, 2, 3], [4], [], [5, 6]])

    assert _lists(sequences.without_last(1)) == [[1, 2], [], [], [5]]
    assert _lists(sequences.latest(2)) == [[2, 3], [4], [], [5, 6]]
    assert _lists(sequences.take(np.array([3, 0]))) == [[5, 6], [1, 2, 3]]
    assert sequences.counts(8).tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_people_stand_side_by_side_in_rows() -> None:
    """Who did more than a row holds is cut from the end; the answers overlap the cut by one."""
    sequences = from_lists([[1, 2, 3], [4, 5], [6, 7, 8, 9, 10, 11]])

    packed = pack(sequences, 3, np.arange(3))

    assert packed.items.tolist() == [[1, 2, 4], [8, 9, 10], [6, 7, -1]]
    assert packed.targets.tolist() == [[2, 3, 5], [9, 10, 11], [7, 8, -1]]
    assert packed.people.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, -1]]


def test_packing_loses_nothing_and_wastes_little() -> None:
    """Every item with one before it is an answer exactly once, and rows are nearly full."""
    numbers = stream(0, "packing")
    sequences = from_lists(
        numbers.integers(0, 50, size).tolist() for size in numbers.geometric(0.1, 500)
    )

    packed = pack(sequences, 16, numbers.permutation(len(sequences)))

    answers = [item for person in _lists(sequences) for item in person[1:]]
    assert sorted(packed.targets[packed.targets >= 0].tolist()) == sorted(answers)
    assert (packed.items >= 0).mean() > 0.9
    assert ((packed.items >= 0) == (packed.targets >= 0)).all()


def test_gaps_are_counted_within_each_person() -> None:
    """In powers of two of seconds; the first has none, nor has one that was logged late."""
    at_ms = np.array([5_000, 6_000, 69_000, 0, 9_000, 8_000])
    codes = timed_codes(at_ms, np.array([0, 3, 3, 6]))

    assert codes[:, 1].tolist() == [0, 1, 6, 0, 3, 0]
    assert timed_codes(np.empty(0, np.int64), np.array([0])).shape == (0, 3)


def test_codes_follow_their_items() -> None:
    """What stands beside an action goes where the action goes."""
    sequences = from_lists([[1, 2, 3], [4, 5]])
    codes = np.arange(15, dtype=np.uint8).reshape(5, 3)
    coded = Sequences(items=sequences.items, starts=sequences.starts, codes=codes)

    packed = pack(coded, 3, np.array([1, 0]))

    assert packed.items.tolist() == [[4, 1, 2]]
    assert packed.codes[0, :, 0].tolist() == [9, 0, 3]
