"""What fits the person's taste best, among everything."""

from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import pick
from inhouse.recommend.types import Offer


class TasteSource:
    """Dot product of the person's vector with the items', over all of them.

    Before the first snapshot the vectors are those of content alone.
    """

    name = "taste"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Nothing for a stranger."""
        if moment.taste is None:
            return None
        taste = moment.taste
        # Most of what was served lately is what the taste says, and some of what was seen before.
        served = len(moment.served_rows)
        met = served - served // 4 + max(0, len(moment.bars.barred) - served) // 8
        return pick(moment, lambda k: taste.space.nearest(taste.person, k), quota, met)
