"""Replays of made-up communities whose right answer is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inhouse.app.imports.movielens import open_movielens
from inhouse.app.imports.tabular import open_table
from inhouse.app.replay.play import ORDER, PAGE, replay
from inhouse.app.replay.recording import Recording, recorded_by, recorded_in
from inhouse.app.replay.types import ReplayProgress, ReplayReport, ReplaySettings, Standing
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.log import EventLog
from inhouse.events.types import Event, EventKind, LoggedEvent
from inhouse.learning.settings import LearningSettings
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.settings import RecommendSettings
from inhouse.stats.types import Interval
from inhouse.store.database import Database

_DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
_MINUTE = 60_000


def _item(name: str, created_ms: int = 0) -> Item:
    return Item(item_id=ItemId(name), creator_id=UserId(f"by-{name}"), created_ms=created_ms)


def _event(number: int, user: str, item: str, kind: EventKind = "like") -> Event:
    return Event(
        event_id=EventId(f"e{number}"),
        at_ms=number * _MINUTE,
        kind=kind,
        user_id=UserId(user),
        item_id=ItemId(item),
    )


def _recording(items: list[Item], events: list[Event]) -> Recording:
    ordered = sorted(items, key=lambda item: (item.created_ms, item.item_id))
    return Recording(
        items=tuple(ordered),
        arrivals_ms=tuple(item.created_ms for item in ordered),
        users=(),
        events=tuple(
            LoggedEvent(log_offset=place, received_ms=0, event=event)
            for place, event in enumerate(events, 1)
        ),
    )


def _checkerboard(people: int, per_colour: int, each: int) -> Recording:
    """People want items of their own colour alone, in no order; nothing in an item tells its
    colour, so that only behaviour can."""
    numbers = stream(3, "checkerboard")
    items = [_item(f"{colour}{n}") for colour in ("black", "white") for n in range(per_colour)]
    wishes = [
        (f"u{user}", f"{('black', 'white')[user % 2]}{item}")
        for user in range(people)
        for item in numbers.permutation(per_colour)[:each]
    ]
    order = numbers.permutation(len(wishes))
    return _recording(items, [_event(n, *wishes[place]) for n, place in enumerate(order)])


def _quick(**changes: object) -> ReplaySettings:
    """Two short rounds of learning on a small world."""
    learning = LearningSettings(first_positives=500, every_positives=400)
    return dataclasses.replace(ReplaySettings(learning=learning, draws=100), **changes)


def _by_name(report: ReplayReport) -> dict[str, Standing]:
    return {standing.name: standing for standing in report.standings}


def _hit_rate(standing: Standing, window: int) -> float:
    measured = standing.windows[window].hit_rate
    assert isinstance(measured, Interval)
    return measured.estimate


@pytest.fixture(scope="module")
def checkerboard() -> ReplayReport:
    """A replay of a checkerboard with 60 items of each colour."""
    return replay(_checkerboard(people=40, per_colour=60, each=25), _quick())


def test_the_feed_learns_the_checkerboard(checkerboard: ReplayReport) -> None:
    """Knowing colours doubles the odds; popularity, which mixes them, cannot learn that."""
    found = _by_name(checkerboard)
    last = {name: _hit_rate(standing, -1) for name, standing in found.items()}
    popular = last["popular, half-life 7 days"]

    assert last[PAGE] > 1.4 * popular
    assert last[ORDER] > 1.4 * popular
    assert checkerboard.differences[0].baseline == "popular, half-life 7 days"
    assert checkerboard.snapshots >= 1


def test_every_first_wish_is_a_question(checkerboard: ReplayReport) -> None:
    """Here everything is wanted once by each; the numbers of the report are those of the world."""
    assert checkerboard.questions == checkerboard.events == 40 * 25
    assert (checkerboard.people, checkerboard.items, checkerboard.k) == (40, 120, 10)
    assert [window.questions for window in checkerboard.standings[0].windows] == [200] * 5
    assert checkerboard.standings[0].cold_people.questions == 40 * 5
    assert checkerboard.window_starts_ms[0] == 0
    assert list(checkerboard.window_starts_ms) == sorted(checkerboard.window_starts_ms)


def test_the_same_seed_gives_the_same_report() -> None:
    """Down to the last figure, but for the time it took."""
    recording = _checkerboard(people=20, per_colour=40, each=10)
    settings = _quick(asked_share=0.3)
    first, second = (dataclasses.replace(replay(recording, settings), took_s=0.0) for _ in range(2))

    assert first == second
    assert 30 <= first.questions <= 90


def test_the_answer_is_not_known_before_it_is_given() -> None:
    """Where every item is wanted once only, nobody can have it from what others wanted."""
    items = [_item(f"i{n}") for n in range(200)]
    events = [_event(n, f"u{n % 5}", f"i{n}") for n in range(200)]
    found = _by_name(replay(_recording(items, events), _quick()))
    baselines = [standing for name, standing in found.items() if name not in (PAGE, ORDER)]

    assert [
        standing.windows[0].questions for standing in baselines if standing.overall.questions
    ] == [40, 40]
    # All rank it with everything else that nobody wanted yet, and ties are held against them;
    # in the last window fewer than ten are left.
    assert [_hits(standing, window) for standing in baselines for window in range(4)] == [0] * 8


def _hits(standing: Standing, window: int) -> float:
    measured = standing.windows[window].hit_rate
    return measured.estimate if isinstance(measured, Interval) else 0.0


def test_repeats_and_regrets_are_no_questions() -> None:
    """A second like of an item is no news; a hide is no wish, and ends an item's chance."""
    items = [_item(f"i{n}") for n in range(30)]
    events = [
        _event(0, "a", "i0"),
        _event(1, "a", "i0", "click"),
        _event(2, "a", "i1", "hide"),
        _event(3, "a", "i1"),
        _event(4, "a", "i2", "impression"),
        _event(5, "b", "i0"),
    ]

    assert replay(_recording(items, events), _quick()).questions == 2


