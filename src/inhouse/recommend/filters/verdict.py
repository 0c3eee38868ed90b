"""What moderation decided."""

from typing import Final

import numpy as np

from inhouse.moderation.types import ACTIONS
from inhouse.recommend.filters.base import Reasons
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows

# By code of the action, the last for posts that nobody and nothing has judged yet.
_REASONS: Final = (*(f"verdict_{action}" for action in ACTIONS), "verdict_awaited")


class VerdictFilter:
    """Removes what moderation's action forbids on this surface and for this viewer.

    Removed, reviewed and not yet judged posts are shown nowhere; limited ones only where a person
    asked for the creator; age-gated ones only to somebody known to be an adult. Posts with a
    warning pass: arranging puts the label on them.
    """

    reasons = _REASONS

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """The action's own code plus one, where it forbids showing."""
        actions = moment.actions(items)
        shown = moment.bars.shown[actions]
        return np.where(shown, np.uint8(0), actions + np.uint8(1)).astype(np.uint8)
