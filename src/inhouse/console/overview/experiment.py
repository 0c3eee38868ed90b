"""An experiment in words and pictures: arms side by side, and what their difference says."""

from collections.abc import Callable, Mapping
from typing import Final

from inhouse.console.markup import Child, Safe, empty, join, note, table, tag
from inhouse.console.words import UNKNOWN, count, plural, share, signed_share, span
from inhouse.core.clock import SECOND_MS
from inhouse.engagement.experiments.report import (
    ArmCall,
    Comparison,
    GuardrailResult,
    MetricResult,
    Results,
)
from inhouse.stats.srm import SrmCheck
from inhouse.stats.types import Interval, NotEnough

_NAMES: Final[Mapping[str, str]] = {
    "time_s": "watch and dwell time",
    "sessions": "sessions",
    "d1_return": "day-1 return",
    "d7_return": "day-7 return",
    "likes": "likes",
    "impressions": "posts seen",
    "reports_per_1k": "reports per 1,000 posts seen",
    "hides_per_1k": "hides per 1,000 posts seen",
    "removals_seen_per_1k": "removed posts per 1,000 seen",
}
_VALUES: Final[Mapping[str, Callable[[float], str]]] = {
    "time_s": lambda seconds: span(seconds * SECOND_MS),
    "d1_return": lambda part: share(part, 1),
    "d7_return": lambda part: share(part, 1),
}
_ANSWERS: Final[Mapping[str, tuple[str, str]]] = {
    "better": ("better", "good"),
    "worse": ("worse", "bad"),
    "not_settled": ("not settled yet", ""),
    "not_enough_data": ("not enough data yet", ""),
    "do_not_trust": ("do not trust", "bad"),
    "guardrail_breached": ("guardrail breached", "bad"),
}
_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "safe": ("kept", "good"),
    "worse": ("worse", "warn"),
    "breached": ("breached", "bad"),
    "not_settled": ("not settled yet", ""),
    "not_enough_data": ("not enough data yet", ""),
}
_LEAST_SCALE: Final = 0.05
_MOST_SCALE: Final = 1.5


def metric_name(metric: str) -> str:
    """What people call a measure."""
    return _NAMES.get(metric, metric.replace("_", " "))


def value_words(metric: str, value: float | None) -> str:
    """A measure's value in its unit.

    >>> value_words("d1_return", 0.414), value_words("sessions", 2.345)
    ('41.4%', '2.35')
    """
    if value is None:
        return UNKNOWN
    words = _VALUES.get(metric)
    return words(value) if words else f"{value:,.2f}"


def effect_words(metric: str, comparison: Comparison) -> str:
    """What one comparison says, with its interval, or that it says nothing yet."""
    name = metric_name(metric)
    relative = comparison.relative
    if isinstance(relative, NotEnough):
        return f"{comparison.arm}: {name}, not enough data yet: {not_enough_words(relative)}"
    return (
        f"{comparison.arm}: {signed_share(relative.estimate, 1)} {name}, "
        f"{share(relative.level)} interval {interval_words(relative)}"
    )


def interval_words(interval: Interval) -> str:
    """Both ends of a relative difference."""
    return f"{signed_share(interval.low, 1)} to {signed_share(interval.high, 1)}"


def not_enough_words(missing: NotEnough) -> str:
    """Why there is no answer, and how far it is."""
    far = f" ({count(missing.have)} of {count(missing.need)})" if missing.need else ""
    return f"{missing.reason}{far}"


def experiment_html(results: Results) -> Safe:
    """One experiment whole."""
    heading = tag(
        "div",
        tag("h3", tag("code", results.key), " ", tag("span", results.question, class_="quiet")),
        join((_call(one) for one in results.calls), " "),
        class_="head",
    )
    return join([heading, _arms(results), _effects(results), _checks(results)])


def no_experiment() -> Safe:
    """What stands where none runs."""
    return empty(
        "No experiment runs",
        "Start one with `inhouse experiment create`: its arms appear here side by side, with an "
        "interval that holds however often you look.",
    )


def _call(one: ArmCall) -> Safe:
    words, kind = _ANSWERS[one.call]
    return tag("span", note(f"{one.arm}: {words}", kind), title=one.because)


def _arms(results: Results) -> Safe:
    names = (metric_name(metric.metric).capitalize() for metric in results.metrics)
    head = ("Arm", "People", *names)
    rows: list[list[Child]] = []
    for place, arm in enumerate(results.arms):
        figures = [value_words(m.metric, m.arms[place].value) for m in results.metrics]
        name = join([arm.arm, note("control") if place == 0 else None], " ")
        rows.append([name, count(arm.people), *figures])
    return table(head, rows, "l" + "r" * (len(head) - 1))


def _effects(results: Results) -> Safe:
    scale = _scale(results)
    lines = [
        _effect(metric, comparison, scale)
        for metric in results.metrics
        for comparison in metric.comparisons
    ]
    return tag("div", *lines, class_="effects")


def _scale(results: Results) -> float:
    ends = [
        abs(end)
        for metric in results.metrics
        for one in metric.comparisons
        if isinstance(one.relative, Interval)
        for end in (one.relative.low, one.relative.high)
    ]
    return min(max([*ends, _LEAST_SCALE]), _MOST_SCALE)


def _effect(metric: MetricResult, comparison: Comparison, scale: float) -> Safe:
    answer, kind = _ANSWERS[comparison.answer]
    words = tag("div", effect_words(metric.metric, comparison), " ", note(answer, kind))
    relative = comparison.relative
    drawn = None if isinstance(relative, NotEnough) else _interval(comparison, relative, scale)
    return tag("div", words, drawn, class_="effect")


def _interval(comparison: Comparison, relative: Interval, scale: float) -> Safe:
    """The interval on an axis whose middle is no difference."""
    low, mid, high = (
        round(50 + 50 * max(-1.0, min(1.0, end / scale)), 2)
        for end in (relative.low, relative.estimate, relative.high)
    )
    kind = {"better": "", "worse": "worse"}.get(comparison.answer, "open")
    return tag(
        "div",
        tag("i", class_="axis"),
        tag("i", class_="zero", style="left:50%"),
        tag("i", class_="range", style=f"left:{low}%;width:{high - low:.2f}%"),
        tag("i", class_="mid", style=f"left:{mid}%"),
        class_=f"interval {kind}".strip(),
        role="img",
        aria_label=f"interval {interval_words(relative)}, no difference in the middle",
    )


def _checks(results: Results) -> Safe:
    filled = results.srm
    if isinstance(filled, SrmCheck):
        arms = note("arms filled otherwise than planned", "bad") if filled.alarm else None
        arms = arms or note("arms filled as planned", "good")
    else:
        arms = note(f"arms: {not_enough_words(filled)}")
    several = results.multi_exposed
    multi = (
        note(f"{plural(several, 'person', 'people')} seen in several arms, left out", "warn")
        if several
        else None
    )
    guards = [_guard(one) for one in results.guardrails]
    return tag("div", arms, multi, *guards, class_="notes checks")


def _guard(one: GuardrailResult) -> Safe:
    words, kind = _STATES[one.state]
    return note(f"{metric_name(one.metric)}: {words}", kind)
