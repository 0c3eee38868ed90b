"""Results of an experiment: valid at every look, and silent where there is not enough data."""

import threading
from typing import Final

import sqlalchemy as sa

from inhouse.catalog.erasures import News
from inhouse.engagement.experiments.gathered import Gathered, gather
from inhouse.engagement.experiments.measures import (
    LEAST_PEOPLE_WITH,
    MEASURES,
    Facts,
    Measure,
    Sample,
    arm_moments,
    people_with,
)
from inhouse.engagement.experiments.report import (
    Answer,
    ArmCall,
    ArmPeople,
    ArmValue,
    Call,
    Comparison,
    GuardrailResult,
    GuardrailState,
    MetricResult,
    Results,
)
from inhouse.engagement.experiments.types import Better, Experiment, Guardrail
from inhouse.stats.sequential import LEAST_PER_ARM, difference_cs, relative_difference_cs
from inhouse.stats.srm import SrmCheck, srm
from inhouse.stats.types import Bools, Interval, Moments, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database

# With more people than this seen in several arms, something is wrong with the assignment.
MOST_MULTI_SHARE: Final = 0.01


class ResultsBook:
    """Remembers what was gathered of each experiment, so that a second look reads only news."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Gathered] = {}
        self._news = News(database)
        self._lock = threading.Lock()

    def of(self, experiment: Experiment, now_ms: int) -> Results:
        """Results at `now_ms`, or at the stop. Safe to use from several threads."""
        with self._lock:
            if self._news.fresh():
                self._known.clear()  # somebody in them may have been erased
            known = self._known.get(experiment.key)
            if known is not None and known.experiment != experiment:
                known = None  # stopped since the last look: events behind the stop must go
            gathered = gather(self._database, experiment, known, now_ms)
            self._known[experiment.key] = gathered
            return _results(gathered, _removed_posts(self._database), now_ms)


def _results(gathered: Gathered, removed: frozenset[str], now_ms: int) -> Results:
    experiment = gathered.experiment
    until_ms = now_ms if experiment.stopped_ms is None else min(now_ms, experiment.stopped_ms)
    facts = Facts(gathered=gathered, removed_posts=removed, until_ms=until_ms)
    arms = _arms(gathered)
    counts = [int(inside.sum()) for inside in arms.values()]
    weights = [arm.weight for arm in experiment.arms]
    ratio = srm(counts, weights)
    metrics = tuple(_metric(MEASURES[name], facts, arms) for name in experiment.metrics)
    guardrails = tuple(
        result for one in experiment.guardrails for result in _guardrail(one, facts, arms)
    )
    multi = int(gathered.several.sum())
    trouble = _trouble(ratio, multi, sum(counts))
    return Results(
        key=experiment.key,
        question=experiment.question,
        at_ms=now_ms,
        started_ms=experiment.started_ms,
        stopped_ms=experiment.stopped_ms,
        log_offset=gathered.event_offset,
        arms=tuple(
            ArmPeople(arm=key, people=count, share_planned=weight / sum(weights))
            for key, count, weight in zip(arms, counts, weights, strict=True)
        ),
        multi_exposed=multi,
        srm=ratio,
        metrics=metrics,
        guardrails=guardrails,
        calls=tuple(_call(one, metrics[0], guardrails, trouble) for one in metrics[0].comparisons),
    )


def _arms(gathered: Gathered) -> dict[str, Bools]:
    """Who counts in each arm: people exposed to it and to no other."""
    keys = [arm.key for arm in gathered.experiment.arms]
    return {key: (gathered.arm == i) & ~gathered.several for i, key in enumerate(keys)}


def _metric(measure: Measure, facts: Facts, arms: dict[str, Bools]) -> MetricResult:
    sample = measure.sample(facts)
    control, *treatments = arms
    return MetricResult(
        metric=measure.name,
        unit=measure.unit,
        better=measure.better,
        arms=tuple(_value(key, sample, inside) for key, inside in arms.items()),
        comparisons=tuple(
            _comparison(measure.better, sample, key, (arms[control], arms[key]))
            for key in treatments
        ),
    )


def _value(key: str, sample: Sample, inside: Bools) -> ArmValue:
    found = arm_moments(sample, inside)
    if isinstance(found, NotEnough):
        return ArmValue(arm=key, people=found.have, value=None)
    return ArmValue(arm=key, people=found.n, value=found.mean)


def _comparison(better: Better, sample: Sample, key: str, sides: tuple[Bools, Bools]) -> Comparison:
    pair = _pair(sample, *sides)
    if isinstance(pair, NotEnough):
        return Comparison(arm=key, difference=pair, relative=pair, answer="not_enough_data")
    difference = difference_cs(*pair)
    return Comparison(
        arm=key,
        difference=difference,
        relative=relative_difference_cs(*pair),
        answer=_answer(better, difference),
    )


def _pair(sample: Sample, control: Bools, treatment: Bools) -> tuple[Moments, Moments] | NotEnough:
    """Both arms' moments, or why they cannot be compared yet."""
    sides = (arm_moments(sample, control), arm_moments(sample, treatment))
    least = min(side.have if isinstance(side, NotEnough) else side.n for side in sides)
    if least < LEAST_PER_ARM:
        return NotEnough(reason="too few people in an arm", have=least, need=LEAST_PER_ARM)
    having = people_with(sample, control | treatment)
    if having < LEAST_PEOPLE_WITH:
        return NotEnough(
            reason="it happened to too few people", have=having, need=LEAST_PEOPLE_WITH
        )
    first, second = sides
    if isinstance(first, NotEnough):
        return first
    return second if isinstance(second, NotEnough) else (first, second)


