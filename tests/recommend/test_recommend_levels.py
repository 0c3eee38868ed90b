"""Pages that cost less: what each level leaves out, what it never does, and what failures leave."""

from collections.abc import Callable

import numpy as np
import pytest
from recommend_worlds import ME, NOW_MS, ColourModel, World, checkerboard, ids, query, removed

from inhouse.core.clock import DAY_MS, MINUTE_MS
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import ServedPage
from inhouse.features.reserves import Reserves
from inhouse.recommend import pipeline
from inhouse.recommend.explain import explain
from inhouse.recommend.levels import level_for
from inhouse.recommend.moment import Moment
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.sources import SOURCES, Source
from inhouse.recommend.types import FeedQuery, Offer

P0 = UserId("p0")


def _ask(level: int, **given: object) -> FeedQuery:
    return query(**{"user_id": P0, "n": 10, "level": level, **given})


def _after_a_page(**settings: object) -> tuple[World, Feed, ServedPage]:
    """A person who has just got a page, whose reserve is remembered."""
    world = checkerboard()
    feed = world.feed(**settings)
    feed.use(ColourModel())
    page = feed.serve(_ask(0))
    world.show(page)
    return world, feed, page


def _sources(page: ServedPage) -> set[str]:
    return {name for shown in page.items for name in shown.sources}


def test_level_1_ranks_a_quarter_by_the_same_model() -> None:
    """Still the person's colour and still ranked, but nothing by chance or likeness."""
    _, feed, _ = _after_a_page()
    full, fewer = (feed.trace(_ask(level)) for level in (0, 1))

    assert len(fewer.candidates) < len(full.candidates) / 2
    assert fewer.page.level == 1
    assert fewer.page.snapshot_id == "snap-1"
    assert all(int(shown.item_id[1:]) % 2 == 0 for shown in fewer.page.items)
    assert not {"similar", "explore"} & _sources(fewer.page)
    assert [shown.propensity for shown in fewer.page.items] == [1.0] * 10


def test_level_1_fills_long_pages() -> None:
    """The quotas grow with the page, since a quarter of them would not fill it."""
    world = checkerboard(items=600, people=1)
    page = world.feed().serve(_ask(1, n=100))

    assert len(page.items) == 100


def test_level_2_serves_what_the_last_page_left_over_in_its_order() -> None:
    """No model is asked; the page names the one it came from, and says nothing was predicted."""
    world, feed, before = _after_a_page()
    page = feed.serve(_ask(2))
    served = set(ids(before))

    assert ids(page) == [name for name in before.reserve if name not in served][:10]
    assert (page.level, page.kept_from, page.snapshot_id) == (2, before.page_id, None)
    assert _sources(page) >= {"reserve"}
    assert [(shown.predicted, shown.propensity) for shown in page.items] == [({}, 1.0)] * 10
    assert page.items[0].value == 0.0
    assert ids(page) != ids(feed.serve(_ask(3)))
    world.show(page)
    assert not set(ids(page)) & set(ids(feed.serve(_ask(2))))


def test_a_reserve_that_runs_dry_is_filled_with_what_trends() -> None:
    """What is left of the reserve stands first."""
    world, feed, before = _after_a_page()
    left = list(before.reserve[:3])
    for name in before.reserve[3:]:
        world.event("impression", name, user=P0)
    page = feed.serve(_ask(2))

    assert ids(page)[:3] == left
    assert len(page.items) == 10
    assert {shown.source for shown in page.items[3:]} == {"trending"}


def test_a_page_made_of_a_reserve_leaves_the_reserve_as_it_was() -> None:
    """Else a person would slide from their taste to what is trending, page by page."""
    world, feed, before = _after_a_page()
    for _ in range(2):
        world.show(feed.serve(_ask(2)))
    reserve = world.state.reserves.of(P0)

    assert reserve is not None
    assert reserve.page_id == before.page_id


@pytest.mark.parametrize("user", [UserId("p1"), UserId("stranger")])
def test_without_a_reserve_level_2_is_level_3(user: UserId) -> None:
    """The page says what was done, not what was meant."""
    _, feed, _ = _after_a_page()
    page = feed.serve(_ask(2, user_id=user))

    assert (page.level, page.kept_from) == (3, None)
    assert {shown.source for shown in page.items} == {"trending"}


def test_level_3_is_the_same_list_for_everybody_but_for_what_each_has_seen() -> None:
    """In the order of heat."""
    world = World()
    for i in range(6):
        world.item(f"i{i}", creator=f"c{i}")
        for k in range(6 - i):
            world.event("like", f"i{i}", user=f"fan{k}", at_ms=NOW_MS - MINUTE_MS)
    world.event("impression", "i1")
    feed = world.feed()
    mine, theirs = (feed.serve(query(level=3, user_id=UserId(u))) for u in (ME, "other"))

    assert ids(theirs) == [f"i{i}" for i in range(6)]
    assert ids(mine) == ["i0", "i2", "i3", "i4", "i5"]
    assert removed(mine) == {"i1": "seen"}


