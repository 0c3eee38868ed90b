"""How much harm there is, from posts drawn at random: the draw, the cases, the estimates."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from moderation_worlds import Community

from inhouse.catalog.catalog import erase_person
from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import Event
from inhouse.moderation.erasure import erase_person as erase_from_moderation
from inhouse.moderation.measuring.prevalence import CategoryPrevalence, prevalence
from inhouse.moderation.measuring.sampling import Draw, Sample, draw_sample
from inhouse.moderation.reviewing.queues import QueueSettings, ReviewQueues, Takes
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Evidence, Label, PersonCall, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval, NotEnough

DRAW = Draw(per_category=40, days=30, flag_at=0.5, seed=1)
ADA = PersonCall(action="remove", category="hate", name="ada")


def fill(community: Community, p_hate: Sequence[float], call: PersonCall | None = None) -> None:
    """Judged posts, one for each probability, named after their place: 0, 1, …"""
    ids = [ItemId(str(place)) for place in range(len(p_hate))]
    community.catalog.put_items(
        [Item(item_id=item_id, creator_id=UserId("eve"), text="words") for item_id in ids]
    )
    rows = [
        Verdict(
            item_id=item_id,
            at_ms=community.clock.now_ms(),
            text_key="1",
            evidence=Evidence(labels=(Label(category="hate", p=p, source="model:m"),), person=call),
            decided_by="",
            policy_version="p-0",
        )
        for item_id, p in zip(ids, p_hate, strict=True)
    ]
    community.database.write(lambda connection: append_verdicts(connection, rows))


def draw(community: Community, wanted: Draw = DRAW) -> tuple[Sample, int]:
    return draw_sample(community.database, community.clock, community.tools.rules.policy, wanted)


def review_of(community: Community) -> Review:
    return Review(community.database, community.clock, community.tools)


def decide_all(community: Community, belongs: Callable[[str], bool]) -> None:
    """A reviewer says of every sampled post whether it is hate."""
    review = review_of(community)
    for case in review.queue(CaseFilter(queue="sample", state="open"), 5_000):
        harmful = belongs(case.item_id)
        action, category = ("remove", "hate") if harmful else ("allow", None)
        review.decide(case.case_id, "ada", action, category, None)


def hate_of(community: Community, sample_id: str | None = None) -> CategoryPrevalence:
    found = prevalence(community.database, sample_id)
    (hate,) = (one for one in found.categories if one.category == "hate")
    return hate


def test_a_sample_is_drawn_decided_and_counted(any_community: Community) -> None:
    """Of 300 posts half of the flagged are hate and one in 90 of the others; forty are looked at,
    and the truth lies in every interval."""
    probabilities = [0.01] * 270 + [0.9] * 30
    fill(any_community, probabilities)
    harmful = {"0", "90", "180", *(str(place) for place in range(270, 285))}
    sample, asked = draw(any_community)
    (hate,) = sample.categories
    parts = [(part.low_p, part.posts, len(part.item_ids)) for part in hate.parts]
    assert asked == 40
    assert parts == [(0.0, 270, 25), (0.02, 0, 0), (0.2, 0, 0), (0.5, 30, 15)]
    decide_all(any_community, harmful.__contains__)
    found = prevalence(any_community.database)
    assert (found.sample_id, found.posts, found.sampled, found.waiting) == (
        sample.sample_id,
        300,
        40,
        0,
    )
    told = found.categories[0]
    assert (told.sampled, told.answered, told.waiting, told.gone) == (40, 40, 0, 0)
    assert told.found == len(harmful.intersection(sample.item_ids))
    for interval, truth in (
        (told.of_posts, 18 / 300),
        (told.precision, 15 / 30),
        (told.recall, 15 / 18),
    ):
        assert isinstance(interval, Interval)
        assert interval.low <= truth <= interval.high
    assert told.of_views == NotEnough(reason="the population is empty", have=0, need=1)


def test_a_sampled_post_stays_as_it_is_in_a_queue_of_its_own(any_community: Community) -> None:
    """Nothing is written about it, and a queue that takes everything does not take its case; the
    reviewer is not told for which category it was drawn."""
    categories = any_community.tools.rules.policy.categories
    queues = ReviewQueues(any_community.database, any_community.clock, categories)
    queues.put(QueueSettings(name="all", takes=Takes()))
    fill(any_community, [0.01] * 20)
    draw(any_community)
    cases = review_of(any_community).queue()
    assert {(case.queue, case.reason) for case in cases} == {("sample", "sample drawn at random")}
    assert len(cases) == len({case.item_id for case in cases}) == 20
    assert len(any_community.history("3")) == 1


def test_a_post_with_an_open_case_is_sampled_in_it(any_community: Community) -> None:
    """No second case is opened: the first is marked too, stays where it is, and answers for both;
    a policy that no longer asks does not withdraw it."""
    any_community.post(**{f"p{place}": "hate=0.7" for place in range(20)})
    any_community.scan()
    sample, asked = draw(any_community)
    cases = review_of(any_community).queue()
    assert asked == len(cases) == 20
    assert {(case.queue, case.reason) for case in cases} == {
        ("hate", "rule hate_likely; sample drawn at random")
    }
    for case in cases:
        review_of(any_community).decide(case.case_id, "ada", "remove", "hate", None)
    hate = hate_of(any_community, sample.sample_id)
    assert hate.of_posts == Interval(estimate=1.0, low=1.0, high=1.0, level=0.95)


def test_what_people_have_decided_is_not_asked_again(community: Community) -> None:
    """A call in force is the answer; one that only holds a post until others spoke is none."""
    fill(community, [0.01] * 20, ADA)
    assert draw(community)[1] == 0
    assert hate_of(community).of_posts == Interval(estimate=1.0, low=1.0, high=1.0, level=0.95)
    community.wait(1)
    fill(community, [0.01] * 20, replace(ADA, action="review"))
    assert draw(community)[1] == 20
    assert hate_of(community).waiting == 20


def test_while_posts_wait_there_is_no_estimate(community: Community) -> None:
    """The most urgent are decided first, and they are no random sample; an undone decision waits
    again."""
    fill(community, [0.01] * 20)
    draw(community)
    review = review_of(community)
    first, *_ = review.queue()
    decision = review.decide(first.case_id, "ada", "allow", None, None)
    waits = NotEnough(reason="sampled posts wait for a reviewer", have=1, need=20)
    hate = hate_of(community)
    assert (hate.of_posts, hate.of_views, hate.precision, hate.recall) == (waits,) * 4
    review.undo(decision.decision_id, "ada")
    assert hate_of(community).waiting == 20


def test_an_answer_outlives_an_edit(community: Community) -> None:
    """A permission ends when the text changes; what was said of the sampled text still counts."""
    community.post(**{f"p{place}": "hate=0.1" for place in range(20)})
    community.scan()
    draw(community)
    decide_all(community, lambda _: False)
    community.post(p1="hate=0.1 and more")
    community.scan()
    latest = community.latest("p1")
    assert latest is not None
    assert latest.evidence.person is None
    assert hate_of(community).waiting == 0


def test_posts_that_are_gone_drop_out_and_are_counted(any_community: Community) -> None:
    """The others of their part stand for them."""
    fill(any_community, [0.01] * 30)
    sample, _ = draw(any_community, replace(DRAW, per_category=20))
    lost = sample.item_ids[:5]
    any_community.database.write(
        lambda connection: (
            erase_from_moderation(connection, ["eve"], lost, 2_000),
            erase_person(connection, ["nobody"], lost),
        )
    )
    decide_all(any_community, lambda _: False)
    hate = hate_of(any_community)
    assert (hate.sampled, hate.answered, hate.waiting, hate.gone) == (20, 15, 0, 5)
    assert isinstance(hate.of_posts, Interval)
    assert hate.of_posts.estimate == 0


def test_views_are_counted_in_the_period(any_community: Community) -> None:
    """One post that belongs has nine of thirty views: three tenths of what was seen."""
    fill(any_community, [0.01] * 20)
    seen = [*["0"] * 9, *(str(place % 19 + 1) for place in range(21))]
    EventLog(any_community.database).append(
        [
            Event(
                event_id=EventId(f"e{place}"),
                at_ms=any_community.clock.now_ms(),
                kind="impression",
                user_id=UserId("u"),
                item_id=ItemId(item_id),
            )
            for place, item_id in enumerate(seen)
        ]
    )
    draw(any_community)
    decide_all(any_community, lambda item_id: item_id == "0")
    hate = hate_of(any_community)
    assert hate.of_views == Interval(estimate=0.3, low=0.3, high=0.3, level=0.95)
    assert hate.of_posts == Interval(estimate=0.05, low=0.05, high=0.05, level=0.95)


def test_only_posts_of_the_period_are_drawn_and_the_seed_decides_which(
    community: Community,
) -> None:
    """What was judged before is none of the population; the same seed draws the same posts."""
    fill(community, [0.01] * 300)
    once = draw(community)[0]
    decide_all(community, lambda _: False)
    again = draw(community)[0]
    other = draw(community, replace(DRAW, seed=2))[0]
    assert once.categories == again.categories
    assert once.categories != other.categories
    community.wait(31 * DAY_MS)
    with pytest.raises(InputError, match="no post of the last 30 days has a probability"):
        draw(community)


def test_the_share_is_right_over_many_draws(community: Community) -> None:
    """Drawn a hundred times, with people who know, the mean of the estimates is the truth, and the
    intervals hold it: what is asked more often does not count more."""
    fill(community, [0.01] * 150 + [0.3] * 30 + [0.9] * 20, None)
    harmful = {str(place) for place in (*range(0, 150, 25), *range(150, 200, 2))}
    review = review_of(community)
    draw(community, replace(DRAW, per_category=200))
    decide_all(community, harmful.__contains__)
    assert review.queue() == []
    found = []
    for seed in range(100):
        sample, asked = draw(community, replace(DRAW, seed=seed))
        assert asked == 0
        found.append(hate_of(community, sample.sample_id).of_posts)
    intervals = [one for one in found if isinstance(one, Interval)]
    truth = len(harmful) / 200
    assert sum(one.estimate for one in intervals) / 100 == pytest.approx(truth, rel=0.08)
    covered = wilson(sum(one.low <= truth <= one.high for one in intervals), 100)
    assert isinstance(covered, Interval)
    assert covered.high >= 0.95


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (replace(DRAW, per_category=19), "per_category is 19, expected 20 to 1,000"),
        (replace(DRAW, per_category=1_001), "per_category is 1001, expected 20 to 1,000"),
        (replace(DRAW, days=0), "days is 0, expected 1 to 366"),
        (replace(DRAW, flag_at=1.0), "flag_at is 1.0, expected more than 0 and less than 1"),
        (DRAW, "no post of the last 30 days has a probability of any category"),
    ],
)
def test_draws_that_cannot_be_are_refused(community: Community, wanted: Draw, message: str) -> None:
    """With the number and what was expected."""
    with pytest.raises(InputError, match=message):
        draw(community, wanted)


def test_a_sample_that_is_not_there_is_unknown(any_community: Community) -> None:
    """None drawn yet, and none of that name."""
    with pytest.raises(UnknownError, match="no sample was drawn yet; draw one with"):
        prevalence(any_community.database)
    fill(any_community, [0.01] * 20)
    draw(any_community)
    for name in ("x", "", "\x00", "😀" * 200):
        with pytest.raises(UnknownError, match=r"no sample '.*'; draw one with"):
            prevalence(any_community.database, name)
