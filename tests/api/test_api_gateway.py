"""The role `gateway`: small, and correct about HTTP."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.api.wire_world import running, running_gateway

from inhouse.app.build import Services

CHAT = b"/openai/v1/chat/completions"
# What no process that only passes calls on may load.
_HEAVY = ("fastapi", "polars", "numba", "alembic", "scipy", "torch", "nicegui", "numpy", "aiohttp")
_UNKNOWN = b'{"model": "main"}'


@pytest.fixture
def address(services: Services) -> Iterator[tuple[str, int]]:
    """Where a gateway listens."""
    with running_gateway(services) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


@pytest.fixture
def secret(services: Services) -> str:
    """A key that may call models."""
    return services.keys.create("app", ["models"])[1]


def _post(body: bytes, *headers: str, path: bytes = CHAT, version: str = "1.1") -> bytes:
    lines = "".join(f"{line}\r\n" for line in headers)
    head = f"HTTP/{version}\r\nhost: h\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return b"POST " + path + b" " + head.encode() + body


def _talk(address: tuple[str, int], *sent: bytes, answers: int = 1) -> bytes:
    """What comes back, until so many answers are there or the connection is closed."""
    with socket.create_connection(address, timeout=60) as connection:
        found = b""
        for piece in sent:
            connection.sendall(piece)
            time.sleep(0.02)
        while found.count(b"HTTP/1.1 ") < answers or not found.endswith(b"}"):
            piece = connection.recv(65_536)
            if not piece:
                return found + b"<closed>"
            found += piece
        return found


def _statuses(told: bytes) -> list[int]:
    return [int(part[:3]) for part in told.split(b"HTTP/1.1 ")[1:]]


def test_it_loads_nothing_else() -> None:
    """Neither the feed's libraries nor a framework: what is loaded is told by the interpreter."""
    code = "import sys, inhouse.api.gateway.serve; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "msgspec" in loaded
    assert loaded.isdisjoint(_HEAVY)


@pytest.mark.parametrize("role", ["api", "console"])
def test_a_server_loads_nothing_that_trains(role: str) -> None:
    """Torch alone takes a process a hundred and fifty megabytes and two seconds."""
    code = f"import sys, inhouse.{role}.serve; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "False\n"


