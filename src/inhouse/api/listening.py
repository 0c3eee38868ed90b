"""uvicorn around an app, for every role that serves."""

import gc
import socket

import uvicorn
from starlette.types import ASGIApp

from inhouse.app.heads import BoundedHeads
from inhouse.app.roles.supervisor import stop_with_parent
from inhouse.core.behind import behind
from inhouse.core.large_pages import join_pages


class _Server(uvicorn.Server):
    """One that looks through what it loaded for garbage no more, and has it in large pages.

    A hundred thousand people are 1.6 million objects, and looking at them all, as Python does now
    and then, holds every request up for 0.3 s.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.freeze()
        behind(join_pages, "large-pages")


def server_of(app: ASGIApp) -> uvicorn.Server:
    """A server that is loaded and does not listen yet."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHeads,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    config.load()
    return _Server(config)


def serve(server: uvicorn.Server, host: str, port: int, processes: int) -> None:
    """Serve until told to stop. More than one process share the port."""

    def stop() -> None:
        server.should_exit = True

    stop_with_parent(stop)
    server.run(sockets=[listening_on(host, port, shared=processes > 1)])


def listening_on(host: str, port: int, *, shared: bool) -> socket.socket:
    """A socket of our own on the port; the kernel deals connections out to all who listen."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(address)
    return listening
