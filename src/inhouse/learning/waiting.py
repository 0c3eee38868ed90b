"""Served pages whose outcomes are still coming in, and how they are kept over a restart."""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.events.types import ServedPage
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.outcomes import Outcome


@dataclass(slots=True)
class Waiting:
    """One of them."""

    page: ServedPage
    places: dict[int, int]  # item -> its row below
    features: NDArray[np.float32]  # [n, F]
    outcomes: list[Outcome]
    examined: list[bool]  # whether any event speaks of it
    impressed: bool = False  # whether the client tells what came into view


class KeptPage(msgspec.Struct, array_like=True):
    """A waiting page in a file."""

    page: ServedPage
    items: list[int]
    features: bytes  # float32[n, F]
    outcomes: list[tuple[bool, bool, bool, float]]
    examined: list[bool]
    impressed: bool


def kept(waiting: Waiting) -> KeptPage:
    """For a file."""
    return KeptPage(
        page=waiting.page,
        items=list(waiting.places),
        features=waiting.features.tobytes(),
        outcomes=[(o.clicked, o.liked, o.hidden, o.dwell_ms) for o in waiting.outcomes],
        examined=waiting.examined,
        impressed=waiting.impressed,
    )


def unkept(page: KeptPage) -> Waiting:
    """From a file. Raises ValueError where the features do not fit."""
    features = np.frombuffer(page.features, dtype=np.float32).reshape(-1, len(FEATURE_NAMES))
    return Waiting(
        page=page.page,
        places={item: place for place, item in enumerate(page.items)},
        features=features,
        outcomes=[
            Outcome(clicked=clicked, liked=liked, hidden=hidden, dwell_ms=dwell_ms)
            for clicked, liked, hidden, dwell_ms in page.outcomes
        ],
        examined=page.examined,
        impressed=page.impressed,
    )
