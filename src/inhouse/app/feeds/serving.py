"""Feeds for people: a state that follows the log, a model that is swapped in, logged pages."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.core.logs import Seldom, logger
from inhouse.engagement.experiments.store import Experiments
from inhouse.events.pages import PageLog
from inhouse.events.types import ServedPage
from inhouse.features.follow import Follower
from inhouse.learning.snapshots.snapshot import SnapshotStore, TasteSnapshot
from inhouse.recommend.levels import FULL, Level
from inhouse.recommend.pipeline import Feed, Trace
from inhouse.recommend.retrieval.spaces import Prepared
from inhouse.recommend.surfaces import Surface
from inhouse.recommend.types import FeedQuery

MODEL_EVERY_S = 2.0  # so often a newer model is looked for


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedRequest:
    """What a client may ask for."""

    user_id: UserId  # whose feed; a stranger's is a cold start
    surface: Surface = "for_you"  # which feed
    n: int = 20  # how many items
    exclude: tuple[ItemId, ...] = ()  # never these, in this request
    item_id: ItemId | None = None  # for `similar`: to which
    after: tuple[int, ItemId] | None = None  # on `latest`: behind which post of which time


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """A model that may serve at once."""

    model: TasteSnapshot
    prepared: Prepared  # with what the feed needs beside it


class FeedService:
    """One process's feed. Not thread-safe: the API calls it from its event loop alone."""

    def __init__(
        self,
        feed: Feed,
        follower: Follower,
        pages: PageLog,
        experiments: Experiments,
        snapshots: SnapshotStore,
        clock: Clock,
    ) -> None:
        self.feed = feed
        self.follower = follower
        self._pages = pages
        self._experiments = experiments
        self._snapshots = snapshots
        self._clock = clock
        self._model: TasteSnapshot | None = None
        self._looked_s = 0.0
        self._logged: deque[tuple[PageId, Future[int]]] = deque()  # filled by the store's thread
        self.lost_pages = 0  # that the log refused after they were handed out
        self._started = False
        self._log = logger("serving")
        self._seldom = Seldom()

    def start(self) -> bool:
        """Load state and model; afterwards the service answers. Twice is once: returns whether this
        was the first time."""
        if self._started:
            return False
        self.follower.rebuild()
        self.swap_model()
        self._started = True
        return True

    def serve(self, request: FeedRequest, level: Level = FULL) -> ServedPage:
        """A page, handed over to the log, where it is durable some 50 ms later. What it shows is
        not on the next one. Raises StoreError where the store is closed."""
        (made,) = self.serve_all([(request, level)])
        if isinstance(made, Exception):
            raise made
        return made

    def serve_all(
        self, wanted: Sequence[tuple[FeedRequest, Level]]
    ) -> list[ServedPage | Exception]:
        """`serve` for requests that wait together, for less than one after another costs: of each
        the page, or the error of its own. Who asks twice gets the second page behind the first.
        Raises StoreError where the store is closed."""
        self._hear_of_logged()
        made: dict[int, ServedPage | Exception] = {}
        while len(made) < len(wanted):
            first: dict[UserId, int] = {}  # of each person, the first place without a page
            for place, (request, _) in enumerate(wanted):
                if place not in made:
                    first.setdefault(request.user_id, place)
            queries = [self._query(*wanted[place]) for place in first.values()]
            traces = self.feed.traces(queries)
            for place, query, trace in zip(first.values(), queries, traces, strict=True):
                made[place] = trace if isinstance(trace, Exception) else self._handed(query, trace)
        return [made[place] for place in range(len(wanted))]

    def _query(self, request: FeedRequest, level: Level) -> FeedQuery:
        # Which arm somebody is in is a fact about them too.
        paused = self.follower.state.person(request.user_id).paused
        arms = {} if paused else self._experiments.arms_for(request.user_id)
        now_ms = self._clock.now_ms()
        return FeedQuery(
            user_id=request.user_id,
            surface=request.surface,
            n=request.n,
            now_ms=now_ms,
            exclude=request.exclude,
            arms=arms,
            settings=self._experiments.settings_for(arms),
            item_id=request.item_id,
            after=request.after,
            seed=_seed(request.user_id, self.follower.state.page_offset, now_ms),
            level=level,
        )

    def _handed(self, query: FeedQuery, trace: Trace) -> ServedPage:
        """The page, on its way into the log."""
        page = trace.page
        self._experiments.expose(query.user_id, query.arms, query.now_ms)
        logged = self._pages.submit(page)
        self.follower.shown(page, trace.shown)
        logged.add_done_callback(lambda done: self._logged.append((page.page_id, done)))
        return page

    def catch_up(self) -> int:
        """Fold in what this and other processes wrote, and look for a newer model now and then."""
        self._hear_of_logged()
        done = self.follower.catch_up()
        if time.monotonic() - self._looked_s > MODEL_EVERY_S:
            self.swap_model()
        return done

    def _hear_of_logged(self) -> None:
        """Tell the follower where its pages stand in the log by now."""
        why = ""
        while self._logged:
            page_id, done = self._logged.popleft()
            error = done.exception()
            if error is None:
                self.follower.logged(page_id, done.result())
            else:
                self.follower.unlogged(page_id)
                self.lost_pages, why = self.lost_pages + 1, str(error)
        if why and self._seldom.is_due():
            self._log.error("pages_not_logged", pages_so_far=self.lost_pages, error=why)

    def swap_model(self) -> bool:
        """Serve from the newest good snapshot and its deltas; returns whether anything is newer."""
        self._looked_s = time.monotonic()
        fresh = self.fresh_model()
        if fresh is None:
            return self.move()
        self.adopt(fresh)
        return True

    def fresh_model(self) -> Fresh | None:
        """A newer snapshot, loaded and made ready; None where there is none.

        It takes seconds for a million items, and touches nothing that serves: call it on a thread.
        """
        model = self._snapshots.load_newer(None if self._model is None else self._model.snapshot_id)
        if model is None:
            return None
        self._snapshots.bring_up(model)
        model.warm_up()
        return Fresh(model=model, prepared=self.feed.prepare(model))

    def adopt(self, fresh: Fresh) -> None:
        """Serve from it from the next request on."""
        self._model = model = fresh.model
        self.feed.use_prepared(fresh.prepared)
        self._log.info("snapshot_swapped", snapshot=model.snapshot_id, deltas=model.sequence)

    def move(self) -> bool:
        """Take up the deltas that came since; returns whether there were any."""
        model = self._model
        if model is None:
            return False
        before = model.sequence
        self.feed.moved(self._snapshots.bring_up(model))
        return model.sequence > before


def _seed(user_id: UserId, offset: int, now_ms: int) -> int:
    """Differs from request to request, and is logged with the page."""
    return hash((user_id, offset, now_ms, time.perf_counter_ns())) & 0x7FFF_FFFF


def titles_of(found: Mapping[ItemId, object], ids: Sequence[ItemId]) -> dict[ItemId, str]:
    """What to call items in sentences: the title, else the first words, else the id."""
    return {item_id: _title(found.get(item_id), item_id) for item_id in ids}


def _title(item: object, item_id: ItemId) -> str:
    title = str(getattr(item, "title", "") or getattr(item, "text", ""))
    return title[:60] if title else item_id
