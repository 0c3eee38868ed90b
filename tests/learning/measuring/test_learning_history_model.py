"""What holds for both encoders of a history."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from inhouse.core.ids import ItemId
from inhouse.core.random import stream
from inhouse.features.history import HistoryArrays
from inhouse.learning.causal.encoder import CausalEncoder
from inhouse.learning.causal.serving import CausalShape, CausalWeights
from inhouse.learning.measuring.history_model import HistoryModel, plain_history, scores_of
from inhouse.learning.sequences.flat import from_lists
from inhouse.learning.taste.arrays import (
    AGE_CODES,
    DWELL_CODES,
    KIND_COUNT,
    TasteWeights,
    start_gain,
)

ITEMS, DIMS, LENGTH = 20, 8, 6
IDS = tuple(ItemId(str(item)) for item in range(ITEMS))


class HistoryModelTests:
    """An implementation names its model and inherits the rest."""

    model: ClassVar[HistoryModel]

    def _vectors(self) -> np.ndarray:  # type: ignore[type-arg]
        content = stream(1, "content").normal(size=(ITEMS, 64)).astype(np.float32)
        return self.model.items(content)

    def test_an_item_is_its_id_part_and_its_content(self) -> None:
        """Content moves an item by a linear map, the same for all."""
        none, one = np.zeros((ITEMS, 64), np.float32), np.ones((ITEMS, 64), np.float32)

        moved = self.model.items(one) - self.model.items(none)

        assert self.model.items(none).shape == (len(self.model.item_ids), DIMS)
        np.testing.assert_allclose(moved, np.tile(moved[:1], (ITEMS, 1)), atol=1e-4)

    def test_a_person_is_what_the_latest_actions_say(self) -> None:
        """What lies further back than the model reads changes nothing; what is nearer does."""
        vectors = self._vectors()
        long = self.model.person(vectors, plain_history(np.arange(12)))
        latest = self.model.person(vectors, plain_history(np.arange(6, 12)))
        other = self.model.person(vectors, plain_history(np.array([6, 7, 8, 9, 11, 10])))

        assert (long.shape, long.dtype) == ((DIMS,), np.float32)
        np.testing.assert_allclose(long, latest, atol=1e-5)
        assert np.abs(long - other).max() > 1e-4

    @pytest.mark.parametrize("padding", [[-1, -1], [ITEMS, ITEMS + 3]])
    def test_padding_and_items_without_a_vector_are_passed_over(self, padding: list[int]) -> None:
        """A person with them is the person without them."""
        vectors, items = self._vectors(), np.array([3, 1, 4])

        found = self.model.person(vectors, plain_history(np.concatenate([padding, items])))

        np.testing.assert_allclose(
            found, self.model.person(vectors, plain_history(items)), atol=1e-5
        )

    def test_a_person_without_history_has_a_place(self) -> None:
        """It is finite and the same for everybody."""
        found = self.model.person(self._vectors(), plain_history(np.empty(0, dtype=np.int64)))

        assert found.shape == (DIMS,)
        assert np.isfinite(found).all()

    def test_kind_and_time_of_an_action_are_read(self) -> None:
        """The same items done otherwise or at other times make another person."""
        plain = plain_history(np.array([3, 1, 4]))
        vectors = self._vectors()
        rare = HistoryArrays(
            items=plain.items,
            kinds=np.zeros(3, dtype=np.int8),
            ages_ms=np.array([9_000_000, 60_000, 0]),
            values=np.array([0, 9_000, 0], dtype=np.float32),
            count=3,
        )

        assert np.abs(
            self.model.person(vectors, rare) - self.model.person(vectors, plain)
        ).max() > (1e-4)

    def test_scores_are_dot_products(self) -> None:
        """Many histories at once come to what one at a time does."""
        vectors = self._vectors()
        content = stream(1, "content").normal(size=(ITEMS, 64)).astype(np.float32)

        found = scores_of(self.model, content)(from_lists([[1, 2], [3]]))

        wanted = vectors @ self.model.person(vectors, plain_history(np.array([1, 2])))
        np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-4)
        assert found.shape == (2, ITEMS)


def _causal() -> CausalWeights:
    numbers = stream(0, "causal")
    shape = CausalShape(dims=DIMS, length=LENGTH)
    encoder = CausalEncoder(shape, torch.Generator().manual_seed(0))
    arrays = {
        name: numbers.normal(size=tuple(part.shape)).astype(np.float32)
        for name, part in encoder.named_parameters()
    }
    return CausalWeights(
        item_ids=IDS,
        shape=shape,
        id_part=numbers.normal(size=(ITEMS, DIMS)).astype(np.float32),
        content_map=numbers.normal(size=(64, DIMS)).astype(np.float32),
        encoder=arrays,
    )


def _pooled() -> TasteWeights:
    numbers = stream(0, "pooled")

    def some(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
        return numbers.normal(size=shape).astype(np.float32)

    return TasteWeights(
        item_ids=IDS,
        id_part=some(ITEMS, DIMS),
        content_map=some(64, DIMS),
        place=some(2, LENGTH),
        kind=some(2, KIND_COUNT),
        age=some(2, AGE_CODES),
        dwell=some(2, DWELL_CODES),
        gain=start_gain(2),
        mix=some(2, DIMS, DIMS),
        start=some(DIMS),
    )


class TestCausal(HistoryModelTests):
    """The encoder trained in batch."""

    model = _causal()


class TestPooled(HistoryModelTests):
    """The encoder that learns online."""

    model = _pooled()
