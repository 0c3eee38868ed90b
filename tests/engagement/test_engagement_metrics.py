"""Metrics over small logs whose answers are known, and laws that hold for any log."""

import json
import random
from itertools import pairwise

import msgspec
import pytest
from engagement_world import FIRST_DAY, at, did, log
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS, MINUTE_MS
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.engagement.metrics import Metrics
from inhouse.engagement.types import DayMetrics, Engagement, Retention, Return
from inhouse.events.types import Event, EventKind
from inhouse.stats.intervals import wilson
from inhouse.store import tables
from inhouse.store.database import Database


def by_day(found: Engagement) -> list[DayMetrics]:
    """The days of a picture, oldest first."""
    return list(found.days)


def returned(people: int, came_back: int) -> Return:
    """A return with its interval."""
    return Return(people=people, came_back=came_back, rate=wilson(came_back, people))  # type: ignore[arg-type]


def test_an_empty_log_has_no_days(database: Database) -> None:
    """Nothing happened: no days, no cohorts, no rates, and no zeros that look like facts."""
    found = Metrics(database).engagement(at(5))
    assert ((), (), Retention(d1=None, d7=None, d30=None)) == (
        found.days,
        found.cohorts,
        found.retention,
    )
    assert (
        found.log_offset,
        found.creators.share_seen,
        found.creators.gini_posts,
    ) == (0, None, None)
    assert found.active_days == (0,) * 28


def test_a_day_by_hand(database: Database) -> None:
    """Two people, three sessions, and every count and rate of the day."""
    log(
        database,
        [
            did("ann", at(0, 9), "visit"),
            did("ann", at(0, 9, 1), "impression", "a"),
            did("ann", at(0, 9, 5), "watch", "a", 20_000),
            did("ann", at(0, 9, 6), "like", "a"),
            did("bob", at(0, 10), "impression", "a"),
            did("bob", at(0, 10), "impression", "b"),
            did("bob", at(0, 10, 2), "dwell", "b", 4_000),
            did("bob", at(0, 10, 3), "hide", "b"),
            did("bob", at(0, 10, 4), "report", "b"),
            did("ann", at(0, 12), "impression", "b"),
        ],
    )
    expected = DayMetrics(
        day="2024-10-04",
        complete=False,
        dau=2,
        wau=2,
        mau=2,
        stickiness=1.0,
        new=2,
        returning=0,
        resurrecting=0,
        dormant=0,
        sessions=3,
        sessions_per_person=1.5,
        session_ms_mean=(6 + 4 + 0) / 3 * MINUTE_MS,
        session_ms_median=4.0 * MINUTE_MS,
        time_ms=24_000.0,
        time_ms_per_person=12_000.0,
        impressions=4,
        likes=1,
        hides=1,
        reports=1,
        hides_per_1k=250.0,
        reports_per_1k=250.0,
    )
    assert [expected] == by_day(Metrics(database).engagement(at(0, 23)))


def test_a_session_that_crosses_midnight_is_one_session_and_two_active_days(
    database: Database,
) -> None:
    """It counts where it began; its person is active on both days."""
    log(database, [did("ann", at(0, 23, 50)), did("ann", at(1, 0, 10)), did("ann", at(1, 0, 30))])
    first, second = by_day(Metrics(database).engagement(at(1, 12)))
    assert (first.dau, first.sessions, first.session_ms_mean) == (1, 1, 40.0 * MINUTE_MS)
    assert (second.dau, second.sessions, second.session_ms_mean) == (1, 0, None)
    assert (second.returning, second.sessions_per_person) == (1, 0.0)


def test_exactly_half_an_hour_is_still_one_session(database: Database) -> None:
    """A gap of 30 minutes joins, a millisecond more parts."""
    start = at(0, 8)
    log(
        database,
        [
            did("ann", start),
            did("ann", start + 30 * MINUTE_MS),
            did("bob", start),
            did("bob", start + 30 * MINUTE_MS + 1),
        ],
    )
    assert [day.sessions for day in Metrics(database).engagement(at(0, 20)).days] == [3]


def test_a_late_event_joins_two_sessions(database: Database) -> None:
    """What arrives after the fact is counted as if it had come in time."""
    metrics = Metrics(database)
    log(database, [did("ann", at(0, 8)), did("ann", at(0, 8, 50)), did("bob", at(3))])
    assert metrics.engagement(at(3, 1)).days[0].sessions == 2
    log(database, [did("ann", at(0, 8, 25))])
    assert metrics.engagement(at(3, 1)).days[0].sessions == 1


