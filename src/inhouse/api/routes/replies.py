"""/v1/items/{item}/replies"""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.paging import place_in, place_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.app.people.threads import Asked, Chosen, State, Told, chosen, counted, listed, told
from inhouse.catalog.threads import Order, Place
from inhouse.core.errors import InputError
from inhouse.core.ids import ID_RULE, ItemId, UserId, is_valid_id
from inhouse.moderation.types import Surface
from inhouse.recommend.threads import Reader

router = APIRouter(prefix="/v1/items", tags=["items"], dependencies=[Depends(needs("feed"))])
Use = Annotated[Services, Depends(services_of)]
MOST_REPLIES: Final = 100


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What answers an item."""

    item_id: str
    creator_id: str
    creator_name: str | None
    kind: str
    title: str
    text: str
    media_url: str | None
    duration_ms: int | None
    created_ms: int
    label: str | None  # warn or age_gate: how the app should show it
    replies: int | None  # to this one, that the reader may read; null where there are thousands


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class RepliesAnswer:
    """A page of what answers an item."""

    item_id: str  # what is answered
    state: State  # shown; gone: nothing has that id, yet or any more; closed: the reader may not
    # read it, or one above it in its thread, and so nothing below it
    items: list[Reply]  # in order
    next: str | None  # give it as `after` for the page behind this one; null on the last


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Which:
    """What a request for a page says."""

    user: str | None
    surface: Surface
    order: Order
    n: int
    after: str


async def which_of(
    user: Annotated[str | None, Query(description="who reads; else somebody unknown")] = None,
    surface: Annotated[Surface, Query(description="whose moderation rules apply")] = "feed",
    order: Annotated[Order, Query(description="which come first")] = "oldest",
    n: Annotated[int, Query(ge=1, le=MOST_REPLIES, description="how many at most")] = 20,
    after: Annotated[str, Query(description="the `next` of the page before")] = "",
) -> Which:
    """As a dependency."""
    return Which(user=user, surface=surface, order=order, n=n, after=after)


@router.get("/{item_id}/replies", responses=documented(RepliesAnswer))
async def get_replies(
    item_id: Annotated[str, Path(description="what is answered; it need not be there any more")],
    which: Annotated[Which, Depends(which_of)],
    use: Use,
) -> Response:
    """What answers an item, as this reader may see it: moderation's decisions, mutes and blocks
    hold as in a feed. A page may hold fewer than `n`; as long as there is a `next`, go on."""
    asked, reader = _asked(item_id, which), _reader(which, use)
    there = await asyncio.to_thread(listed, use, asked)
    shown = chosen(use, asked, reader, there)
    about = await asyncio.to_thread(told, use, shown)
    below, after = counted(use, reader, about), shown.after
    return answer(
        RepliesAnswer(
            item_id=item_id,
            state=shown.state,
            items=_replies(shown, about, below),
            next=None if after is None else place_of(after.created_ms, after.item_id),
        )
    )


def _asked(item_id: str, which: Which) -> Asked:
    behind = place_in(which.after)
    after = None if behind is None else Place(created_ms=behind[0], item_id=behind[1])
    return Asked(item_id=ItemId(item_id), n=which.n, order=which.order, after=after)


def _reader(which: Which, use: Services) -> Reader:
    if which.user is not None and not is_valid_id(which.user):
        raise InputError(f"user: got {which.user[:80]!r}, expected {ID_RULE}")
    user_id = None if which.user is None else UserId(which.user)
    return Reader(user_id=user_id, surface=which.surface, now_ms=use.clock.now_ms())


def _replies(shown: Chosen, about: Told, below: Mapping[ItemId, int] | None) -> list[Reply]:
    """One that went between two looks is left out."""
    found = []
    for place, label in zip(shown.places, shown.labels, strict=True):
        item = about.items.get(place.item_id)
        if item is None:
            continue
        creator = about.people.get(item.creator_id)
        found.append(
            Reply(
                item_id=item.item_id,
                creator_id=item.creator_id,
                creator_name=None if creator is None else creator.name,
                kind=item.kind,
                title=item.title,
                text=item.text,
                media_url=item.media_url,
                duration_ms=item.duration_ms,
                created_ms=item.created_ms,
                label=label,
                replies=None if below is None else below.get(item.item_id, 0),
            )
        )
    return found
