"""Pictures for reviewers: fetched by the console, handed on if they are pictures."""

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.catalog.types import Item
from inhouse.console.moderation.media import LIMITS, media_path, media_router, picture_kind
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.media.fetch import Fetcher
from inhouse.moderation.media.types import Unread

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
AT = ItemId("a/b?c=1")


class FakeFetcher(Fetcher):
    """Answers from a list, and remembers what was asked for."""

    def __init__(self, answers: dict[str, bytes | Unread]) -> None:
        super().__init__(LIMITS)
        self.answers = answers
        self.asked: list[str] = []

    def fetch(self, url: str) -> bytes | Unread:
        self.asked.append(url)
        return self.answers[url]


@pytest.fixture
def fetcher() -> FakeFetcher:
    return FakeFetcher(
        {
            "https://pictures.example/a.png": PNG,
            "https://pictures.example/page.png": b"<html>",
            "https://pictures.example/gone": Unread(reason="the host answered 404", again=False),
        }
    )


@pytest.fixture
def client(services: Services, fetcher: FakeFetcher) -> TestClient:
    app = FastAPI()
    app.include_router(media_router(services, fetcher))
    return TestClient(app)


def post(services: Services, path: str) -> None:
    url = f"https://pictures.example/{path}"
    services.catalog.put_items([Item(item_id=AT, creator_id=UserId("c"), media_url=url)])


def test_kinds_are_told_by_the_first_bytes() -> None:
    """PNG, JPEG, GIF and WebP; an SVG, which can hold scripts, is none."""
    bodies = (PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 ")
    assert [picture_kind(body) for body in bodies] == [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
    ]
    assert picture_kind(b"<svg xmlns='http://www.w3.org/2000/svg'>") is None


def test_the_console_hands_out_pictures_of_posts_alone(
    services: Services, client: TestClient
) -> None:
    """By the post's id, whatever it holds; without a post 404."""
    post(services, "a.png")
    found = client.get(media_path(AT))
    assert (found.status_code, found.content, found.headers["content-type"]) == (
        200,
        PNG,
        "image/png",
    )
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert client.get(media_path("nobody")).status_code == 404


@pytest.mark.parametrize(
    ("path", "why"), [("gone", "the host answered 404"), ("page.png", "it is no PNG, JPEG,")]
)
def test_what_is_no_picture_is_told_in_its_place(
    services: Services, client: TestClient, path: str, why: str
) -> None:
    """A drawing of the words why there is none; nothing of what the host sent."""
    post(services, path)
    instead = client.get(media_path(AT))
    assert (instead.status_code, instead.headers["content-type"]) == (200, "image/svg+xml")
    assert why.rsplit(maxsplit=1)[-1] in instead.text
    assert "<html>" not in instead.text


def test_nobody_is_shown_what_is_sealed(
    services: Services, client: TestClient, fetcher: FakeFetcher
) -> None:
    """Its host is not even asked."""
    post(services, "a.png")
    services.sealed.seal(AT, "ada")
    assert client.get(media_path(AT)).status_code == 404
    assert fetcher.asked == []
