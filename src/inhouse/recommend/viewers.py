"""Who is looking, and which of moderation's actions let a post through to them."""

from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np

from inhouse.moderation.types import ACTIONS, AWAITING, CODES, SHOWN, Surface, Viewer
from inhouse.recommend.types import Mask

ADULT_YEARS: Final = 18


def viewer_of(birth_year: int | None, now_ms: int) -> Viewer:
    """An adult only where the year of birth leaves no doubt of it."""
    if birth_year is None:
        return "unknown"
    year = datetime.fromtimestamp(now_ms / 1_000, tz=UTC).year
    return "adult" if year - birth_year > ADULT_YEARS else "minor"


@cache
def shown_codes(surface: Surface, viewer: Viewer) -> Mask:
    """bool[7], by code: whether a post with this action is shown. Awaiting posts never are.

    One array for all who ask, not to be written to.
    """
    shown = np.zeros(AWAITING + 1, dtype=np.bool_)
    for action in ACTIONS:
        known_adult = action != "age_gate" or viewer == "adult"
        shown[CODES[action]] = action in SHOWN[surface] and known_adult
    shown.flags.writeable = False
    return shown
