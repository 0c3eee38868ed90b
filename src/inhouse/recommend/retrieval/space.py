"""All items as vectors, and the nearest of them to a vector."""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.logs import logger
from inhouse.features.candidate_kernels import products
from inhouse.recommend.best import top
from inhouse.recommend.retrieval.clusters import EVERYTHING, MISSES, NONE, Clusters, cluster
from inhouse.recommend.types import Floats, Rows
from inhouse.recommend.worth import among

INDEXED_BEYOND: Final = 5_000  # items: below, one product over all is as fast as an index
EXACT_UP_TO: Final = 50_000  # items: below, no search stops before it is sure
_MANY: Final = 200  # asked for at once: the best hundred are then found with less of a reach
_LEAST_REACH: Final = 0.1
_STEP: Final = 1.0  # reach grows by the power of e of this times the recall that is lacking
_REBUILT_AFTER: Final = 0.03  # of the items are new: they are looked through one by one
_FEWEST_NEW: Final = 2_000  # items, before an index is made anew
_CHECKED_EVERY: Final = 1_000  # searches: then one is compared with the exact answer
_CHECKED_AT: Final = 100  # best items
_ROUNDING: Final = 1e-5  # of a score: two ways of adding up may differ by so much
WANTED_RECALL: Final = 0.99
_REMEMBERED: Final = 20_000  # items whose neighbours are known
_ADDED_SINCE: Final = 1_000  # items: more, and they are looked for anew
_GIVE_WAY_S: Final = 1e-4  # between two searches that nobody waits for
_LOG = logger("retrieval")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Near:
    """What was found around one item."""

    rows: Rows  # best first
    scores: Floats  # of each
    count: int  # items that were compared
    searched: int  # items there were when they were looked for


class Reach:
    """How far searches of one kind look, set by what they were seen to find."""

    def __init__(self, value: float) -> None:
        """value: the highest cosine to reckon with inside a cluster, until more is known."""
        self.value = value
        self.recall = 1.0  # a moving mean
        self._searches = 0

    def is_due(self) -> bool:
        """Hear of a search; whether it is one of those to compare with the exact answer."""
        self._searches += 1
        return self._searches % _CHECKED_EVERY == 0

    def hear(self, share: float) -> None:
        """Of a search that found this share: a step to where the mean is `WANTED_RECALL`."""
        self.recall += 0.1 * (share - self.recall)
        moved = self.value * math.exp(_STEP * (WANTED_RECALL - share))
        self.value = min(max(moved, _LEAST_REACH), EVERYTHING)


