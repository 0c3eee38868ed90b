"""The HTTP server: routes, errors, documentation."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from inhouse import __version__
from inhouse.api import handlers
from inhouse.api.context import Context
from inhouse.api.following import Following
from inhouse.api.house import House
from inhouse.api.lane import Lane
from inhouse.api.meters import Meters
from inhouse.api.middleware import BodiesAreJson, Gate, Origins, late_pages
from inhouse.api.openai import calls, moderations
from inhouse.api.passing import Calls
from inhouse.api.perspective import comments, discovery
from inhouse.api.perspective.types import AnalyzeRequest, SuggestRequest
from inhouse.api.places import Places
from inhouse.api.routes import (
    appeals,
    banks,
    events,
    experiments,
    feed,
    health,
    insight,
    items,
    policy,
    prevalence,
    privacy,
    replies,
    reports,
    review,
    review_setup,
    rights,
    rules,
    sealed,
    tasks,
    transparency,
    users,
    verdicts,
    ways,
)
from inhouse.api.turns import Turns
from inhouse.api.wire import definitions
from inhouse.app.build import Services
from inhouse.app.feeds.shedding import Shedder
from inhouse.app.hub import Hub

# Those that are asked most come first: a request tries them in this order.
_ROUTES = (
    feed,
    events,
    items,
    replies,
    users,
    privacy,
    reports,
    verdicts,
    review_setup,  # before `review`, whose paths hold ids
    review,
    appeals,
    policy,
    rights,
    sealed,
    transparency,
    prevalence,
    banks,
    experiments,
    rules,
    insight,
    tasks,
    ways,
    moderations,
    comments,
    calls,
    discovery,
    health,
)
_FAST = (feed, events, items, moderations, comments)
_ABOUT = (
    "A personalised, moderated feed. Send items, users and events; ask for feeds. "
    "Every call needs `Authorization: Bearer inh_…`; `inhouse keys create` makes keys."
)


def create_app(services: Services | Hub[Services]) -> FastAPI:
    """The app around the communities of one process, or of the installation's whose own parts are
    given. Loads their states when it starts."""
    hub = services if isinstance(services, Hub) else Hub(services)
    meters, house = Meters(), House(hub, Following)
    calling = Calls(house)
    meters.calls(house.tallies)
    app = FastAPI(title="inhouse", version=__version__, description=_ABOUT, lifespan=_lifespan)
    turns = Turns(Shedder(hub.home.settings.api.feed_wait_ms / 1_000, time.perf_counter))
    places = Places(hub.home.settings.api.most_asking)
    app.state.context = Context(
        house=house, meters=meters, turns=turns, places=places, calls=calling
    )
    handlers.install(app)
    # As they are, and not included: that would build each of them anew for every app.
    for module in _ROUTES:
        app.router.routes.extend(module.router.routes)
    fast = {path: each for module in _FAST for path, each in module.FAST.items()}
    app.add_middleware(BodiesAreJson)
    app.add_middleware(Lane, fast={**fast, **calling.fast()})
    app.add_middleware(Origins, origins=house.origins)
    most_bytes = hub.home.settings.api.most_body_bytes
    app.add_middleware(Gate, most_body_bytes=most_bytes, meters=meters, late_s=late_pages(turns))
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the schemas of the bodies that hot routes read as bytes."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        bodies = (
            items.ItemsBody,
            users.UsersBody,
            events.EventsBody,
            moderations.Asked,
            AnalyzeRequest,
            SuggestRequest,
        )
        for name, schema in definitions(bodies).items():
            schemas.setdefault(name, schema)
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        app.openapi_schema = document
    return app.openapi_schema


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    house: House[Services] = app.state.context.house
    await house.open()
    yield
    await house.close()
