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
        barred = moment.bars.barred
        return pick(moment, lambda k: taste.space.nearest(taste.person, k, barred), quota)
