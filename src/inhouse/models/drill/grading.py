"""What a drill amounts to, from the calls that were seen. Pure.

A task's grade is the best whose conditions all hold, and the whole grade is that of the worst task:

| grade | answered        | quality of the survivors             | noticed within | back within |
|-------|-----------------|--------------------------------------|----------------|-------------|
| A     | 99.9 of 100     | at the bar                           | 10 s           | 180 s       |
| B     | 99 of 100       | at the bar                           | 60 s           | no limit    |
| C     | 95 of 100       | at the bar, or not enough is known   | no limit       | no limit    |
| D     | 80 of 100       | any                                  | no limit       | no limit    |
| E     | half            | any                                  | no limit       | no limit    |
| F     | less            | any                                  | no limit       | no limit    |

The bar is that of parity (`parity.gate`). Calls that are passed on have no quality to compare:
theirs does not count. Noticing counts from the first failure to the first call that does without
the vendor while none asks it for 2.5 s, in the slowest process; coming back from the end of the
fault to the vendor's next answer. What could not be seen (no call came, or none failed) does not
count either.

The whole weighs a task by its traffic of the week before times its criticality: a judgement decides
what everybody may see, a call that is passed on disappoints one app.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from inhouse.models.drill.results import DrillResult, Grade, TaskResult, Times
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.parity.agreement import ANY, Agreement
from inhouse.models.parity.gate import Finding, Parity, verdict_of
from inhouse.models.tasks import TASKS
from inhouse.stats.types import Interval

# How much an input of each counts; a task that is not named counts once.
CRITICALITY: Final[Mapping[str, float]] = MappingProxyType(dict.fromkeys(TASKS, 3.0))
_QUICK_MS: Final = 10_000
_SPARED_MS: Final = 2_500  # half the shortest break that a breaker makes
_NOTICED_MS: Final = 60_000
_BACK_MS: Final = 180_000
_ANSWERED: Final[tuple[tuple[Grade, float], ...]] = (
    ("A", 0.999),
    ("B", 0.99),
    ("C", 0.95),
    ("D", 0.80),
    ("E", 0.50),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """All that is known of a drill when it is graded."""

    drill: Drill
    calls: Sequence[Noted]  # in the order they ended
    before: Mapping[str, Times]  # by task, without the fault
    traffic: Mapping[str, int] = field(default_factory=dict)  # inputs of the week before, by task
    quality: Mapping[str, Parity] = field(default_factory=dict)  # by task, where it was compared


def graded(seen: Seen) -> DrillResult:
    """The result of a drill that is over."""
    names = sorted({call.task for call in seen.calls})
    tasks = sorted((_task(name, seen) for name in names), key=lambda one: one.grade, reverse=True)
    asked = [task for task in tasks if task.asked]
    return DrillResult(
        drill=seen.drill,
        tasks=tuple(tasks),
        grade=asked[0].grade if asked else None,
        coverage=_weighed([(task, task.coverage) for task in asked]),
        survivable=_weighed([(task, _survivable(task)) for task in asked]),
        weaker={task.task: task.by_others for task in tasks if task.by_others},
    )


def _task(name: str, seen: Seen) -> TaskResult:
    end_ms = seen.drill.ended_ms or seen.drill.until_ms
    calls = [call for call in seen.calls if call.task == name]
    during = [call for call in calls if seen.drill.started_ms <= call.begun_ms < end_ms]
    later = [call for call in calls if call.at_ms >= end_ms]
    asked, answered = (sum(getattr(call, what) for call in during) for what in _COUNTED)
    before, times = seen.before.get(name, _UNKNOWN), times_of([c.latency_ms for c in during])
    served = [call.served_ms for call in during if call.served_ms is not None]
    if served:
        before = times_of(served)
    quality = seen.quality.get(name)
    noticed_ms, recovered_ms = _noticed_ms(during), _recovered_ms(later, end_ms)
    coverage = answered / asked if asked else None
    grade, reasons = grade_of(coverage, quality, noticed_ms, recovered_ms)
    return TaskResult(
        task=name,
        weight=CRITICALITY.get(name, 1.0),
        traffic=seen.traffic.get(name, 0),
        calls=len(during),
        asked=asked,
        answered=answered,
        by_others=answered - sum(call.by_vendor for call in during),
        coverage=coverage,
        quality=quality,
        before=before,
        during=times,
        added_ms=_added(before.p50_ms, times.p50_ms),
        noticed_ms=noticed_ms,
        recovered_ms=recovered_ms,
        cost_usd=_sum([call.cost_usd for call in during]),
        grade=grade,
        reasons=reasons,
    )


_COUNTED: Final = ("asked", "answered")
_UNKNOWN: Final = Times(p50_ms=None, p99_ms=None)


def grade_of(
    coverage: float | None,
    quality: Parity | None,
    noticed_ms: float | None,
    recovered_ms: float | None,
) -> tuple[Grade, tuple[str, ...]]:
    """The grade of a task by the table above, and what keeps it from a better one."""
    if coverage is None:
        return "F", ("nothing was asked while the vendor was away",)
    limits: list[tuple[Grade, str]] = []
    reached: Grade = next((grade for grade, least in _ANSWERED if coverage >= least), "F")
    limits.append((reached, f"{coverage:.2%} of inputs were answered"))
    if quality is not None and quality.verdict == "fail":
        limits.append(("D", f"survivors are below the parity bar: {quality.reason}"))
    if quality is not None and quality.verdict == "not_enough":
        limits.append(("C", f"not enough is known of the survivors: {quality.reason}"))
    if noticed_ms is not None and noticed_ms > _QUICK_MS:
        late: Grade = "B" if noticed_ms <= _NOTICED_MS else "C"
        limits.append((late, f"noticed after {_seconds(noticed_ms)}"))
    if recovered_ms is not None and recovered_ms > _BACK_MS:
        limits.append(("B", f"back after {_seconds(recovered_ms)}"))
    worst = max(grade for grade, _ in limits)
    return worst, tuple(why for grade, why in limits if grade == worst and grade != "A")


def _seconds(ms: float) -> str:
    return f"{ms / 1000:,.0f} s"


def _noticed_ms(calls: Sequence[Noted]) -> float | None:
    """In the slowest process; None where none failed. One that never leaves the vendor alone has
    not noticed as long as anybody looked."""
    longest: float | None = None
    for process in {call.process for call in calls}:
        own = sorted(
            (call for call in calls if call.process == process), key=lambda call: call.begun_ms
        )
        failed = [call.begun_ms for call in own if call.failed]
        if failed:
            spared_ms = next((ms for ms in _without(own, failed)), own[-1].at_ms)
            longest = max(longest or 0.0, spared_ms - failed[0])
    return longest


def _without(own: Sequence[Noted], failed: Sequence[float]) -> Iterator[float]:
    """When calls began that did without the vendor, while none asked it for some time. Some do
    without it in any case: those that the owned model answers."""
    for call in own:
        place = bisect_left(failed, call.begun_ms)
        is_spared = place == len(failed) or failed[place] - call.begun_ms >= _SPARED_MS
        if place > 0 and not call.failed and is_spared:
            yield call.begun_ms


def _recovered_ms(later: Sequence[Noted], end_ms: int) -> float | None:
    """None where the vendor was not used again as long as anybody looked."""
    back = next((call for call in later if call.by_vendor), None)
    return None if back is None else float(back.at_ms - end_ms)


def _survivable(task: TaskResult) -> float | None:
    if task.quality is None or task.quality.verdict == "pass":
        return task.coverage
    return 0.0 if task.quality.verdict == "fail" else None


def _weighed(parts: Sequence[tuple[TaskResult, float | None]]) -> float | None:
    """A mean by traffic and weight; None where a part is unknown. Tasks that nobody asked in the
    week before count as one input."""
    if not parts or any(value is None for _, value in parts):
        return None
    weights = [task.weight * max(1, task.traffic) for task, _ in parts]
    return sum(w * (value or 0.0) for w, (_, value) in zip(weights, parts, strict=True)) / sum(
        weights
    )


def times_of(latencies_ms: Sequence[float]) -> Times:
    """The median, and what 99 of 100 do not exceed.

    >>> times_of([3.0, 1.0, 2.0]).p50_ms
    2.0
    """
    found = sorted(latencies_ms)
    return Times(p50_ms=_quantile(found, 0.5), p99_ms=_quantile(found, 0.99))


def _quantile(found: Sequence[float], q: float) -> float | None:
    return found[min(len(found) - 1, int(q * len(found)))] if found else None


def _added(before_ms: float | None, during_ms: float | None) -> float | None:
    return None if before_ms is None or during_ms is None else during_ms - before_ms


def _sum(costs: Sequence[Decimal | None]) -> Decimal | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def quality_of(counts: Agreement, bar: float) -> Parity:
    """Parity by agreement alone, from counts of texts that both judged."""
    interval, more = counts.interval(), counts.more_needed(bar)
    known = interval if isinstance(interval, Interval) else None
    verdict = verdict_of(interval, bar)
    finding = Finding(
        category=ANY,
        reference="teacher",
        question="agreement with the vendor (kappa)",
        verdict=verdict,
        n=counts.pairs,
        estimate=counts.kappa,
        low=known.low if known else None,
        high=known.high if known else None,
        bar=bar,
        more_needed=more,
    )
    told = "is unknown" if known is None else f"is {known.estimate:.3f}"
    return Parity(
        verdict=verdict,
        reason=f"agreement with the vendor {told} on {counts.pairs} texts, bar {bar:.3f}",
        held_out=counts.pairs,
        more_needed=more,
        findings=(finding,),
    )
