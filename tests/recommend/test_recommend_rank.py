"""Predictions, value and order."""

import dataclasses
import math

import numpy as np
import pytest
from recommend_worlds import World, query

from inhouse.features.candidates import FEATURE_NAMES
from inhouse.recommend.posterior import beta_of
from inhouse.recommend.rank.prior import prior_predictions
from inhouse.recommend.rank.value import order, values
from inhouse.recommend.settings import RecommendSettings
from inhouse.recommend.tuning import KNOBS, Tuning, ValueWeights, faults_in, tuning_of
from inhouse.recommend.types import Predictions


def _features(**columns: float) -> np.ndarray:
    row = np.zeros((1, len(FEATURE_NAMES)), dtype=np.float32)
    given = {"click_rate": 0.1, "like_rate": 0.03, "hide_rate": 0.01, "dwell_log": 1.0, **columns}
    for name, value in given.items():
        row[0, FEATURE_NAMES.index(name)] = value
    return row


def _shifted(rate: float, by: float) -> float:
    return 1 / (1 + math.exp(-(math.log(rate / (1 - rate)) + by)))


@pytest.mark.parametrize(
    ("columns", "s"),
    [
        ({}, 0.0),
        ({"content_match": 0.5}, 1.0),
        ({"similar": 0.4, "topic_chosen": 1.0}, 1.1),
        ({"content_match": 1.0, "creator_affinity": 1.0, "creator_followed": 1.0}, 4.0),
        ({"topic_affinity": -0.8}, -0.8),
    ],
)
def test_the_prior_is_the_formula_written_above_it(columns: dict[str, float], s: float) -> None:
    """The item's own rates, moved by what speaks for it."""
    found = prior_predictions(_features(**columns))
    assert _shifted(0.1, s) == pytest.approx(float(found.p_click[0]), rel=1e-5)
    assert _shifted(0.03, s) == pytest.approx(float(found.p_like[0]), rel=1e-5)
    assert _shifted(0.01, -s) == pytest.approx(float(found.p_hide[0]), rel=1e-5)
    assert (math.e - 1) * 1_000 * math.exp(s / 4) == pytest.approx(
        float(found.dwell_ms[0]), rel=1e-5
    )


@pytest.mark.parametrize(
    ("columns", "s"),
    [
        ({"taste": 2.0}, 2.0),
        ({"taste": 5.5, "content_match": 0.5, "creator_followed": 1.0}, 6.6),
        ({"taste": -1.0, "slow_heat_log": 2.0}, -0.6),
        ({"taste": 11.0}, 8.0),
    ],
)
def test_a_learned_taste_is_not_counted_twice(columns: dict[str, float], s: float) -> None:
    """With one, clicks and likes start from typical rates, hides from the item's own."""
    found = prior_predictions(_features(click_rate=0.9, like_rate=0.8, **columns))
    assert _shifted(0.05, s) == pytest.approx(float(found.p_click[0]), rel=1e-5)
    assert _shifted(0.015, s) == pytest.approx(float(found.p_like[0]), rel=1e-5)
    assert _shifted(0.01, -s) == pytest.approx(float(found.p_hide[0]), rel=1e-4)


def _predictions(*rows: tuple[float, float, float, float]) -> Predictions:
    """Clicks, likes, hides and the dwell that counts; how long they are looked at says nothing."""
    columns = np.array(rows, dtype=np.float32).T
    return Predictions(
        p_click=columns[0],
        p_like=columns[1],
        p_hide=columns[2],
        dwell_ms=np.full_like(columns[3], 77_000),
        dwell_even_ms=columns[3],
    )


def test_the_value_is_the_weighted_sum_of_what_is_expected() -> None:
    """Dwell as if all were equally long counts, in seconds, up to a minute."""
    weights = ValueWeights(p_click=1, p_like=4, p_hide=-15, dwell_s=0.03)
    found = values(_predictions((0.5, 0.25, 0.125, 10_000), (0, 0, 0, 600_000)), weights)
    assert found.tolist() == pytest.approx([0.5 + 1.0 - 1.875 + 0.3, 1.8], rel=1e-6)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_comes_last(broken: float) -> None:
    """Whatever it is, and whichever prediction it spoils."""
    found = values(_predictions((broken, 0, 0, 0), (0.1, 0, 0, 0), (0.2, 0, 0, 0)), ValueWeights())
    assert order(found, np.arange(3, dtype=np.int32)).tolist() == [2, 1, 0]


