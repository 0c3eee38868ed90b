"""Fetching what a stranger's URL names, without being led anywhere else or held up.

A name is resolved once, every address it has must be public, and the connection goes to one of
those very addresses, so that a second answer of the name's server changes nothing. A redirect is a
new URL with all the same checks. Blocking: call it from a thread.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from inhouse import __version__
from inhouse.moderation.media.addresses import fault_of, host_of, is_public, named, path_of, port_of
from inhouse.moderation.media.types import Unread

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_LATER: Final = frozenset((408, 425, 429))  # and 500 onwards: another try may go better
_PIECE: Final = 65_536
_HEADERS: Final = {
    "User-Agent": f"inhouse/{__version__} (media check)",
    "Accept": "image/*, video/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchLimits:
    """How far a fetch may go."""

    most_bytes: int
    most_ms: int  # from the first name to the last byte, redirects included
    most_redirects: int = 3


class Net(Protocol):
    """Names and connections."""

    def addresses(self, host: str, port: int, timeout_s: float) -> Sequence[str]:
        """Every address of a host. Raises OSError."""

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        """An open connection to that very address. Raises OSError."""


class SystemNet:
    """The operating system's. A resolver that never answers holds up a thread of its own."""

    def __init__(self) -> None:
        self._resolvers = ThreadPoolExecutor(16, thread_name_prefix="media-names")

    def addresses(self, host: str, port: int, timeout_s: float) -> list[str]:
        asked = self._resolvers.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = asked.result(timeout_s)
        except NotInTimeError:
            raise TimeoutError from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        return socket.create_connection((address, port), timeout_s)


class _RefusedError(Exception):
    """Carries why a fetch ends."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.unread = Unread(reason=reason, again=again)


class Fetcher:
    """Fetches within its limits; proxies of the environment are none of its business."""

    def __init__(self, limits: FetchLimits, net: Net | None = None) -> None:
        self._limits = limits
        self._net = net or SystemNet()
        self._tls = ssl.create_default_context()

    def fetch(self, url: str) -> bytes | Unread:
        """What the URL names, or why it was not got."""
        until_s = time.monotonic() + self._limits.most_ms / 1_000
        try:
            for _ in range(self._limits.most_redirects + 1):
                answer = self._ask(url, until_s)
                if isinstance(answer, bytes):
                    return answer
                url = urljoin(url, answer)
        except _RefusedError as refused:
            return refused.unread
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _unread(error, late=time.monotonic() >= until_s)
        return Unread(reason=f"more than {self._limits.most_redirects} redirects", again=False)

    def _ask(self, url: str, until_s: float) -> bytes | str:
        """The body, or where it is instead."""
        fault = fault_of(url)
        if fault is not None:
            raise _RefusedError(fault)
        parts = urlsplit(url)
        with self._connected(parts, until_s) as line:
            headers = {"Host": named(parts), **_HEADERS}
            line.request("GET", path_of(parts), headers=headers)
            with line.getresponse() as answer:
                where = answer.getheader("Location")
                if answer.status in _REDIRECTS and where:
                    return where
                if answer.status != 200:
                    again = answer.status in _LATER or answer.status >= 500
                    raise _RefusedError(f"the host answered {answer.status}", again=again)
                return self._body(answer, until_s)

    def _body(self, answer: http.client.HTTPResponse, until_s: float) -> bytes:
        if answer.getheader("Content-Encoding", "identity") != "identity":
            raise _RefusedError("the host sent it packed although that was not asked for")
        most, pieces, size = self._limits.most_bytes, [], 0
        if (answer.length or 0) > most:
            raise _RefusedError(f"larger than {most} bytes")
        while piece := answer.read1(_PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise _RefusedError(f"larger than {most} bytes")
        if time.monotonic() >= until_s:
            raise TimeoutError  # cut, which looks like an end
        if answer.length:
            raise _RefusedError("the host stopped in the middle", again=True)
        return b"".join(pieces)

    @contextmanager
    def _connected(
        self, parts: SplitResult, until_s: float
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection to a public address of the host, cut when the time is over: a host that
        sends a byte a second does not reset any clock."""
        host, port = host_of(parts), port_of(parts)
        addresses = self._net.addresses(host, port, _left_s(until_s))
        if not addresses or not all(map(is_public, addresses)):
            raise _RefusedError("the host is not on the open internet")
        with self._open(addresses, port, until_s) as plain, plain.dup() as same:
            cut = threading.Timer(_left_s(until_s), _cut, (same,))
            cut.daemon = True
            cut.start()
            line = http.client.HTTPConnection(host, port)
            try:
                line.sock = self._secured(plain, host) if parts.scheme == "https" else plain
                line.auto_open = 0
                yield line
            finally:
                cut.cancel()
                cut.join()
                line.close()

    def _open(self, addresses: Sequence[str], port: int, until_s: float) -> socket.socket:
        """To the first address that answers. Raises OSError where none does."""
        for address in addresses[:-1]:
            with contextlib.suppress(OSError):
                return self._net.connect(address, port, _left_s(until_s) / 2)
        return self._net.connect(addresses[-1], port, _left_s(until_s))

    def _secured(self, plain: socket.socket, host: str) -> ssl.SSLSocket:
        return self._tls.wrap_socket(plain, server_hostname=host)


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _unread(error: Exception, *, late: bool) -> Unread:
    if late or isinstance(error, TimeoutError):
        return Unread(reason="not there in time", again=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unread(reason="the host's certificate does not hold", again=False)
    again = not isinstance(error, ValueError)
    return Unread(reason=f"not reachable: {type(error).__name__}", again=again)
