"""Withdrawn and expired posts."""

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class LiveFilter:
    """Removes what the app hid or deleted, and what is past its time."""

    reasons = ("hidden", "expired")

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Hidden before expired, where both hold."""
        hidden = moment.table.hidden[items]
        expired = moment.table.expires_ms[items] <= moment.query.now_ms
        return when(hidden, 1) + when(expired & ~hidden, 2)
