"""What a person does with a page."""

from collections import Counter

import numpy as np
import pytest
from simulator_fakes import START_MS, small_world

from inhouse.core.clock import HOUR_MS, MINUTE_MS
from inhouse.simulator.topics import NO_HARM
from inhouse.simulator.visit import Act, Reaction, Shown, Visit
from inhouse.simulator.world import Calling, World


@pytest.fixture(scope="module")
def world() -> World:
    """A world nobody has visited yet."""
    return small_world(people=400, posts=600)


def page_of(posts: list[int], labels: tuple[str | None, ...] = ()) -> Shown:
    return Shown(
        page_id="page",
        at_ms=0,
        item_ids=tuple(map(str, posts)),
        posts=tuple(posts),
        labels=labels,
    )


def looks(world: World, posts: list[int], labels: tuple[str | None, ...] = ()) -> list[Reaction]:
    """How everybody reacts to the same page."""
    start_ms = START_MS + 12 * HOUR_MS
    return [
        Visit(world, Calling(person=person, start_ms=start_ms)).look(page_of(posts, labels))
        for person in range(world.people_count)
    ]


def count(reactions: list[Reaction], *kinds: str) -> Counter[int]:
    """Acts of these kinds by place."""
    return Counter(a.place for r in reactions for a in r.acts if a.kind in kinds)


def harmless(world: World, n: int) -> list[int]:
    return np.flatnonzero(world.posts.harm == NO_HARM)[:n].tolist()


def test_upper_places_are_looked_at_more(world: World) -> None:
    """Position bias: of those who scroll to a place, fewer look the lower it is."""
    reactions = looks(world, harmless(world, 10))
    shown, looked = count(reactions, "impression"), count(reactions, "dwell", "watch")
    shares = [looked[place] / shown[place] for place in range(10)]
    assert shares[0] > 0.97
    assert np.mean(shares[7:]) < np.mean(shares[1:4]) < shares[0]


def test_acts_are_in_order_of_time_within_the_visit(world: World) -> None:
    """Time never runs backwards, starts after the page was served, and impressions come first."""
    served_ms = START_MS + 13 * HOUR_MS
    page = Shown(page_id="p", at_ms=served_ms, item_ids=("a", "b", "c"), posts=(1, 2, 3), labels=())
    visit = Visit(world, Calling(person=1, start_ms=START_MS + 12 * HOUR_MS))
    acts = visit.look(page).acts
    times = [act.at_ms for act in acts]
    assert times == sorted(times)
    assert served_ms < times[0]
    assert times[-1] < served_ms + 60 * MINUTE_MS
    assert acts[0].kind == "impression"


def test_a_video_is_not_watched_beyond_its_end(world: World) -> None:
    """Watch time is at most the duration; posts that are no video have dwell instead."""
    videos = np.flatnonzero(world.posts.duration_ms > 0)[:10].tolist()
    for reaction in looks(world, videos):
        for act in reaction.acts:
            assert act.kind != "dwell"
            if act.kind == "watch":
                assert act.value is not None
                assert 0 <= act.value <= world.posts.duration_ms[videos[act.place]]


def test_a_lure_draws_clicks_and_disappoints() -> None:
    """The same post with a lure is clicked more and satisfies less."""
    world = small_world(people=800, posts=60)
    post = harmless(world, 1)
    clicks, satisfaction = [], []
    for bait in (0.0, 1.0):
        world.posts.bait[post] = bait
        clicks.append(sum(count(looks(world, post), "click").values()))
        visits = [Visit(world, Calling(person=p, start_ms=START_MS)) for p in range(800)]
        for visit in visits:
            visit.look(page_of(post))
        satisfaction.append(np.mean([visit.outcome().satisfaction for visit in visits]))
    assert clicks[1] > 1.5 * clicks[0]
    assert satisfaction[1] < satisfaction[0] - 0.05


def test_harm_is_reported_and_spoils_the_visit() -> None:
    """Only harmful posts are reported; the more severe, the less satisfying the visit."""
    world = small_world(people=800, posts=60)
    post = harmless(world, 1)
    assert all(not reaction.reports for reaction in looks(world, post))
    world.posts.harm[post], world.posts.severity[post] = 0, 1.0
    reactions = looks(world, post)
    assert sum(bool(r.reports) for r in reactions) > 40
    assert all(
        any(act.kind == "report" and act.place == 0 for act in r.acts)
        for r in reactions
        if r.reports
    )


def test_a_warning_turns_most_people_away(world: World) -> None:
    """Fewer look at a post that carries a warning."""
    posts = harmless(world, 1)
    plain = sum(count(looks(world, posts), "dwell", "watch").values())
    warned = sum(count(looks(world, posts, ("warn",)), "dwell", "watch").values())
    assert warned < 0.45 * plain


def test_the_same_post_twice_bores(world: World) -> None:
    """A post looked at before satisfies less."""
    post = harmless(world, 1)
    once, twice = [], []
    for person in range(200):
        visit = Visit(world, Calling(person=person, start_ms=START_MS))
        visit.look(page_of(post))
        once.append(visit.outcome().satisfaction)
        visit.look(page_of(post))
        twice.append(visit.outcome().satisfaction)
    assert np.mean([b for b in twice if b is not None]) < np.mean(once)


def test_strange_and_missing_posts_do_no_harm(world: World) -> None:
    """A post of somebody else is scrolled past; an empty page ends the visit."""
    visit = Visit(world, Calling(person=0, start_ms=START_MS))
    strange = Shown(page_id="p", at_ms=0, item_ids=("theirs",), posts=(-1,))
    reaction = visit.look(strange)
    assert [act.kind for act in reaction.acts] == ["impression"]
    assert visit.look(page_of([])) == Reaction(acts=(), reports=(), leaves=True)
    assert visit.outcome().satisfaction is None


def test_a_visit_is_over_when_the_person_leaves(world: World) -> None:
    """Not before the first page, and from an empty page on at the latest."""
    visit = Visit(world, Calling(person=0, start_ms=START_MS))
    assert not visit.is_over
    assert visit.look(page_of([])).leaves
    assert visit.is_over


def test_a_visit_can_be_played_again(world: World) -> None:
    """The same person, hour and pages lead to the same acts."""
    posts = harmless(world, 10)
    first, again = looks(world, posts), looks(world, posts)
    assert first == again
    assert isinstance(first[0].acts[0], Act)
