"""The feed, from a question to a page."""

import dataclasses
import time
from collections.abc import Generator, Sequence

import msgspec
import numpy as np

from inhouse.core.ids import ItemId
from inhouse.core.logs import logger
from inhouse.events.types import ServedPage
from inhouse.features.state import LiveState
from inhouse.recommend.arrange import Arranged, arrange, as_ranked
from inhouse.recommend.filters import FILTERS, Filtered, run_all
from inhouse.recommend.in_step import Staged, in_step
from inhouse.recommend.levels import FULL, KEPT, Level
from inhouse.recommend.moment import PART_FAULTS, Moment, World, read_moment
from inhouse.recommend.page import named, written
from inhouse.recommend.plans import plan_for
from inhouse.recommend.ports import Decisions, RulesInForce, TasteModel
from inhouse.recommend.rank import rank, unranked
from inhouse.recommend.retrieval.spaces import Prepared, Spaces
from inhouse.recommend.settings import RecommendSettings
from inhouse.recommend.shared import SharedTrending
from inhouse.recommend.sources import SOURCES, Source
from inhouse.recommend.sources.merge import merge
from inhouse.recommend.sources.similar import SimilarSource, foreseen
from inhouse.recommend.tuning import tuning_of
from inhouse.recommend.types import Candidates, FeedQuery, Offer, Rows

_LOG = logger("feed")


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A page with what each stage handed to the next, for tests and for whoever looks closer."""

    page: ServedPage
    candidates: Candidates  # all that the sources offered
    filtered: Filtered  # kept and removed add up to the candidates
    ranked: Candidates  # the kept ones, best first
    arranged: Arranged  # places, reserve and removed add up to the ranked

    @property
    def shown(self) -> list[int]:
        """The rows of the page's items, in order."""
        items = self.ranked.items
        return [int(items[placed.choice.row]) for placed in self.arranged.places]


