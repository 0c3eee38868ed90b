"""/v1/users"""

import asyncio
import dataclasses
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import PutAnswer, answer, documented, takes
from inhouse.app.build import Services
from inhouse.catalog.types import User
from inhouse.catalog.validate import user_fault
from inhouse.core.errors import UnknownError

router = APIRouter(prefix="/v1/users", tags=["users"], dependencies=[Depends(needs("users"))])
Use = Annotated[Services, Depends(services_of)]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class UsersBody:
    """A batch of users."""

    users: list[User]


@router.post("", responses=documented(PutAnswer), openapi_extra=takes(UsersBody))
async def put_users(request: Request, use: Use) -> Response:
    """Create or change users. Good rows are taken, bad ones listed; an answer means durable."""
    batch = use.user_rows.read(await request.body(), user_fault)
    now_ms = use.clock.now_ms()
    users = [u if u.created_ms else dataclasses.replace(u, created_ms=now_ms) for u in batch.good]
    put = await asyncio.wrap_future(use.catalog.submit_users(users))
    use.feeds.follower.catch_up()
    return answer(
        PutAnswer(
            created=put.created,
            updated=put.updated,
            unchanged=put.unchanged,
            rejected=batch.rejected,
        )
    )


@router.get("/{user_id}", responses=documented(User))
async def get_user(user_id: str, use: Use) -> Response:
    """One user as they were given."""
    user = use.catalog.user(user_id)
    if user is None:
        raise UnknownError(f"no user {user_id!r}; someone only seen in events has no record here")
    return answer(user)
