"""Worlds with a known right answer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from learning_community import Community

from inhouse.core.random import stream
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.outcomes import KIND_CODES
from inhouse.learning.encoding import Histories
from inhouse.learning.examples.types import Impressions, NextItems
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.taste.train import TasteTraining
from inhouse.store.database import Database

LENGTH = 64


@pytest.fixture
def checkerboard() -> Callable[..., NextItems]:
    """n moments over `items` items, where people of one colour want items of that colour alone.

    Item j has colour j % 2. The history holds six items of the colour, the target is another.
    """

    def make(n: int, items: int = 40, seed: int = 0) -> NextItems:
        numbers = stream(seed, "checkerboard")
        histories = Histories(
            items=np.full((n, LENGTH), -1, dtype=np.int32),
            kinds=np.full((n, LENGTH), KIND_CODES["click"], dtype=np.uint8),
            ages=np.full((n, LENGTH), 5, dtype=np.uint8),
            dwells=np.zeros((n, LENGTH), dtype=np.uint8),
        )
        targets = np.zeros(n, dtype=np.int32)
        for row in range(n):
            chosen = 2 * numbers.permutation(items // 2)[:7] + row % 2
            histories.items[row, -6:] = chosen[:6]
            targets[row] = chosen[6]
        return NextItems(
            histories=histories,
            targets=targets,
            at_ms=np.arange(n, dtype=np.int64),
            offsets=np.arange(n, dtype=np.int64),
        )

    return make


@pytest.fixture
def planted() -> Callable[..., Impressions]:
    """n impressions whose clicks follow the first feature, hides the second, dwell the third."""

    def make(n: int, seed: int = 0) -> Impressions:
        numbers = stream(seed, "planted")
        features = numbers.normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)
        click = 1 / (1 + np.exp(-(2 * features[:, 0] - 1)))
        hide = 1 / (1 + np.exp(-(features[:, 1] - 3)))
        clicked = numbers.random(n) < click
        return Impressions(
            features=features,
            clicked=clicked,
            liked=clicked & (numbers.random(n) < 0.3),
            hidden=numbers.random(n) < hide,
            dwell_ms=(1_000 * numbers.exponential(np.exp(1 + 0.5 * features[:, 2]))).astype(
                np.float32
            ),
            propensity=np.ones(n, dtype=np.float32),
            position=np.zeros(n, dtype=np.int32),
            at_ms=np.arange(n, dtype=np.int64),
        )

    return make


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of the community's size learns it in a moment."""
    shape = TasteShape(dims=8, length=16)
    small = partial(TasteTraining, shape=shape, batch=128, dropout=0.3)
    monkeypatch.setattr("inhouse.learning.training.course.TasteTraining", small)
    # Its whole life is read at one look, which is no reason for haste.
    monkeypatch.setattr("inhouse.learning.training.learner._MANY", 1_000_000)


@pytest.fixture
def community(database: Database) -> Community:
    """A young one."""
    return Community(database)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    """An empty one."""
    return SnapshotStore(tmp_path / "snapshots")
