"""All items as vectors, and the nearest of them to a vector."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.behind import behind
from inhouse.core.logs import logger
from inhouse.features.candidate_kernels import products
from inhouse.recommend.best import top
from inhouse.recommend.retrieval.clusters import EVERYTHING, MISSES, NONE, Clusters, cluster
from inhouse.recommend.retrieval.heaps import kth_best
from inhouse.recommend.retrieval.reach import Reach, Reaches
from inhouse.recommend.types import Floats, Rows
from inhouse.recommend.worth import among

INDEXED_BEYOND: Final = 5_000  # items: below, one product over all is as fast as an index
EXACT_UP_TO: Final = 50_000  # items: below, no search stops before it is sure
_REBUILT_AFTER: Final = 0.03  # of the items are new: they are looked through one by one
_FEWEST_NEW: Final = 2_000  # items, before an index is made anew
_CHECKED_AT: Final = 100  # best items
_ROUNDING: Final = 1e-5  # of a score: two ways of adding up may differ by so much
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


class Space:
    """Not thread-safe but for building, which a thread of its own does.

    Beyond so many items the search looks through clusters and, one by one, whatever came after they
    were made. Up to `EXACT_UP_TO` it goes on until nothing better can be left. Beyond, every
    1,000th search for few, and for many, is also done exactly, behind whoever is served: what
    share of the best hundred was found decides how far such searches look (`Reach`).
    """

    def __init__(
        self,
        *,
        patient: bool = False,
        indexed_beyond: int = INDEXED_BEYOND,
        reaches: Reaches | None = None,
    ) -> None:
        """patient: wait for an index where one is due, and for exact answers, as replays do; a
        server never waits. indexed_beyond: how many items there may be without one. reaches: what
        was learned in another space."""
        self.vectors: Floats = np.empty((0, 1), dtype=np.float32)
        self._posts: Rows = NONE
        self._patient = patient
        self._indexed_beyond = indexed_beyond
        self._clusters: Clusters | None = None
        self._reaches = reaches or Reaches()
        self._known: dict[int, _Near] = {}
        self._builder: threading.Thread | None = None
        self._checker: threading.Thread | None = None

    @property
    def recall(self) -> float | None:
        """Of the best hundred the share that is found, of the kind of search that finds less; None
        until it is known."""
        if self._clusters is None or self._clusters.count <= EXACT_UP_TO:
            return 1.0
        return self._reaches.recall

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
        reach = self._reaches.of(k)
        found = clusters.preselect(vector, k, reach.value, barred)
        rows, scores = self._with_newer(found, clusters.count, vector, k)
        if reach.is_due():
            self._check(reach, vector, scores[~among(rows, barred)][:_CHECKED_AT], barred)
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

    def _check(self, reach: Reach, vector: Floats, found: Floats, barred: Rows) -> None:
        """Hold the scores that were found, best first, against the exact ones; one at a time."""
        vectors, posts, vector = self.vectors, self._posts, vector.copy()

        def compare() -> None:
            reach.hear(share_found(vectors, posts, vector, barred, found))

        if self._patient:
            compare()
        elif self._checker is None or not self._checker.is_alive():
            self._checker = behind(compare, "recall")


def share_found(vectors: Floats, posts: Rows, vector: Floats, barred: Rows, found: Floats) -> float:
    """Of the best of these posts that are not barred, as many as were found, the share that was.

    found: dot products, best first. Judged by scores: of equals any will do.
    """
    if not len(found):
        return 1.0
    worst = kth_best(vectors, posts, vector, barred, len(found))
    return float(np.count_nonzero(found >= worst - _ROUNDING * abs(worst))) / len(found)