def test_the_shared_list_is_for_the_region_and_no_creators_own() -> None:
    """A creator's fourth stands behind all others; other regions' posts use no room in it."""
    world = World()
    for i in range(5):
        world.item(f"loud{i}", creator="loud")
        world.item(f"far{i}", creator=f"f{i}", region="FR")
        world.item(f"near{i}", creator=f"n{i}", region="NZ")
    for kind in ("loud", "far", "near"):
        for i in range(5):
            for k in range(9 if kind == "loud" else 2):
                world.event("like", f"{kind}{i}", user=f"fan{k}")
    world.user(region="NZ")
    page = world.feed().serve(query(level=3, surface="trending"))

    assert ids(page) == [
        *(f"loud{i}" for i in range(3)),
        *(f"near{i}" for i in range(5)),
        *(f"loud{i}" for i in range(3, 5)),
    ]


def test_the_shared_list_is_made_anew_each_second() -> None:
    """Within the second it stands; nothing in it is shown that was taken down meanwhile."""
    world = World()
    rows = [world.item(name, creator=name) for name in ("a", "b", "c")]
    for name in ("a", "b"):
        world.event("like", name, user="fan")
    feed = world.feed()
    first = feed.serve(query(level=3, surface="trending"))
    world.event("like", "c", user="fan", at_ms=NOW_MS)
    world.board.by_row[rows[0]] = "remove"
    within = feed.serve(query(level=3, surface="trending", now_ms=NOW_MS + 999))
    after = feed.serve(query(level=3, surface="trending", now_ms=NOW_MS + 1_000))

    assert sorted(ids(first)) == ["a", "b"]
    assert ids(within) == ["b"]
    assert sorted(ids(after)) == ["b", "c"]


def test_pins_and_blocks_hold_at_every_level() -> None:
    """What operators ordered costs nothing."""
    world, feed, before = _after_a_page()
    reserved = before.reserve
    world.rule("pin", f"item:{reserved[9]}", position=1)
    world.rule("block", f"item:{reserved[0]}")
    pages = [feed.serve(_ask(level)) for level in (1, 2, 3)]

    assert [ids(page)[1] for page in pages] == [reserved[9]] * 3
    assert all(reserved[0] not in ids(page) for page in pages)


@pytest.mark.parametrize("surface", ["following", "latest"])
def test_an_order_that_was_promised_is_kept_whole(surface: str) -> None:
    """They cost less than any level, and say that nothing was left out."""
    world, feed, _ = _after_a_page()
    world.event("follow", target="creator:c1", user=P0)
    full, most = (feed.serve(_ask(level, surface=surface)) for level in (0, 3))

    assert (ids(most), most.level, len(most.removed)) == (ids(full), 0, len(full.removed))


def test_similar_stays_similar() -> None:
    """With fewer candidates, never with what is merely trending."""
    _, feed, _ = _after_a_page()
    page = feed.serve(_ask(3, surface="similar", item_id=ItemId("i8")))

    assert (page.level, {shown.source for shown in page.items}) == (1, {"similar"})


@pytest.mark.parametrize(
    ("surface", "asked", "has_reserve", "level"),
    [
        ("for_you", 0, True, 0),
        ("for_you", 1, False, 1),
        ("for_you", 2, True, 2),
        ("for_you", 2, False, 3),
        ("for_you", 3, True, 3),
        ("trending", 0, False, 0),
        ("trending", 1, True, 3),
        ("similar", 2, True, 1),
        ("latest", 3, True, 0),
        ("following", 3, True, 0),
    ],
)
def test_each_surface_goes_as_far_as_its_promise_allows(
    surface: str, asked: int, has_reserve: bool, level: int
) -> None:
    """The table of levels."""
    assert level_for(surface, asked, has_reserve=has_reserve) == level  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["reset", "pause"])
def test_what_was_chosen_by_what_is_forgotten_is_not_shown(kind: str) -> None:
    """A reserve is a profile too."""
    world, feed, _ = _after_a_page()
    world.event(kind, user=P0)  # type: ignore[arg-type]
    page = feed.serve(_ask(2))

    assert (page.level, page.kept_from) == (3, None)
    assert page.profiled == (kind == "reset")


def test_reserves_are_dropped_with_the_person_and_bounded() -> None:
    """Whoever was served longest ago is let go first; whoever is erased at once."""
    world, _, page = _after_a_page()
    world.state.forget(P0)
    few = Reserves(most=2)
    for name in ("a", "b", "a", "c"):
        few.hear(_of(page, name))

    assert world.state.reserves.of(P0) is None
    assert [few.of(UserId(name)) is None for name in "abc"] == [False, True, False]