class Feed:
    """One community's feed over a live state. Not thread-safe: one thread serves and folds."""

    def __init__(
        self,
        state: LiveState,
        board: Decisions,
        settings: RecommendSettings | None = None,
        *,
        sources: Sequence[Source] = SOURCES,
        patient: bool = False,
    ) -> None:
        """patient: wait for an index over many items where one is due, as replays do."""
        self._state = state
        self._board = board
        self._settings = settings or RecommendSettings()
        self._sources = sources
        self._spaces = Spaces(patient=patient)
        self._trending = SharedTrending()
        self._rules: RulesInForce | None = None
        self._model: TasteModel | None = None
        self._tuning = tuning_of(self._settings, {})  # of whoever is in no experiment

    @property
    def snapshot_id(self) -> str | None:
        """Of the model in use; None before the first."""
        return None if self._model is None else self._model.snapshot_id

    def use(self, model: TasteModel | None) -> None:
        """Serve from this model from the next request on; None serves from content alone."""
        self._model = model

    def obey(self, rules: RulesInForce) -> None:
        """Let operators' rules hold from the next request on."""
        self._rules = rules

    def prepare(self, model: TasteModel) -> Prepared:
        """All that takes time before a model can serve; may be called on another thread."""
        prepared = self._spaces.prepare(model, self._state.items)
        quota = plan_for("for_you", self._tuning.ranker, paused=False).quotas[SimilarSource.name]
        prepared.space.meet(foreseen(self._state, quota))
        return prepared

    def use_prepared(self, prepared: Prepared) -> None:
        """Serve from a prepared model from the next request on."""
        self._spaces.use(prepared)
        self._model = prepared.model

    def moved(self, rows: Rows) -> None:
        """Hear that the model in use changed the vectors of these items in place."""
        self._spaces.moved(rows)

    @property
    def recall(self) -> float | None:
        """Of the best hundred items for a person, the share that retrieval finds, as sampled."""
        return self._spaces.recall

    def serve(self, query: FeedQuery) -> ServedPage:
        """A page. The same state and query give the same page but for its id and times.

        An empty catalogue gives an empty page. What fails of sources, model, ranking or arranging
        is logged and done without; a filter that fails is never done without. Where sources fail
        and none offers anything, those of other levels are asked; only where every source has
        failed is the first's error raised. Raises UnknownError for `similar` to an unknown item.
        """
        return self.trace(query).page

    def trace(self, query: FeedQuery) -> Trace:
        """As `serve`, with what each stage handed to the next."""
        (made,) = self.traces([query])
        if isinstance(made, Exception):
            raise made
        return made

    def traces(self, queries: Sequence[FeedQuery]) -> list[Trace | Exception]:
        """Pages for several people, made in step. Each is what it would be alone, or the error that
        it would raise."""
        return in_step([self._staged(query) for query in queries])

    def _staged(self, query: FeedQuery) -> Staged[Trace]:
        failed: _NoOfferError | None = None
        levels: tuple[Level, ...] = (query.level, KEPT, FULL)
        for level in dict.fromkeys(levels):
            try:
                return (yield from self._made(query.at(level)))
            except _NoOfferError as error:
                failed = failed or error
        assert failed is not None
        if failed.everybody:
            raise failed.fault
        return (yield from self._made(query, empty_will_do=True))

    def _made(self, query: FeedQuery, *, empty_will_do: bool = False) -> Staged[Trace]:
        watch = Stopwatch()
        moment = self._moment(query)
        yield from watch.lap("read")
        offers, faults = yield from self._offers(moment, watch)
        if faults and not offers and not empty_will_do:
            raise _NoOfferError(faults[0], everybody=len(faults) == len(self._asked(moment)))
        candidates = merge(offers)
        yield from watch.lap("merge")
        filtered = run_all(moment, candidates)
        yield from watch.lap("filter")
        ranked = _ranked(moment, filtered.kept)
        yield from watch.lap("rank")
        arranged = _arranged(moment, ranked)
        yield from watch.lap("arrange")
        removals = (*filtered.removed, *arranged.removed)
        removed = named(moment, removals, self._settings.removed_logged)
        page = written(moment, ranked, arranged, removed, watch.took_ms)
        yield from watch.lap("write")
        return Trace(
            page=page,
            candidates=candidates,
            filtered=filtered,
            ranked=ranked,
            arranged=arranged,
        )

    def kept_out(self, query: FeedQuery, item_id: ItemId) -> str | None:
        """What would remove an item from a page asked for now: a filter's reason, `unknown_item`,
        or None where no filter would."""
        row = self._state.items.index.get(item_id)
        if row is None:
            return "unknown_item"
        moment = self._moment(query)
        items = np.array([row], dtype=np.int32)
        for each in FILTERS:
            code = int(each.judge(moment, items)[0])
            if code:
                return each.reasons[code - 1]
        return None

    def _moment(self, query: FeedQuery) -> Moment:
        if self._rules is not None:
            rules = tuple(self._rules.in_force(query.now_ms))
            query = query if rules == query.rules else dataclasses.replace(query, rules=rules)
        tuning = tuning_of(self._settings, query.settings) if query.settings else self._tuning
        world = World(
            state=self._state,
            board=self._board,
            model=self._model,
            spaces=self._spaces,
            trending=self._trending,
        )
        return read_moment(world, query, tuning)

    def _asked(self, moment: Moment) -> list[Source]:
        return [source for source in self._sources if source.name in moment.plan.quotas]

    def _offers(
        self, moment: Moment, watch: "Stopwatch"
    ) -> Staged[tuple[dict[str, Offer], list[Exception]]]:
        """What each source of the plan offers, and why those that are left out failed."""
        offers: dict[str, Offer] = {}
        faults: list[Exception] = []
        for source in self._asked(moment):
            try:
                offer = source.offer(moment, moment.plan.quotas[source.name])
            except PART_FAULTS as fault:
                _LOG.warning("source_failed", source=source.name, exc_info=True)
                faults.append(fault)
                continue
            if offer is not None:
                offers[source.name] = offer
            yield from watch.lap(f"source_{source.name}")
        return offers, faults


class _NoOfferError(Exception):
    """Of the sources that were asked some have failed and none has offered anything."""

    def __init__(self, fault: Exception, *, everybody: bool) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.everybody = everybody  # whether all have failed


def _ranked(moment: Moment, kept: Candidates) -> Candidates:
    try:
        return rank(moment, kept)
    except PART_FAULTS:
        _LOG.warning("rank_failed", exc_info=True)
        return unranked(kept)


def _arranged(moment: Moment, ranked: Candidates) -> Arranged:
    try:
        return arrange(moment, ranked)
    except PART_FAULTS:
        _LOG.warning("arrange_failed", exc_info=True)
        return as_ranked(moment, ranked)


class Stopwatch:
    """Milliseconds from lap to lap, without what others did in between."""

    def __init__(self) -> None:
        self.took_ms: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> Generator[None, None, None]:
        """The time since the last lap belongs to `stage`; then it is others' turn."""
        self.took_ms[stage] = round((time.perf_counter() - self._since) * 1_000, 3)
        yield
        self._since = time.perf_counter()
