"""What this request asks to leave out."""

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class ExcludedFilter:
    """Removes the items named in the request; for `similar` also the item asked about."""

    reasons = ("excluded",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """By what the moment read from the query."""
        return when(moment.excluded(items))
