"""Small communities with a known right answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inhouse.catalog.types import Item, User
from inhouse.core.clock import HOUR_MS, MINUTE_MS
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import Event, EventKind, LoggedEvent, ServedPage
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.features.state import LiveState
from inhouse.moderation.types import CODES, Surface, Viewer
from inhouse.recommend.moment import Moment, read_moment
from inhouse.recommend.moment import World as SeenWorld
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.ports import TasteModel
from inhouse.recommend.retrieval.spaces import Spaces
from inhouse.recommend.rule import Rule, RuleAction
from inhouse.recommend.settings import RecommendSettings
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import FeedQuery

NOW_MS = 1_750_000_000_000
ME = UserId("me")


@dataclass
class BoardPolicy:
    version: str = "policy-1"


@dataclass
class Board:
    """Decisions by hand: what is not named is allowed."""

    by_row: dict[int, str] = field(default_factory=dict)
    rest: str = "allow"
    policy: BoardPolicy = field(default_factory=BoardPolicy)

    def column(self, surface: Surface, viewer: Viewer) -> NDArray[np.uint8]:
        codes = np.full(max(self.by_row, default=-1) + 2, _code(self.rest), dtype=np.uint8)
        for row, action in self.by_row.items():
            codes[row] = _code(action)
        return codes


def _code(action: str) -> int:
    return 6 if action == "awaited" else CODES[action]


@dataclass(frozen=True)
class Head:
    p_click: NDArray[np.float32]
    p_like: NDArray[np.float32]
    p_hide: NDArray[np.float32]
    dwell_ms: NDArray[np.float32]
    dwell_even_ms: NDArray[np.float32]


@dataclass
class ColourModel:
    """Knows the truth of the checkerboard: an item lies where its first topic says."""

    snapshot_id: str = "snap-1"
    has_head: bool = True
    nan_rows: tuple[int, ...] = ()
    fails: bool = False
    dims: int = 8

    def user_vector(self, history: HistoryArrays) -> NDArray[np.float32]:
        rows = history.items[history.items >= 0]
        return np.asarray(self._vectors[rows].mean(axis=0), dtype=np.float32)

    def item_vectors(self, items: ItemTable) -> NDArray[np.float32]:
        if self.fails:
            raise ValueError("torn")
        vectors = np.zeros((items.count, self.dims), dtype=np.float32)
        topics = items.topics[: items.count, 0]
        has = topics >= 0
        vectors[np.flatnonzero(has), topics[has] % self.dims] = 1.0
        self._vectors = vectors
        return vectors

    def predict(self, features: NDArray[np.float32]) -> Head:
        if self.fails:
            raise ValueError("torn")
        taste = features[:, FEATURE_NAMES.index("taste")]
        p_click = (0.05 + 0.5 * np.clip(taste, 0, 1)).astype(np.float32)
        p_click[list(self.nan_rows)] = np.nan
        flat = np.full(len(features), 0.01, dtype=np.float32)
        return Head(
            p_click=p_click,
            p_like=flat,
            p_hide=flat,
            dwell_ms=flat * 1_000,
            dwell_even_ms=flat * 1_000,
        )


class World:
    """A community built event by event."""

    def __init__(self) -> None:
        self.state = LiveState()
        self.board = Board()
        self.rules: list[Rule] = []
        self._offset = 0
        self._pages = 0

    def item(self, item_id: str, creator: str = "ann", **facts: object) -> int:
        """Add an item; returns its row."""
        given: dict[str, object] = {"created_ms": NOW_MS - HOUR_MS, "title": item_id, **facts}
        self.state.apply_items(
            [Item(item_id=ItemId(item_id), creator_id=UserId(creator), **given)]  # type: ignore[arg-type]
        )
        return self.state.items.index[ItemId(item_id)]

    def user(self, user_id: str = ME, **facts: object) -> None:
        self.state.apply_users([User(user_id=UserId(user_id), **facts)])  # type: ignore[arg-type]

    def event(
        self,
        kind: EventKind,
        item_id: str | None = None,
        *,
        user: str = ME,
        target: str | None = None,
        value: float | None = None,
        at_ms: int = NOW_MS - 10 * MINUTE_MS,
    ) -> None:
        self._offset += 1
        event = Event(
            event_id=EventId(f"e{self._offset}"),
            at_ms=at_ms,
            kind=kind,
            user_id=UserId(user),
            item_id=None if item_id is None else ItemId(item_id),
            target=target,
            value=value,
        )
        self.state.apply_events(
            [LoggedEvent(log_offset=self._offset, received_ms=at_ms, event=event)]
        )

    def rule(self, action: RuleAction, target: str, **facts: object) -> Rule:
        """Put an operator's rule in force."""
        given: dict[str, object] = {"surfaces": SURFACES, "reason": "it is asked for", **facts}
        made = Rule(action=action, target=target, rule_id=f"r{len(self.rules)}", **given)  # type: ignore[arg-type]
        self.rules.append(made)
        return made

    def in_force(self, now_ms: int) -> list[Rule]:
        """The rules that hold; the world is its own rule book."""
        return [rule for rule in self.rules if rule.holds_at(now_ms)]

    def show(self, page: ServedPage) -> None:
        """Fold a served page in, as the follower does."""
        self._pages += 1
        self.state.apply_page(self._pages, page)

    def moment(
        self, asked: FeedQuery, model: TasteModel | None = None, tuning: Tuning | None = None
    ) -> Moment:
        """What the stages of a request look at."""
        seen = SeenWorld(state=self.state, board=self.board, model=model, spaces=Spaces())
        return read_moment(seen, asked, tuning or Tuning())

    def feed(self, **settings: object) -> Feed:
        given = RecommendSettings(**settings)  # type: ignore[arg-type]
        feed = Feed(self.state, self.board, given)
        feed.obey(self)
        return feed


