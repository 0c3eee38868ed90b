"""One process of the role `gateway`: from the first call to the last row."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import uvloop

from inhouse.api.gateway.http import Caller, Site
from inhouse.api.gateway.server import Gateway
from inhouse.api.listening import listening_on
from inhouse.app.hub import Hub
from inhouse.app.parts import Parts
from inhouse.app.roles.supervisor import stop_with_parent
from inhouse.app.settings import Settings

_GRACE_S: Final = 5.0  # for calls under way, when told to stop
_BACKLOG: Final = 2_048


def run_gateway(settings: Settings) -> None:
    """Serve until told to stop; then every row is written."""
    where = settings.api
    on = listening_on(where.host, where.gateway_port, shared=where.gateway_workers > 1)
    uvloop.run(_run(Gateway(Hub(Parts(settings))), on))


async def _run(gateway: Gateway, on: socket.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    stop_with_parent(partial(_from_a_thread, loop, stop))
    # What was loaded is not looked through for garbage any more.
    await serve_gateway(gateway, on, stop, begun=gc.freeze)


async def serve_gateway(
    gateway: Gateway, on: socket.socket, stop: asyncio.Event, *, begun: Callable[[], None]
) -> None:
    """Serve on that socket until `stop` is set; `begun` is called when calls are taken."""
    loop = asyncio.get_running_loop()
    await gateway.house.open()
    site = Site(gateway.handle, gateway.most_body_bytes, gateway.drain_s)
    site.start()
    server = await loop.create_server(lambda: Caller(site), sock=on, backlog=_BACKLOG)
    begun()
    await stop.wait()
    server.close()
    await site.end(_GRACE_S)
    await gateway.house.close()


def _from_a_thread(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    loop.call_soon_threadsafe(stop.set)