def _answer(better: Better, difference: Interval | NotEnough) -> Answer:
    if isinstance(difference, NotEnough):
        return "not_enough_data"
    if not difference.excludes_zero:
        return "not_settled"
    return "better" if (difference.low > 0) == (better == "up") else "worse"


def _guardrail(one: Guardrail, facts: Facts, arms: dict[str, Bools]) -> tuple[GuardrailResult, ...]:
    measure = MEASURES[one.metric]
    return tuple(
        GuardrailResult(
            metric=one.metric,
            arm=comparison.arm,
            margin=one.margin,
            difference=comparison.difference,
            state=guardrail_state(comparison.difference, one.margin, measure.better),
        )
        for comparison in _metric(measure, facts, arms).comparisons
    )


def guardrail_state(
    difference: Interval | NotEnough, margin: float, better: Better
) -> GuardrailState:
    """Where the interval of the loss lies: below the margin, above it, or across."""
    if isinstance(difference, NotEnough):
        return "not_enough_data"
    least, most = difference.low, difference.high
    if better == "up":
        least, most = -difference.high, -difference.low
    if most < margin:
        return "safe"
    if least > margin:
        return "breached"
    return "worse" if least > 0 else "not_settled"


def _trouble(ratio: SrmCheck | NotEnough, multi: int, people: int) -> str | None:
    """Why the comparison itself cannot be trusted, or None."""
    if isinstance(ratio, SrmCheck) and ratio.alarm:
        counts = " to ".join(str(n) for n in ratio.counts)
        return f"the arms did not fill as planned: {counts}, p = {ratio.p_value:.1e}"
    if multi > MOST_MULTI_SHARE * (multi + people):
        return f"{multi} of {multi + people} people were seen in several arms"
    return None


def _call(
    one: Comparison,
    metric: MetricResult,
    guardrails: tuple[GuardrailResult, ...],
    trouble: str | None,
) -> ArmCall:
    breached = [g.metric for g in guardrails if g.arm == one.arm and g.state == "breached"]
    call: Call = one.answer
    if trouble:
        call, because = "do_not_trust", trouble
    elif breached:
        call = "guardrail_breached"
        because = f"worse than its margin allows: {', '.join(breached)}"
    elif isinstance(one.difference, NotEnough):
        needs = f" of {one.difference.need} needed" if one.difference.need else ""
        because = f"{metric.metric}: {one.difference.reason} ({one.difference.have}{needs})"
    else:
        low, high = one.difference.low, one.difference.high
        because = f"{metric.metric}: the difference lies between {low:+.4g} and {high:+.4g}"
    return ArmCall(arm=one.arm, call=call, because=because)


def _removed_posts(database: Database) -> frozenset[str]:
    """Posts whose latest decision by a reviewer, of those not taken back, is to remove them."""
    table = tables.review_decisions.c
    query = sa.select(table.decision_id, table.item_id, table.action, table.undoes).order_by(
        table.log_offset
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    undone = {row.undoes for row in rows if row.undoes is not None}
    latest = {
        row.item_id: row.action
        for row in rows
        if row.undoes is None and row.decision_id not in undone
    }
    return frozenset(item for item, action in latest.items() if action == "remove")
