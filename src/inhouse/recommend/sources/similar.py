"""Neighbours of what the person wanted last, or of the item asked for."""

from functools import partial

import numpy as np

from inhouse.features.rows import distinct
from inhouse.recommend.best import top
from inhouse.recommend.moment import Moment
from inhouse.recommend.picking import look_through
from inhouse.recommend.types import Floats, Offer, Rows
from inhouse.recommend.vectors import unit


class SimilarSource:
    """The nearest to each anchor, and which anchor it was.

    Neighbours are looked for in the space of the learned vectors, which say what the same people
    want; a new post lies there by its content. The score is the mean of the cosines of learned
    vectors and of content, of content's alone where there is no model. An anchor never offers
    itself: it was seen, or the request excludes it.
    """

    name = "similar"

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """Equal shares of the quota for each anchor; nothing without anchors."""
        anchors = moment.anchors
        if not len(anchors):
            return None
        found = _nearest(moment, -(-quota // len(anchors)))
        spaces = [moment.table.content]
        if moment.taste is not None and moment.taste.learned:
            spaces.append(moment.space.vectors)
        cosines = np.mean([_cosines(space, found, anchors) for space in spaces], axis=0)
        scores, which = cosines.max(axis=1), cosines.argmax(axis=1)
        best = top(scores.astype(np.float32), quota)
        return Offer(
            items=found[best],
            scores=scores[best].astype(np.float32),
            causes=anchors[which[best]],
        )


def _nearest(moment: Moment, each: int) -> Rows:
    """int32[m], each once: the nearest worthwhile ones to each anchor, by dot product."""
    rows = []
    for anchor in moment.anchors.tolist():
        near, _, good = look_through(moment, partial(moment.space.neighbours, anchor), each)
        rows.append(near[good][:each])
    return distinct(np.concatenate(rows))


def _cosines(space: Floats, rows: Rows, anchors: Rows) -> Floats:
    """float32[n, k]; 0 where either vector is zero."""
    mine, theirs = unit(space[rows]), unit(space[anchors])
    cosines: Floats = mine @ theirs.T
    return cosines
