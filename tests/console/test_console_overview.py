"""The overview: facts of a seeded community, and the words made of them."""

import dataclasses
from decimal import Decimal

from inhouse.app.build import Services
from inhouse.app.roles.lag import lag_of
from inhouse.catalog.types import Item
from inhouse.console.gathering import Gathered, Latest
from inhouse.console.overview import page
from inhouse.console.overview.experiment import effect_words, experiment_html
from inhouse.console.overview.health import (
    ApiHealth,
    HealthFacts,
    Light,
    ModelHealth,
    lights,
)
from inhouse.console.overview.model import gather
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, SnapshotId, UserId
from inhouse.engagement.experiments.report import Comparison
from inhouse.moderation.judging.breaker import BreakerEvent, append_events
from inhouse.stats.types import Interval, NotEnough

WELL = HealthFacts(
    now_ms=10 * DAY_MS,
    wall_ms=20 * DAY_MS,
    api_at="http://127.0.0.1:8700",
    api=ApiHealth(items=40, people=1, log_offset=990, snapshot_id="snap-1"),
    log_offset=1_000,
    received_ms=20 * DAY_MS - 1_500,
    model=ModelHealth(
        snapshot_id=SnapshotId("snap-1"), log_offset=900, created_ms=10 * DAY_MS - HOUR_MS
    ),
    awaiting=0,
    queue=0,
    oldest_case_ms=None,
)


def _light(name: str, **change: object) -> Light:
    found = {light.name: light for light in lights(dataclasses.replace(WELL, **change))}
    return found[name]


def test_everything_well_is_said_so() -> None:
    """Five lights, all good, each with what it is about."""
    assert [(light.name, light.state, light.value) for light in lights(WELL)] == [
        ("API", "good", "answers"),
        ("Log", "good", "1,000"),
        ("Feed model", "good", "1 h old"),
        ("Awaiting a verdict", "good", "0"),
        ("Review queue", "good", "0"),
    ]


def test_a_legal_duty_comes_first() -> None:
    """Where a sealed post is not reported yet, the overview begins with it."""
    first = lights(dataclasses.replace(WELL, duties=2))[0]

    assert (first.name, first.state, first.value) == (
        "Legal duty",
        "bad",
        "2 sealed posts to report",
    )


def test_what_is_not_well_says_what_to_do() -> None:
    """Each light turns for its own reason."""
    down = _light("API", api=None)
    assert (down.state, down.remark) == (
        "bad",
        "no answer at http://127.0.0.1:8700; start it with inhouse up",
    )
    assert _light("Log", received_ms=None, log_offset=0).value == "empty"
    assert _light("Log", wall_ms=21 * DAY_MS).state == "warn"
    assert _light("Feed model", model=None).value == "none yet"
    assert _light("Feed model", log_offset=500_000).state == "warn"
    assert _light("Awaiting a verdict", awaiting=10_000).value == "at least 10,000"
    late = _light("Review queue", queue=3, oldest_case_ms=8 * DAY_MS)
    assert (late.state, late.remark) == ("warn", "open cases, the oldest waits for 2 d")


def test_an_open_breaker_is_a_light_of_its_own(services: Services) -> None:
    """It says which rule removed how much, and what to do; closed it takes no place."""
    opened = BreakerEvent(at_ms=5, kind="opened", rule="spam", removals=1_200, judged=4_000)
    light = _light("Circuit breaker", breakers=(opened,))
    assert (light.state, light.value, light.remark) == (
        "bad",
        "open",
        "the rule spam removed 1,200 of 4,000 posts judged within an hour; look at them, then "
        "inhouse moderate breaker reset",
    )
    assert gather(services).health.breakers == ()
    services.database.write(lambda connection: append_events(connection, [opened]))
    assert gather(services).health.breakers == (opened,)


def test_a_model_the_api_has_not_taken_yet_is_named() -> None:
    """Between publication and the next look of the API, the page says so."""
    old = ApiHealth(items=1, people=1, log_offset=1_000, snapshot_id="snap-0")
    assert _light("Feed model", api=old).remark.endswith("; the API is about to take it")


