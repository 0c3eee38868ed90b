"""The HTTP server: routes, errors, documentation, and the loop that follows the log."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware

from inhouse import __version__
from inhouse.api import errors
from inhouse.api.context import Context
from inhouse.api.meters import Meters
from inhouse.api.middleware import Gate
from inhouse.api.routes import (
    appeals,
    events,
    experiments,
    feed,
    health,
    insight,
    items,
    privacy,
    reports,
    review,
    rules,
    users,
    verdicts,
)
from inhouse.api.turns import Turns
from inhouse.api.wire import definitions
from inhouse.app.build import Services
from inhouse.app.serving import MODEL_EVERY_S
from inhouse.app.shedding import Shedder
from inhouse.core.errors import InhouseError, StoreError
from inhouse.core.logs import logger

# Those that are asked most come first: a request tries them in this order.
_ROUTES = (
    feed,
    events,
    items,
    users,
    privacy,
    reports,
    verdicts,
    review,
    appeals,
    experiments,
    rules,
    insight,
    health,
)
_ABOUT = (
    "A personalised, moderated feed. Send items, users and events; ask for feeds. "
    "Every call needs `Authorization: Bearer inh_…`; `inhouse keys create` makes keys."
)


def create_app(services: Services) -> FastAPI:
    """The app around the services of one process. Loads the state when it starts."""
    meters = Meters()
    app = FastAPI(title="inhouse", version=__version__, description=_ABOUT, lifespan=_lifespan)
    shedder = Shedder(services.settings.api.feed_wait_ms / 1_000, time.perf_counter)
    turns = Turns(shedder)
    app.state.context = Context(services=services, meters=meters, turns=turns)
    errors.install(app)
    for module in _ROUTES:
        app.include_router(module.router)
    settings = services.settings.api
    if settings.public_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[settings.public_origin],
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )
    app.add_middleware(Gate, most_body_bytes=settings.most_body_bytes, meters=meters, turns=turns)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the schemas of the bodies that hot routes read as bytes."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        bodies = (items.ItemsBody, users.UsersBody, events.EventsBody)
        for name, schema in definitions(bodies).items():
            schemas.setdefault(name, schema)
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        app.openapi_schema = document
    return app.openapi_schema


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.context.services
    await asyncio.to_thread(_load, services)
    loops = [asyncio.create_task(loop(services)) for loop in (_follow, _renew)]
    yield
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    services.close()


def _load(services: Services) -> None:
    """The state as of now; one that stood by is brought up to now."""
    services.feeds.start()
    services.feeds.catch_up()


async def _follow(services: Services) -> None:
    """Hear of what other processes wrote; a store that refuses for a while is asked again."""
    pause_s = services.settings.app.follow_ms / 1_000
    log = logger("api")
    while True:
        try:
            services.feeds.follower.catch_up()
        except StoreError as error:
            log.warning("follow_failed", reason=str(error))
        await asyncio.sleep(pause_s)


async def _renew(services: Services) -> None:
    """Take up newer models; whatever takes time is done on a thread while the old one serves."""
    log = logger("api")
    while True:
        try:
            fresh = await asyncio.to_thread(services.feeds.fresh_model)
            if fresh is None:
                services.feeds.move()
            else:
                services.feeds.adopt(fresh)
        except InhouseError as error:
            log.warning("renew_failed", reason=str(error))
        await asyncio.sleep(MODEL_EVERY_S)
