"""The overview as HTML and charts: pure functions of its facts."""

from collections.abc import Sequence
from datetime import date

from inhouse.console.charts import VENDOR_COLOURS, Options, columns, lines, shares
from inhouse.console.markup import Safe, empty, join, simulated, tag, tile, tiles
from inhouse.console.overview.experiment import experiment_html, no_experiment
from inhouse.console.overview.health import lights
from inhouse.console.overview.model import OverviewFacts
from inhouse.console.spending import cost_of, day_name
from inhouse.console.words import UNKNOWN, count, minutes, moment, money, plural, share
from inhouse.core.clock import MINUTE_MS
from inhouse.engagement.types import DayMetrics, Return

NO_PEOPLE = empty(
    "Nobody has come by yet",
    "Daily actives and the time people spend appear here with the first events the app sends.",
)
NO_CALLS = empty(
    "No model was asked yet",
    "The share answered by models you own appears here, day by day, with the first judgement.",
)


def heading(facts: OverviewFacts) -> Safe:
    """The page's first lines."""
    troubles = [light for light in lights(facts.health) if light.state in ("warn", "bad")]
    words = (
        "Everything is well."
        if not troubles
        else f"{plural(len(troubles), 'thing')} to look at: "
        + ", ".join(light.name.lower() if light.name != "API" else "API" for light in troubles)
        + "."
    )
    now = f"Community time {moment(facts.now_ms)} UTC."
    return join([tag("h1", "Overview"), tag("p", f"{words} {now}", class_="lead")])


def health(facts: OverviewFacts) -> Safe:
    """The lights."""
    found = lights(facts.health)
    return tiles(*(tile(one.name, one.value, one.remark, one.state or "off") for one in found))


def people(facts: OverviewFacts) -> Safe:
    """People in figures: today, and the last day that is over."""
    days = facts.engagement.days
    if not days:
        return NO_PEOPLE
    today = days[-1]
    whole = next((day for day in reversed(days) if day.complete), None)
    returned = facts.engagement.retention.d1
    return tiles(
        tile("Active today", count(today.dau), _yesterday(whole)),
        tile("Come back the next day", *_return_words(returned)),
        tile("Time per person", *_time_words(today, whole)),
        tile(
            "Visits per person",
            UNKNOWN if today.sessions_per_person is None else f"{today.sessions_per_person:.1f}",
            f"{count(today.sessions)} today",
        ),
        tile(
            "Unwanted per 1,000 seen",
            _per_1k(today),
            f"{plural(today.hides, 'hide')} and {plural(today.reports, 'report')} today",
        ),
    )


def _yesterday(whole: DayMetrics | None) -> str:
    return f"{count(whole.dau)} the day before" if whole else "the first day"


def _return_words(returned: Return | None) -> tuple[str, str]:
    if returned is None:
        return UNKNOWN, "known once somebody's second day is over"
    low, high = share(returned.rate.low), share(returned.rate.high)
    interval = f"{share(returned.rate.level)} interval {low} to {high}"
    return share(returned.rate.estimate, 1), f"of {count(returned.people)}, {interval}"


def _time_words(today: DayMetrics, whole: DayMetrics | None) -> tuple[str, str]:
    before = f"{minutes(whole.time_ms_per_person)} the day before" if whole else "watching, reading"
    return minutes(today.time_ms_per_person), before


def _per_1k(today: DayMetrics) -> str:
    if today.hides_per_1k is None or today.reports_per_1k is None:
        return UNKNOWN
    return f"{today.hides_per_1k + today.reports_per_1k:.1f}"


def actives_chart(facts: OverviewFacts) -> Options:
    """People a day."""
    days = _whole(facts.engagement.days)
    names = [_day_name(day) for day in days]
    return lines(names, {"active people": [day.dau for day in days]}, "")


def time_chart(facts: OverviewFacts) -> Options:
    """Minutes per person a day."""
    days = _whole(facts.engagement.days)
    values = [
        None if day.time_ms_per_person is None else round(day.time_ms_per_person / MINUTE_MS, 2)
        for day in days
    ]
    return lines([_day_name(day) for day in days], {"minutes per person": values}, "min")


def _whole(days: Sequence[DayMetrics]) -> Sequence[DayMetrics]:
    """The days that are over: one that has begun looks like a fall. On the first day, that day."""
    return [day for day in days if day.complete] or days


def _day_name(day: DayMetrics) -> str:
    return day_name((date.fromisoformat(day.day) - date(1970, 1, 1)).days)


def experiments(facts: OverviewFacts) -> Safe:
    """The experiments that run."""
    if not facts.running:
        return tag("div", no_experiment(), class_="panel")
    return join(tag("div", experiment_html(one), class_="panel") for one in facts.running)


def models(facts: OverviewFacts) -> Safe:
    """The models in figures."""
    cost = cost_of(facts.month)
    mark = simulated() if cost.simulated else None
    per_1k = cost.per_1k_usd
    return tiles(
        tile("Bill this month", join([money(cost.spend_usd), mark], " "), _judged(cost.calls)),
        tile(
            "Per 1,000 judgements",
            join([UNKNOWN if per_1k is None else money(per_1k), mark], " "),
            "owned ones included",
        ),
        tile("Answered by your own models", share(facts.month.owned_calls), "this month"),
    )


def _judged(calls: int) -> str:
    return plural(calls, "judgement")


def owned_chart(facts: OverviewFacts) -> Options:
    """The share of owned models over time."""
    return shares(facts.daily.days, facts.daily.owned, "answered by your own models")


def spend_chart(facts: OverviewFacts) -> Options:
    """Dollars a day by vendor."""
    return columns(facts.daily.days, facts.daily.spend_usd, "$", VENDOR_COLOURS)