def test_equals_are_ordered_by_their_place_in_the_catalogue() -> None:
    """So that the same state gives the same page."""
    items = np.array([7, 3, 5], dtype=np.int32)
    assert order(np.array([1.0, 1.0, 1.0]), items).tolist() == [1, 2, 0]


def test_likely_hides_cost_a_post_its_place() -> None:
    """Negative feedback moves the next page: the hidden topic stands behind the other."""
    world = World()
    for i in range(8):
        world.item(f"i{i}", creator=f"c{i}", topics=("cats" if i % 2 else "dogs",))
    world.event("hide", "i0")
    world.event("hide", "i2")
    world.event("like", "i1")
    page = world.feed(explore_share=0.0, diversity=0.0).serve(query())
    assert [int(shown.item_id[1:]) % 2 for shown in page.items] == [1, 1, 1, 0, 0]
    hides = [shown.predicted["p_hide"] for shown in page.items]
    assert max(hides[:3]) < min(hides[3:])


def test_an_arm_of_an_experiment_varies_the_knobs_it_names() -> None:
    """And no others; settings of other parts pass by."""
    varied = {"ranker": "popular", "weight_p_hide": "-30", "creator_cap": 2, "banner": "blue"}
    expected = Tuning(
        ranker="popular",
        explore_share=0.2,
        diversity=0.25,
        creator_cap=2,
        weights=dataclasses.replace(ValueWeights(), p_hide=-30.0),
    )
    assert expected == tuning_of(RecommendSettings(explore_share=0.2), varied)


def test_every_knob_changes_the_tuning() -> None:
    """None is there for show."""
    given = {"ranker": "popular", "creator_cap": 1}
    plain = tuning_of(RecommendSettings(), {})
    for knob in KNOBS:
        assert plain != tuning_of(RecommendSettings(), {knob: given.get(knob, 0.5)}), knob


def test_what_no_knob_can_be_is_named_and_left_out() -> None:
    """An experiment can be checked before it starts, and a wrong one does no harm."""
    varied = {"ranker": "best", "diversity": 3, "weight_p_like": "nan", "explore_share": 0.2}
    assert [str(fault) for fault in faults_in(varied)] == [
        "ranker: got 'best', expected one of learned, popular",
        "diversity: got 3, expected a number from 0 to 0.9",
        "weight_p_like: got 'nan', expected a number from -10000 to 10000",
    ]
    assert Tuning(explore_share=0.2) == tuning_of(RecommendSettings(), varied)


def test_the_weights_of_an_arm_reorder_the_page() -> None:
    """With likes worth nothing and hides worth much, the disputed post falls."""
    world = World()
    world.item("loved", creator="a")
    world.item("plain", creator="b")
    for k in range(30):
        for name in ("loved", "plain"):
            world.event("impression", name, user=f"u{k}")
        if k < 10:
            world.event("like", "loved", user=f"u{k}")
        elif k < 16:
            world.event("hide", "loved", user=f"u{k}")
    mild = world.feed().serve(query(settings={"weight_p_hide": 0}))
    strict = world.feed().serve(query(settings={"weight_p_like": 0, "weight_p_hide": -100}))
    assert [shown.item_id for shown in mild.items] == ["loved", "plain"]
    assert [shown.item_id for shown in strict.items] == ["plain", "loved"]


def test_the_posterior_starts_at_the_communitys_rate() -> None:
    """Twenty imagined impressions at its rate, then the post's own record."""
    world = World()
    for name in ("known", "new"):
        world.item(name)
    for k in range(40):
        world.event("impression", "known", user=f"u{k}")
        if k < 10:
            world.event("click", "known", user=f"u{k}")
    alpha, beta = beta_of(world.state, np.array([0, 1], dtype=np.int32))
    assert alpha.tolist() == pytest.approx([5 + 10, 5])
    assert beta.tolist() == pytest.approx([15 + 30, 15])
