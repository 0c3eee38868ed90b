"""A page for nobody, so that the first somebody waits for no compiler.

The kernels of a feed are compiled when they are first called; the result is kept on disk, but a
fresh installation, or one whose folders cannot be written to, compiles for seconds.
"""

from functools import cache
from typing import Final

from inhouse.app.permissive import Permissive
from inhouse.catalog.types import Item, User
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, LoggedEvent
from inhouse.features.state import LiveState
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.surfaces import Surface
from inhouse.recommend.types import FeedQuery

_ITEMS, _LIKED, _NOW_MS = 60, 3, 1_000_000
_SURFACES: Final[tuple[Surface, ...]] = ("for_you", "following", "latest", "trending")


@cache
def rehearse() -> None:
    """Serve a community of our own making, once a process; nothing of it is kept."""
    state = LiveState()
    viewer = UserId("viewer")
    state.apply_users([User(user_id=viewer, topics=("t0",), region="XX")])
    state.apply_items(
        Item(
            item_id=ItemId(f"i{n}"),
            creator_id=UserId(f"c{n % 9}"),
            title=f"word{n % 5}",
            topics=(f"t{n % 3}",),
            created_ms=n,
        )
        for n in range(_ITEMS)
    )
    state.apply_events([_liked(n, viewer) for n in range(_LIKED)])
    feed = Feed(state, Permissive())
    for user_id in (viewer, UserId("stranger")):
        for surface in _SURFACES:
            feed.serve(FeedQuery(user_id=user_id, surface=surface, n=10, now_ms=_NOW_MS))


def _liked(n: int, user_id: UserId) -> LoggedEvent:
    event = Event(
        event_id=EventId(f"e{n}"), at_ms=n, kind="like", user_id=user_id, item_id=ItemId(f"i{n}")
    )
    return LoggedEvent(log_offset=n + 1, received_ms=n, event=event)
