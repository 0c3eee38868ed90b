"""Vectors with some structure, and a space over them."""

import numpy as np
import pytest

from inhouse.core.random import stream
from inhouse.recommend.best import top
from inhouse.recommend.retrieval import space as module
from inhouse.recommend.retrieval.space import Space

DIMS = 16


def of_kinds(count: int, seed: int = 1) -> np.ndarray:
    """Of forty kinds, with some chance in each."""
    dice = stream(seed, "vectors")
    kinds = dice.normal(size=(40, DIMS))
    told = kinds[dice.integers(0, 40, count)] + 0.3 * dice.normal(size=(count, DIMS))
    return told.astype(np.float32)


def exactly(vectors: np.ndarray, vector: np.ndarray, k: int) -> list[int]:
    """The best k by one product over all."""
    return top(vectors @ vector, k).tolist()


def indexed(monkeypatch: pytest.MonkeyPatch) -> Space:
    """Over 4,000 items, with an index from 1,000 on."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 1_000)
    space = Space(patient=True, indexed_beyond=1_000)
    space.refresh(of_kinds(4_000))
    space.build()
    return space
