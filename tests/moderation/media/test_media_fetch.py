"""Fetching: what is allowed, what is refused, and that nobody is held up."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.moderation.media.addresses import fault_of, is_public
from inhouse.moderation.media.fetch import Fetcher, FetchLimits
from inhouse.moderation.media.types import Unread

Answer = Callable[[socket.socket, str], None]
PUBLIC = "93.184.216.34"


@dataclass
class Web:
    """One server on this machine that stands for every public host."""

    address: tuple[str, int]
    names: dict[str, list[str]] = field(default_factory=dict)  # host -> addresses
    asked: list[str] = field(default_factory=list)  # first lines of requests
    reached: list[tuple[str, int]] = field(default_factory=list)
    answer: Answer = lambda line, request: None

    def addresses(self, host: str, port: int, timeout_s: float) -> Sequence[str]:
        if host not in self.names:
            raise socket.gaierror("no such name")
        return self.names[host]

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.reached.append((address, port))
        return socket.create_connection(self.address, timeout_s)


@pytest.fixture
def web() -> Iterator[Web]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = Web(address=server.getsockname(), names={"a.example": [PUBLIC]})
        thread = threading.Thread(target=_serve, args=(server, made), daemon=True)
        thread.start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(server: socket.socket, web: Web) -> None:
    while True:
        try:
            line, _ = server.accept()
        except OSError:
            return
        with line, contextlib.suppress(OSError):
            request = line.recv(65_536).decode("latin-1")
            web.asked.append(request.partition("\r\n")[0])
            web.answer(line, request)


def says(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""))

    def answer(line: socket.socket, request: str) -> None:
        line.sendall(head.encode() + body)

    return answer


def fetched(web: Web, url: str = "http://a.example/x.png", **limits: int) -> bytes | Unread:
    given = {"most_bytes": 100_000, "most_ms": 5_000, **limits}
    return Fetcher(FetchLimits(**given), web).fetch(url)


def unread(reason: str, *, again: bool = False) -> Unread:
    return Unread(reason=reason, again=again)


def test_what_a_url_names_is_got(web: Web) -> None:
    """From the address its name resolved to, with its path and query."""
    web.answer = says(b"a picture")

    assert fetched(web, "http://a.example/p ath/ü?q=1&r=%20".replace(" ", "%20")) == b"a picture"
    assert web.asked == ["GET /p%20ath/%C3%BC?q=1&r=%20 HTTP/1.1"]
    assert web.reached == [(PUBLIC, 80)]


def test_a_host_is_told_which_of_its_names_is_meant(web: Web) -> None:
    """With the port where that is not the usual one, and in the letters of the wire."""
    heads: list[str] = []

    def answer(line: socket.socket, request: str) -> None:
        heads.extend(each for each in request.split("\r\n") if each.startswith("Host"))
        says(b"x")(line, request)

    web.answer = answer
    web.names |= {"xn--bcher-kva.example": [PUBLIC]}
    fetched(web, "http://a.example:8080/")
    fetched(web, "http://bücher.example/")

    assert heads == ["Host: a.example:8080", "Host: xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "2001:db8::1",
        "2001:0:53aa:64c:0:fbff:8000:1", "fec0::1", "no address",
    ],
)  # fmt: skip
def test_no_address_of_this_machine_or_its_network_is_reached(web: Web, address: str) -> None:
    """Not alone, and not beside a public one either."""
    for found in ([address], [PUBLIC, address]):
        web.names["a.example"] = found

        assert fetched(web) == unread("the host is not on the open internet")
    assert web.reached == []


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "1.1.1.1", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_public(address: str) -> None:
    """Of either kind."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example/x", "the address is neither http nor https"),
        ("file:///etc/passwd", "the address is neither http nor https"),
        ("http://me:secret@a.example/", "the address carries a name or a password"),
        ("http://me@a.example/", "the address carries a name or a password"),
        ("http:///x", "the address names no host"),
        ("http://a.example:22/", "the address names a port that no media is served from"),
        ("http://a.example:99999/", "the address is not one"),
        ("http://[::1/", "the address is not one"),
        ("http://a.example/\r\nHost: b", "the address holds spaces or control characters"),
        ("", "the address is neither http nor https"),
        ("http://a.example/" + "x" * 5_000, "the address has more than 4096 characters"),
    ],
)
def test_urls_that_are_not_asked_for(web: Web, url: str, reason: str) -> None:
    """Other schemes, credentials, odd ports, and what is no URL."""
    assert fetched(web, url) == unread(reason)
    assert web.reached == []


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_reason(text: str) -> None:
    """Emoji, right-to-left and empty ones too."""
    for url in (text, f"http://{text}", f"https://a.example/{text}"):
        assert isinstance(fault_of(url), str | None)


