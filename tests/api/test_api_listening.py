"""A server as every role that serves starts it."""

import gc
import socket
import threading
import urllib.request

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from inhouse.api import listening


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


def test_a_server_answers_while_what_it_loaded_is_put_in_large_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits for it: it goes on beside the first requests, on a thread of its own."""
    begun, told = threading.Event(), threading.Event()

    def joined() -> int:
        begun.set()
        assert told.wait(10)
        return 0

    monkeypatch.setattr(listening, "join_pages", joined)
    server = listening.server_of(Starlette(routes=[Route("/", _hello)]))
    on = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [on]})
    thread.start()
    try:
        assert begun.wait(10)
        with urllib.request.urlopen(f"http://127.0.0.1:{on.getsockname()[1]}/", timeout=10) as got:
            assert got.read() == b"here"
        assert gc.get_freeze_count() > 0
    finally:
        told.set()
        server.should_exit = True
        thread.join()
        on.close()
        gc.unfreeze()
