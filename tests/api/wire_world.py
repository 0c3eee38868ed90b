"""A server that really runs, with a model of one's own or a rented one behind its route."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from tests.models.models_texts import register, small_model

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.models.routes import RouteChange
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
