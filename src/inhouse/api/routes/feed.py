"""/v1/feed"""

import asyncio
import dataclasses
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from inhouse.api.context import meters_of, needs, services_of
from inhouse.api.meters import Meters
from inhouse.api.wire import FeedAnswer, FeedItem, answer, documented
from inhouse.app.build import Services
from inhouse.app.serving import FeedRequest, titles_of
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ID_RULE, ItemId, UserId, is_valid_id
from inhouse.events.types import ServedPage
from inhouse.recommend.explain import Why, explain
from inhouse.recommend.types import Surface

router = APIRouter(prefix="/v1/feed", tags=["feed"], dependencies=[Depends(needs("feed"))])
Use = Annotated[Services, Depends(services_of)]
MOST_ITEMS = 100
MOST_EXCLUDED = 1_000
PAGES_SEARCHED = 200


@router.get("/{user_id}", responses=documented(FeedAnswer))
async def get_feed(
    user_id: Annotated[str, Path(description="whose feed; a stranger gets a cold start")],
    use: Use,
    meters: Annotated[Meters, Depends(meters_of)],
    surface: Annotated[Surface, Query(description="which feed")] = "for_you",
    n: Annotated[int, Query(ge=1, le=MOST_ITEMS, description="how many items")] = 20,
    exclude: Annotated[str, Query(description="item ids never to show, joined by commas")] = "",
    detail: Annotated[bool, Query(description="with the items' own facts")] = False,
    item: Annotated[str | None, Query(description="for `similar`: to which item")] = None,
) -> Response:
    """A page. It is in the log before it is answered, so it can be explained later."""
    excluded = tuple(ItemId(part) for part in exclude.split(",") if part)
    _check(user_id, excluded, surface, item)
    request = FeedRequest(
        user_id=UserId(user_id),
        surface=surface,
        n=n,
        exclude=excluded,
        item_id=None if item is None else ItemId(item),
    )
    page, logged = use.feeds.serve(request)
    offset = await asyncio.wrap_future(logged)
    use.feeds.follower.shown(page, offset)  # what it shows is not on the next one
    meters.page(page.took_ms, [shown.source for shown in page.items])
    return answer(_answer(page, use, detail=detail))


@router.get("/{user_id}/why/{item_id}", responses=documented(Why))
async def why(user_id: str, item_id: str, use: Use) -> Response:
    """Why this item was shown to this person lately, or why it was not."""
    pages = use.pages.pages_of(UserId(user_id), limit=PAGES_SEARCHED)
    if not pages:
        raise UnknownError(f"no page was ever served to {user_id!r}")
    wanted = ItemId(item_id)
    page = next((p for p in pages if _mentions(p, wanted)), pages[0])
    named = {wanted, *(because for shown in page.items for because in shown.because)}
    titles = titles_of(use.catalog.items(named), sorted(named))
    return answer(explain(page, wanted, titles))


def _mentions(page: ServedPage, item_id: ItemId) -> bool:
    shown = {each.item_id for each in page.items}
    removed = {each.item_id for each in page.removed}
    return item_id in shown | removed or item_id in page.reserve


def _check(user_id: str, excluded: tuple[ItemId, ...], surface: str, item: str | None) -> None:
    if not is_valid_id(user_id):
        raise InputError(f"user: got {user_id[:80]!r}, expected {ID_RULE}")
    if len(excluded) > MOST_EXCLUDED:
        raise InputError(f"exclude: got {len(excluded)} ids, expected at most {MOST_EXCLUDED}")
    if (surface == "similar") != (item is not None):
        raise InputError("item: give `item=ID` with surface=similar, and only with it")


def _answer(page: ServedPage, use: Services, *, detail: bool) -> FeedAnswer:
    items = [
        FeedItem(
            item_id=shown.item_id,
            position=shown.position,
            source=shown.source,
            label=next(
                (n.removeprefix("label:") for n in shown.notes if n.startswith("label:")), None
            ),
        )
        for shown in page.items
    ]
    return FeedAnswer(
        page_id=page.page_id,
        at_ms=page.at_ms,
        surface=page.surface,
        items=_with_facts(items, use) if detail else items,
        arms=page.arms,
        snapshot_id=page.snapshot_id,
    )


def _with_facts(items: list[FeedItem], use: Services) -> list[FeedItem]:
    found = use.catalog.items([item.item_id for item in items])
    creators = use.catalog.users({item.creator_id for item in found.values()})
    detailed = []
    for item in items:
        facts = found.get(ItemId(item.item_id))
        if facts is None:  # gone since the page was made
            continue
        creator = creators.get(facts.creator_id)
        detailed.append(
            dataclasses.replace(
                item,
                creator_id=facts.creator_id,
                creator_name=None if creator is None else creator.name,
                kind=facts.kind,
                title=facts.title,
                text=facts.text,
                topics=facts.topics,
                media_url=facts.media_url,
                duration_ms=facts.duration_ms,
                created_ms=facts.created_ms,
            )
        )
    return detailed
