"""Neighbours of what the person wanted last, or of the item asked for."""

import numpy as np

from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import top
from inhouse.recommend.types import Floats, Mask, Offer, Rows
from inhouse.recommend.vectors import unit


class SimilarSource:
    """The nearest by content and by learned vector to each anchor, and which anchor it was.

    Learned vectors say which items the same people want, content finds what is too new for that.
    The score is the mean of the two cosines, of content's alone where there is no model. An anchor
    never offers itself: it was seen, or the request excludes it.
    """

    name = "similar"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Equal shares of the quota for each anchor; nothing without anchors."""
        anchors = moment.anchors
        if not len(anchors):
            return None
        content = moment.table.content[: moment.count]
        spaces = [content]
        if moment.taste is not None and moment.taste.learned:
            spaces.append(moment.taste.items)
        found = _nearest(spaces, anchors, moment.worthwhile, -(-quota // len(anchors)))
        cosines = np.mean([_cosines(space, found, anchors) for space in spaces], axis=0)
        scores, which = cosines.max(axis=1), cosines.argmax(axis=1)
        best = top(scores.astype(np.float32), quota)
        return Offer(
            items=found[best],
            scores=scores[best].astype(np.float32),
            causes=anchors[which[best]],
        )


def _nearest(spaces: list[Floats], anchors: Rows, among: Mask, each: int) -> Rows:
    """int32[m], each once: the nearest to each anchor in each space, by dot product."""
    rows = [
        top(products, each, among)
        for space in spaces
        for products in np.ascontiguousarray((space @ space[anchors].T).T)  # [k, count]
    ]
    return np.unique(np.concatenate(rows))


def _cosines(space: Floats, rows: Rows, anchors: Rows) -> Floats:
    """float32[n, k]; 0 where either vector is zero."""
    mine, theirs = unit(space[rows]), unit(space[anchors])
    cosines: Floats = mine @ theirs.T
    return cosines
