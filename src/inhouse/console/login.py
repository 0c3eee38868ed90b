"""The login page: one password for staff, few tries, a signed cookie."""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from inhouse.console.access import SESSION_S, Door, Tries
from inhouse.console.assets import asset
from inhouse.console.markup import escaped
from inhouse.core.logs import logger

_MOST_BODY: Final = 4_096
_LOG: Final = logger("console")


def login_router(door: Door, now_s: Callable[[], float]) -> APIRouter:
    """`/login` and `/logout`."""
    router = APIRouter()
    tries = Tries(now_s)

    @router.get("/login")
    def form(to: str = "/") -> Response:
        if not door.password:
            return RedirectResponse("/", 303)
        return _page(to, "")

    @router.post("/login")
    async def enter(request: Request) -> Response:
        given, to = await _form(request)
        client = request.client.host if request.client else ""
        if not tries.allowed(client):
            _LOG.warning("login_limited")
            return _page(to, "Too many wrong passwords. Wait a minute.", 429)
        if not door.opens(given):
            tries.failed(client)
            _LOG.warning("login_failed")
            return _page(to, "That is not the password.", 401)
        answer = RedirectResponse(own_path(to), 303)
        answer.set_cookie(
            door.cookie,
            door.sessions.issue(),
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/logout")
    def leave() -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(door.cookie, httponly=True, samesite="strict")
        return answer

    return router


def own_path(to: str) -> str:
    """A path of the console to go on to; anything else leads to its first page.

    >>> own_path("/bill"), own_path("//elsewhere.example"), own_path("https://elsewhere.example")
    ('/bill', '/', '/')
    """
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if plain and len(to) < 300 else "/"


async def _form(request: Request) -> tuple[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BODY:
            return "", "/"
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return fields.get("password", [""])[0], fields.get("to", ["/"])[0]


def _page(to: str, trouble: str, status: int = 200) -> HTMLResponse:
    page = asset("login.html")
    page = page.replace("__TO__", escaped(own_path(to))).replace("__TROUBLE__", escaped(trouble))
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    }
    return HTMLResponse(page, status, headers=headers)
