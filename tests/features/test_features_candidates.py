"""What the ranker sees, compiled, against its plain definition."""

import numpy as np
import pytest

from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import ItemId, UserId
from inhouse.features.candidates import FEATURE_NAMES, Scores, candidate_features
from inhouse.features.items import HEAT_HALF_LIFE_MS, SLOW_HALF_LIFE_MS, ItemTable
from inhouse.features.nearness import nearness
from inhouse.features.outcomes import KIND_CODES, STRENGTH
from inhouse.features.people import Action, Person
from inhouse.features.state import LiveState

NOW_MS = 1_750_000_000_000
ITEMS, CREATORS, TOPICS = 60, 9, 7


def _state(dice: np.random.Generator) -> LiveState:
    """A community of which nothing is told but numbers."""
    state = LiveState()
    state.apply_items(
        Item(
            item_id=ItemId(f"i{i}"),
            creator_id=UserId(f"c{dice.integers(CREATORS)}"),
            title=f"word{dice.integers(20)} word{dice.integers(20)}",
            topics=tuple(f"t{t}" for t in dice.permutation(TOPICS)[: dice.integers(0, 5)]),
            created_ms=NOW_MS - int(dice.integers(-HOUR_MS, 4 * DAY_MS)),
            kind=("text", "picture", "video")[dice.integers(3)],
            duration_ms=int(dice.integers(1_000, 90_000)),
            language=(None, "de", "en")[dice.integers(3)],
            region=(None, "north", "south")[dice.integers(3)],
        )
        for i in range(ITEMS)
    )
    table = state.items
    table.impressions[:ITEMS] = dice.integers(0, 50, ITEMS)
    for name in ("clicks", "likes", "hides", "reports"):
        getattr(table, name)[:ITEMS] = dice.integers(0, 5, ITEMS)
    table.dwell_ms_sum[:ITEMS] = dice.integers(0, 90_000, ITEMS)
    table.heat[:ITEMS] = dice.random(ITEMS) * 9 * (dice.random(ITEMS) < 0.7)
    table.heat_slow[:ITEMS] = table.heat[:ITEMS] * 2
    table.heat_ms[:ITEMS] = NOW_MS - dice.integers(-HOUR_MS, 9 * DAY_MS, ITEMS)
    return state


def _person(dice: np.random.Generator, table: ItemTable) -> Person:
    person = Person(
        user_id=UserId("me"), language="de", region=(None, "north", "east")[dice.integers(3)]
    )
    for k in range(int(dice.integers(0, 30))):
        kind = ("click", "like", "hide", "watch")[dice.integers(4)]
        at_ms = NOW_MS - int(dice.integers(0, 40 * DAY_MS))
        item = int(dice.integers(ITEMS))
        person.recent.remember(Action(item=item, kind=KIND_CODES[kind], at_ms=at_ms, value=k))  # type: ignore[index]
    person.served.extend(dice.integers(0, ITEMS, 40).tolist())
    person.follows = frozenset(dice.integers(0, CREATORS, 3).tolist())
    person.topics = tuple(dice.integers(0, TOPICS, int(dice.integers(0, 3))).tolist())
    return person


