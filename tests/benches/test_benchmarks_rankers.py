"""The reference rankers do what their formulas say."""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.prequential import Answers, Replay, clicks_of, rows_of
from benchmarks.rankers import (
    SESSION_GAP_MS,
    Neighbours,
    Popularity,
    Question,
    SessionNeighbours,
    running_session,
)


def _question(*history: tuple[int, int], at_ms: int = 10_000) -> Question:
    return Question(user=9, at_ms=at_ms, history=history)


def test_popularity_halves_with_time() -> None:
    """One click now is worth two of a half-life ago, over any number of half-lives."""
    ranker = Popularity(3, half_life_ms=1_000)
    for at_ms in (0, 0, 1_000, 600_000):
        ranker.hear(0, 0 if at_ms == 0 else 1 if at_ms == 1_000 else 2, at_ms)

    scores = ranker.scores(_question())

    assert scores[0] == scores[1]
    assert scores[2] == 1.0


def test_neighbours_know_what_follows_what() -> None:
    """After item 0 comes 1 for everybody; item 2 is as popular but follows nothing."""
    ranker = Neighbours(4)
    for user in range(5):
        ranker.hear(user, 0, user)
        ranker.hear(user, 1, user + 1)
        ranker.hear(100 + user, 2, user)

    scores = ranker.scores(_question((0, 5)))

    assert scores.argmax() == 1
    assert scores[1] == pytest.approx(1.0, abs=1e-3)


def test_sessions_like_the_running_one_tell_what_comes() -> None:
    """What the sharing session went on to counts; the asker's own session does not."""
    ranker = SessionNeighbours(5)
    for user, items in enumerate(([0, 1, 2], [3, 4], [0, 4])):
        for at_ms, item in enumerate(items):
            ranker.hear(user, item, at_ms)
    ranker.hear(9, 0, 5)
    ranker.hear(9, 3, 6)

    scores = ranker.scores(_question((0, 9_000)))

    assert scores.tolist() == pytest.approx(
        [1 / 3**0.5 + 1 / 2**0.5, 1 / 3**0.5, 1 / 3**0.5, 0, 1 / 2**0.5]
    )


def test_a_session_ends_after_a_break() -> None:
    """Clicks before the latest long break are not of the running session; repeats count once."""
    late = 10 * SESSION_GAP_MS
    question = _question((0, 0), (1, late), (2, late + 1), (1, late + 2), at_ms=late + 3)

    assert running_session(question) == [2, 1]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Two days on which everybody reads 0, then 1 of the day's two items."""
    rows = []
    for day in range(2):
        for user in range(300):
            for place in range(2):
                at_ms = day * 86_400_000 + user * 60_000 + place * 5_000
                rows.append((user, 10 * day + place + 1, at_ms))
    path = tmp_path / "clicks.parquet"
    pl.DataFrame(rows, schema=["user", "item", "at_ms"], orient="row").write_parquet(path)
    return path


def test_a_replay_asks_from_the_second_day_on_and_hears_late(events: Path) -> None:
    """The first click on an item is answered by nobody; later ones by who heard of the others'."""
    clicks = clicks_of(events, days=None)
    options = argparse.Namespace(delay=60, share=1.0, seed=0)
    replay = Replay(clicks, options)

    replay.run()

    answers = replay.answers
    assert clicks.arrivals_ms.tolist() == [0, 5_000, 86_400_000, 86_405_000]
    assert len(answers.ranks) == 600
    assert set(answers.days) == {1}
    rows = rows_of(answers, [ranker.name for ranker in replay.rankers], seed=0)
    assert [row["HR@20"] for row in rows] == [1.0] * len(rows)
    popular = np.array(answers.ranks)[:, 3]
    assert popular[0] == len(clicks.arrivals_ms) - 1 - 2


def test_rows_tell_intervals_by_person() -> None:
    """Two rankers, one always right and one never: the difference is one, without spread."""
    answers = Answers(
        users=[1, 1, 2], days=[1, 1, 2], ranks=[[1, 30], [1, 40], [1, 21]], took_s=[0.0, 3.0]
    )

    good, bad = rows_of(answers, ["good", "bad"], seed=0)

    assert (good["HR@20"], bad["HR@20"], bad["online HR@20 more"]) == (1.0, 0.0, 1.0)
    assert (good["day 2"], good["day 3"], bad["ms a question"]) == (1.0, 1.0, 1_000.0)
    assert bad["HR@20 range"] == "none"