def test_a_late_event_moves_the_first_day(database: Database) -> None:
    """Someone seen earlier than thought belongs to the earlier cohort from then on."""
    metrics = Metrics(database)
    log(database, [did("ann", at(5))])
    assert [c.day for c in metrics.engagement(at(5, 1)).cohorts] == ["2024-10-09"]
    log(database, [did("ann", at(2))])
    found = metrics.engagement(at(5, 1))
    assert [(c.day, c.people) for c in found.cohorts] == [("2024-10-06", 1)]
    assert [found.days[0].day, found.days[-1].day] == ["2024-10-06", "2024-10-09"]
    assert found.days[-1].resurrecting == 1


def test_windows_of_actives(database: Database) -> None:
    """A person stays in WAU for 7 days and in MAU for 28, counted once however often active."""
    log(
        database,
        [did("ann", at(0)), did("ann", at(3)), did("bob", at(3)), did("cy", at(40))],
    )
    days = by_day(Metrics(database).engagement(at(40), days=60))
    assert len(days) == 41
    assert [day.wau for day in days[:11]] == [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0]
    assert (days[30].mau, days[31].mau) == (2, 0)
    assert (days[35].stickiness, days[40].stickiness) == (None, 1.0)


def test_lifecycle_of_one_person(database: Database) -> None:
    """New, returning, away, resurrecting, away."""
    log(database, [did("ann", at(day)) for day in (0, 1, 4)])
    days = by_day(Metrics(database).engagement(at(6)))
    found = [(d.new, d.returning, d.resurrecting, d.dormant) for d in days]
    away, gone = (0, 0, 0, 1), (0, 0, 0, 0)
    assert [(1, 0, 0, 0), (0, 1, 0, 0), away, gone, (0, 0, 1, 0), away, gone] == found


def test_returns_are_unknown_until_their_day_is_over(database: Database) -> None:
    """On the day itself the return is None, on the day after it is a rate."""
    metrics = Metrics(database)
    log(database, [did("ann", at(0)), did("bob", at(0)), did("ann", at(1)), did("bob", at(7))])
    assert None is metrics.engagement(at(1, 23, 59)).cohorts[0].d1
    known = metrics.engagement(at(2)).cohorts[0]
    assert (returned(2, 1), None, None) == (known.d1, known.d7, known.d30)
    later = metrics.engagement(at(30, 23), days=60)
    assert (returned(2, 1), returned(2, 1), None) == (
        later.cohorts[0].d1,
        later.cohorts[0].d7,
        later.cohorts[0].d30,
    )
    assert returned(2, 0) == metrics.engagement(at(31), days=60).cohorts[0].d30


def test_retention_pools_the_cohorts_whose_day_is_over(database: Database) -> None:
    """Three people on two days; the third's next day is today and does not count yet."""
    events = [did("ann", at(0)), did("ann", at(1)), did("bob", at(0)), did("cy", at(1))]
    log(database, [*events, did("cy", at(2))])
    found = Metrics(database).engagement(at(2, 12)).retention
    assert Retention(d1=returned(2, 1), d7=None, d30=None) == found


def test_retention_looks_at_returns_within_the_window_only(database: Database) -> None:
    """With a window of one day, D1 is yesterday's answer of those new the day before."""
    log(database, [did("ann", at(0)), did("bob", at(1)), did("bob", at(2)), did("cy", at(9))])
    assert returned(1, 1) == Metrics(database).engagement(at(3), days=1).retention.d1


def test_the_future_is_left_out(database: Database) -> None:
    """A sender whose clock runs ahead is counted when that day comes."""
    metrics = Metrics(database)
    log(database, [did("ann", at(0)), did("bob", at(1))])
    found = metrics.engagement(at(0, 12))
    assert ([day.dau for day in found.days], sum(found.active_days)) == ([1], 1)
    assert [day.dau for day in metrics.engagement(at(1, 12)).days] == [1, 1]


def test_active_days_are_counted_within_four_weeks(database: Database) -> None:
    """One person on three of the last 28 days, one on one; older days do not count."""
    days = [(2, "ann"), (3, "ann"), (20, "ann"), (28, "ann"), (30, "bob")]
    log(database, [did(user, at(day)) for day, user in days])
    found = Metrics(database).engagement(at(30)).active_days
    assert {n + 1: people for n, people in enumerate(found) if people} == {1: 1, 3: 1}


def item(name: str, creator: str) -> Item:
    """A post in the catalog."""
    return Item(item_id=ItemId(name), creator_id=UserId(creator))


