"""A board on which everything is allowed: for recorded posts, and for an invented community."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.types import CODES, Surface, Viewer


@dataclass(frozen=True, slots=True)
class _Policy:
    version: str = "permissive"


class Permissive:
    """Lets everything through."""

    def __init__(self) -> None:
        self.policy = _Policy()

    def actions(
        self, items: NDArray[np.int32], surface: Surface, viewer: Viewer
    ) -> NDArray[np.uint8]:
        """Allowed, all of them."""
        return np.full(len(items), CODES["allow"], dtype=np.uint8)