def test_a_redirect_is_checked_as_if_it_had_been_given(web: Web) -> None:
    """It may lead on to other hosts, and not into the network; three and no more."""
    web.names["b.example"] = ["1.1.1.1"]
    web.names["inside.example"] = ["10.0.0.1"]
    targets = {"/1": "http://b.example/2", "/2": "/3", "/3": "ok"}

    def answer(line: socket.socket, request: str) -> None:
        target = targets[request.split()[1]]
        done = says(b"there") if target == "ok" else says(b"", "302 Found", f"Location: {target}")
        done(line, request)

    web.answer = answer
    assert fetched(web, "http://a.example/1") == b"there"
    assert web.reached == [(PUBLIC, 80), ("1.1.1.1", 80), ("1.1.1.1", 80)]
    targets["/2"] = "http://inside.example/3"
    assert fetched(web, "http://a.example/1") == unread("the host is not on the open internet")
    targets["/2"] = "file:///etc/passwd"
    assert fetched(web, "http://a.example/1") == unread("the address is neither http nor https")
    targets["/2"] = "/1"
    assert fetched(web, "http://a.example/1") == unread("more than 3 redirects")


def test_a_file_larger_than_allowed_is_not_taken(web: Web) -> None:
    """Whether its length is told or not."""
    web.answer = says(b"x" * 1_001)
    assert fetched(web, most_bytes=1_001) == b"x" * 1_001
    assert fetched(web, most_bytes=1_000) == unread("larger than 1000 bytes")
    web.answer = lambda line, request: line.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 5_000)
    assert fetched(web, most_bytes=1_000) == unread("larger than 1000 bytes")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 "])
def test_a_host_that_drips_is_left_when_the_time_is_over(web: Web, head: bytes) -> None:
    """In the body as in the head: a byte now and then resets no clock."""

    def drip(line: socket.socket, request: str) -> None:
        line.sendall(head)
        for _ in range(100):
            line.sendall(b"x")
            time.sleep(0.05)

    web.answer = drip
    start = time.monotonic()

    assert fetched(web, most_ms=300) == unread("not there in time", again=True)
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says(b"", "404 Not Found"), unread("the host answered 404")),
        (says(b"", "403 Forbidden"), unread("the host answered 403")),
        (says(b"", "429 Slow"), unread("the host answered 429", again=True)),
        (says(b"", "503 Busy"), unread("the host answered 503", again=True)),
        (says(b"", "302 Found"), unread("the host answered 302")),
        (
            says(b"x", "200 OK", "Content-Encoding: gzip"),
            unread("the host sent it packed although that was not asked for"),
        ),
        (
            lambda line, request: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
            unread("the host stopped in the middle", again=True),
        ),
        (
            lambda line, request: line.sendall(b"what?\r\n\r\n"),
            unread("not reachable: BadStatusLine", again=True),
        ),
        (lambda line, request: None, unread("not reachable: RemoteDisconnected", again=True)),
    ],
)
def test_other_answers_are_told_and_tried_again_where_that_may_help(
    web: Web, answer: Answer, expected: Unread
) -> None:
    """A missing file stays missing; a busy host may have time later."""
    web.answer = answer
    assert fetched(web) == expected


def test_a_name_nobody_knows_may_be_known_later(web: Web) -> None:
    """Names fail now and then."""
    assert fetched(web, "http://b.example/") == unread("not reachable: gaierror", again=True)


def test_a_host_that_does_not_speak_tls_is_not_believed(web: Web) -> None:
    """Over https the name must be vouched for."""
    web.answer = says(b"x")

    assert fetched(web, "https://a.example/") == unread("not reachable: SSLError", again=True)
    assert web.reached == [(PUBLIC, 443)]


def test_a_certificate_that_does_not_hold_is_no_matter_of_time(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked again."""

    def refuse(*_: object, **__: object) -> None:
        raise ssl.SSLCertVerificationError

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", refuse)

    assert fetched(web, "https://a.example/") == unread("the host's certificate does not hold")
