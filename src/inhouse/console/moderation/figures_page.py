"""Review in figures as HTML: what comes in, waits and goes, and how well it is decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from inhouse.console.charts import Options, columns
from inhouse.console.markup import Child, Safe, empty, join, table, tag, tile, tiles, words
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.speech import category_name
from inhouse.console.words import UNKNOWN, count, day, share, span
from inhouse.core.clock import DAY_MS
from inhouse.moderation.measuring.quality import Accuracy, Quality
from inhouse.moderation.reviewing.statistics import Flow, Statistics
from inhouse.stats.types import Interval, NotEnough

DAYS: Final = 14
HEADING: Final = heading(
    "/moderation/figures", f"The last {DAYS} days: what came in, what waits, and how well it went."
)
_ACCURACY: Final = ("", "answers", "right", "95% range", "too strict", "too mild")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that the page shows."""

    now_ms: int
    statistics: Statistics
    quality: Quality


def of_one(figures: Figures, name: str) -> Figures:
    """The same with what is told of people told of one alone."""
    quality = figures.quality
    own = replace(
        quality,
        known=[one for one in quality.known if one.name == name],
        by_reviewer=[one for one in quality.by_reviewer if one.reviewer == name],
    )
    return replace(figures, quality=own)


def totals(figures: Figures) -> Safe:
    """The whole in four figures."""
    found = figures.statistics
    inbound = sum(flow.inbound for flow in found.queues)
    decided = sum(flow.decided for flow in found.queues)
    looks = figures.quality.second_looks
    answers = sum(one.answers for one in figures.quality.known)
    right = sum(one.right for one in figures.quality.known)
    return tiles(
        tile("Came in", count(inbound), "cases opened"),
        tile("Decided", count(decided), "and not taken back"),
        tile("Waiting", count(sum(found.waiting.values())), "now, in all queues"),
        tile(
            "Second looks agree",
            share(looks.same / looks.looks) if looks.looks else UNKNOWN,
            f"of {count(looks.looks)}",
        ),
        tile(
            "Known answers right",
            share(right / answers) if answers else UNKNOWN,
            f"of {count(answers)}",
        ),
    )


def daily_chart(figures: Figures, what: str) -> Options:
    """`inbound` or `decided` by day, one colour a queue."""
    flows = figures.statistics.days
    last = figures.now_ms - figures.now_ms % DAY_MS
    days = [last - back * DAY_MS for back in range(DAYS - 1, -1, -1)]
    amounts = {(flow.queue, flow.day_ms): float(getattr(flow, what)) for flow in flows}
    queues = [flow.queue for flow in figures.statistics.queues]
    series = {
        category_name(queue): [amounts.get((queue, day_ms), 0.0) for day_ms in days]
        for queue in queues
    }
    return columns([day(day_ms) for day_ms in days], series, "")


def queues_table(figures: Figures) -> Safe:
    """Each queue over the whole time."""
    found = figures.statistics
    if not found.queues and not found.waiting:
        return empty(
            "No case yet", "Cases come from rules that ask for a person, and from reports."
        )
    flows = {flow.queue: flow for flow in found.queues}
    names = list(dict.fromkeys((*flows, *found.waiting)))
    rows = [_queue_row(name, flows.get(name), found.waiting.get(name, 0)) for name in names]
    head = ("queue", "came in", "decided", "waiting", "median to decide", "median wait")
    return table(head, rows, "lrrrrr")


def _queue_row(name: str, flow: Flow | None, waiting: int) -> Sequence[Child]:
    return (
        category_name(name),
        count(flow.inbound if flow else 0),
        count(flow.decided if flow else 0),
        count(waiting),
        span(flow.took_ms if flow else None),
        span(flow.waited_ms if flow else None),
    )


def known_table(answers: Sequence[Accuracy]) -> Safe:
    """How reviewers, or queues, fared against known answers."""
    if not answers:
        return empty(
            "No known answers were asked for",
            "Give a queue a share of them: inhouse review queues set NAME --gold-share 0.05",
        )
    rows = [
        (
            words(one.name),
            count(one.answers),
            count(one.right),
            _range(one.share),
            count(one.too_strict),
            count(one.too_mild),
        )
        for one in answers
    ]
    return table(_ACCURACY, rows, "lrrrrr")


def agreement_tables(figures: Figures) -> Safe:
    """Two people on one case, by queue and by reviewer."""
    quality = figures.quality
    pairs = [
        (
            category_name(one.queue),
            count(one.pairs.looks),
            _range(one.pairs.share),
            _number(one.pairs.kappa),
            _number(one.alpha),
        )
        for one in quality.pairs
    ]
    people = [
        (
            words(one.reviewer),
            count(one.looks.looks),
            _range(one.looks.share),
            _number(one.looks.kappa),
            UNKNOWN,
        )
        for one in quality.by_reviewer
    ]
    if not pairs and not people:
        return empty(
            "Nobody has looked a second time",
            "Let two people decide a queue: inhouse review queues set NAME --two-person",
        )
    head = ("", "cases", "agree, 95% range", "kappa", "alpha")
    parts: list[tuple[str, Sequence[Sequence[Child]]]] = [
        ("Two people who do not know of each other", pairs),
        ("Every second look, by reviewer", people),
    ]
    return join(
        [join([tag("h3", name), table(head, rows, "lrrrr")]) for name, rows in parts if rows]
    )


def _range(found: Interval | NotEnough) -> str:
    if isinstance(found, NotEnough):
        return UNKNOWN
    return f"{share(found.estimate)} ({share(found.low)} to {share(found.high)})"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"