def test_it_is_small_and_alone_enough(tmp_path: Path, services: Services) -> None:
    """In an empty folder it makes its tables, is ready, takes less than 100 MB, tells health and
    metrics without a key, and ends on SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    environment = {
        **os.environ,
        "INHOUSE_STORE_FOLDER": str(tmp_path / "fresh"),
        "INHOUSE_API_GATEWAY_PORT": str(address[1]),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "inhouse.api.gateway"], env=environment, cwd=tmp_path
    ) as process:
        try:
            until = time.monotonic() + 60
            while (told := _try(address)) is None:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            assert _statuses(told) == [200]
            assert json.loads(told.rpartition(b"\r\n\r\n")[2])["ok"] is True
            assert psutil.Process(process.pid).memory_info().rss < 100e6
        finally:
            process.terminate()
        assert process.wait(20) == 0


def _try(address: tuple[str, int]) -> bytes | None:
    try:
        return _talk(address, b"GET /v1/readyz HTTP/1.1\r\nhost: h\r\n\r\n")
    except OSError:
        return None


def test_errors_are_those_of_the_role_api(services: Services, secret: str) -> None:
    """Status, body and headers but for the date, for all that is wrong before a vendor is asked."""
    key, id_ = f"authorization: Bearer {secret}", "x-request-id: same"
    sent = [
        _post(_UNKNOWN, key, id_),
        _post(_UNKNOWN, id_),
        _post(_UNKNOWN, "authorization: Bearer inh_no", id_),
        _post(_UNKNOWN, "authorization: Bearer inh_nobody.no", id_),
        _post(b"", key, id_),
        _post('{"model": "\u200f\U0001f600"}'.encode(), key, id_),
        _post(b"x" * 200_001, key, id_),
        _post(b"{}", key, id_, path=b"/openai/v1/embeddings"),
        _post(_UNKNOWN, key, id_, path=CHAT + b"/more"),
        b"GET /openai/v1/models/nobody HTTP/1.1\r\nhost: h\r\n%b\r\n%b\r\n\r\n"
        % (key.encode(), id_.encode()),
        b"GET /openai/v1/models HTTP/1.1\r\nhost: h\r\n%b\r\n%b\r\n\r\n"
        % (key.encode(), id_.encode()),
    ]

    def told(url: str) -> list[object]:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        return [_told(_talk(address, request)) for request in sent]

    with running(services) as api:
        expected = told(api)
    with running_gateway(services) as gateway:
        assert told(gateway) == expected


def _told(answer: bytes) -> tuple[int, list[str], object]:
    head, _, body = answer.removesuffix(b"<closed>").partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    besides = ("date", "server", "connection")
    kept = sorted(line for line in headers if line.partition(":")[0] not in besides)
    return int(status.split()[1]), kept, json.loads(body)


def test_requests_come_in_every_way(address: tuple[str, int], secret: str) -> None:
    """In pieces, in chunks, two at once, with a body that waits for leave, as to a proxy, by an old
    client: each is answered once, in order."""
    key = f"authorization: Bearer {secret}"
    whole = _post(_UNKNOWN, key)
    chunked = (
        b"POST " + CHAT + b" HTTP/1.1\r\nhost: h\r\n" + key.encode()
        + b"\r\ntransfer-encoding: chunked\r\n\r\n5\r\n"
    )  # fmt: skip
    two = b"POST " + CHAT + b" HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n" + whole

    assert _statuses(_talk(address, whole[:30], whole[30:-5], whole[-5:])) == [404]
    assert _statuses(_talk(address, chunked, b'{"mod\r\n', b'c\r\nel": "main"}\r\n0\r\n\r\n')) == [
        404
    ]
    assert _statuses(_talk(address, two, answers=2)) == [401, 404]
    waiting = _post(_UNKNOWN, key, "expect: 100-continue")
    assert _statuses(_talk(address, waiting[:-17], waiting[-17:], answers=2)) == [100, 404]
    assert _statuses(_talk(address, whole.replace(CHAT, b"http://h" + CHAT))) == [404]
    assert _statuses(_talk(address, whole.replace(CHAT, CHAT + b"?x=1"))) == [404]
    assert _talk(address, _post(_UNKNOWN, key, version="1.0"), answers=2).endswith(b"<closed>")
    closing = _talk(address, _post(_UNKNOWN, key, "connection: close"), answers=2)
    assert _statuses(closing) == [404]
    assert b"connection: close\r\n" in closing
    assert closing.endswith(b"<closed>")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(address: tuple[str, int], sent: bytes) -> None:
    """Garbage, lengths that contradict each other, a head without end: 400 and the connection goes;
    others are answered as before."""
    told = _talk(address, sent, answers=2)
    assert _statuses(told) == [400]
    assert told.endswith(b"<closed>")
    assert _statuses(_talk(address, b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n")) == [200]


def test_a_body_in_chunks_is_bounded(address: tuple[str, int], secret: str) -> None:
    """Without a length told before, it is refused as soon as it is too large."""
    head = b"POST " + CHAT + b" HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"c350\r\n" + b"x" * 50_000 + b"\r\n"
    told = _talk(address, head, *[chunk] * 5, answers=2)
    assert _statuses(told) == [413]
    assert told.endswith(b"<closed>")


def test_head_has_no_body(address: tuple[str, int]) -> None:
    """As HTTP wants it, also of what is not there."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"HEAD /nothing HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    assert found.startswith(b"HTTP/1.1 404 ")
    assert found.endswith(b"\r\n\r\n")
