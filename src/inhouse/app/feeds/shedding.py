"""How much to leave out of pages, by how long requests have waited for their turn.

One process serves pages one after another, so overload shows in one place: in the time from the
arrival of a request to its turn. The shedder hears of each turn and says at which level the page is
made (`recommend.levels`). It does no I/O and reads time from the clock it is given.

Up: one level when every wait of the last 0.1 s was above the target, as CoDel judges a queue
(Nichols and Jacobson, ACM Queue 2012): a burst that drains raises nothing, a standing queue does.

Down: one level when no queue stood for a second and, by what was measured, the costlier level would
hold: arrivals a second times seconds a page there is below 0.7. Where that product says no, it may
be out of date, so the step is tried after a longer time: 4 s at first, doubled to 64 s with each
try that did not hold eight times as long.
"""

import math
from collections.abc import Callable
from typing import Final

from inhouse.recommend.levels import FULL, SHARED, Level

STEP_S: Final = 0.1
CALM_S: Final = 1.0
TRY_S: Final = 4.0
MOST_TRY_S: Final = 64.0
PATIENCE_S: Final = 1.0  # beyond it, what is shown no longer feels like an answer
_HOLDS: Final = 0.7  # share of a second that the costlier level may need
_HELD: Final = 8  # times as long as the step down was waited for: it was no mistake
_RATE_OVER_S: Final = 1.0
_TURNS: Final = 10  # in one measurement of the pace
_WEIGHT: Final = 0.3  # of the newest one
_LEVELS: Final[tuple[Level, ...]] = (0, 1, 2, 3)


class Shedder:
    """One process's. Tell it of every arrival and of every turn."""

    def __init__(self, target_s: float, now_s: Callable[[], float]) -> None:
        """target_s: the wait that is no trouble. now_s: seconds, never backwards."""
        self._target_s = target_s
        self._now_s = now_s
        self._level: Level = FULL
        self._paces_s: dict[Level, float] = {}  # seconds a page of the level while others waited
        self._rate, self._rated_s = 0.0, now_s()  # arrivals a second, smoothed
        self._turn_s: float | None = None  # when the last turn began
        self._busy_s, self._turns = now_s(), 0  # since when turns followed each other, how many
        self._above_s: float | None = None  # since when every wait was above the target
        self._calm_s = now_s()  # since when no queue stood, or since the last step
        self._tried_s = -math.inf  # when the last step down was
        self._try_s = TRY_S

    @property
    def level(self) -> Level:
        """At which pages are made now."""
        self._relax(self._now_s())
        return self._level

    def arrived(self) -> None:
        """A request has come."""
        now_s = self._now_s()
        self._rate = self._rate_at(now_s) + 1 / _RATE_OVER_S
        self._rated_s = now_s

    def turn(self, waited_s: float) -> Level:
        """A request's turn has come after so long; at which level its page is made."""
        now_s = self._now_s()
        self._learn(now_s, waited_s)
        self._relax(now_s)
        if waited_s <= self._target_s:
            self._above_s = None
        elif self._above_s is None:
            self._above_s = now_s
        elif now_s - self._above_s >= STEP_S:
            self._calm_s = self._above_s = now_s
            self._step_up(now_s)
        return self._level

    def wait_s(self, waiting: int) -> float:
        """How long one who comes now would wait behind so many; 0 where that is not known."""
        return waiting * self._paces_s.get(self._level, 0.0)

    def is_hopeless(self, waiting: int) -> bool:
        """Whether one who comes now would wait longer than people do, though nothing is left to
        leave out."""
        return self._level == SHARED and self.wait_s(waiting) > PATIENCE_S

    def _learn(self, now_s: float, waited_s: float) -> None:
        """While somebody waits, the time from turn to turn is all that a page costs.

        It is taken as the mean of ten, since what is put off (answers, commits) comes in batches.
        """
        is_busy = self._turn_s is not None and waited_s >= now_s - self._turn_s
        self._turn_s = now_s
        if not is_busy:
            self._busy_s, self._turns = now_s, 0
            return
        self._turns += 1
        if self._turns == _TURNS:
            self._note_pace(now_s)

    def _note_pace(self, now_s: float) -> None:
        """Take what was measured since the last time."""
        if self._turns:
            took_s = (now_s - self._busy_s) / self._turns
            known_s = self._paces_s.get(self._level, self._dearer_s(took_s))
            self._paces_s[self._level] = known_s + _WEIGHT * (took_s - known_s)
        self._busy_s, self._turns = now_s, 0

    def _dearer_s(self, took_s: float) -> float:
        """What a page costs at most where none was measured."""
        known_s = [
            self._paces_s[level] for level in _LEVELS[: self._level] if level in self._paces_s
        ]
        return min([took_s, *known_s])

    def _step_up(self, now_s: float) -> None:
        if self._level == SHARED:
            return
        self._note_pace(now_s)
        held = now_s - self._tried_s > _HELD * self._try_s
        self._try_s = TRY_S if held else min(2 * self._try_s, MOST_TRY_S)
        self._level = _LEVELS[self._level + 1]

    def _relax(self, now_s: float) -> None:
        """Take the steps down that are due; after a long silence that may be all of them."""
        while self._level > FULL:
            due_s = self._calm_s + (CALM_S if self._would_hold(now_s) else self._try_s)
            if now_s < due_s:
                return
            self._turns = 0  # what was measured is another level's
            self._level = _LEVELS[self._level - 1]
            self._calm_s, self._tried_s = due_s, now_s
            self._above_s = None

    def _would_hold(self, now_s: float) -> bool:
        """Whether the next costlier level would keep up with what comes in."""
        pace_s = self._paces_s.get(_LEVELS[self._level - 1])
        return pace_s is not None and self._rate_at(now_s) * pace_s < _HOLDS

    def _rate_at(self, now_s: float) -> float:
        return self._rate * math.exp((self._rated_s - now_s) / _RATE_OVER_S)
