"""The role `api`: uvicorn around the app."""

import gc
import socket

import uvicorn

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.hub import Hub
from inhouse.app.settings import ApiSettings, Settings
from inhouse.app.standby import Standbys
from inhouse.app.supervisor import stop_with_parent, wait_for_promotion


def run_api(settings: Settings) -> None:
    """Serve until told to stop. More than one process share the port."""
    _serve(_server(Hub(Services(settings))), settings.api)


def stand_by(settings: Settings) -> None:
    """Keep the states ready and serve when called to; end when the supervisor is gone."""
    hub = Hub(Services(settings))
    server = _server(hub)
    standbys = Standbys(hub)
    standbys.start()
    if wait_for_promotion():
        standbys.take_over()
        _serve(server, settings.api)


class _Server(uvicorn.Server):
    """One that looks through what it loaded for garbage no more.

    A hundred thousand people are 1.6 million objects, and looking at them all, as Python does now
    and then, holds every request up for 0.3 s.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()


def _server(hub: Hub) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(hub),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    config.load()
    return _Server(config)


def _serve(server: uvicorn.Server, settings: ApiSettings) -> None:
    def stop() -> None:
        server.should_exit = True

    stop_with_parent(stop)
    server.run(sockets=[_listening(settings)])


def _listening(settings: ApiSettings) -> socket.socket:
    """A socket of our own on the port; the kernel deals connections out to all who listen."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM
    )[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.workers > 1:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(address)
    return listening
