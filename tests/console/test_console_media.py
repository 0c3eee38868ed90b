"""Pictures for reviewers: fetched by the console, from public addresses alone, bounded."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.catalog.types import Item
from inhouse.console.moderation import media
from inhouse.console.moderation.media import (
    NoPictureError,
    Picture,
    fetch_picture,
    media_path,
    media_router,
    picture_kind,
    public_address,
)
from inhouse.core.ids import ItemId, UserId

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


class _Host(BaseHTTPRequestHandler):
    """Answers by path, and remembers what it was told."""

    told: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.told.append((self.path, dict(self.headers)))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "/a.png")
            self.end_headers()
            return
        body = {"/large.png": PNG + b"x" * media.MOST_BYTES, "/page.png": b"<html>"}.get(
            self.path, PNG
        )
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A host on this machine that counts as public, and what it was told."""
    _Host.told = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(media, "public_address", lambda name, port: "127.0.0.1")
    yield f"http://pictures.example:{server.server_address[1]}", _Host.told
    server.shutdown()
    server.server_close()


def test_a_picture_is_fetched_without_a_word_about_who_looks(
    host: tuple[str, list[tuple[str, dict[str, str]]]],
) -> None:
    """Its kind is read from its bytes, whatever the host says; no cookie, referrer or agent."""
    url, told = host
    assert fetch_picture(f"{url}/a b.png?x=1&y=2#top") == Picture(body=PNG, kind="image/png")
    ((path, headers),) = told
    assert path == "/a%20b.png?x=1&y=2"
    assert {name.lower() for name in headers} == {"host", "accept-encoding"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/gone", "it answered with status 404"),
        ("/away", "it answered with status 302"),
        ("/page.png", "it is no PNG, JPEG, GIF or WebP picture"),
        ("/large.png", "it is larger than 8000000 bytes"),
    ],
)
def test_what_is_no_picture_is_not_handed_on(
    host: tuple[str, list[tuple[str, dict[str, str]]]], path: str, why: str
) -> None:
    """Errors, redirects, pages and what is too large end with a reason."""
    with pytest.raises(NoPictureError) as caught:
        fetch_picture(host[0] + path)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "only plain http and https addresses are asked"),
        ("http://user:word@host.example/", "only plain http and https addresses are asked"),
        ("http://", "only plain http and https addresses are asked"),
        ("http://[::1", "the address is malformed"),
        ("http://host.example:99999/", "the address is malformed"),
        ("http://127.0.0.1:1/a.png", "it is within a private network"),
        ("http://[::1]/a.png", "it is within a private network"),
        ("http://[::ffff:10.0.0.1]/", "it is within a private network"),
        ("http://169.254.169.254/latest/meta-data", "it is within a private network"),
        ("http://2130706433/", "it is within a private network"),
    ],
)
def test_addresses_that_must_not_be_asked_are_not(url: str, why: str) -> None:
    """Other schemes, credentials, and every way to name this machine or its network."""
    with pytest.raises(NoPictureError) as caught:
        fetch_picture(url)
    assert str(caught.value) == why


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads both ways is not asked at all."""

    def both(host: str, port: int, type: int) -> list[object]:
        return [(0, 0, 0, "", (address, port)) for address in ("93.184.216.34", "10.1.2.3")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(NoPictureError, match="within a private network"):
        public_address("both.example", 80)


def test_kinds_are_told_by_the_first_bytes() -> None:
    """PNG, JPEG, GIF and WebP; an SVG, which can hold scripts, is none."""
    bodies = (PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ")
    assert [picture_kind(body) for body in bodies] == [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
    ]
    with pytest.raises(NoPictureError):
        picture_kind(b"<svg xmlns='http://www.w3.org/2000/svg'>")


def test_the_console_hands_out_pictures_of_posts_alone(
    services: Services, host: tuple[str, list[tuple[str, dict[str, str]]]]
) -> None:
    """By the post's id, whatever it holds; without a picture 404."""
    item_id = ItemId("a/b?c=1")
    services.catalog.put_items(
        [Item(item_id=item_id, creator_id=UserId("c"), media_url=f"{host[0]}/a.png")]
    )
    app = FastAPI()
    app.include_router(media_router(services))
    client = TestClient(app)
    found = client.get(media_path(item_id))
    assert (found.status_code, found.content, found.headers["content-type"]) == (
        200,
        PNG,
        "image/png",
    )
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert client.get(media_path("nobody")).status_code == 404
    services.catalog.put_items(
        [Item(item_id=item_id, creator_id=UserId("c"), media_url=f"{host[0]}/gone")]
    )
    instead = client.get(media_path(item_id))
    assert (instead.status_code, instead.headers["content-type"]) == (200, "image/svg+xml")
    assert "it answered with" in instead.text
