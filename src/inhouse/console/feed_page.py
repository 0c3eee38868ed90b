"""The reference feed page: files, and what they must know to be a client of the public API."""

import json
from dataclasses import dataclass
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from inhouse.app.build import Services
from inhouse.app.settings import ApiSettings
from inhouse.console.assets import asset
from inhouse.store import tables
from inhouse.store.database import Database

MOST_PEOPLE: Final = 40
_ANYWHERE: Final = frozenset(("", "0.0.0.0", "::", "[::]"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Somebody through whose eyes the feed may be looked at."""

    id: str
    name: str | None


def people(database: Database, text: str = "", most: int = MOST_PEOPLE) -> list[Choice]:
    """People whose id or name contains `text`, those who only read before those who post."""
    users = tables.users
    query = sa.select(users.c.user_id, users.c.name)
    if text:
        name = sa.func.lower(users.c.name)
        query = query.where(
            sa.or_(
                users.c.user_id.contains(text, autoescape=True),
                name.contains(text.lower(), autoescape=True),
            )
        )
    query = query.order_by(users.c.is_creator, users.c.user_id).limit(most)
    with database.read() as connection:
        return [Choice(id=row[0], name=row[1]) for row in connection.execute(query)]


def api_url(settings: ApiSettings, called_as: str) -> str:
    """Where a browser reaches the API: as set, or at the name under which it reached us.

    >>> api_url(ApiSettings(host="0.0.0.0"), "10.0.0.7")
    'http://10.0.0.7:8700'
    """
    host = called_as if settings.host in _ANYWHERE else settings.host
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{name}:{settings.port}"


def page_html(config: dict[str, object]) -> str:
    """The page with its configuration, which no text in it can break out of."""
    written = json.dumps(config, ensure_ascii=True)
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return asset("feed.html").replace("__CONFIG__", written)


def content_policy(api: str) -> str:
    """What the page may load: itself, the API, and the posts' pictures."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"connect-src 'self' {api}; img-src 'self' http: https:; media-src http: https:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def feed_router(services: Services, key: str) -> APIRouter:
    """The page and the search behind its choice of people."""
    router = APIRouter(prefix="/feed", default_response_class=JSONResponse)

    @router.get("", response_class=HTMLResponse)
    def feed(request: Request) -> HTMLResponse:
        api = api_url(services.settings.api, request.url.hostname or "127.0.0.1")
        config: dict[str, object] = {
            "api": api,
            "key": key,
            "public_origin": services.settings.api.public_origin,
            "people": [_plain(choice) for choice in people(services.database)],
        }
        headers = {"Content-Security-Policy": content_policy(api), "Cache-Control": "no-store"}
        return HTMLResponse(page_html(config), headers=headers)

    @router.get("/people")
    def find(q: Annotated[str, Query(max_length=128)] = "") -> JSONResponse:
        return JSONResponse([_plain(choice) for choice in people(services.database, q)])

    return router


def _plain(choice: Choice) -> dict[str, str | None]:
    return {"id": choice.id, "name": choice.name}
