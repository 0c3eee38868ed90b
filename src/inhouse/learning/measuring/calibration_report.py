"""How good the predictions were that were served: are they true, and do they tell people's wishes
apart?

A figure is its value and its range, a bootstrap over people, since one person's impressions are
alike; either is `NotEnough` where the data cannot say. Slices tell where a figure comes from. Of
the places that the ranker filled, only what it liked was seen; places given by chance are free of
that, so they are judged apart, also with each weighing 1 / propensity, which undoes that chance
favours posts with a good record (Horvitz and Thompson 1952).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.features.ports import Logs
from inhouse.learning.measuring.foreseen import (
    DWELL,
    PROBABILITIES,
    Bools,
    Floats,
    Foreseen,
    Longs,
    Progress,
    read_foreseen,
)
from inhouse.stats.calibration import (
    ReliabilityBin,
    entropy,
    expected_calibration_error,
    log_losses,
    reliability,
)
from inhouse.stats.classification import ScoreOrder, average_precision
from inhouse.stats.intervals import bootstrap_clusters
from inhouse.stats.ranking import place_correlation, places
from inhouse.stats.types import Interval, NotEnough

_BANDS: Final = {  # name -> positions, first and last
    "place 1": (0, 0),
    "places 2 to 3": (1, 2),
    "places 4 to 10": (3, 9),
    "place 11 and below": (10, np.inf),
}
_MODELS: Final = 8  # newest ones told apart


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """How predictions are judged."""

    cold_impressions: int = 50  # fewer, and a post is cold
    cold_actions: int = 5  # fewer in the history, and a person is cold
    bins: int = 10  # of the reliability table, each holding equally many
    draws: int = 200  # resamples of people behind each range
    seed: int = 0  # of those


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number and the range it is known to."""

    value: float | NotEnough
    range: Interval | NotEnough  # by bootstrap over people


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbabilityReport:
    """How good one predicted probability was."""

    name: str  # p_click, p_like, p_hide
    n: int  # places that were seen
    rate: Figure  # how often it happened
    p_mean: Figure  # what was predicted on average
    ratio: Figure  # mean prediction over rate: 1 is right, 2 promises twice too much
    ratio_weighted: Figure  # each place weighing 1 / propensity; of places given by chance alone
    auc: Figure  # how often what happened was given more than what did not
    average_precision: float | NotEnough  # as much as `rate` by chance
    log_loss: Figure  # nats
    normalised_entropy: Figure  # log loss over that of the plain rate: below 1 tells something
    brier: Figure  # mean squared error
    ece: float | NotEnough  # expected calibration error, in bins that hold equally many
    bins: tuple[ReliabilityBin, ...]  # those bins


@dataclass(frozen=True, kw_only=True, slots=True)
class DwellReport:
    """How good the predicted dwell was."""

    n: int  # places that were seen
    seen_ms: Figure  # mean of what was seen, at most 300 s each
    predicted_ms: Figure  # mean of what was predicted
    ratio: Figure  # predicted over seen
    rank_correlation: Figure  # Spearman's rho of the two


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceReport:
    """The figures of some of the places."""

    slices: str  # what tells the slices apart: all, chance, place, item, person, model
    name: str  # which of them
    n: int  # places that were seen
    people: int  # who saw them
    probabilities: tuple[ProbabilityReport, ...]
    dwell: DwellReport


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedReport:
    """How good the predictions were that were served in a time."""

    since_ms: int  # pages served from then on
    until_ms: int  # when it was asked
    pages: int  # for_you pages served
    judged: int  # of those: pages whose outcomes are known
    unfinished: int  # of those: still within the time of waiting
    late: int  # of those: in the log only after their reader had acted again, so not joined
    left_out: int  # of those: empty, without profile, reset or erased, or of unknown posts
    unseen: int  # places of judged pages that nobody is known to have looked at
    unpredicted: int  # places that were seen, but without predictions on record
    slices: tuple[SliceReport, ...]  # all places first


