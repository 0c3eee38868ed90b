"""A split in time: nothing of what is asked is known before, and nobody is left out."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from inhouse.core.errors import InputError
from inhouse.learning.sequences.holdout import ranked, report_on
from inhouse.learning.sequences.time_split import (
    Target,
    Wants,
    moment_of,
    read_wants,
    split_at,
    wants_of,
)

# Who wanted what, a second apart: a and b know p, q; a goes on after the split, c is a stranger.
STORY = [
    ("a", "p"), ("b", "p"), ("a", "q"), ("a", "p"), ("b", "q"),
    ("a", "r"), ("c", "p"), ("a", "q"), ("a", "s"), ("c", "s"), ("a", "t"),
]  # fmt: skip
SPLIT_MS = 5_000


def _wants() -> Wants:
    users, items = zip(*STORY, strict=True)
    return wants_of(users, items, np.arange(len(STORY), dtype=np.int64) * 1_000)


def _asked(target: Target, seed: int = 0) -> list[list[str]]:
    wants = _wants()
    questions = split_at(wants, SPLIT_MS, target, seed).questions.sequences
    return [[wants.item_names[i] for i in questions.of(row)] for row in range(len(questions))]


def test_items_are_numbered_as_they_came_and_wanted_once() -> None:
    """What somebody wanted before is neither learned again nor asked for."""
    wants = _wants()

    assert wants.item_names == ("p", "q", "r", "s", "t")
    assert wants.items.tolist() == [0, 0, 1, 1, 2, 0, 3, 3, 4]
    assert wants.repeats == 2


def test_only_what_came_before_is_learned() -> None:
    """Two people and two items; the counts know nothing of what came after."""
    split = split_at(_wants(), SPLIT_MS)

    assert [split.learned.of(row).tolist() for row in range(len(split.learned))] == [[0, 1], [0, 1]]
    assert split.questions.counts.tolist() == [2, 2, 0, 0, 0]


def test_each_person_is_asked_for_the_last_one_or_for_each_in_turn() -> None:
    """A question reads what came before it, also behind the split; strangers are asked too."""
    assert _asked("last") == [["p", "q", "r", "s", "t"], ["p", "s"]]
    assert _asked("successive") == [
        ["p", "q", "r"],
        ["p", "q", "r", "s"],
        ["p", "q", "r", "s", "t"],
        ["p"],
        ["p", "s"],
    ]
    drawn = {tuple(map(tuple, _asked("random", seed))) for seed in range(40)}
    every = {tuple(question) for question in _asked("successive")}
    assert {question for asked in drawn for question in asked} == every
    assert all(len(asked) == 2 for asked in drawn)


def test_what_has_not_come_yet_does_not_compete() -> None:
    """Who ranks the newest first is asked among what there was: c's first question has no t."""
    split = split_at(_wants(), SPLIT_MS, "successive")

    ranks, listed = ranked(
        split.questions, lambda asked: np.tile(np.arange(5, dtype=np.float32), (len(asked), 1))
    )

    assert split.questions.arrived is not None
    assert split.questions.arrived.tolist() == [3, 4, 5, 3, 4]
    assert ranks.tolist() == [1, 1, 1, 3, 1]
    assert listed.tolist() == [1, 2, 3, 2, 1]


def test_strangers_and_new_items_are_told_apart_and_not_left_out() -> None:
    """All five questions count in the whole; the new and the cold have counts of their own."""
    split = split_at(_wants(), SPLIT_MS, "successive")
    best_known = ranked(
        split.questions, lambda asked: np.tile(-np.arange(5, dtype=np.float32), (len(asked), 1))
    )

    found = report_on("oldest first", split.questions, *best_known)

    assert (found.n, found.n_new_items, found.n_rare_items, found.n_cold_people) == (5, 4, 1, 5)
    assert found.hit_rate == 1.0
    assert split.strangers == 2


def test_ranges_draw_people_not_questions() -> None:
    """Two people's five questions are two clusters; with one person there is no range."""
    wants = wants_of(["a"] * 6, list("pqrstu"), np.arange(6, dtype=np.int64))
    questions = split_at(wants, 3, "successive").questions
    answers = ranked(questions, lambda asked: np.zeros((len(asked), 6), dtype=np.float32))

    found = report_on("none", questions, *answers)

    assert found.n == 3
    assert not hasattr(found.ndcg_range, "low")
    assert getattr(found.ndcg_range, "have", None) == 1


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_files_of_either_kind_are_read(tmp_path: Path, kind: str) -> None:
    """Rows in any order, ids that look like numbers or not, other columns passed over."""
    path = tmp_path / f"events.{kind}"
    frame = pl.DataFrame({"user": [7, 8], "x": [0, 0], "item": [1, 2], "at_ms": [2_000, 1_000]})
    if kind == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, compression="gzip" if kind == "csv.gz" else "uncompressed")

    wants = read_wants(path)

    assert (wants.item_names, wants.at_ms.tolist()) == (("2", "1"), [1_000, 2_000])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,item\na,b\n", "has no column at_ms; it has user, item"),
        ("user,item,at_ms\na,b,noon\n", "at_ms is String, expected milliseconds"),
        ("user,item,at_ms\na,,1\n", "1 values are missing; remove those rows first"),
        ("", "check the file"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    """The column, the type or the number of gaps is named."""
    path = tmp_path / "events.csv"
    path.write_text(text)

    with pytest.raises(InputError, match=said):
        read_wants(path)


def test_a_split_is_a_share_or_a_moment() -> None:
    """Both must leave something on either side."""
    wants = _wants()

    assert moment_of("0.5", wants) == 5_000
    assert moment_of("1970-01-01T00:00:07", wants) == 7_000
    assert moment_of("1970-01-01T02:00:07+02:00", wants) == 7_000
    for told, said in (
        ("1.5", "expected a share between 0 and 1, or a moment"),
        ("soon", "expected a share such as 0.9 or a moment"),
        ("2030-01-01", "split: 2030-01-01 is 2030-01-01T00:00:00"),
        ("1970-01-01", "expected later than 1970-01-01T00:00:00"),
    ):
        with pytest.raises(InputError, match=said):
            moment_of(told, wants)
