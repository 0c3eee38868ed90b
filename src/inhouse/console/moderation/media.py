"""Pictures of posts for reviewers, fetched by the console: who posted one learns of no reviewer.

An address in a post is hostile: `moderation.media.fetch` asks it, and only what is a picture by its
first bytes is handed on. What is sealed is asked for by nobody.
"""

import textwrap
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from inhouse.app.build import Services
from inhouse.console.markup import Safe, tag
from inhouse.core.ids import ItemId
from inhouse.core.logs import logger
from inhouse.moderation.media.fetch import Fetcher, FetchLimits
from inhouse.moderation.media.types import Unread

PATH: Final = "/moderation/media/"
LIMITS: Final = FetchLimits(most_bytes=8_000_000, most_ms=8_000)
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
_HEADERS: Final = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_NO_PICTURE: Final = "it is no PNG, JPEG, GIF or WebP picture"
_LOG: Final = logger("console")


def media_router(services: Services, fetcher: Fetcher | None = None) -> APIRouter:
    """The address of each post's picture."""
    router = APIRouter()
    asked = fetcher or Fetcher(LIMITS)

    @router.get(PATH + "{item_id:path}", include_in_schema=False)
    def media(item_id: str) -> Response:
        item = services.catalog.item(ItemId(item_id))
        if item is None or not item.media_url or _is_sealed(services, item_id):
            return PlainTextResponse("no picture", 404)
        found = asked.fetch(item.media_url)
        kind = picture_kind(found) if isinstance(found, bytes) else None
        if isinstance(found, bytes) and kind is not None:
            return Response(found, media_type=kind, headers=_HEADERS)
        why = found.reason if isinstance(found, Unread) else _NO_PICTURE
        _LOG.info("picture_not_shown", reason=why)
        return Response(_instead(why), media_type="image/svg+xml", headers=_HEADERS)

    return router


def _is_sealed(services: Services, item_id: str) -> bool:
    verdict = services.verdicts.latest([item_id]).get(ItemId(item_id))
    return verdict is not None and verdict.evidence.is_sealed


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


def picture_kind(body: bytes) -> str | None:
    """The media type by the first bytes; None for anything but a picture."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    for start, kind in _KINDS:
        if body.startswith(start):
            return kind
    return None
