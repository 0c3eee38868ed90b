"""/v1/items"""

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.context import admit, needs, services_of
from inhouse.api.lane import Fast
from inhouse.api.wire import PutAnswer, answer, documented, takes
from inhouse.app.build import Services
from inhouse.catalog.types import Item, Put
from inhouse.catalog.validate import item_fault
from inhouse.core.errors import UnknownError

router = APIRouter(prefix="/v1/items", tags=["items"], dependencies=[Depends(needs("items"))])
Use = Annotated[Services, Depends(services_of)]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ItemsBody:
    """A batch of items."""

    items: list[Item]


@router.post("", responses=documented(PutAnswer), openapi_extra=takes(ItemsBody))
async def put_items(request: Request) -> Response:
    """Post or change items. Good rows are taken, bad ones are listed; the answer means durable."""
    await admit(request, "items")
    use = await services_of(request)
    batch = use.item_rows.read(await request.body(), item_fault)
    now_ms = use.clock.now_ms()
    items = [i if i.created_ms else dataclasses.replace(i, created_ms=now_ms) for i in batch.good]
    put = await _put(use, items)
    return answer(
        PutAnswer(
            created=put.created,
            updated=put.updated,
            unchanged=put.unchanged,
            rejected=batch.rejected,
        )
    )


@router.get("/{item_id}", responses=documented(Item))
async def get_item(item_id: str, use: Use) -> Response:
    """One item as it was posted."""
    item = use.catalog.item(item_id)
    if item is None:
        raise UnknownError(f"no item {item_id!r}; post it to /v1/items first")
    return answer(item)


@router.delete("/{item_id}", responses=documented(Item))
async def hide_item(item_id: str, use: Use) -> Response:
    """Withdraw an item: no feed shows it from now on. What people did with it stays in the log."""
    item = use.catalog.item(item_id)
    if item is None:
        raise UnknownError(f"no item {item_id!r}; it may be withdrawn already under another id")
    hidden = dataclasses.replace(item, hidden=True)
    await _put(use, [hidden])
    return answer(hidden)


async def _put(use: Services, items: Sequence[Item]) -> Put:
    """Into the catalog, and into what this process holds in memory."""
    posted = await asyncio.wrap_future(use.catalog.submit_items(items))
    use.feeds.follower.posted(posted)
    return posted.put


FAST: Final = {("POST", "/v1/items"): Fast(path="/v1/items", handle=put_items)}
