"""How long until people return, counting those who have not returned yet."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inhouse.core.errors import InputError
from inhouse.stats.intervals import z_value
from inhouse.stats.types import Floats, Interval, Ints, NotEnough, finite, same_length


@dataclass(frozen=True, kw_only=True, slots=True)
class Survival:
    """A Kaplan-Meier curve: a step down at each time at which something happened."""

    times: Floats  # when something happened, rising
    p_survive: Floats  # probability that it has not happened by then, after the step
    at_risk: Ints  # still waiting just before
    happened: Ints  # for how many it happened then
    last: float  # the longest wait observed; the curve says nothing beyond it
    n: int  # people

    def at(self, time: float) -> float | None:
        """Probability of waiting longer than `time`; None beyond the longest wait observed."""
        if time > self.last:
            return None
        step = int(np.searchsorted(self.times, time, side="right")) - 1
        return 1.0 if step < 0 else float(self.p_survive[step])

    def interval(self, time: float, level: float = 0.95) -> Interval | NotEnough:
        """Interval of `at(time)`: Greenwood's variance on the log(-log) scale, within [0, 1]."""
        estimate = self.at(time)
        if estimate is None:
            return NotEnough(reason="nobody was watched for that long", have=self.n)
        if estimate in (0.0, 1.0):
            return NotEnough(reason="the curve is at 0 or 1 there: no variance", have=self.n)
        until = self.times <= time
        risk, events = self.at_risk[until], self.happened[until]
        greenwood = float((events / (risk * (risk - events))).sum())
        spread = z_value(level) * np.sqrt(greenwood) / np.log(estimate)
        low, high = estimate ** np.exp(-spread), estimate ** np.exp(spread)
        return Interval(estimate=estimate, low=float(low), high=float(high), level=level)

    @property
    def median(self) -> float | None:
        """The first time by which it has happened for half; None where that was not seen."""
        below = np.flatnonzero(self.p_survive <= 0.5)
        return float(self.times[below[0]]) if len(below) else None

    def restricted_mean(self, until: float) -> float | None:
        """Mean wait, counting no more than `until` of it: the area under the curve.

        None beyond the longest wait observed, unless the curve has reached 0.
        """
        ended = len(self.p_survive) > 0 and self.p_survive[-1] == 0
        if until > self.last and not ended:
            return None
        inside = self.times < until
        edges = np.concatenate(([0.0], self.times[inside], [until]))
        heights = np.concatenate(([1.0], self.p_survive[inside]))
        return float((np.diff(edges) * heights).sum())


def kaplan_meier(waited: npt.ArrayLike, happened: npt.ArrayLike) -> Survival | NotEnough:
    """Product-limit estimate (Kaplan & Meier 1958): S(t) = product over t_i <= t of 1 - d_i / n_i.

    Assumes that those not watched to the end (censored) would have fared like the rest.
    waited: time of the event, or of the last look where it had not happened; not negative.
    happened: whether it did. Someone censored at the time of an event still counts as at risk.

    >>> curve = kaplan_meier([1, 2, 2, 3], [True, True, False, False])
    >>> curve.p_survive.tolist()
    [0.75, 0.5]
    """
    times, event = finite(waited, "waited"), np.asarray(happened, dtype=np.bool_)
    same_length(times, event, "waits and outcomes")
    if len(times) == 0:
        return NotEnough(reason="nobody was watched", have=0, need=1)
    if times.min() < 0:
        raise InputError(f"the shortest wait is {times.min():g}, expected 0 or more")
    steps, counts = np.unique(times[event], return_counts=True)
    at_risk = len(times) - np.searchsorted(np.sort(times), steps, side="left")
    return Survival(
        times=steps,
        p_survive=np.asarray(np.cumprod(1 - counts / at_risk), dtype=np.float64),
        at_risk=at_risk.astype(np.int64),
        happened=counts.astype(np.int64),
        last=float(times.max()),
        n=len(times),
    )
