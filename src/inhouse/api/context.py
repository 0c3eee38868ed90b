"""What routes share: the services, the meters, and the check of keys."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from fastapi import Request

from inhouse.api.admission import admitted, bearer_in
from inhouse.api.house import House
from inhouse.api.meters import Meters
from inhouse.api.middleware import GIVE_BACK
from inhouse.api.passing import Calls
from inhouse.api.places import Places
from inhouse.api.turns import Turns
from inhouse.app.build import Services
from inhouse.app.keys import ApiKey

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One per process, at `app.state.context`."""

    house: House[Services]
    meters: Meters
    turns: Turns  # for making pages
    places: Places  # for asking models
    calls: Calls  # for calls that are passed on


def context_of(request: Request) -> Context:
    """The context of the app that got this request."""
    return cast("Context", request.app.state.context)


async def services_of(request: Request) -> Services:
    """As a dependency: the parts of the community whose key the request carries.

    Only `needs` puts them there, so a route that asks for no key reaches no community.
    """
    return cast("Services", request.state.services)


async def meters_of(request: Request) -> Meters:
    """As a dependency: the meters."""
    return context_of(request).meters


async def house_of(request: Request) -> House[Services]:
    """As a dependency: who is served here. For health, which needs no key."""
    return context_of(request).house


async def turns_of(request: Request) -> Turns:
    """As a dependency: the queue for making pages."""
    return context_of(request).turns


def needs(scope: str) -> Callable[[Request], Awaitable[ApiKey]]:
    """As a dependency: the caller's key, which must have the scope. It decides on the community,
    and nothing else in a request does."""

    async def check(request: Request) -> ApiKey:
        return await admit(request, scope)

    return check


async def admit(request: Request, scope: str) -> ApiKey:
    """Check the key, and put the parts of its community where `services_of` finds them.

    Raises AccessError where the key is unknown or lacks the scope.
    """
    return await admit_key(request, bearer_in(request.scope["headers"]), scope)


async def admit_key(request: Request, given: str | None, scope: str) -> ApiKey:
    """`admit` for a key that was sent in another place."""
    house = context_of(request).house
    served, key = admitted(house, given, scope)
    if GIVE_BACK not in request.scope["state"]:  # else an earlier check took the turn
        request.scope["state"][GIVE_BACK] = await house.take_turn(served)
    request.state.services = served.services
    return key


async def seen_at_once(services: Services, write: Callable[[], T]) -> T:
    """Do a write off the loop; the feeds of this process reflect it before the answer is given."""
    done = await asyncio.to_thread(write)
    services.feeds.follower.catch_up()
    return done
