"""From the rank of each answer to figures with intervals."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from inhouse.app.replay.types import Difference, Measured, ReplaySettings, Standing, Tally
from inhouse.stats.intervals import bootstrap
from inhouse.stats.types import NotEnough

Floats = NDArray[np.float64]
_FEED_ROWS = 2  # the first rankers are the feed's: its page, and its order


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What each ranker answered to n questions, in the order of time."""

    ranks: dict[str, NDArray[np.int64]]  # ranker -> [n] place of the wanted item, 1 the best
    people: NDArray[np.int64]  # [n] who was asked for
    cold_people: NDArray[np.bool_]  # [n] had wanted little before
    cold_items: NDArray[np.bool_]  # [n] the answer had been wanted by few before


def standings_of(
    answers: Answers, settings: ReplaySettings
) -> tuple[tuple[Standing, ...], tuple[Difference, ...]]:
    """Every ranker's figures, and the page's differences from each baseline."""
    judge = _Judge(answers, settings)
    differences = tuple(judge.difference(name) for name in islice(answers.ranks, _FEED_ROWS, None))
    return tuple(judge.standing(name) for name in answers.ranks), differences


class _Judge:
    def __init__(self, answers: Answers, settings: ReplaySettings) -> None:
        self._answers, self._settings = answers, settings
        self._hits = {name: _hits(ranks, settings.k) for name, ranks in answers.ranks.items()}
        self._gains = {name: _gains(ranks, settings.k) for name, ranks in answers.ranks.items()}

    def standing(self, name: str) -> Standing:
        n = len(self._answers.people)
        everything = np.arange(n)
        return Standing(
            name=name,
            overall=self._tally(name, everything),
            windows=tuple(
                self._tally(name, part)
                for part in np.array_split(everything, self._settings.windows)
            ),
            cold_people=self._tally(name, np.flatnonzero(self._answers.cold_people)),
            cold_items=self._tally(name, np.flatnonzero(self._answers.cold_items)),
        )

    def difference(self, baseline: str) -> Difference:
        page = next(iter(self._answers.ranks))
        everything = np.arange(len(self._answers.people))
        return Difference(
            baseline=baseline,
            hit_rate=self._mean(self._hits[page] - self._hits[baseline], everything),
            ndcg=self._mean(self._gains[page] - self._gains[baseline], everything),
        )

    def _tally(self, name: str, rows: NDArray[np.intp]) -> Tally:
        return Tally(
            questions=len(rows),
            hit_rate=self._mean(self._hits[name], rows),
            ndcg=self._mean(self._gains[name], rows),
        )

    def _mean(self, values: Floats, rows: NDArray[np.intp]) -> Measured:
        """Mean over questions. People are resampled, not questions: one person's are alike."""
        if not len(rows):
            return NotEnough(reason="no questions", have=0, need=2)
        _, person = np.unique(self._answers.people[rows], return_inverse=True)
        sums = np.stack([np.bincount(person, values[rows]), np.bincount(person)], axis=1)
        return bootstrap(
            sums,
            lambda drawn: float(drawn[:, 0].sum() / drawn[:, 1].sum()),
            self._settings.seed,
            draws=self._settings.draws,
        )


def _hits(ranks: NDArray[np.int64], k: int) -> Floats:
    return (ranks <= k).astype(np.float64)


def _gains(ranks: NDArray[np.int64], k: int) -> Floats:
    """1 / log2(rank + 1) within the first k, else 0."""
    within = np.minimum(ranks, k)
    gains: Floats = np.where(ranks <= k, 1 / np.log2(within + 1), 0.0)
    return gains
