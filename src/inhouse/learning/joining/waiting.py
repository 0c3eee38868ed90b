"""Served pages whose outcomes are still coming in, and how they are kept over a restart."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import ItemId
from inhouse.events.types import PageItem, ServedPage
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.outcomes import Outcome


@dataclass(slots=True)
class Waiting:
    """One of them."""

    page: ServedPage
    places: dict[int, int]  # item -> its row below
    features: NDArray[np.float32]  # [n, F] what was looked at when it was served
    outcomes: list[Outcome]
    examined: list[bool]  # whether any event speaks of it
    impressed: bool = False  # whether the client tells what came into view

    def seen(self) -> NDArray[np.intp]:
        """Rows that were examined: told by the client, or else all down to the last acted upon."""
        examined = np.array(self.examined)
        if not self.impressed and examined.any():
            examined[: int(np.flatnonzero(examined)[-1]) + 1] = True
        return np.flatnonzero(examined)

    def shown(self, ids: Sequence[ItemId]) -> list[PageItem]:
        """The place on the page of each row; ids: of the items by their rows in the state."""
        by_item = {shown.item_id: shown for shown in self.page.items}
        return [by_item[ids[item]] for item in self.places]


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