def _of(page: ServedPage, user: str) -> ServedPage:
    return ServedPage(
        page_id=page.page_id,
        at_ms=page.at_ms,
        user_id=UserId(user),
        surface="for_you",
        items=(),
        reserve=page.reserve,
    )


@pytest.mark.parametrize(
    ("level", "sentence"),
    [
        (0, None),
        (
            1,
            "Many people asked at once, so fewer posts than usual were considered for this page.",
        ),
        (
            2,
            "Many people asked at once, so this page shows what an earlier one had left over for "
            "you.",
        ),
        (3, "Many people asked at once, so this page shows what is trending."),
    ],
)
def test_a_page_says_what_was_left_out(level: int, sentence: str | None) -> None:
    """In words and for programs."""
    _, feed, before = _after_a_page()
    page = feed.serve(_ask(level))
    why = explain(page, page.items[0].item_id, {})
    facts = why.detail["page"]

    assert isinstance(facts, dict)
    assert (facts["level"], facts["kept_from"]) == (level, before.page_id if level == 2 else None)
    assert [s for s in why.sentences if s.startswith("Many people asked")] == (
        [] if sentence is None else [sentence]
    )


# What fails


class _Broken:
    """A source that is out of order."""

    def __init__(self, source: Source) -> None:
        self.name = source.name

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        raise StoreError(f"{self.name} is out of order")


def _with(world: World, broken: Callable[[Source], bool]) -> Feed:
    sources: list[Source] = [_Broken(each) if broken(each) else each for each in SOURCES]
    feed = Feed(world.state, world.board, sources=sources)
    feed.use(ColourModel())
    return feed


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", [source.name for source in SOURCES])
def test_whichever_source_fails_there_is_a_page(name: str, level: int) -> None:
    """At each level; what the broken one would have brought is missing."""
    world, _, _ = _after_a_page()
    page = _with(world, lambda source: source.name == name).serve(_ask(level))

    assert len(page.items) == 10
    assert name not in _sources(page)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["taste", "trending", "fresh", "reserve"])
def test_one_source_that_answers_is_enough(name: str, level: int) -> None:
    """Even where the level at hand would not have asked it."""
    world, _, _ = _after_a_page()
    page = _with(world, lambda source: source.name != name).serve(_ask(level))

    assert page.items
    assert _sources(page) == {name}


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_where_no_source_answers_the_first_ones_error_is_raised(level: int) -> None:
    """Nothing is invented in its place."""
    world, _, _ = _after_a_page()
    with pytest.raises(StoreError, match="is out of order"):
        _with(world, lambda _: True).serve(_ask(level))


def _broken(*_: object) -> None:
    raise ValueError("out of order")


@pytest.mark.parametrize("stage", ["rank", "arrange"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_ranking_and_arranging_are_done_without_where_they_fail(
    stage: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was muted stays away, whatever fails behind the filters."""
    world, feed, _ = _after_a_page()
    world.event("mute", target="creator:c3", user=P0)
    monkeypatch.setattr(pipeline, stage, _broken)
    trace = feed.trace(_ask(level))
    table = world.state.items
    creators = {
        table.creators.names[table.creator[table.index[shown.item_id]]]
        for shown in trace.page.items
    }

    assert len(trace.page.items) == 10
    assert "c3" not in creators
    assert all(shown.propensity == 1 or shown.explored for shown in trace.page.items)


def test_a_failed_ranking_leaves_each_sources_best_in_front(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The value is the place in the best offer."""
    _, feed, _ = _after_a_page()
    monkeypatch.setattr(pipeline, "rank", _broken)
    trace = feed.trace(_ask(0))
    value = trace.ranked.value
    offered = np.isfinite(trace.ranked.offered).any(axis=0).sum()

    assert value is not None
    assert value.tolist() == sorted(value, reverse=True)
    assert 0 < (value == 0.0).sum() <= offered
    assert all(shown.predicted == {} for shown in trace.page.items)


def test_a_filter_that_fails_is_not_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is better than a page that shows what it must not."""
    _, feed, _ = _after_a_page()
    monkeypatch.setattr(pipeline, "run_all", _broken)
    with pytest.raises(ValueError, match="out of order"):
        feed.serve(_ask(3))


def test_where_nothing_trends_the_newest_are_shown() -> None:
    """A page is full while there is anything to show; the surface of what trends keeps its word."""
    world = checkerboard()
    late = NOW_MS + 9 * DAY_MS
    page = world.feed().serve(_ask(3, user_id=ME, now_ms=late))
    trending = world.feed().serve(_ask(3, user_id=ME, now_ms=late, surface="trending"))

    assert ids(page) == [f"i{i}" for i in range(199, 189, -1)]
    assert {shown.source for shown in page.items} == {"fresh"}
    assert trending.items == ()
