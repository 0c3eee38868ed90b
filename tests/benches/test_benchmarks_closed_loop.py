"""The parts of the closed loop do what they say."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from benchmarks import closed_loop
from benchmarks.closed_loop_life import START_MS, Life, Size, can_stand_apart, lived, returned
from benchmarks.fair_share import Served, shares_of
from benchmarks.living import MANNERS, Manner

from inhouse.events.types import ServedPage

SIZE = Size(people=24, posts=200, joining=0.3, days=2)
BY_NAME = {manner.name: manner for manner in MANNERS}
SEED = 100


@pytest.fixture(scope="module")
def lives() -> dict[str, Life]:
    """One small community under each feed."""
    found = {}
    for manner in MANNERS:
        found[manner.name] = life = Life(manner, SIZE.world(SEED), SIZE.posts)
        life.live(SIZE.days)
    return found


def test_returned_counts_those_whose_day_has_come() -> None:
    """Of four people one came back on the day after, one did not; one has no such day, one none."""
    active = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=np.bool_)

    assert returned(active, 1) == (1, 2)


@pytest.mark.parametrize(
    ("creators", "places", "can"),
    [([1, 1, 2], 3, True), ([1, 1, 1, 2], 3, True), ([1, 1], 2, False)],
)
def test_posts_can_stand_apart_where_no_creator_needs_more_than_every_second_place(
    creators: list[int], places: int, can: bool
) -> None:
    """Two of three places are the most that one creator may have."""
    assert can_stand_apart(np.array(creators, dtype=np.int32), places) is can


def test_every_feed_fills_pages_from_posts_that_the_person_has_not_met(
    lives: dict[str, Life],
) -> None:
    """Also where a feed knows nobody yet; nothing is served twice within the last 500."""
    assert {name: life.tally.repeated for name, life in lives.items()} == dict.fromkeys(BY_NAME, 0)
    assert all(life.tally.shown > 5 * life.tally.pages for life in lives.values())


def test_what_moderation_flags_is_on_no_page(lives: dict[str, Life]) -> None:
    """The same for all feeds: flagged posts have no impression."""
    for life in lives.values():
        flagged = np.flatnonzero(life.board.flagged)
        assert len(flagged)
        assert life.world.posts.impressions[flagged].sum() == 0


def test_a_life_is_decided_by_its_seed() -> None:
    """Two lives under the learning feed give the same figures to the last bit."""
    one, two = (lived(BY_NAME["full"], SEED, replace(SIZE, days=1)) for _ in range(2))

    assert one == two


@pytest.mark.parametrize(("founders", "share"), [(0, 1.0), (1_000, 0.0)])
def test_where_all_or_none_are_new_every_idea_of_fair_says_so(founders: int, share: float) -> None:
    """By place, and in all columns alike."""
    world = SIZE.world(SEED)
    world.add_past_posts(SIZE.posts)
    may = np.arange(world.post_count, dtype=np.int32)
    page = Served(person=0, rows=may[5:25], may=may, founders=founders)

    shares = shares_of(world, page, world.mind(0, START_MS))

    for each in (shares.got, shares.by_merit, shares.best_peers, shares.best_page):
        assert each.tolist() == pytest.approx([share] * 20)


def test_the_fair_share_is_what_a_feed_by_merit_gives() -> None:
    """A feed that draws its places in proportion to the truth gives new creators about theirs."""
    lives: list[Life] = []

    def by_merit(house: object, query: object) -> ServedPage:
        life = lives[0]
        person = int(query.user_id.removeprefix("person-"))  # type: ignore[attr-defined]
        page = life.house.feed.serve(query)  # type: ignore[arg-type]
        if not page.items:
            return page
        may = life.eligible(person)
        appeal = life.world.true_values(person, may).astype(np.float64)
        dice = np.random.default_rng(query.seed)  # type: ignore[attr-defined]
        drawn = dice.choice(may, len(page.items), replace=False, p=appeal / appeal.sum())
        ids = life.house.state.items.ids
        return replace(
            page,
            items=tuple(
                msgspec.structs.replace(item, item_id=ids[row])
                for item, row in zip(page.items, drawn.tolist(), strict=True)
            ),
        )

    size = replace(SIZE, posts=100, joining=1.0)
    life = Life(Manner(name="merit", serve=by_merit, learns=False), size.world(SEED), size.posts)
    lives.append(life)
    life.live(3)

    assert life.tally.new > 100
    assert life.tally.new / life.tally.new_by_merit == pytest.approx(1.0, abs=0.15)


def test_a_run_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file holds is not played again; another size is."""
    played: list[tuple[int, str]] = []

    def play(manner: Manner, seed: int, size: Size) -> dict[str, float]:
        played.append((seed, manner.name))
        return {"satisfaction": 0.5}

    monkeypatch.setattr(closed_loop, "lived", play)
    options = SimpleNamespace(
        people=40, posts=120, joining=0.3, days=2, seeds=1, first_seed=7, kept=tmp_path / "kept"
    )
    closed_loop.played(options)  # type: ignore[arg-type]
    options.seeds = 2
    lines = closed_loop.played(options)  # type: ignore[arg-type]
    options.days = 3
    closed_loop.played(options)  # type: ignore[arg-type]

    each = [manner.name for manner in MANNERS]
    assert [seed for seed, _ in played] == [7] * 4 + [8] * 4 + [7] * 4 + [8] * 4
    assert [(line["seed"], line["feed"]) for line in lines] == [
        (s, f) for s in (7, 8) for f in each
    ]


def test_rows_pair_feeds_by_seed() -> None:
    """The full feed is better by .1 on each seed, give or take; so the difference is settled."""
    lines = [
        {
            "seed": seed,
            "feed": feed,
            **dict.fromkeys(closed_loop.MEASURES.values(), 0.1 * seed + better),
            **{"new": 9 + seed % 2, "new_by_merit": 10.0},
            **{"new_best_peers": 9.0, "new_best_page": 5.0},
            **dict.fromkeys(closed_loop.COUNTS, 1),
        }
        for seed in range(6)
        for feed, better in (("full", 0.1 + 0.001 * (seed % 3)), ("latest", 0.0))
    ]

    rows = closed_loop.rows_of(lines)

    against = [row for row in rows if row.get("against") == "latest"]
    assert [row["settled"] for row in against] == ["yes"] * len(closed_loop.MEASURES)
    assert against[0]["figure"] == pytest.approx(0.101)
    fair = next(row for row in rows if row["measure"] == "new creators / by merit")
    assert fair["figure"] == pytest.approx(0.95)
