"""What the feed asks of others."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.moderation.types import Surface, Viewer
from inhouse.recommend.rule import Rule


class HeadAnswer(Protocol):
    """What a ranking head expects; arrays of one length."""

    @property
    def p_click(self) -> NDArray[np.float32]: ...
    @property
    def p_like(self) -> NDArray[np.float32]: ...
    @property
    def p_hide(self) -> NDArray[np.float32]: ...
    @property
    def dwell_ms(self) -> NDArray[np.float32]: ...
    @property
    def dwell_even_ms(self) -> NDArray[np.float32]: ...


class TasteModel(Protocol):
    """A trained snapshot: where a person and the items lie, and what the person will do."""

    @property
    def snapshot_id(self) -> str:
        """Logged with every page it ranked."""

    @property
    def has_head(self) -> bool:
        """Whether `predict` may be asked; without it the prior formula predicts."""

    def user_vector(self, history: HistoryArrays) -> NDArray[np.float32]:
        """float32[d] of a person with at least one action."""

    def item_vectors(self, items: ItemTable) -> NDArray[np.float32]:
        """float32[at least items.count, d], row i for item i, new items included."""

    def predict(self, features: NDArray[np.float32]) -> HeadAnswer:
        """For float32[n, F] in the order of `features.candidates.FEATURE_NAMES`."""


class PolicyInForce(Protocol):
    """The rules by which is decided."""

    @property
    def version(self) -> str:
        """Logged with every page."""


class RulesInForce(Protocol):
    """What operators want shown, shown more or not shown."""

    def in_force(self, now_ms: int) -> Sequence[Rule]:
        """The rules that hold now."""


class Decisions(Protocol):
    """What may be shown to whom, as codes of `moderation.types.ACTIONS` or AWAITING."""

    @property
    def policy(self) -> PolicyInForce:
        """The policy in force."""

    def column(self, surface: Surface, viewer: Viewer) -> NDArray[np.uint8]:
        """uint8[k], the action on each item by its row, the last for all later ones; not to be
        written to."""