def test_attention_over_posts_and_creators(database: Database) -> None:
    """Three of four posts seen, all of one creator's; the unseen count as nothing got."""
    Catalog(database).put_items(
        [item("a", "cat"), item("b", "cat"), item("c", "cat"), item("d", "dan")]
    )
    log(database, [did("ann", at(0), "impression", name) for name in ("a", "a", "b", "c")])
    found = Metrics(database).engagement(at(0, 1)).creators
    assert (
        found.posts,
        found.posts_seen,
        found.share_seen,
        found.creators,
        found.creators_seen,
        found.impressions,
    ) == (4, 3, 0.75, 2, 1, 4)
    assert (pytest.approx(0.375), pytest.approx(0.5)) == (found.gini_posts, found.gini_creators)


def test_a_post_that_joins_the_catalog_late_finds_its_creator(database: Database) -> None:
    """Impressions imported before their posts count once the posts are there."""
    metrics = Metrics(database)
    log(database, [did("ann", at(0), "impression", "a")])
    assert (
        metrics.engagement(at(0, 1)).creators.posts_seen,
        metrics.engagement(at(0, 1)).creators.creators_seen,
    ) == (0, 0)
    Catalog(database).put_items([item("a", "cat")])
    found = metrics.engagement(at(0, 2)).creators
    assert (found.posts_seen, found.creators_seen) == (1, 1)


def test_creators_count_the_window_only(database: Database) -> None:
    """An impression before the window is not attention now."""
    Catalog(database).put_items([item("a", "cat")])
    log(database, [did("ann", at(0), "impression", "a"), did("ann", at(9))])
    assert Metrics(database).engagement(at(9), days=3).creators.impressions == 0


def test_only_new_events_are_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second ask reads one event, not the log."""
    metrics = Metrics(database)
    log(database, [did("ann", at(0, 0, n)) for n in range(50)])
    metrics.engagement(at(0, 1))
    read: list[int] = []
    from_log = metrics._aggregates._fold
    monkeypatch.setattr(
        metrics._aggregates, "_fold", lambda chunk: (read.append(len(chunk)), from_log(chunk))
    )
    log(database, [did("ann", at(0, 3))])
    assert metrics.engagement(at(0, 4)).log_offset == 51
    metrics.engagement(at(0, 4))
    assert read == [1]


def test_the_answer_is_json(database: Database) -> None:
    """What the API and the console send is the dataclass as it is."""
    log(database, [did("ann", at(0)), did("ann", at(1))])
    found = json.loads(msgspec.json.encode(Metrics(database).engagement(at(2))))
    assert (found["days"][0]["dau"], found["cohorts"][0]["d1"]["rate"]["estimate"]) == (1, 1.0)


@pytest.mark.parametrize("days", [0, 1_001])
def test_an_absurd_window_is_refused(database: Database, days: int) -> None:
    """Zero days or three years of them are named as the mistake."""
    with pytest.raises(InputError, match=f"days is {days}, expected 1 to 1000"):
        Metrics(database).engagement(at(0), days=days)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cy"]),
        st.integers(0, 5 * 24 * 12),  # five days in steps of five minutes
        st.sampled_from(["visit", "impression", "like"]),
    ),
    min_size=1,
    max_size=60,
)


def brute_force(events: list[Event], today: int) -> list[tuple[int, int, int, int]]:
    """DAU, WAU, newcomers and sessions of each day, the slow way."""
    days: dict[int, set[str]] = {}
    for e in events:
        days.setdefault(e.at_ms // DAY_MS, set()).add(e.user_id)
    first = {
        user: min(d for d, users in days.items() if user in users)
        for user in {e.user_id for e in events}
    }
    starts: list[int] = []
    for user in first:
        times = sorted(e.at_ms for e in events if e.user_id == user)
        starts.append(times[0] // DAY_MS)
        starts.extend(b // DAY_MS for a, b in pairwise(times) if b - a > 30 * MINUTE_MS)
    return [
        (
            len(days.get(day, set())),
            len(set().union(*(days.get(d, set()) for d in range(day - 6, day + 1)))),
            sum(1 for d in first.values() if d == day),
            starts.count(day),
        )
        for day in range(min(days), today + 1)
    ]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=EVENTS, cuts=st.integers(1, 5), seed=st.integers(0, 99))
def test_any_order_and_any_batches_give_the_slow_answer(
    database: Database, rows: list[tuple[str, int, EventKind]], cuts: int, seed: int
) -> None:
    """Shuffled, and folded in several asks, the metrics equal a brute-force count."""
    database.write(lambda connection: connection.execute(tables.events.delete()))
    events = [
        did(user, at(0, 0, 5 * step), kind, None if kind == "visit" else "a")
        for user, step, kind in rows
    ]
    random.Random(seed).shuffle(events)
    metrics, today = Metrics(database), at(6)
    for part in range(cuts):
        log(database, events[part::cuts])
        metrics.engagement(today)
    found = [(d.dau, d.wau, d.new, d.sessions) for d in metrics.engagement(today).days]
    assert brute_force(events, FIRST_DAY + 6) == found
