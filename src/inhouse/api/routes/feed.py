"""/v1/feed"""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from inhouse.api.context import admit, meters_of, needs, services_of, turns_of
from inhouse.api.lane import Fast
from inhouse.api.meters import Meters
from inhouse.api.paging import place_in, place_of
from inhouse.api.turns import Turns
from inhouse.api.wire import FeedAnswer, FeedItem, answer, documented
from inhouse.app.build import Services
from inhouse.app.feeds.serving import FeedRequest, titles_of
from inhouse.app.rules import reasons_of
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ID_RULE, ItemId, PageId, UserId, is_valid_id
from inhouse.events.types import PageItem, ServedPage
from inhouse.recommend.explain import Why, explain, explained_now
from inhouse.recommend.surfaces import SURFACES, Surface
from inhouse.recommend.types import FeedQuery

router = APIRouter(prefix="/v1/feed", tags=["feed"], dependencies=[Depends(needs("feed"))])
Use = Annotated[Services, Depends(services_of)]
MOST_ITEMS = 100
MOST_EXCLUDED = 1_000
PAGES_SEARCHED = 200
_PROMOTED: Final = ("pinned", "boosted")
_NOTHING: Final[dict[str, str]] = {}
_YES_OR_NO: Final[dict[str | None, bool]] = {None: False, "true": True, "false": False}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a request for a page says."""

    surface: Surface
    n: int
    exclude: str
    detail: bool
    item: str | None
    after: str


async def asked_of(
    surface: Annotated[Surface, Query(description="which feed")] = "for_you",
    n: Annotated[int, Query(ge=1, le=MOST_ITEMS, description="how many items")] = 20,
    exclude: Annotated[str, Query(description="item ids never to show, joined by commas")] = "",
    detail: Annotated[bool, Query(description="with the items' own facts")] = False,
    item: Annotated[str | None, Query(description="for `similar`: to which item")] = None,
    after: Annotated[str, Query(description="on `latest`: the `next` of the page before")] = "",
) -> Asked:
    """As a dependency. A class would be called on another thread, which costs as much as a page."""
    return Asked(surface=surface, n=n, exclude=exclude, detail=detail, item=item, after=after)


@router.get("/{user_id}", responses=documented(FeedAnswer))
async def get_feed(
    user_id: Annotated[str, Path(description="whose feed; a stranger gets a cold start")],
    request: Request,
    asked: Annotated[Asked, Depends(asked_of)],
    use: Use,
    meters: Annotated[Meters, Depends(meters_of)],
    turns: Annotated[Turns, Depends(turns_of)],
) -> Response:
    """A page. It is on its way into the log when it is answered, so it can be explained later.

    While more people ask than can be served in full, pages are made with less work, and say so:
    `level`, also in the header `x-feed-level`.
    """
    wanted = _request(user_id, asked)
    made = await turns.page(use.feeds, wanted, request.state.arrived_s)
    page = made.page
    meters.page(page, made.waited_s)
    response = answer(_answer(page, use, detail=asked.detail))
    response.headers["x-feed-level"] = str(page.level)
    return response


async def get_feed_fast(request: Request) -> Response | None:
    """`get_feed` past the framework; None where its question is not one of the plain ones."""
    user_id = str(request.scope["path"]).rpartition("/")[2]
    asked = _plainly_asked(request.query_params.multi_items()) if user_id else None
    if asked is None:
        return None
    await admit(request, "feed")
    use, meters, turns = (
        await services_of(request),
        await meters_of(request),
        await turns_of(request),
    )
    return await get_feed(user_id, request, asked, use, meters, turns)


FAST: Final = {("GET", "/v1/feed/{}"): Fast(path="/v1/feed/{user_id}", handle=get_feed_fast)}


def _plainly_asked(given: list[tuple[str, str]]) -> Asked | None:
    """What `Asked` says; None where the framework has to read it, or to say what is wrong."""
    named = dict(given)
    n, surface, detail = named.get("n", "20"), named.get("surface", "for_you"), named.get("detail")
    plain = (
        len(named) == len(given)
        and (n.isascii() and n.isdecimal() and len(n) <= 3 and 1 <= int(n) <= MOST_ITEMS)
        and surface in SURFACES
        and detail in _YES_OR_NO
    )
    if not plain:
        return None
    return Asked(
        surface=cast("Surface", surface),
        n=int(n),
        exclude=named.get("exclude", ""),
        detail=_YES_OR_NO[detail],
        item=named.get("item"),
        after=named.get("after", ""),
    )


@router.get("/{user_id}/why/{item_id}", responses=documented(Why))
async def why(
    user_id: str,
    item_id: str,
    use: Use,
    page: Annotated[str | None, Query(description="on this page; else the latest telling")] = None,
) -> Response:
    """Why this item was shown to this person, or why it was not: by the page as it was logged.

    Without `page` it is the latest of the last 200 that tells of the item, else the latest of all.
    Where none tells of it, `detail.now` says what would keep it from a page at this moment.
    """
    wanted = ItemId(item_id)
    told = await asyncio.to_thread(_page_for_why, use, UserId(user_id), wanted, page)
    shown = next((each for each in told.items if each.item_id == wanted), None)
    named = {wanted, *(because for each in told.items for because in each.because)}
    titles = titles_of(use.catalog.items(named), sorted(named))
    found = explain(told, wanted, titles, reasons_of(use, shown.notes if shown else ()))
    if found.detail["outcome"] == "never_candidate":
        found = explained_now(found, use.feeds.feed.kept_out(_query_now(use, told), wanted))
    return answer(found)


def _page_for_why(use: Services, user_id: UserId, wanted: ItemId, page: str | None) -> ServedPage:
    if page is not None:
        found = use.pages.page(PageId(page))
        if found is None or found.user_id != user_id:
            raise UnknownError(f"no page {page!r} was served to {user_id!r}")
        return found
    pages = use.pages.pages_of(user_id, limit=PAGES_SEARCHED)
    if not pages:
        raise UnknownError(f"no page was ever served to {user_id!r}")
    return next((each for each in pages if _mentions(each, wanted)), pages[0])


def _query_now(use: Services, page: ServedPage) -> FeedQuery:
    """What the page's request would be if it were made now; a page like another is not."""
    surface = cast("Surface", page.surface) if page.surface != "similar" else "for_you"
    return FeedQuery(
        user_id=page.user_id, surface=surface, now_ms=use.clock.now_ms(), arms=page.arms
    )


