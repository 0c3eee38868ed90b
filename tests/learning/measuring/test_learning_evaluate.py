"""Evaluation: ask first and learn after, rank everything, hold ties against the model."""

import numpy as np
import pytest

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.learning.measuring.baselines import RecentPopularity
from inhouse.learning.measuring.evaluate import Floats, Replay, Rules, prequential
from inhouse.learning.measuring.replayed import OnlineTaste
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTraining
from inhouse.stats.types import Interval, NotEnough


class Oracle:
    """Knows what the next event is, and notes when it is told."""

    name = "oracle"

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self.told = 0

    def scores(self, user: int, at_ms: int) -> Floats:
        scores = np.zeros(self._replay.item_count, dtype=np.float32)
        scores[self._replay.items[self.told]] = 1
        return scores

    def learn(self, user: int, item: int, at_ms: int) -> None:
        self.told += 1


class Constant:
    """Scores everything alike."""

    name = "constant"

    def __init__(self, items: int) -> None:
        self._items = items

    def scores(self, user: int, at_ms: int) -> Floats:
        return np.zeros(self._items, dtype=np.float32)

    def learn(self, user: int, item: int, at_ms: int) -> None:
        pass


def _replay(n: int = 200, items: int = 50) -> Replay:
    numbers = stream(1, "replay")
    return Replay(
        users=numbers.integers(0, 20, n),
        items=numbers.integers(0, items, n),
        at_ms=np.arange(n) * 1_000,
    )


def test_each_question_is_asked_before_its_answer_is_told() -> None:
    """The oracle, which answers by how much it was told, is right every time."""
    replay = _replay()

    found = prequential(replay, [Oracle(replay)], Rules())[0]

    assert (found.hit_rate, found.ndcg, found.mrr) == (1.0, 1.0, 1.0)


def test_ties_are_held_against_the_model() -> None:
    """Whoever scores everything alike hits nothing, though chance would hit a fifth."""
    replay = _replay()

    found = prequential(replay, [Constant(replay.item_count)], Rules())[0]

    assert found.hit_rate == 0.0
    assert isinstance(found.hit_rate_range, NotEnough)


def test_what_a_person_had_is_no_question_and_no_rival() -> None:
    """The third event repeats the first; with repeats allowed it is asked too."""
    replay = Replay(users=np.array([0, 0, 0]), items=np.array([1, 0, 1]), at_ms=np.array([0, 1, 2]))
    # Popularity puts 1 first at the second question, but the person had it.
    strict = prequential(replay, [RecentPopularity(2)], Rules(k=1, windows=1))[0]
    loose = prequential(replay, [RecentPopularity(2)], Rules(k=1, windows=1, repeats=True))[0]

    assert (strict.n, strict.hit_rate) == (2, 0.5)
    assert (loose.n, loose.hit_rate) == (3, 0.0)


def test_windows_are_equal_stretches() -> None:
    """As many windows as asked for, each with its own figures."""
    replay = _replay()

    found = prequential(replay, [Oracle(replay)], Rules(windows=4))[0]

    assert found.window_hit_rates == (1.0,) * 4
    assert found.window_ndcgs == (1.0,) * 4


def test_the_interval_holds_the_estimate() -> None:
    """Popularity on a skewed replay: the bootstrap's range surrounds the figure."""
    numbers = stream(2, "skewed")
    replay = Replay(
        users=np.arange(400),
        items=np.minimum(numbers.geometric(0.1, 400) - 1, 39),
        at_ms=np.arange(400),
    )

    found = prequential(replay, [RecentPopularity(replay.item_count)], Rules())[0]

    assert isinstance(found.hit_rate_range, Interval)
    assert isinstance(found.hit_rate, float)
    assert found.hit_rate_range.low < found.hit_rate < found.hit_rate_range.high


def test_events_that_go_back_in_time_are_refused() -> None:
    """A replay out of order would teach the future."""
    with pytest.raises(InputError) as error:
        Replay(users=np.zeros(2, int), items=np.zeros(2, int), at_ms=np.array([5, 4]))
    assert str(error.value) == "the events of a replay go back in time; sort them stably first"


def test_progress_is_told() -> None:
    """Long replays say how far they are."""
    told: list[tuple[int, int]] = []

    prequential(_replay(), [Constant(50)], Rules(), lambda *step: told.append(step))

    assert told == [(0, 200), (200, 200)]


def test_the_online_taste_learns_while_it_answers() -> None:
    """On a two-coloured replay its last window is far above chance and above popularity."""
    numbers = stream(4, "colours")
    n, items = 900, 60
    users = numbers.integers(0, 40, n)
    replay = Replay(
        users=users, items=2 * numbers.integers(0, items // 2, n) + users % 2, at_ms=np.arange(n)
    )
    training = TasteTraining(shape=TasteShape(dims=8, length=16), batch=128)
    taste = OnlineTaste(np.zeros((items, 64), dtype=np.float32), training, every=300)

    found = prequential(replay, [taste, RecentPopularity(items)], Rules(windows=3))

    best, popular = (report.window_hit_rates[-1] for report in found)
    assert isinstance(best, float)
    assert isinstance(popular, float)
    assert best > 1.3 * popular
