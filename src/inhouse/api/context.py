"""What routes share: the services, the meters, and the check of keys."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from fastapi import Request

from inhouse.api.meters import Meters
from inhouse.api.turns import Turns
from inhouse.app.build import Services
from inhouse.app.keys import ApiKey

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One per process, at `app.state.context`."""

    services: Services
    meters: Meters
    turns: Turns  # for making pages


def context_of(request: Request) -> Context:
    """The context of the app that got this request."""
    return cast("Context", request.app.state.context)


async def services_of(request: Request) -> Services:
    """As a dependency: the services."""
    return context_of(request).services


async def meters_of(request: Request) -> Meters:
    """As a dependency: the meters."""
    return context_of(request).meters


async def turns_of(request: Request) -> Turns:
    """As a dependency: the queue for making pages."""
    return context_of(request).turns


def needs(scope: str) -> Callable[[Request], Awaitable[ApiKey]]:
    """As a dependency: the caller's key, which must have the scope."""

    async def check(request: Request) -> ApiKey:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        given = secret.strip() if kind.lower() == "bearer" else None
        return context_of(request).services.keys.require(given, scope)

    return check


async def seen_at_once(services: Services, write: Callable[[], T]) -> T:
    """Do a write off the loop; the feeds of this process reflect it before the answer is given."""
    done = await asyncio.to_thread(write)
    services.feeds.follower.catch_up()
    return done
