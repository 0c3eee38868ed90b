"""The client for vendors, against a server that says exactly the bytes it is told to."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from inhouse.models.providers.transport import HttpRequest, HttpResponse, Transport

CUT, PAUSE = b"<cut>", b"<pause>"  # in a script: close the connection; wait for 0.1 s
OK = b"HTTP/1.1 200 OK\r\n"
HI = OK + b"content-length: 2\r\n\r\nhi"


class Server:
    """Answers each request with the next script, on whatever connection it comes."""

    def __init__(self, scripts: Sequence[Sequence[bytes]]) -> None:
        self._scripts = list(scripts)
        self.heads: list[bytes] = []  # of the requests
        self.bodies: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Event()  # a client went away
        self.sent = 0  # bytes

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length))
                for piece in self._scripts.pop(0):
                    if piece == CUT:
                        return
                    if piece == PAUSE:
                        await asyncio.sleep(0.1)
                        continue
                    writer.write(piece)
                    self.sent += len(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            self.gone.set()  # cancelled: when the loop ends, a kept connection is waiting
        finally:
            writer.close()


@asynccontextmanager
async def _served(
    *scripts: Sequence[bytes], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Transport, Server, str]]:
    server, transport = Server(scripts), Transport()
    listening = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield transport, server, f"{'https' if tls else 'http'}://localhost:{port}/v1/chat"
    finally:
        await transport.close()
        listening.close()
        await listening.wait_closed()


def _request(url: str, **headers: str) -> HttpRequest:
    return HttpRequest(url=url, headers=headers, body=b'{"a": 1}')


def _told(response: HttpResponse) -> tuple[int, bytes, str]:
    return response.status, response.body, response.fault


def _post(*script: bytes, timeout_ms: int = 2_000) -> tuple[tuple[int, bytes, str], int]:
    """What one call hears of that script, and how many connections two more calls then need."""

    async def play() -> tuple[tuple[int, bytes, str], int]:
        async with _served(script, [HI], [HI]) as (transport, server, url):
            first = await transport.post(_request(url), timeout_ms)
            for _ in range(2):
                assert _told(await transport.post(_request(url), 2_000)) == (200, b"hi", "")
            return _told(first), server.connections

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("script", "body", "connections"),
    [
        ((HI,), b"hi", 1),
        ((OK + b"content-length: 2\r\n", b"\r\nh", PAUSE, b"i"), b"hi", 1),
        (
            (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nh\r\n1\r", b"\ni\r\n0\r\n\r\n"),
            b"hi",
            1,
        ),
        ((OK + b"content-length: 0\r\n\r\n",), b"", 1),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", HI), b"hi", 1),
        ((b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + HI,), b"hi", 1),
        ((OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi",), b"hi", 2),
        ((OK + b"\r\nh", PAUSE, b"i", CUT), b"hi", 2),
        ((b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", CUT), b"hi", 2),
    ],
)
def test_bodies_of_every_kind(script: tuple[bytes, ...], body: bytes, connections: int) -> None:
    """By length, in chunks, to the connection's end, behind interim answers; the connection is
    used again exactly where the answer leaves it good for that."""
    assert _post(*script) == ((200, body, ""), connections)


@pytest.mark.parametrize(
    "script",
    [
        (CUT,),
        (OK + b"content-length: 9\r\n\r\nhi", CUT),
        (OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n", CUT),
        (OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",),
        (OK + b"content-le", CUT),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n",),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n",),
        (OK + b"x: " + b"y" * 70_000,),
        (OK + b"x: y\r\n" * 20_000 + b"\r\n",),
        (HI + HI,),
    ],
)
def test_what_is_no_whole_answer_is_none(script: tuple[bytes, ...]) -> None:
    """Cut off, no HTTP, headers without end, two answers to one call: nothing was answered, and the
    connection is never used again."""
    told, connections = _post(*script)
    assert (told, connections) == ((0, b"", "unreachable"), 2)


def test_a_slow_body_is_late() -> None:
    """The time is one for headers and all of the body, however often a byte comes."""
    drip = (OK + b"content-length: 9\r\n\r\n", *((b"x", PAUSE) * 8))
    assert _post(*drip, timeout_ms=250) == ((0, b"", "timeout"), 2)


def test_a_body_too_large_is_cut() -> None:
    """Beyond 8 MiB nothing is kept of it, and the connection goes."""
    mega = b"x" * (1 << 20)
    script = (OK + b"content-length: 20971520\r\n\r\n", *[mega] * 20)
    assert _post(*script, timeout_ms=20_000) == ((200, b"", ""), 2)


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    """A vendor that goes on talking after its answer is asked on another connection."""

    async def play() -> None:
        async with _served([HI, PAUSE, b"more"], [HI]) as (transport, server, url):
            for _ in range(2):
                assert _told(await transport.post(_request(url), 2_000)) == (200, b"hi", "")
                await asyncio.sleep(0.2)
            assert server.connections == 2

    asyncio.run(play())


def test_a_call_is_never_sent_twice() -> None:
    """A kept connection that the vendor closed is replaced before anything is sent; one that closes
    on a call is that call's failure, and the vendor has seen it once."""

    async def play() -> None:
        async with _served([HI, CUT], [HI], [CUT], [HI]) as (transport, server, url):
            assert _told(await transport.post(_request(url), 2_000)) == (200, b"hi", "")
            await asyncio.sleep(0.05)
            assert _told(await transport.post(_request(url), 2_000)) == (200, b"hi", "")
            assert (server.connections, len(server.bodies)) == (2, 2)
            assert _told(await transport.post(_request(url), 2_000)) == (0, b"", "unreachable")
            assert (server.connections, len(server.bodies)) == (2, 3)
            assert _told(await transport.post(_request(url), 2_000)) == (200, b"hi", "")

    asyncio.run(play())