def _mentions(page: ServedPage, item_id: ItemId) -> bool:
    shown = {each.item_id for each in page.items}
    removed = {each.item_id for each in page.removed}
    return item_id in shown | removed or item_id in page.reserve


def _request(user_id: str, asked: Asked) -> FeedRequest:
    """Raises InputError where it makes no sense."""
    if not is_valid_id(user_id):
        raise InputError(f"user: got {user_id[:80]!r}, expected {ID_RULE}")
    excluded = tuple(ItemId(part) for part in asked.exclude.split(",") if part)
    if len(excluded) > MOST_EXCLUDED:
        raise InputError(f"exclude: got {len(excluded)} ids, expected at most {MOST_EXCLUDED}")
    if (asked.surface == "similar") != (asked.item is not None):
        raise InputError("item: give `item=ID` with surface=similar, and only with it")
    return FeedRequest(
        user_id=UserId(user_id),
        surface=asked.surface,
        n=asked.n,
        exclude=excluded,
        item_id=None if asked.item is None else ItemId(asked.item),
        after=place_in(asked.after),
    )


def _answer(page: ServedPage, use: Services, *, detail: bool) -> FeedAnswer:
    items = [
        FeedItem(
            item_id=shown.item_id,
            position=shown.position,
            source=shown.source,
            label=notes.get("label"),
            promoted=next((name for name in _PROMOTED if name in notes), None) if notes else None,
        )
        for shown in page.items
        for notes in [_told(shown.notes) if shown.notes else _NOTHING]
    ]
    return FeedAnswer(
        page_id=page.page_id,
        at_ms=page.at_ms,
        surface=page.surface,
        items=_with_facts(items, use) if detail else items,
        arms=page.arms,
        snapshot_id=page.snapshot_id,
        profiled=page.profiled,
        level=page.level,
        next=_next(page, use),
    )


def _told(notes: Sequence[str]) -> dict[str, str]:
    return dict(note.partition(":")[::2] for note in notes)


def _next(page: ServedPage, use: Services) -> str | None:
    """Where the page behind this one begins; None where it is the last, or in no order of time."""
    if page.surface != "latest":
        return None
    timely = [shown for shown in page.items if not _is_pinned(shown)]
    if not timely:
        return None
    table, last = use.state.items, timely[-1].item_id
    return place_of(int(table.created_ms[table.index[last]]), last)


def _is_pinned(shown: PageItem) -> bool:
    return any(note.startswith("pinned:") for note in shown.notes)


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
