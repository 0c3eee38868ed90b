"""Whether a causal model helps beside a taste model: asked of what people wanted next.

Both have learned the same stretch of a log; asked is what each person wanted first behind it. How
much the causal model is to count is chosen on a random half of the questions. On the other half the
sum of both must find more of the answers than the taste model alone, by more than chance: the lower
end of the range of the difference in HR@10, over people drawn again and again, is above 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import CausalId, SnapshotId
from inhouse.core.random import stream
from inhouse.features.items import ItemTable
from inhouse.learning.causal.beside import Beside, BesideFacts
from inhouse.learning.causal.serving import CausalWeights
from inhouse.learning.causal_run.log_wants import LogWants, WhatWasWanted
from inhouse.learning.sequences.flat import Longs, Sequences
from inhouse.learning.sequences.holdout import Difference, HoldOut, difference
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.arrays import TasteWeights
from inhouse.stats.ranking import hit_rate, ndcg, target_ranks
from inhouse.stats.types import Interval, NotEnough

WEIGHTS: Final = (0.25, 0.5, 1.0)  # of the causal part, to choose from
ALONE: Final = 0.0  # the weight with which the taste model stands alone
_K: Final = 10
_CELLS_AT_ONCE: Final = 1 << 22  # scores of one product


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """How often what a person wanted next was among the ten best."""

    hit_rate: float | NotEnough  # HR@10
    ndcg: float | NotEnough  # NDCG@10


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The sum of both beside the taste model alone, on questions that did not choose the weight."""

    weight: float  # of the causal part
    asked: int  # people
    alone: Answered  # by the taste model
    both: Answered  # by the sum
    gain: Difference  # of the sum
    passed: bool  # whether the sum finds more, by more than chance


def compare(ranks: Mapping[float, Longs], seed: int) -> Comparison:
    """Choose the weight on one half, judge it on the other; the same halves for a seed.

    ranks: of each answer, 1 for the best, by the weight of the causal part, `ALONE` among them.
    """
    alone = ranks[ALONE]
    mixed = stream(seed, "causal", "halves").permutation(len(alone))
    chosen_on, judged_on = mixed[: len(alone) // 2], mixed[len(alone) // 2 :]

    def told(weight: float) -> float:
        found = ndcg(ranks[weight][chosen_on], _K)
        return 0.0 if isinstance(found, NotEnough) else found

    weight = max((weight for weight in ranks if weight != ALONE), key=told)
    ours, theirs = ranks[weight][judged_on], alone[judged_on]
    gain = difference(_one_each(len(ours), seed), ours, "taste model alone", theirs)
    return Comparison(
        weight=weight,
        asked=len(ours),
        alone=_answered(theirs),
        both=_answered(ours),
        gain=gain,
        passed=isinstance(gain.hit_rate, Interval) and gain.hit_rate.low > 0,
    )


def ranks_by_weight(
    material: WhatWasWanted, taste: TasteWeights, causal: CausalWeights
) -> dict[float, Longs]:
    """The rank of each question's answer, with items and people placed as a server places them.

    What the person had already touched does not compete, nor what had not come yet.
    """
    table, questions = material.table, material.questions
    model = _served(taste, causal)
    vectors = model.item_vectors(table)
    parts = (slice(0, taste.shape.dims), slice(taste.shape.dims, model.dims))
    arrived_ms = _arrived_ms(material.wants, table)
    wanted = _wanted_before(material)
    ranks: dict[float, list[Longs]] = {weight: [] for weight in (ALONE, *WEIGHTS)}
    at_once = max(1, _CELLS_AT_ONCE // max(table.count, 1))
    for start in range(0, len(questions), at_once):
        asked = questions[start : start + at_once]
        people = np.stack([model.user_vector(question.history) for question in asked])
        own, further = (people[:, part] @ vectors[:, part].T for part in parts)  # [n, items] each
        allowed = arrived_ms <= np.array([question.at_ms for question in asked])[:, None]
        for row, question in enumerate(asked):
            read = question.history.items
            allowed[row, wanted[start + row]] = allowed[row, read[read >= 0]] = False
        answers = np.array([question.answer for question in asked])
        for weight, found in ranks.items():
            found.append(target_ranks(own + np.float32(weight) * further, answers, allowed))
    return {weight: np.concatenate(found) for weight, found in ranks.items()}


def _served(taste: TasteWeights, causal: CausalWeights) -> TasteSnapshot:
    """As a snapshot, with all the weight on both."""
    beside = BesideFacts(causal_id=CausalId("asked"), created_ms=0, log_offset=0, weight=1.0)
    facts = SnapshotFacts(
        snapshot_id=SnapshotId("asked"), created_ms=0, log_offset=0, page_offset=0, watermark_ms=0
    )
    return TasteSnapshot(facts, taste, None, Beside(beside, causal))


def _arrived_ms(wants: LogWants, table: ItemTable) -> NDArray[np.int64]:
    """When each item was there; an import may say that it was created after it was wanted."""
    arrived = table.created_ms[: table.count].copy()
    np.minimum.at(arrived, wants.items, wants.at_ms)
    return arrived


def _wanted_before(material: WhatWasWanted) -> list[Longs]:
    """For each question, what the person had wanted before it."""
    wants = material.wants
    order = np.argsort(wants.users, kind="stable")
    users = wants.users[order]
    found: list[Longs] = []
    for question in material.questions:
        place = int(np.searchsorted(wants.offsets, question.offset))
        first, last = np.searchsorted(users, [wants.users[place], wants.users[place] + 1])
        theirs = order[first:last]
        found.append(wants.items[theirs[theirs < place]])
    return found


def _one_each(n: int, seed: int) -> HoldOut:
    """Questions of which each is another person's."""
    answers = Sequences(items=np.zeros(n, dtype=np.int64), starts=np.arange(n + 1))
    return HoldOut(sequences=answers, counts=np.zeros(1, np.int64), fewest=1, k=_K, seed=seed)


def _answered(ranks: Longs) -> Answered:
    return Answered(hit_rate=hit_rate(ranks, _K), ndcg=ndcg(ranks, _K))
