"""Requests whose head is too long, or never ends."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from inhouse.app import heads
from inhouse.app.heads import BoundedHeads


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server that waits half a second for a head."""
    monkeypatch.setattr(heads, "_MOST_S", 0.5)
    app = Starlette(routes=[Route("/", _length, methods=["POST"])])
    config = uvicorn.Config(app, http=BoundedHeads, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as on:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [on]})
        thread.start()
        yield on.getsockname()[1]
        server.should_exit = True
        thread.join()


def _request(body: bytes, headers: bytes = b"", last: bytes = b"close") -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"POST / HTTP/1.1\r\nhost: x\r\n%s%sconnection: %s\r\n\r\n%s" % (
        headers,
        length,
        last,
        body,
    )


def _told(connection: socket.socket) -> bytes:
    """All that is answered until the server closes."""
    connection.settimeout(10)
    told = b""
    while piece := connection.recv(65_536):
        told += piece
    return told


def test_requests_in_pieces_and_in_a_row_are_answered(port: int) -> None:
    """A large body is no head, and the second request's head begins anew."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        first = _request(b"x" * 300_000, last=b"keep-alive")
        connection.sendall(first[:20])
        time.sleep(0.05)
        connection.sendall(first[20:])
        connection.sendall(_request(b"yy", b"x-long: %s\r\n" % (b"a" * 40_000)))
        told = _told(connection)
    assert told.count(b"HTTP/1.1 200 OK") == 2
    assert b"300000" in told
    assert told.endswith(b"2")


def _pour(connection: socket.socket) -> None:
    for _ in range(2_000):
        connection.sendall(b"a" * 10_000)
        time.sleep(0.001)


def test_a_head_without_end_is_refused(port: int) -> None:
    """By its size, long before it is read to its end."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nx-long: ")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _pour(connection)


def test_what_is_refused_says_why(port: int) -> None:
    """In words, with the bound."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for piece in (b"POST / HTTP/1.1\r\nx-long: ", b"a" * 40_000, b"a" * 40_000):
            connection.sendall(piece)
            time.sleep(0.05)
        told = _told(connection)
    assert told.startswith(b"HTTP/1.1 400")
    assert told.endswith(b"larger than 65536 bytes.")


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nhost:"])
def test_whoever_does_not_go_on_is_let_go(port: int, begun: bytes) -> None:
    """A thousand half requests hold nothing for long; one that is answered waits for nobody."""
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(begun)
        assert _told(connection) == b""
    assert time.monotonic() - began_s > 0.3


def test_a_second_request_that_never_ends_is_let_go_too(port: int) -> None:
    """A connection that was used once has no more rights."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_request(b"abc", last=b"keep-alive"))
        time.sleep(0.2)
        connection.sendall(b"POST / HT")
        told = _told(connection)
    assert told.endswith(b"3")