def test_calls_at_once_have_connections_of_their_own() -> None:
    """Twenty at once are twenty connections, and twenty more need no others."""
    slow = (PAUSE, HI)

    async def play() -> None:
        async with _served(*[slow] * 40) as (transport, server, url):
            for _ in range(2):
                found = await asyncio.gather(
                    *(transport.post(_request(url), 5_000) for _ in range(20))
                )
                assert {_told(one) for one in found} == {(200, b"hi", "")}
            assert server.connections == 20

    asyncio.run(play())


def test_who_is_cancelled_closes_the_connection() -> None:
    """Before the headers and in the middle of a stream: the vendor sees the caller gone."""

    async def gone(call: Callable[[Transport, str], Awaitable[None]], *script: bytes) -> None:
        async with _served(script) as (transport, server, url):
            task = asyncio.ensure_future(call(transport, url))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.gone.wait(), 2)

    async def whole(transport: Transport, url: str) -> None:
        await transport.post(_request(url), 9_000)

    async def stream(transport: Transport, url: str) -> None:
        async with transport.open(_request(url), 9_000) as opened:
            async for _ in opened.pieces():
                pass

    asyncio.run(gone(whole, *([PAUSE] * 3)))
    asyncio.run(gone(whole, OK + b"content-length: 9\r\n\r\nx", *([PAUSE] * 3)))
    asyncio.run(gone(stream, OK + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n", *([PAUSE] * 3)))


def test_a_stream_can_be_read_on_by_another() -> None:
    """Who is cancelled while waiting for a piece loses none, as long as the stream is open."""
    begin = OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n"

    async def play() -> None:
        script = (begin, PAUSE, b"1\r\nb\r\n", b"0\r\n\r\n")
        async with (
            _served(script) as (transport, _, url),
            transport.open(_request(url), 2_000) as opened,
        ):
            pieces = opened.pieces()
            assert await anext(pieces) == b"a"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(pieces), 0.02)
            assert [piece async for piece in opened.pieces()] == [b"b"]

    asyncio.run(play())


def test_a_stream_comes_as_it_is_sent() -> None:
    """Piece by piece; when its end was heard the connection serves the next call."""
    begin = OK + b"transfer-encoding: chunked\r\n\r\n"

    async def play() -> None:
        script = (begin, b"1\r\na\r\n", PAUSE, b"1\r\nb\r\n", b"0\r\n\r\n")
        async with _served(script, [HI]) as (transport, server, url):
            async with transport.open(_request(url), 2_000) as opened:
                pieces = opened.pieces()
                assert (opened.status, await anext(pieces)) == (200, b"a")
                assert await anext(pieces) == b"b"
                await opened.finish()
            await transport.post(_request(url), 2_000)
            assert server.connections == 1

    asyncio.run(play())


def test_a_stream_that_pauses_or_breaks() -> None:
    """Each wait has the time, not all of it together; too long a one and a cut are errors."""
    begin, piece = OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"

    async def read(*script: bytes, timeout_ms: int) -> bytes:
        async with (
            _served(script) as (transport, _, url),
            transport.open(_request(url), timeout_ms) as opened,
        ):
            return b"".join([one async for one in opened.pieces()])

    slow = (begin, piece, PAUSE, piece, PAUSE, piece, PAUSE, b"0\r\n\r\n")
    assert asyncio.run(read(*slow, timeout_ms=200)) == b"aaa"
    with pytest.raises(TimeoutError):
        asyncio.run(read(begin, piece, *[PAUSE] * 3, timeout_ms=150))
    with pytest.raises(ConnectionError):
        asyncio.run(read(begin, piece, PAUSE, CUT, timeout_ms=2_000))


def test_who_does_not_read_makes_the_vendor_wait() -> None:
    """Of 40 MB only what fits in buffers is sent while nobody reads; then all of it comes."""
    mega = b"x" * (1 << 20)

    async def play() -> None:
        script = (OK + b"content-length: 41943040\r\n\r\n", *[mega] * 40)
        async with (
            _served(script) as (transport, server, url),
            transport.open(_request(url), 5_000) as opened,
        ):
            await asyncio.sleep(0.3)
            assert server.sent < 30 << 20
            assert sum([len(piece) async for piece in opened.pieces()]) == 40 << 20

    asyncio.run(play())


def test_what_is_sent() -> None:
    """The address as it was given, quoted where it must be; headers of one line each."""

    async def play() -> None:
        async with _served([HI], [HI]) as (transport, server, url):
            base = url.replace("localhost", "me:se%20cret@localhost")
            await transport.post(_request(f"{base}/ü b?x=1&y=%2F", **{"api-key": "k"}), 2_000)
            await transport.post(_request(url, authorization="Bearer k"), 2_000)
            lines = server.heads[0].decode().split("\r\n")
            port = url.split(":")[2].split("/")[0]

            assert lines == [
                "POST /v1/chat/%C3%BC%20b?x=1&y=%2F HTTP/1.1",
                f"host: localhost:{port}",
                "accept: */*",
                "accept-encoding: identity",
                "user-agent: inhouse",
                "api-key: k",
                "authorization: Basic bWU6c2UgY3JldA==",
                "content-length: 8",
                "",
                "",
            ]
            assert b"authorization: Bearer k\r\n" in server.heads[1]
            assert server.bodies == [b'{"a": 1}'] * 2
            smuggled = _request(url, **{"api-key": "k\r\nx: y"})
            assert _told(await transport.post(smuggled, 2_000)) == (0, b"", "unreachable")
            assert len(server.heads) == 2

    asyncio.run(play())


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no.such.host.invalid/", "http:///"])
def test_nobody_there(url: str) -> None:
    """A closed port, a name nobody has, no name at all."""

    async def play() -> HttpResponse:
        return await Transport().post(_request(url), 5_000)

    assert _told(asyncio.run(play())) == (0, b"", "unreachable")


def test_https_only_to_whom_the_system_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody vouches for ends the call before the key is sent."""
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*_certificate(tmp_path))

    async def play() -> tuple[int, bytes, str]:
        async with _served([HI], tls=served) as (transport, server, url):
            found = _told(await transport.post(_request(url), 5_000))
            assert len(server.heads) == (1 if found[0] else 0)
            return found

    assert asyncio.run(play()) == (0, b"", "unreachable")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    assert asyncio.run(play()) == (200, b"hi", "")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed one for `localhost`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