class Space:
    """Not thread-safe but for building, which a thread of its own does.

    Beyond so many items the search looks through clusters and, one by one, whatever came after they
    were made. Up to `EXACT_UP_TO` it goes on until nothing better can be left. Beyond, every
    1,000th search for few, and for many, is also done exactly: `recall` is the mean share of the
    best hundred that was found. By each of these answers such searches reach somewhat farther or
    less far from then on, so that the mean comes to stand at `WANTED_RECALL`.
    """

    def __init__(self, *, patient: bool = False, indexed_beyond: int = INDEXED_BEYOND) -> None:
        """patient: wait for an index where one is due, as replays do; a server never waits.
        indexed_beyond: how many items there may be without one."""
        self.vectors: Floats = np.empty((0, 1), dtype=np.float32)
        self._posts: Rows = NONE
        self._patient = patient
        self._indexed_beyond = indexed_beyond
        self._clusters: Clusters | None = None
        self._few, self._many = Reach(0.7), Reach(0.55)
        self._known: dict[int, _Near] = {}
        self._builder: threading.Thread | None = None

    @property
    def recall(self) -> float:
        """Of the best hundred the share that is found, of the kind of search that finds less."""
        return min(self._few.recall, self._many.recall)

    def refresh(self, vectors: Floats, posts: Rows | None = None) -> None:
        """Hear of the vectors as they are now: [count, d], rows only added since the last call.

        posts: rows of those to be found, ascending, None where all are; what an edit has made one
        is found once the clusters are made anew.
        """
        self.vectors = vectors
        self._posts = np.arange(len(vectors), dtype=np.int32) if posts is None else posts

    def build(self) -> None:
        """Make the clusters anew from the vectors there are."""
        vectors, posts = self.vectors, self._posts
        if self._is_large():
            self._clusters = cluster(vectors, posts)
            _LOG.info("clusters_built", items=len(posts))

    def moved(self, rows: Rows) -> None:
        """Hear that the vectors of known rows changed in place."""
        clusters = self._clusters
        if clusters is not None:
            known = rows[rows < clusters.count]
            clusters.overwrite(known, self.vectors[known])

    def nearest(self, vector: Floats, k: int, barred: Rows = NONE) -> tuple[Rows, Floats]:
        """int32[m] and float32[m]: rows by dot product with float32[d], best first: k that are not
        barred, fewer where there are no more, and those of the best barred ones that were met.

        barred: sorted.
        """
        self._keep_up()
        clusters = self._clusters
        if clusters is None:
            return self._exact(vector, k, barred)
        k += min(MISSES, len(barred))
        if clusters.count <= EXACT_UP_TO:
            found = clusters.preselect(vector, k, EVERYTHING, barred)
            return self._with_newer(found, clusters.count, vector, k)
        reach = self._many if k >= _MANY else self._few
        found = clusters.preselect(vector, k, reach.value, barred)
        rows, scores = self._with_newer(found, clusters.count, vector, k)
        if reach.is_due():
            reach.hear(self._share_found(vector, rows, scores, barred))
        return rows, scores

    def neighbours(self, row: int, k: int) -> tuple[Rows, Floats]:
        """int32[at most k] and float32: rows by dot product with that row's vector, best first.

        The nearest are remembered, so that a vector that moved is met again only when they are
        looked for anew; items added since are compared one by one, each once.
        """
        count, known = len(self.vectors), self._known.get(row)
        if known is None or len(known.rows) < min(k, len(self._posts)) or self._is_old(known):
            rows, scores = self.nearest(self.vectors[row], k)
            known = _Near(rows=rows, scores=scores, count=count, searched=count)
            if len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[row] = known
        elif known.count < count:
            rows, scores = known.rows, known.scores
            _, newer = self._newer(known.count, self.vectors[row])
            if len(newer) and newer.max() > scores[-1]:
                rows, scores = self._with_newer(rows, known.count, self.vectors[row], len(rows))
            known = _Near(rows=rows, scores=scores, count=count, searched=known.searched)
            self._known[row] = known
        return known.rows[:k], known.scores[:k]

    def meet(self, wanted: Mapping[int, int]) -> None:
        """Look for so many neighbours of each of these rows before anybody asks.

        Between two searches whoever serves comes first.
        """
        for row, k in wanted.items():
            if row < len(self.vectors):
                self.neighbours(row, k)
                time.sleep(_GIVE_WAY_S)

    def _keep_up(self) -> None:
        """Have an index made where one is due: only of what is searched, since it takes seconds."""
        if self._clusters is None:
            is_due = self._is_large()
        else:
            known = len(self._clusters.rows)
            is_due = len(self._posts) - known > max(_FEWEST_NEW, int(_REBUILT_AFTER * known))
        if not is_due:
            return
        if self._builder is None or not self._builder.is_alive():
            self._builder = threading.Thread(target=self.build, name="clusters", daemon=True)
            self._builder.start()
        if self._patient:
            self._builder.join()

    def _is_large(self) -> bool:
        """Whether one product over all costs more than an index; replies are in the product."""
        return len(self.vectors) > self._indexed_beyond and len(self._posts) > 0

    def _newer(self, count: int, vector: Floats) -> tuple[Rows, Floats]:
        """int32[m] and float32[m]: those to be found behind the first `count` items, and their dot
        products."""
        # A number of another width would have all of them copied to its own first.
        newer = self._posts[self._posts.searchsorted(np.int32(count)) :]
        all_of_them = len(newer) == len(self.vectors) - count
        return newer, (self.vectors[count:] if all_of_them else self.vectors[newer]) @ vector

    def _is_old(self, known: _Near) -> bool:
        return len(self.vectors) - known.searched > _ADDED_SINCE

    def _with_newer(self, found: Rows, count: int, vector: Floats, k: int) -> tuple[Rows, Floats]:
        """The best of those found among the first `count` items and of all that came after."""
        rows, vectors = found, self.vectors
        scores = products(vectors, rows, vector)
        if count < len(vectors):
            newer, newer_scores = self._newer(count, vector)
            rows = np.concatenate([found, newer])
            scores = np.concatenate([scores, newer_scores])
        best = top(scores, k)
        return rows[best], scores[best]

    def _exact(self, vector: Floats, k: int, barred: Rows) -> tuple[Rows, Floats]:
        scores = self.vectors @ vector
        if not len(barred):
            rows = self._best(scores, k)
            return rows, scores[rows]
        missed = self._known_posts(barred)
        missed = missed[top(scores[missed], MISSES)]
        near = scores[missed]
        scores[barred] = -np.inf
        rows = self._best(scores, k)
        both, told = np.concatenate([rows, missed]), np.concatenate([scores[rows], near])
        best = top(told, len(both))
        return both[best], told[best]

    def _best(self, scores: Floats, k: int) -> Rows:
        """int32[at most k]: of those to be found the best by the scores of all, best first."""
        if len(self._posts) == len(scores):
            return top(scores, k)
        return self._posts[top(scores[self._posts], k)]

    def _known_posts(self, rows: Rows) -> Rows:
        """Those of sorted rows that are to be found."""
        if len(self._posts) == len(self.vectors):
            return rows
        return rows[among(rows, self._posts)]

    def _share_found(self, vector: Floats, rows: Rows, scores: Floats, barred: Rows) -> float:
        """Of the best that are not barred, judged by their scores: of equals any will do."""
        found = scores[~among(rows, barred)][:_CHECKED_AT]
        exact = self.vectors @ vector
        exact[barred] = -np.inf
        best = exact[self._best(exact, len(found))]
        if not len(best):
            return 1.0
        least = best[-1] - _ROUNDING * abs(best[-1])
        return float(np.count_nonzero(found >= least)) / len(found)
