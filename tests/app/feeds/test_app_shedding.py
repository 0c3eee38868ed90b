"""When pages are made with less work: never late, never for nothing, never for good."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.app.feeds.shedding import CALM_S, MOST_TRY_S, PATIENCE_S, STEP_S, TRY_S, Shedder

TARGET_S = 0.05
COSTS_S = (0.007, 0.005, 0.002, 0.0019)
MOST_DEPTH = 4_000  # a simulated crowd gives up


@dataclass
class Queue:
    """One server and a crowd, in simulated time; each level has its cost."""

    costs_s: tuple[float, ...] = COSTS_S
    now_s: float = 0.0
    waits_s: list[tuple[float, float]] = field(default_factory=list)  # (when, how long)
    levels: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])  # at each change

    def __post_init__(self) -> None:
        self.shedder = Shedder(TARGET_S, lambda: self.now_s)
        self._arrivals: deque[float] = deque()
        self._next_s = 0.0

    def run(
        self, per_s: float, seconds: float, *, jitter: Callable[[], float] = lambda: 1.0
    ) -> None:
        """Let so many a second come, evenly, for a while."""
        end_s = self.now_s + seconds
        gap_s = 1 / per_s if per_s else seconds + 1
        self._next_s = max(self._next_s, self.now_s)
        while self.now_s < end_s:
            self._arrive(gap_s)
            if self._arrivals:
                self._serve(jitter())
            else:
                self.now_s = min(self._next_s, end_s)
        self._next_s = self.now_s if not per_s else self._next_s

    def _arrive(self, gap_s: float) -> None:
        while self._next_s <= self.now_s and len(self._arrivals) < MOST_DEPTH:
            self._arrivals.append(self._next_s)
            self.shedder.arrived()
            self._next_s += gap_s
        self._next_s = max(self._next_s, self.now_s - 60)

    def _serve(self, jitter: float) -> None:
        waited_s = self.now_s - self._arrivals.popleft()
        level = self.shedder.turn(waited_s)
        self.waits_s.append((self.now_s, waited_s))
        if level != self.levels[-1][1]:
            self.levels.append((self.now_s, level))
        self.now_s += self.costs_s[level] * jitter

    def changes_after(self, since_s: float) -> int:
        return sum(at_s > since_s for at_s, _ in self.levels[1:])


def test_nothing_is_left_out_while_requests_are_served_in_time() -> None:
    """At nine tenths of what a process can do."""
    queue = Queue()
    queue.run(0.9 / COSTS_S[0], 30)

    assert queue.levels == [(0.0, 0)]


def test_a_burst_that_drains_raises_nothing() -> None:
    """Twenty at once take a tenth of a second; that is no overload."""
    queue = Queue()
    for _ in range(10):
        queue.run(20 / 0.001, 0.001)
        queue.run(0, 1)

    assert queue.levels == [(0.0, 0)]


def test_overload_is_answered_within_a_fraction_of_a_second() -> None:
    """At twice of what it can do the level is up before a quarter of a second has gone by."""
    queue = Queue()
    queue.run(2 / COSTS_S[0], 10)
    late = [wait_s for at_s, wait_s in queue.waits_s if at_s > 2]

    assert queue.levels[1][0] < 0.3
    assert max(late) < 4 * TARGET_S
    assert queue.levels[-1][1] >= 2  # level 1 could not keep up


def test_when_the_load_ends_the_pages_are_full_again() -> None:
    """A step each second, without anybody asking."""
    queue = Queue()
    queue.run(2 / COSTS_S[0], 10)
    level = queue.levels[-1][1]
    queue.run(0.2 / COSTS_S[0], 3 * CALM_S + 1)

    assert level >= 2
    assert queue.shedder.level == 0
    assert [level for _, level in queue.levels][-level - 1 :] == list(range(level, -1, -1))


def test_silence_brings_the_level_down_too() -> None:
    """The gauge does not stand where the last request left it."""
    queue = Queue()
    queue.run(2 / COSTS_S[0], 5)
    high = queue.shedder.level
    queue.now_s += 60

    assert (high >= 2, queue.shedder.level) == (True, 0)


def test_constant_overload_does_not_flap() -> None:
    """Whoever needs level 2 stays there; trying level 1 becomes rare."""
    queue = Queue()
    queue.run(1.7 / COSTS_S[0], 300)
    waits = sorted(wait_s for at_s, wait_s in queue.waits_s if at_s > 60)

    assert queue.changes_after(60) <= 2 * 240 / (MOST_TRY_S / 2)
    assert waits[int(0.99 * len(waits))] < 2 * TARGET_S


def test_a_pace_that_was_slow_once_is_not_believed_for_ever() -> None:
    """A machine that was busy with something else: full pages hold again, so they are tried."""
    queue = Queue()
    queue.costs_s = tuple(10 * cost_s for cost_s in COSTS_S)
    queue.run(50, 5)
    high = queue.shedder.level
    queue.costs_s = COSTS_S
    queue.run(50, 6 * TRY_S)

    assert (high >= 1, queue.shedder.level) == (True, 0)


LOADS = st.lists(
    st.tuples(st.floats(0, 6), st.floats(0.2, 8), st.floats(0.3, 3)), min_size=1, max_size=6
)


@given(LOADS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_laws(loads: list[tuple[float, float, float]], dice: object) -> None:
    """Never above 3, one step at a time, never two up within a step's time, 0 when it is over.

    Loads are shares of what a process can do, for so long, on a machine that is slower or faster.
    """
    queue = Queue()
    for share, seconds, slower in loads:
        queue.costs_s = tuple(slower * cost_s for cost_s in COSTS_S)
        queue.run(share / COSTS_S[0], seconds, jitter=lambda: dice.uniform(0.5, 1.5))  # type: ignore[attr-defined]
    for (before_s, before), (after_s, after) in pairwise(queue.levels):
        assert 0 <= after <= 3
        assert after <= before + 1
        if after > before:
            assert after_s - before_s >= STEP_S - 1e-9
    queue.costs_s = COSTS_S
    queue.run(0, 20)
    queue.run(0.1 / COSTS_S[0], MOST_TRY_S)

    assert queue.shedder.level == 0


@given(st.floats(0.05, 6))
@settings(deadline=None, max_examples=25)
def test_no_constant_load_makes_it_flap(share: float) -> None:
    """After a minute of any load there are at most a few tries in two."""
    queue = Queue()
    queue.run(share / COSTS_S[0], 180)

    assert queue.changes_after(60) <= 12


def test_nobody_is_turned_away_before_all_is_left_out() -> None:
    """However many wait; and then only who would wait longer than people do."""
    queue = Queue()
    below = []
    while queue.shedder.level < 3:
        below.append(queue.shedder.is_hopeless(10**6))
        queue.run(1_000, 0.05)
    queue.run(1_000, 1.0)
    most = int(PATIENCE_S / COSTS_S[3])

    assert not any(below)
    assert not queue.shedder.is_hopeless(most - 50)
    assert queue.shedder.is_hopeless(most + 50)
    assert queue.shedder.wait_s(100) == pytest.approx(100 * COSTS_S[3], rel=0.05)


def test_one_hiccup_turns_nobody_away() -> None:
    """The first page of a level that happens to take long is not taken for its pace."""
    queue = Queue()
    queue.run(1_000, 0.5)
    queue.costs_s = (*COSTS_S[:3], 0.3)
    while queue.shedder.level < 3:
        queue.run(1_000, 0.01)
    queue.run(1_000, 0.31)

    assert not queue.shedder.is_hopeless(100)


def test_what_was_never_measured_turns_nobody_away() -> None:
    """No figure is invented for it."""
    assert Shedder(TARGET_S, lambda: 0.0).wait_s(1_000) == 0.0
