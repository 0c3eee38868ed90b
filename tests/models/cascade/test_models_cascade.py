"""The cascade: which texts are asked twice, what is promised, and what it costs."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from tests.models.models_texts import posts, register, small_model
from tests.models.models_vendor import (
    NOW_MS,
    Vendor,
    World,
    compared,
    deployment,
    error_reply,
    inputs_of,
    world_of,
)

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.cascade.bands import (
    Certified,
    Goal,
    Pairs,
    flagged,
    learn_bands,
    pairs_of,
    within,
)
from inhouse.models.cascade.learning import Learned, learn_cascade, use_cascade
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.harvest.labels import Labels
from inhouse.models.ledger.bill import bill
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import INHOUSE, Answer, Band, Cascade, Label
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database


def _pairs(count: int, seed: int, rented_right: float = 0.97) -> Pairs:
    """Texts whose owned probabilities are true: harm happens as often as they say."""
    random = stream(seed, "cascade")
    p = random.beta(0.15, 0.6, count)
    truth = random.random(count) < p
    rented = np.where(random.random(count) < rented_right, truth, ~truth)
    return Pairs(p=p, rented=rented, truth=truth)


def test_a_band_keeps_what_it_promises() -> None:
    """Learned two hundred times, the band falls short on fresh texts less often than one in ten."""
    goal = Goal(precision=0.8, recall=0.8, sure=0.9)
    fresh = _pairs(100_000, seed=0)
    broken, found = 0, 0
    for seed in range(1, 201):
        one = learn_bands({"hate": _pairs(1_500, seed)}, goal)["hate"]
        if isinstance(one, NotEnough):
            continue
        found += 1
        said = flagged(fresh, one.band)
        hits = int((said & fresh.truth).sum())
        precision, recall = hits / int(said.sum()), hits / int(fresh.truth.sum())
        broken += precision < goal.precision or recall < goal.recall
    assert found > 150
    assert broken <= 0.1 * 200


def test_the_cheapest_band_is_taken() -> None:
    """Far fewer texts are asked twice than all, and a lower goal costs less."""
    pairs = {"hate": _pairs(20_000, seed=3)}
    shares = []
    for least in (0.7, 0.8, 0.88):
        one = learn_bands(pairs, Goal(precision=least, recall=least, sure=0.9))["hate"]
        assert isinstance(one, Certified)
        shares.append(one.escalated)
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] < 0.5


def test_what_cannot_be_kept_is_said() -> None:
    """A rented model that is often wrong cannot make a cascade that is nearly always right."""
    one = learn_bands({"hate": _pairs(2_000, seed=4, rented_right=0.6)}, Goal(precision=0.95))
    assert isinstance(one["hate"], NotEnough)
    assert "even with every text asked twice" in one["hate"].reason
    few = learn_bands({"hate": _pairs(20, seed=4)}, Goal())["hate"]
    assert isinstance(few, NotEnough)
    assert few.reason == "too few texts of known truth on one side"


@pytest.mark.parametrize("name", ["precision", "recall", "sure"])
def test_a_goal_is_a_share(name: str) -> None:
    """Nobody can promise certainty."""
    with pytest.raises(InputError) as caught:
        Goal(**{name: 1.0})
    assert str(caught.value) == (
        f"{name} is 1.0, expected more than 0 and less than 1, such as 0.9"
    )


def test_outside_the_band_the_owned_model_decides() -> None:
    """Below it says no, above yes; within, the rented model's word counts."""
    pairs = Pairs(
        p=np.array([0.1, 0.3, 0.4, 0.5, 0.9]),
        rented=np.array([True, True, False, True, False]),
        truth=np.zeros(5, dtype=np.bool_),
    )
    assert flagged(pairs, Band(low=0.3, high=0.5)).tolist() == [False, True, False, True, True]


def test_a_text_is_unsure_in_any_category() -> None:
    """Categories without a band, and bands of unknown categories, say nothing."""
    bands = {"hate": Band(low=0.2, high=0.6), "spam": Band(low=0.5, high=0.7)}
    asked = [{"hate": 0.6, "spam": 0.49}, {"hate": 0.2}, {"spam": 0.6, "sexual": 0.5}, {}]
    assert [within(bands, scores) for scores in asked] == [False, True, True, False]


def test_what_people_said_is_the_truth() -> None:
    """Where they said nothing, the rented model's word stands for it."""
    found = pairs_of(
        [{"hate": 0.2, "spam": 0.1}, {"hate": 0.7}, {"hate": 0.5}],
        [{"hate": 0.9}, {"hate": 0.1}, {}],
        [{"hate": 0.0}, {}, {"hate": 1.0}],
        0.5,
    )
    assert list(found) == ["hate"]
    assert found["hate"].p.tolist() == [0.2, 0.7]
    assert found["hate"].rented.tolist() == [True, False]
    assert found["hate"].truth.tolist() == [False, False]


def _owned(world: World, cascade: Cascade | None) -> None:
    register(world.registry, small_model(), "v1")
    routes = Routes(world.database, world.fleet.vendors)
    route = replace(
        routes.current("text_harm"), stage="owned", owned="v1", owned_share=1.0, cascade=cascade
    )
    routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="person:test", reason="test"))


async def _ask(world: World, *texts: str) -> list[Answer]:
    try:
        return await world.gateway.ask(TEXT_HARM, inputs_of(*texts))
    finally:
        await world.gateway.close()