def query(**given: object) -> FeedQuery:
    """A query of me, now."""
    facts: dict[str, object] = {"user_id": ME, "now_ms": NOW_MS, "seed": 1, **given}
    return FeedQuery(**facts)  # type: ignore[arg-type]


def ids(page: ServedPage) -> list[str]:
    """What a page shows, in order."""
    return [shown.item_id for shown in page.items]


def removed(page: ServedPage) -> Mapping[str, str]:
    """Item -> reason."""
    return {gone.item_id: gone.reason for gone in page.removed}


def checkerboard(people: int = 8, items: int = 200, creators: int = 20) -> World:
    """Items are red or black by turns; even people want red ones, odd people black ones.

    Each person opened and liked ten of their colour and hid two of the other.
    """
    world = World()
    for i in range(items):
        colour = "red" if i % 2 == 0 else "black"
        world.item(
            f"i{i}",
            creator=f"c{(i // 2) % creators}",
            topics=(colour,),
            text=f"{colour} thing",
            created_ms=NOW_MS - (items - i) * MINUTE_MS,
        )
    for p in range(people):
        world.user(f"p{p}")
        for k in range(12):
            mine = k < 10
            row = 2 * ((7 * p + 3 * k) % (items // 2)) + (p % 2 if mine else 1 - p % 2)
            world.event("impression", f"i{row}", user=f"p{p}", at_ms=NOW_MS - (60 - k) * MINUTE_MS)
            kind: EventKind = "like" if mine else "hide"
            world.event(kind, f"i{row}", user=f"p{p}", at_ms=NOW_MS - (60 - k) * MINUTE_MS)
    return world


def page_of(items: list[str], user: str = ME) -> ServedPage:
    """A served page that shows these, for the history of served items."""
    from_feed = World()
    for name in items:
        from_feed.item(name)
    shown = from_feed.feed().serve(query(surface="latest", n=max(1, len(items)), user_id=user))
    return ServedPage(
        page_id=PageId("page_x"),
        at_ms=NOW_MS - MINUTE_MS,
        user_id=UserId(user),
        surface="for_you",
        items=tuple(sorted(shown.items, key=lambda item: items.index(item.item_id))),
    )
