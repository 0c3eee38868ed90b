"""A board on which everything is allowed: for recorded posts, and for an invented community."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.types import CODES, Surface, Viewer

_ALLOWED: Final = np.array([CODES["allow"]], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Policy:
    version: str = "permissive"


class Permissive:
    """Lets everything through."""

    def __init__(self) -> None:
        self.policy = _Policy()

    def column(self, surface: Surface, viewer: Viewer) -> NDArray[np.uint8]:
        """Allowed, all of them."""
        return _ALLOWED
