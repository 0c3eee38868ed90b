"""Replies."""

from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Rows


class ReplyFilter:
    """Removes what answers another item: alone, without what it answers, it is no post.

    Sources hardly meet one, since no index holds them. A rule may pin one by its id, and a post
    may have become one by an edit since it was indexed.
    """

    reasons = ("reply",)

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """By what the item says of itself."""
        return when(moment.table.is_reply[items])
