"""Compiled parts made ready before the first person asks.

The first call of a compiled function loads it from its cache, or compiles it where there is none
yet, as after an installation: seconds that no request should wait for.
"""

from functools import cache
from typing import Final

from inhouse.catalog.types import Item, User
from inhouse.core.clock import HOUR_MS
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, EventKind, LoggedEvent
from inhouse.features.state import LiveState
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.types import FeedQuery

_NOW_MS: Final = 1_700_000_000_000
_ME: Final = UserId("warm")
_ITEMS: Final = 2_400  # so many that lists are cut short as in life


@cache
def warm_up() -> None:
    """Serve every surface of an invented community once; again in this process it does nothing."""
    serve_all(Feed(invented(_ITEMS), Permissive()))


def serve_all(feed: Feed) -> None:
    """Every surface of a feed over an invented community."""
    for surface in SURFACES:
        item_id = ItemId("i1") if surface == "similar" else None
        feed.serve(FeedQuery(user_id=_ME, now_ms=_NOW_MS, surface=surface, item_id=item_id))


def invented(items: int) -> LiveState:
    """A community of so many items, and of one person of whom something is known."""
    state = LiveState()
    state.apply_items(
        Item(
            item_id=ItemId(f"i{i}"),
            creator_id=UserId(f"c{i % 7}"),
            title=f"thing {i % 5}",
            topics=(f"t{i % 3}",),
            created_ms=_NOW_MS - i * HOUR_MS // 60,
        )
        for i in range(items)
    )
    state.apply_users([User(user_id=_ME, topics=("t1",))])
    told: list[tuple[EventKind, str | None, str | None]] = [
        ("follow", None, "creator:c1"),
        ("mute", None, "creator:c2"),
        ("block", None, "creator:c3"),
        ("mute", None, "topic:t2"),
        *(("like", f"i{i}", None) for i in range(5)),
    ]
    for offset, (kind, item, target) in enumerate(told, start=1):
        event = Event(
            event_id=EventId(f"e{offset}"),
            at_ms=_NOW_MS - HOUR_MS,
            kind=kind,
            user_id=_ME,
            item_id=None if item is None else ItemId(item),
            target=target,
        )
        state.apply_events([LoggedEvent(log_offset=offset, received_ms=_NOW_MS, event=event)])
    return state
