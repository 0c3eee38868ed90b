"""All items as vectors, and the nearest of them to a vector."""

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np

from inhouse.core.logs import logger
from inhouse.recommend.best import top
from inhouse.recommend.retrieval.clusters import Clusters, cluster
from inhouse.recommend.types import Floats, Rows

EXACT_UP_TO: Final = 50_000  # items: below, one product over all is as fast as an index
_FEWEST_PROBES: Final = 8  # clusters
_LEAST_SHARE: Final = 0.03  # of the clusters
_REBUILT_AFTER: Final = 0.03  # of the items are new: they are looked through one by one
_CHECKED_EVERY: Final = 500  # searches: then one is compared with the exact answer
_CHECKED_AT: Final = 100  # best items
WANTED_RECALL: Final = 0.99
_REMEMBERED: Final = 20_000  # items whose neighbours are known
_ADDED_SINCE: Final = 1_000  # items: more, and they are looked for anew
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

    Beyond `EXACT_UP_TO` items the search looks through clusters and, one by one, whatever came
    after they were made. Every 500th search is also done exactly: `recall` is the mean share of the
    best hundred that was found, and where it is below `WANTED_RECALL` more clusters are looked
    through from then on.
    """

    def __init__(self, *, patient: bool = False) -> None:
        """patient: wait for an index where one is due, as replays do; a server never waits."""
        self.vectors: Floats = np.empty((0, 1), dtype=np.float32)
        self.recall = 1.0  # a moving mean
        self._patient = patient
        self._clusters: Clusters | None = None
        self._share = _LEAST_SHARE
        self._searches = 0
        self._known: dict[int, _Near] = {}
        self._builder: threading.Thread | None = None

    def refresh(self, vectors: Floats) -> None:
        """Hear of the vectors as they are now: [count, d], rows only added since the last call."""
        self.vectors = vectors

    def build(self) -> None:
        """Make the clusters anew from the vectors there are."""
        vectors = self.vectors
        if len(vectors) > EXACT_UP_TO:
            self._clusters = cluster(vectors)
            _LOG.info("clusters_built", items=len(vectors))

    def moved(self, rows: Rows) -> None:
        """Hear that the vectors of known rows changed in place."""
        clusters = self._clusters
        if clusters is not None:
            known = rows[rows < clusters.count]
            clusters.overwrite(known, self.vectors[known])

    def nearest(self, vector: Floats, k: int) -> tuple[Rows, Floats]:
        """int32[at most k] and float32: rows by dot product with float32[d], best first."""
        self._keep_up()
        clusters = self._clusters
        if clusters is None:
            return self._exact(vector, k)
        self._searches += 1
        rows, scores = self._by_clusters(clusters, vector, k)
        if self._searches % _CHECKED_EVERY == 0:
            self._check(clusters, vector)
        return rows, scores

    def neighbours(self, row: int, k: int) -> tuple[Rows, Floats]:
        """int32[at most k] and float32: rows by dot product with that row's vector, best first.

        The nearest are remembered, so that a vector that moved is met again only when they are
        looked for anew; items added since are compared one by one, each once.
        """
        count, known = len(self.vectors), self._known.get(row)
        if known is None or len(known.rows) < min(k, known.count) or self._is_old(known):
            rows, scores = self.nearest(self.vectors[row], k)
            known = _Near(rows=rows, scores=scores, count=count, searched=count)
            if len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[row] = known
        elif known.count < count:
            most = max(k, len(known.rows))
            rows, scores = self._with_newer(known.rows, known.count, self.vectors[row], most)
            known = _Near(rows=rows, scores=scores, count=count, searched=known.searched)
            self._known[row] = known
        return known.rows[:k], known.scores[:k]

    def _keep_up(self) -> None:
        """Have an index made where one is due: only of what is searched, since it takes seconds."""
        known = 0 if self._clusters is None else self._clusters.count
        if len(self.vectors) - known <= max(EXACT_UP_TO, int(_REBUILT_AFTER * known)):
            return
        if self._builder is None or not self._builder.is_alive():
            self._builder = threading.Thread(target=self.build, name="clusters", daemon=True)
            self._builder.start()
        if self._patient:
            self._builder.join()

    def _is_old(self, known: _Near) -> bool:
        return len(self.vectors) - known.searched > _ADDED_SINCE

    def _with_newer(self, found: Rows, count: int, vector: Floats, k: int) -> tuple[Rows, Floats]:
        """The best of those found among the first `count` items and of all that came after."""
        newer = np.arange(count, len(self.vectors), dtype=np.int32)
        rows = np.concatenate([found, newer])
        scores = np.concatenate([self.vectors[found] @ vector, self.vectors[count:] @ vector])
        best = top(scores, k)
        return rows[best], scores[best]

    def _exact(self, vector: Floats, k: int) -> tuple[Rows, Floats]:
        scores = self.vectors @ vector
        rows = top(scores, k)
        return rows, scores[rows]

    def _by_clusters(self, clusters: Clusters, vector: Floats, k: int) -> tuple[Rows, Floats]:
        probes = max(_FEWEST_PROBES, int(self._share * len(clusters.centroids)))
        found = clusters.preselect(vector, k, probes)
        return self._with_newer(found, clusters.count, vector, k)

    def _check(self, clusters: Clusters, vector: Floats) -> None:
        exact, _ = self._exact(vector, _CHECKED_AT)
        found, _ = self._by_clusters(clusters, vector, _CHECKED_AT)
        share = len(np.intersect1d(exact, found)) / max(1, len(exact))
        self.recall += 0.1 * (share - self.recall)
        if self.recall < WANTED_RECALL:
            self._share = min(1.0, self._share * 1.2)