def test_facts_of_a_seeded_community(services: Services) -> None:
    """People, the experiment, the bill and moderation are all read from their own logs."""
    facts = gather(services)
    assert len(facts.engagement.days) == 12
    assert [one.key for one in facts.running] == ["learned-feed"]
    assert (facts.health.queue, facts.health.awaiting, facts.health.api) == (5, 4, None)
    assert facts.month.spend_usd == 0
    assert facts.month.simulated_usd > Decimal("0.5")
    assert facts.daily.owned[0] == 0.0
    assert facts.daily.owned[-1] == 1.0
    assert page.owned_chart(facts)["series"][0]["data"][-1] == 100.0
    assert len(page.actives_chart(facts)["xAxis"]["data"]) == 11  # the twelfth is not over


def test_words_of_a_seeded_community(services: Services) -> None:
    """The page tells of every part, and marks what is simulated."""
    facts = gather(services)
    assert "API" in page.heading(facts)
    people = page.people(facts)
    assert "Come back the next day" in people
    assert "95% interval" in people
    assert "simulated" in page.models(facts)
    shown = page.experiments(facts)
    assert "learned-feed" in shown
    assert "control" in shown
    assert "arms filled as planned" in shown


def test_an_empty_community_says_what_will_appear(empty_services: Services) -> None:
    """No chart, table or figure is blank without a word."""
    facts = gather(empty_services)
    assert page.people(facts) == page.NO_PEOPLE
    assert "No experiment runs" in page.experiments(facts)
    assert "—" in page.models(facts)
    assert facts.daily.days == ()


def test_an_effect_is_told_with_its_interval_or_as_unknown() -> None:
    """Never a number without a range, never a range without enough people."""
    known = Comparison(
        arm="learned",
        difference=Interval(estimate=30.0, low=12.0, high=48.0, level=0.95),
        relative=Interval(estimate=0.12, low=0.05, high=0.19, level=0.95),
        answer="better",
    )
    assert effect_words("time_s", known) == (
        "learned: +12.0% watch and dwell time, 95% interval +5.0% to +19.0%"
    )
    missing = NotEnough(reason="too few people in an arm", have=24, need=100)
    unknown = dataclasses.replace(known, relative=missing, difference=missing)
    assert effect_words("d1_return", unknown) == (
        "learned: day-1 return, not enough data yet: too few people in an arm (24 of 100)"
    )


def test_an_interval_is_drawn_inside_its_axis(services: Services) -> None:
    """However wide an interval is, its bar stays on the page."""
    results = gather(services).running[0]
    drawn = experiment_html(results)
    ends = [float(part.partition("%")[0]) for part in drawn.split("left:")[1:]]
    assert ends
    assert all(0 <= end <= 100 for end in ends)


def test_awaiting_counts_posts_that_moderation_has_not_come_to(services: Services) -> None:
    """A new post is awaiting, counted once however often it changes."""
    before = lag_of(services.database).posts_awaiting
    for title in ("first", "second"):
        post = Item(item_id=ItemId("new"), creator_id=UserId("maker-0"), title=title, created_ms=1)
        services.catalog.put_items([post])
    assert lag_of(services.database).posts_awaiting == before + 1


class _Stepping:
    """A clock that each look at it moves on."""

    def __init__(self, step_s: float) -> None:
        self.now_s = 0.0
        self._step_s = step_s

    def __call__(self) -> float:
        self.now_s += self._step_s
        return self.now_s


def test_latest_facts_are_kept_and_outlive_a_store_that_does_not_answer() -> None:
    """Who looks within some seconds sees the same; a fault leaves the facts and says why."""
    asked: list[int] = []

    def gather_once() -> int:
        asked.append(len(asked))
        if len(asked) == 2:
            raise StoreError("the database is busy")
        return 7

    kept = Latest(gather_once, keep_s=60)
    assert [kept.get().facts, kept.get().facts, len(asked)] == [7, 7, 1]
    asked.clear()
    clock = _Stepping(0.0)
    fresh = Latest(gather_once, keep_s=5, now_s=clock)
    answers = []
    for _ in range(3):
        answers.append(fresh.get())
        clock.now_s += 5
    assert answers == [
        Gathered(facts=7),
        Gathered(facts=7, trouble="the database is busy"),
        Gathered(facts=7),
    ]


def test_facts_that_take_long_are_kept_for_longer() -> None:
    """Gathering takes two seconds here, so for eighteen more nothing is gathered again."""
    asked: list[int] = []
    clock = _Stepping(2.0)
    slow = Latest(lambda: asked.append(0), keep_s=1, now_s=clock)
    for _ in range(9):
        slow.get()
    assert (len(asked), clock.now_s) == (1, 20.0)
    slow.get()
    assert len(asked) == 2