_UNSURE = Cascade(version="v1", bands={"spam": Band(low=0.5, high=1.01)}, guarantee="")


def test_only_what_is_unsure_is_asked_again(database: Database, tmp_path: Path) -> None:
    """The rented model answers the text within the band, the owned one the other; the bill says how
    many and what they cost, and counts each text once."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _owned(world, _UNSURE)
            unsure, sure = await _ask(world, "cheap pillz now", "a walk by the river")
            assert (unsure.host, sure.host) == ("openai", INHOUSE)
            assert [(row.role, row.host, row.answered) for row in world.rows()] == [
                ("primary", INHOUSE, 2),
                ("escalation", "openai", 1),
            ]
            cost = world.rows()[1].cost_usd
            told = bill(database, NOW_MS, NOW_MS + 1)
            assert (told.escalated.texts, told.escalated.share) == (1, 0.5)
            assert told.escalated.spend_usd == cost != Decimal(0)
            assert sum(line.calls for line in told.models) == 2
            assert told.owned_calls == 1.0

    asyncio.run(play())
    assert compared(database) == []


@pytest.mark.parametrize(
    "cascade", [None, replace(_UNSURE, version="v0"), replace(_UNSURE, bands={})]
)
def test_without_bands_of_this_version_nobody_is_asked_again(
    database: Database, tmp_path: Path, cascade: Cascade | None
) -> None:
    """Bands were learned for one version's probabilities and mean nothing for another's."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _owned(world, cascade)
            (answer,) = await _ask(world, "cheap pillz now")
            assert answer.host == INHOUSE
            assert [row.role for row in world.rows()] == ["primary"]

    asyncio.run(play())


def test_where_nobody_can_be_asked_again_the_first_word_stands(
    database: Database, tmp_path: Path
) -> None:
    """A vendor that fails costs the cascade its second opinion, not the answer."""

    async def play() -> None:
        async with Vendor(error_reply(401)) as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _owned(world, _UNSURE)
            (answer,) = await _ask(world, "cheap pillz now")
            assert answer.host == INHOUSE
            assert [(row.role, row.outcome) for row in world.rows()] == [
                ("primary", "ok"),
                ("escalation", "denied"),
            ]

    asyncio.run(play())


def test_a_watched_text_is_compared_as_the_owned_model_saw_it(
    database: Database, tmp_path: Path
) -> None:
    """Live agreement counts unsure texts like all others, asked again or not."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            _owned(world, _UNSURE)
            routes = Routes(database, world.fleet.vendors)
            route = replace(routes.current("text_harm"), watch_share=1.0)
            routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="person:t", reason="t"))
            (answer,) = await _ask(world, "cheap pillz now")
            assert answer.host == "openai"

    asyncio.run(play())
    assert len(compared(database)) == 1


def _labelled(database: Database, count: int) -> None:
    texts, truth = posts(count, seed=40, harm=0.3)
    Labels(database).add(
        [
            Label(
                task="text_harm",
                ref=f"r{row}",
                text=f"{text} {row}",
                scores={"hate": float(truth[row, 0]), "spam": float(truth[row, 1])},
                source="openai/openai/large",
                terms="",
                at_ms=row,
            )
            for row, text in enumerate(texts)
        ]
    )


def test_a_cascade_is_learned_from_later_labels_and_put_into_the_route(
    database: Database, tmp_path: Path
) -> None:
    """Both categories get a band with the guarantee in words; it can be taken out again."""
    world = world_of(database, tmp_path, [deployment("http://127.0.0.1:9/v1")])
    _owned(world, None)
    _labelled(database, 1_000)
    goal = Goal(precision=0.8, recall=0.8, sure=0.8)
    learned = learn_cascade(database, world.registry, TEXT_HARM, goal, ModelSettings())
    assert isinstance(learned, Learned)
    assert learned.cascade is not None
    assert set(learned.cascade.bands) == {"hate", "spam"}
    assert learned.cascade.guarantee.startswith(
        "with probability 0.8, on texts like the 300 it was learned from: precision 0.8"
    )
    routes = Routes(database, world.fleet.vendors)
    use_cascade(routes, "text_harm", learned.cascade, "person:ann", NOW_MS)
    assert routes.current("text_harm").bands_of("v1") == learned.cascade.bands
    assert routes.history("text_harm")[0].decided_by == "person:ann"
    use_cascade(routes, "text_harm", None, "person:ann", NOW_MS)
    assert routes.current("text_harm").bands_of("v1") == {}


def test_a_cascade_needs_a_model_and_judged_texts(database: Database, tmp_path: Path) -> None:
    """What is missing is said; without a rented model there is nobody to ask again."""
    world = world_of(database, tmp_path, [])
    answer = learn_cascade(database, world.registry, TEXT_HARM, Goal(), ModelSettings())
    assert answer == NotEnough(reason="no model is trained yet; train one first", have=0, need=1)
    _owned(world, None)
    answer = learn_cascade(database, world.registry, TEXT_HARM, Goal(), ModelSettings())
    assert answer == NotEnough(reason="no later text was judged by a rented model", have=0, need=1)
    with pytest.raises(InputError, match="text_harm has no rented model to ask again"):
        use_cascade(Routes(database, ()), "text_harm", _UNSURE, "person:ann", NOW_MS)
