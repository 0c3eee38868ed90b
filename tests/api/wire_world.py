"""A server that really runs, with a model of one's own or a rented one behind its route."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import uvicorn
import uvloop
from tests.models.models_texts import register, small_model

from inhouse.api.gateway.serve import serve_gateway
from inhouse.api.gateway.server import Gateway
from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.hub import Hub
from inhouse.app.parts import Parts
from inhouse.models.cutover.routes import RouteChange
from inhouse.models.types import Route

VERSION = "text_harm-small"
HATE = "all zarps stink"
SPAM = "win a gratis fone"
CALM = "a walk in the garden on a summer morning"


def own_a_model(services: Services) -> None:
    """Let a small model that knows hate and spam answer everything."""
    register(services.registry, small_model(), VERSION)
    route = Route(task="text_harm", stage="owned", primary=None, owned=VERSION, owned_share=1.0)
    services.routes.set(RouteChange(route=route, at_ms=1, decided_by="person:t", reason="test"))


ROLES = ("api", "gateway")


@contextmanager
def running_as(role: str, services: Services) -> Iterator[str]:
    """The address of a process of that role, while it runs; the role gateway has parts of its own
    and the system's time."""
    with running(services) if role == "api" else running_gateway(services) as address:
        yield address


@contextmanager
def running_gateway(services: Services) -> Iterator[str]:
    """The address of a server of the role `gateway`."""
    settings = services.settings
    parts = Parts(replace(settings, app=replace(settings.app, clock="system")))
    listening = socket.create_server(("127.0.0.1", 0))
    port, started = listening.getsockname()[1], threading.Event()
    calls: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        calls.append((asyncio.get_running_loop(), stop))
        await serve_gateway(Gateway(Hub(parts)), listening, stop, begun=started.set)

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        while not started.wait(0.05):
            assert thread.is_alive()
        yield f"http://127.0.0.1:{port}"
    finally:
        for loop, stop in calls:
            loop.call_soon_threadsafe(stop.set)
        thread.join()
        listening.close()


@contextmanager
def running(services: Services) -> Iterator[str]:
    """The address of a server of these services, while it runs."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(services), loop="uvloop", http="httptools", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