def _plainly(
    table: ItemTable, person: Person, row: int, scores: Scores, i: int
) -> dict[str, float]:
    """One candidate by the words of the documentation."""
    actions = person.recent.latest()
    kinds = list(KIND_CODES)
    weights = [
        STRENGTH.get(kinds[kind], 0.0) * 0.5 ** (max(NOW_MS - at_ms, 0) / (14 * DAY_MS))
        for kind, at_ms in zip(actions.kinds.tolist(), actions.at_ms.tolist(), strict=True)
    ]
    total = max(sum(abs(weight) for weight in weights), 1e-9)
    weighed = list(zip(actions.items.tolist(), weights, strict=True))
    content = sum((table.content[item] * w for item, w in weighed), np.zeros(64))
    topics = {int(t) for t in table.topics[row] if t >= 0}
    creator, shown = table.creator[row], table.impressions[row]
    age_h = max(NOW_MS - table.created_ms[row], 0) / HOUR_MS
    elapsed = max(NOW_MS - table.heat_ms[row], 0)
    served = table.creator[person.served.rows()]
    assert scores.positions is not None

    def rate(hits: float, prior: float) -> float:
        return float((hits + 20 * prior) / (shown + 20))

    def is_mine(code: int, mine: int) -> bool:
        return mine >= 0 and code == mine

    return {
        "taste": scores.taste[i],
        "similar": scores.similar[i],
        "content_match": float(table.content[row] @ content) / max(np.linalg.norm(content), 1e-9),
        "topic_affinity": sum(
            w / total for item, w in weighed for t in table.topics[item] if t in topics
        ),
        "topic_chosen": bool(topics & set(person.topics)),
        "creator_affinity": sum(w / total for item, w in weighed if table.creator[item] == creator),
        "creator_followed": creator in person.follows,
        "same_language": is_mine(table.language[row], table.languages.find(person.language)),
        "same_region": is_mine(table.region[row], table.regions.find(person.region)),
        "click_rate": rate(table.clicks[row] + table.likes[row], 0.1),
        "like_rate": rate(table.likes[row], 0.03),
        "hide_rate": rate(table.hides[row] + table.reports[row], 0.01),
        "dwell_log": np.log1p(rate(table.dwell_ms_sum[row], 4_000) / 1_000),
        "heat_log": np.log1p(table.heat[row] * 0.5 ** (elapsed / HEAT_HALF_LIFE_MS)),
        "slow_heat_log": np.log1p(table.heat_slow[row] * 0.5 ** (elapsed / SLOW_HALF_LIFE_MS)),
        "impressions_log": np.log1p(shown),
        "age_log": np.log1p(age_h),
        "is_fresh": age_h < 24,
        "is_picture": table.kind[row] == 1,
        "is_video": table.kind[row] == 2,
        "duration_log": np.log1p(table.duration_ms[row] / 1_000),
        "history_log": np.log1p(len(weights)),
        "creator_served": np.log1p((served == creator).sum()),
        "position_log": np.log1p(scores.positions[i]),
    }


def _scores(dice: np.random.Generator, n: int) -> Scores:
    taste, similar = dice.normal(size=(2, n)).astype(np.float32)
    return Scores(taste=taste, similar=similar, positions=dice.integers(0, 20, n).astype(np.int32))


@pytest.mark.parametrize("seed", range(20))
def test_features_are_what_the_plain_definition_says(seed: int) -> None:
    """Every column, of random items and a random person."""
    dice = np.random.default_rng(seed)
    state = _state(dice)
    person, rows = _person(dice, state.items), dice.permutation(ITEMS)[:30].astype(np.int32)
    scores = _scores(dice, len(rows))
    found = candidate_features(state, person, rows, scores, NOW_MS)
    for i, row in enumerate(rows.tolist()):
        plain = _plainly(state.items, person, row, scores, i)
        expected = [float(plain[name]) for name in FEATURE_NAMES]
        assert found[i].tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    """The twenty of a page come out byte for byte as among the candidates they were chosen from."""
    dice = np.random.default_rng(1)
    state = _state(dice)
    person, rows = _person(dice, state.items), np.arange(ITEMS, dtype=np.int32)
    anchors = np.array([3, 5, 8], dtype=np.int32)
    some = dice.permutation(ITEMS)[:7]
    found = []
    for asked in (rows, rows[some]):
        similar = nearness(state.items, anchors, asked)
        scores = Scores(taste=np.zeros_like(similar), similar=similar)
        found.append(candidate_features(state, person, asked, scores, NOW_MS))
    assert found[0][some].tobytes() == found[1].tobytes()


def test_what_is_not_finite_becomes_nothing() -> None:
    """A broken score reaches no model."""
    dice = np.random.default_rng(2)
    state = _state(dice)
    rows = np.arange(3, dtype=np.int32)
    broken = np.array([np.nan, np.inf, -np.inf], dtype=np.float32)
    person = _person(dice, state.items)
    found = candidate_features(state, person, rows, Scores(taste=broken, similar=broken), NOW_MS)
    assert found[:, :2].tolist() == [[0, 0]] * 3
    assert np.isfinite(found).all()


@pytest.mark.parametrize("seed", range(20))
def test_nearness_is_the_highest_cosine_to_another(seed: int) -> None:
    """An anchor is not compared with itself; below nothing it may be as well."""
    dice = np.random.default_rng(seed)
    table = _state(dice).items
    anchors = dice.permutation(ITEMS)[: dice.integers(0, 5)].astype(np.int32)
    table.content[:ITEMS] *= dice.choice([-1, 1], (ITEMS, 1))
    for row, near in enumerate(nearness(table, anchors, np.arange(ITEMS, dtype=np.int32)).tolist()):
        cosines = [
            0.0 if row == anchor else float(table.content[row] @ table.content[anchor])
            for anchor in anchors.tolist()
        ]
        assert near == pytest.approx(max(cosines, default=0.0), abs=1e-5)