def test_items_cannot_be_shown_before_they_are_posted() -> None:
    """What is posted after the last event never arrives."""
    items = [_item("early"), _item("late", created_ms=10**12)]
    report = replay(_recording(items, [_event(n, "a", "early") for n in range(3)]), _quick())

    assert report.items == 1


def test_the_page_is_the_one_that_serves() -> None:
    """The settings of the feed count: exploration costs hits, which a replay is spared."""
    recording = _checkerboard(people=30, per_colour=30, each=15)
    learning = LearningSettings(first_positives=300)
    served = replay(
        recording,
        _quick(recommend=RecommendSettings(explore_share=0.5), learning=learning),
    )
    spared = replay(recording, _quick(learning=learning))
    rates = [_by_name(report)[PAGE].overall.hit_rate for report in (served, spared)]

    assert all(isinstance(rate, Interval) for rate in rates)
    assert rates[0] != rates[1]


def test_progress_tells_playing_and_learning() -> None:
    """Whoever waits sees how far it is, and when it learns."""
    told: list[ReplayProgress] = []
    recording = _checkerboard(people=40, per_colour=40, each=14)
    replay(recording, _quick(asked_share=0.01), told.append)

    assert {progress.doing for progress in told} == {"playing", "learning"}
    assert [p.events for p in told if p.doing == "playing"] == [500]
    assert {progress.total for progress in told} == {560}


def test_permissive_lets_everything_through() -> None:
    """A recording has no verdicts, and needs none."""
    column = Permissive().column("feed", "minor")
    assert column.take(np.arange(3), mode="clip").tolist() == [0, 0, 0]
    assert Permissive().policy.version == "permissive"


def test_a_community_is_recorded_in_the_order_of_time(database: Database) -> None:
    """Whatever the log's order: events by time, items by when they could first be shown."""
    Catalog(database).put_items([_item("a", 5_000), _item("b", 100), _item("c", 90_000)])
    events = [_event(2, "u", "a"), _event(0, "u", "c"), _event(1, "v", "b")]
    EventLog(database).append(events)
    recording = recorded_in(database)

    assert [(e.log_offset, e.event.event_id) for e in recording.events] == [
        (1, "e0"),
        (2, "e1"),
        (3, "e2"),
    ]
    assert [item.item_id for item in recording.items] == ["c", "b", "a"]
    assert recording.arrivals_ms == (0, 100, 5_000)


def test_an_empty_community_cannot_be_replayed(database: Database) -> None:
    """The message says what is missing."""
    with pytest.raises(InputError) as caught:
        recorded_in(database)

    assert str(caught.value) == "there are 0 items and 0 events; import some of both first"


def test_files_are_recorded_without_being_kept(tmp_path: Path) -> None:
    """Items and events from two files, by the same rules as an import."""
    (tmp_path / "items.csv").write_text("item_id,creator_id\na,c\nb,c\n")
    (tmp_path / "events.csv").write_text(
        "user_id,kind,item_id,at_ms\nu,like,a,20\nu,like,nowhere,30\nu,click,b,10\n"
    )
    recording = recorded_by(
        [open_table(tmp_path / f"{table}.csv", "csv", table, []) for table in ("items", "events")]
    )

    assert [(e.event.item_id, e.event.at_ms) for e in recording.events] == [("b", 10), ("a", 20)]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["events.csv", "items.csv"]


@pytest.mark.slow
@pytest.mark.skipif(
    not (_DATA / "ml100k").is_dir(), reason="the data set ml100k is not beside the project"
)
def test_real_behaviour_beats_popularity_from_the_first_days() -> None:
    """On the first 2,500 ratings of MovieLens-100K, long before there is much to learn from."""
    whole = recorded_by([open_movielens(_DATA / "ml100k")])
    report = replay(
        dataclasses.replace(whole, events=whole.events[:2_500]),
        ReplaySettings(learning=LearningSettings(first_positives=1_200), draws=200),
    )
    popular = report.differences[0]

    assert popular.baseline == "popular, half-life 7 days"
    assert isinstance(popular.hit_rate, Interval)
    assert popular.hit_rate.low > 0
