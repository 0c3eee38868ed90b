"""Pictures of posts for reviewers, fetched by the console: who posted one learns of no reviewer.

An address in a post is hostile. It is asked only over HTTP, only where every address its name
stands for is public, at the address that was checked, without following redirects, for a short time
and a bounded number of bytes; and only what is a picture by its first bytes is handed on.
"""

import http.client
import ipaddress
import socket
import ssl
import textwrap
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from inhouse.app.build import Services
from inhouse.console.markup import Safe, tag
from inhouse.core.ids import ItemId
from inhouse.core.logs import logger

PATH: Final = "/moderation/media/"
MOST_BYTES: Final = 8_000_000
_WHOLE_S: Final = 8.0
_STEP_S: Final = 3.0
_PIECE: Final = 65_536
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
_HEADERS: Final = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_LOG: Final = logger("console")


class NoPictureError(Exception):
    """There is nothing to show at an address; says why, without the address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What was found."""

    body: bytes
    kind: str  # its media type, by its first bytes


def media_router(services: Services) -> APIRouter:
    """The address of each post's picture."""
    router = APIRouter()

    @router.get(PATH + "{item_id:path}", include_in_schema=False)
    def media(item_id: str) -> Response:
        item = services.catalog.item(ItemId(item_id))
        if item is None or not item.media_url:
            return PlainTextResponse("no picture", 404)
        try:
            picture = fetch_picture(item.media_url)
        except NoPictureError as error:
            _LOG.info("picture_not_shown", reason=str(error))
            return Response(_instead(str(error)), media_type="image/svg+xml", headers=_HEADERS)
        return Response(picture.body, media_type=picture.kind, headers=_HEADERS)

    return router


def _instead(why: str) -> Safe:
    """A picture of the words why there is none."""
    lines = ["not shown", *textwrap.wrap(why, 24)]
    texts = [
        tag("text", line, x=105, y=120 + 20 * place, text_anchor="middle", font_size=13)
        for place, line in enumerate(lines)
    ]
    return tag(
        "svg",
        *texts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox="0 0 210 280",
        font_family="sans-serif",
        fill="#808890",
    )


def media_path(item_id: str) -> str:
    """Where the console shows a post's picture."""
    return PATH + quote(item_id, safe="")


def fetch_picture(url: str) -> Picture:
    """Get a picture. Raises NoPictureError."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise NoPictureError("the address is malformed") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise NoPictureError("only plain http and https addresses are asked")
    until_s = time.monotonic() + _WHOLE_S
    address = public_address(host, port)
    connection = _connection(parts.scheme, host, port, address)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    try:
        connection.request("GET", f"{path}?{query}" if query else path)
        with closing(connection.getresponse()) as response:
            body = _read(response, until_s)
    except (OSError, http.client.HTTPException) as error:
        raise NoPictureError(f"it did not answer: {type(error).__name__}") from error
    finally:
        connection.close()
    return Picture(body=body, kind=picture_kind(body))


def public_address(host: str, port: int) -> str:
    """The address to ask; every one that the name stands for must be public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NoPictureError("its name leads nowhere") from error
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    for address in addresses:
        mapped = getattr(address, "ipv4_mapped", None) or address
        if not mapped.is_global or mapped.is_multicast:
            raise NoPictureError("it is within a private network")
    return str(addresses[0])


def picture_kind(body: bytes) -> str:
    """The media type by the first bytes. Raises NoPictureError for anything but a picture."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    for start, kind in _KINDS:
        if body.startswith(start):
            return kind
    raise NoPictureError("it is no PNG, JPEG, GIF or WebP picture")


def _connection(scheme: str, host: str, port: int, address: str) -> http.client.HTTPConnection:
    """To the checked address, under the name of the host."""
    made: http.client.HTTPConnection
    if scheme == "https":
        made = http.client.HTTPSConnection(host, port, timeout=_STEP_S)
    else:
        made = http.client.HTTPConnection(host, port, timeout=_STEP_S)
    try:
        plain = socket.create_connection((address, port), timeout=_STEP_S)
        if scheme == "https":
            context = ssl.create_default_context()
            made.sock = context.wrap_socket(plain, server_hostname=host)
        else:
            made.sock = plain
    except OSError as error:
        raise NoPictureError(f"it did not answer: {type(error).__name__}") from error
    return made


def _read(response: http.client.HTTPResponse, until_s: float) -> bytes:
    if response.status != 200:
        raise NoPictureError(f"it answered with status {response.status}")
    pieces = bytearray()
    while piece := response.read1(_PIECE):
        pieces += piece
        if len(pieces) > MOST_BYTES:
            raise NoPictureError(f"it is larger than {MOST_BYTES} bytes")
        if time.monotonic() > until_s:
            raise NoPictureError(f"it took longer than {_WHOLE_S:g} s")
    return bytes(pieces)