def judge_served(
    logs: Logs, *, now_ms: int, since_ms: int, wait_ms: int, progress: Progress
) -> ServedReport:
    """Read the log, join, and judge. Arguments as of `read_foreseen`."""
    found = read_foreseen(
        logs, now_ms=now_ms, since_ms=since_ms, wait_ms=wait_ms, progress=progress
    )
    return ServedReport(
        since_ms=since_ms,
        until_ms=now_ms,
        pages=found.pages,
        judged=found.judged,
        unfinished=found.unfinished,
        late=found.late,
        left_out=found.left_out,
        unseen=found.unseen,
        unpredicted=found.unpredicted,
        slices=judge_foreseen(found.foreseen, progress=progress),
    )


def judge_foreseen(
    foreseen: Foreseen,
    judging: Judging | None = None,
    progress: Progress = lambda what, done, total: None,
) -> tuple[SliceReport, ...]:
    """All places first, then the slices. Slices are there though they hold nothing."""
    judging = judging or Judging()
    told = list(_slices(foreseen, judging))
    reports: list[SliceReport] = []
    for done, (slices, name, rows) in enumerate(told):
        progress("judging", done, len(told))
        judge = _Judge(foreseen, rows, judging)
        reports.append(
            SliceReport(
                slices=slices,
                name=name,
                n=len(rows),
                people=len(np.unique(foreseen.people[rows])),
                probabilities=tuple(judge.probability(each) for each in PROBABILITIES),
                dwell=judge.dwell(),
            )
        )
    return tuple(reports)


def _slices(foreseen: Foreseen, judging: Judging) -> Iterator[tuple[str, str, Longs]]:
    """What is told apart, which, and its rows."""

    def rows(mask: Bools) -> Longs:
        return np.flatnonzero(mask)

    yield "all", "all", np.arange(len(foreseen))
    yield "chance", "given by chance", rows(foreseen.explored)
    yield "chance", "given by the ranker", rows(~foreseen.explored)
    for name, (first, last) in _BANDS.items():
        yield "place", name, rows((foreseen.position >= first) & (foreseen.position <= last))
    few, cold = judging.cold_impressions, foreseen.item_impressions < judging.cold_impressions
    yield "item", f"posts with fewer than {few} impressions", rows(cold)
    yield "item", "known posts", rows(~cold)
    few, cold = judging.cold_actions, foreseen.person_actions < judging.cold_actions
    yield "person", f"people with fewer than {few} actions", rows(cold)
    yield "person", "known people", rows(~cold)
    yield from _models(foreseen)


def _models(foreseen: Foreseen) -> Iterator[tuple[str, str, Longs]]:
    """The newest first; what is older together; what was served without a model apart."""
    learned = {name: n for n, name in enumerate(foreseen.snapshot_ids) if name is not None}
    newest = list(learned.items())[::-1]
    for name, number in newest[:_MODELS]:
        yield "model", name, np.flatnonzero(foreseen.models == number)
    older = [number for _, number in newest[_MODELS:]]
    if older:
        rows = np.flatnonzero(np.isin(foreseen.models, older))
        yield "model", f"{len(older)} earlier models", rows
    if None in foreseen.snapshot_ids:
        number = foreseen.snapshot_ids.index(None)
        yield "model", "no model yet", np.flatnonzero(foreseen.models == number)


