"""The app of a closed loop in one process: state, feed and course of learning are those that serve.

Only HTTP, the store and the processes between them are left out: events are folded in when the page
they came of was left, and what is learned serves at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import UserId
from inhouse.events.types import Event, LoggedEvent, PageItem, ServedPage
from inhouse.features.state import LiveState
from inhouse.learning.settings import LearningSettings
from inhouse.learning.training.course import Course
from inhouse.moderation.types import CODES, Surface, Viewer
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.settings import RecommendSettings
from inhouse.recommend.types import SOURCE_BIT, FeedQuery
from inhouse.simulator.judge import FLAG_AT, Judge
from inhouse.simulator.wire import person_id
from inhouse.simulator.world import World

Bools = NDArray[np.bool_]
PAGE: Final = 20  # places


class Judged(Permissive):
    """Moderation that takes out what the simulator's stand-in flags, as soon as it is posted."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self._judge = world, Judge(world)
        self.flagged: Bools = np.zeros(0, dtype=np.bool_)  # [posts]

    def read(self, posts: Sequence[int]) -> None:
        """Judge new posts, which follow on those before."""
        words = [self._world.words(post) for post in posts]
        found = [self._judge.scores(word.title + word.text, "stand-in") for word in words]
        flags = [max(scores.values()) >= FLAG_AT for scores in found]
        self.flagged = np.append(self.flagged, np.array(flags, dtype=np.bool_))

    def column(self, surface: Surface, viewer: Viewer) -> NDArray[np.uint8]:
        """Removed where it was flagged; a post's row in the table is its number."""
        flagged = np.append(self.flagged, False)
        return np.where(flagged, CODES["remove"], CODES["allow"]).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """One way to serve the same app."""

    name: str
    serve: Callable[["House", FeedQuery], ServedPage]
    learns: bool  # whether a model is learned from what came of its pages
    recommend: RecommendSettings = field(default_factory=RecommendSettings)


class House:
    """The app: its state, its feed and what it learns. Knows nothing of any truth."""

    def __init__(self, manner: Manner, board: Judged) -> None:
        self.state = LiveState()
        self.feed = Feed(self.state, board, manner.recommend, patient=True)
        self.course = Course(self.state, LearningSettings()) if manner.learns else None
        self._serve = manner.serve
        self._events = self._pages = 0

    def page(self, person: int, now_ms: int) -> ServedPage:
        """A page for somebody, and remember that it was served."""
        query = FeedQuery(
            user_id=UserId(person_id(person)), now_ms=now_ms, n=PAGE, seed=self._pages
        )
        self._pages += 1
        page = self._serve(self, query)
        if self.course is None:
            self.state.apply_page(self._pages, page)
        else:
            self.course.take([], [(self._pages, page)])
        return page

    def hear(self, events: Sequence[Event], now_ms: int) -> None:
        """Fold in what somebody did, and learn what is due, as the learner does."""
        logged = [
            LoggedEvent(log_offset=self._events + 1 + place, received_ms=now_ms, event=event)
            for place, event in enumerate(events)
        ]
        self._events += len(logged)
        if self.course is None:
            self.state.apply_events(logged)
            return
        self.course.take(logged, [])
        self.course.mature(now_ms)
        if self.course.is_due():
            held = self.course.learn(now_ms)
            if held.model is not None:
                self.feed.use(held.model)
                return
        changed = self.course.changes(now_ms)
        if changed is not None and changed.delta is not None:
            self.feed.moved(self.course.serve_delta(changed.delta))


def whole_feed(house: House, query: FeedQuery) -> ServedPage:
    """As it serves: sources, head, arranging, places for chance and for new creators."""
    return house.feed.serve(query)


def popular(house: House, query: FeedQuery) -> ServedPage:
    """The popular arm: by wanted events of late, nothing that was seen or served."""
    return house.feed.serve(replace(query, settings={"ranker": "popular"}))


def latest(house: House, query: FeedQuery) -> ServedPage:
    """The newest posts; what was seen or served is left out, else it would come again and again."""
    person = house.state.person(query.user_id)
    met = np.union1d(person.seen.rows(), person.served.rows()).tolist()
    exclude = tuple(house.state.items.ids[row] for row in met)
    return house.feed.serve(replace(query, surface="latest", exclude=exclude))


def pure_taste(house: House, query: FeedQuery) -> ServedPage:
    """What may be shown by the learned taste alone, best dot product first; strangers get what is
    popular. Before there is a model the taste is that of content."""
    trace = house.feed.trace(replace(query, settings={"explore_share": 0.0}))
    kept = trace.filtered.kept
    scores = kept.offered[:, SOURCE_BIT["taste"]]
    best = [row for row in np.argsort(-scores, kind="stable").tolist() if np.isfinite(scores[row])]
    if not best:
        return popular(house, query)
    items = tuple(
        PageItem(
            item_id=house.state.items.ids[kept.items[row]],
            position=position,
            source="taste",
            sources=("taste",),
            value=float(scores[row]),
            predicted={},
            propensity=1.0,
            explored=False,
        )
        for position, row in enumerate(best[: query.n])
    )
    return replace(trace.page, items=items)


MANNERS: Final = (
    Manner(name="full", serve=whole_feed, learns=True),
    Manner(name="popular", serve=popular, learns=False),
    Manner(name="latest", serve=latest, learns=False),
    Manner(name="taste", serve=pure_taste, learns=True),
)