class _Judge:
    """Figures of some rows."""

    def __init__(self, foreseen: Foreseen, rows: Longs, judging: Judging) -> None:
        self._foreseen, self._rows, self._judging = foreseen, rows, judging
        self._people, self._person = np.unique(foreseen.people[rows], return_inverse=True)
        self._by_chance = bool(foreseen.explored[rows].all())  # as all of none are

    def probability(self, name: str) -> ProbabilityReport:
        """Of one predicted probability."""
        p = self._foreseen.predicted[name][self._rows]
        y = self._foreseen.happened[name][self._rows]
        weights = 1 / self._foreseen.propensity[self._rows]
        sums = self._sums(y, p, log_losses(p, y), (p - y) ** 2, weights * y, weights * p)
        # Columns of `sums`: 0 rows, 1 happened, 2 predicted, 3 losses, 4 errors, 5 and 6 weighted.
        weighted = self._of_sums(sums, lambda s: _over(s[6], s[5]))
        bins = reliability(p, y, self._judging.bins, by_mass=True)
        return ProbabilityReport(
            name=name,
            n=len(p),
            rate=self._of_sums(sums, lambda s: _over(s[1], s[0])),
            p_mean=self._of_sums(sums, lambda s: _over(s[2], s[0])),
            ratio=self._of_sums(sums, lambda s: _over(s[2], s[1])),
            ratio_weighted=weighted if self._by_chance else _ASIDE,
            auc=self._figure(self._person, ScoreOrder(y, p).auc),
            average_precision=average_precision(y, p),
            log_loss=self._of_sums(sums, lambda s: _over(s[3], s[0])),
            normalised_entropy=self._of_sums(sums, _normalised),
            brier=self._of_sums(sums, lambda s: _over(s[4], s[0])),
            ece=expected_calibration_error(p, y, self._judging.bins, by_mass=True),
            bins=bins,
        )

    def dwell(self) -> DwellReport:
        """Of the predicted dwell."""
        p = self._foreseen.predicted[DWELL][self._rows]
        seen = self._foreseen.dwell_ms[self._rows]
        sums = self._sums(seen, p)
        first, second = places(p), places(seen)
        return DwellReport(
            n=len(p),
            seen_ms=self._of_sums(sums, lambda s: _over(s[1], s[0])),
            predicted_ms=self._of_sums(sums, lambda s: _over(s[2], s[0])),
            ratio=self._of_sums(sums, lambda s: _over(s[2], s[1])),
            rank_correlation=self._figure(
                self._person, lambda weights: place_correlation(first, second, weights)
            ),
        )

    def _sums(self, *columns: Floats | Bools) -> Floats:
        """float64[people, 1 + columns]: rows of each person, and sums over them."""
        count = len(self._people)
        ones = np.ones(len(self._rows))
        sums = [np.bincount(self._person, column, minlength=count) for column in (ones, *columns)]
        return np.stack(sums, axis=1)

    def _of_sums(self, sums: Floats, statistic: Callable[[Floats], float | NotEnough]) -> Figure:
        """Of what depends on sums alone; a draw then costs as much as there are people."""
        people = np.arange(len(sums))
        return self._figure(people, lambda weights: statistic(weights @ sums))

    def _figure(self, clusters: Longs, statistic: Callable[[Floats], float | NotEnough]) -> Figure:
        if not len(clusters):
            return _NOTHING
        judging = self._judging
        value = statistic(np.ones(len(clusters)))
        if isinstance(value, NotEnough):
            return Figure(value=value, range=value)
        drawn = bootstrap_clusters(clusters, statistic, judging.seed, draws=judging.draws)
        return Figure(value=value, range=drawn)


def _over(part: float, whole: float) -> float | NotEnough:
    if whole <= 0:
        return NotEnough(reason="it never happened", need=1)
    return float(part / whole)


def _normalised(sums: Floats) -> float | NotEnough:
    spread = entropy(sums[1] / sums[0])
    if spread <= 0:
        return NotEnough(reason="only one outcome occurs", have=int(sums[0]))
    return float(sums[3] / sums[0] / spread)


def _none(reason: str) -> Figure:
    lacking = NotEnough(reason=reason, have=0, need=1)
    return Figure(value=lacking, range=lacking)


_NOTHING: Final = _none("no place was seen")
_ASIDE: Final = _none("of places given by chance alone")
