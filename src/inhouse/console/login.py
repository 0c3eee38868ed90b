"""Signing in and out, choosing a password, and the first of the staff."""

import asyncio
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from inhouse.app.staff.book import Staff
from inhouse.app.staff.passwords import LEAST_CHARS
from inhouse.app.staff.sessions import StaffSessions
from inhouse.app.staff.types import Member, name_key
from inhouse.console.access import Door, Tries, Visit, Visitor, visit_of, visitor_of
from inhouse.console.markup import tag
from inhouse.console.rights import LOGOUT, PASSWORD, SESSION
from inhouse.console.sign_page import Field, Form, sent_fields, sign_page
from inhouse.core.errors import InputError
from inhouse.core.logs import logger

_LIMITED: Final = "Too many tries. Wait a while."
_DIFFER: Final = "The two passwords differ."
_RULE: Final = f"{LEAST_CHARS} characters or more"
_NEW: Final = (
    Field(name="new", label=f"A password of your own: {_RULE}", autocomplete="new-password"),
    Field(name="again", label="The same again", autocomplete="new-password"),
)
_LOG: Final = logger("console")


def login_router(
    door: Door, staff: Staff, sessions: StaffSessions, now_s: Callable[[], float]
) -> APIRouter:
    """`/login`, `/logout`, `/password`, and whether a session lasts."""
    signing = _Signing(door, staff, sessions, Tries(now_s))
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/login", signing.form, response_model=None)
    router.add_api_route("/login", signing.enter, methods=["POST"])
    router.add_api_route(LOGOUT, signing.leave, methods=["POST"])
    router.add_api_route(PASSWORD, signing.ask_password, response_model=None)
    router.add_api_route(PASSWORD, signing.choose_password, methods=["POST"])
    router.add_api_route(SESSION, lambda: Response(status_code=204), response_model=None)
    return router


def own_path(to: str) -> str:
    """A path of the console to go on to; anything else leads to its first page.

    >>> own_path("/bill"), own_path("//elsewhere.example"), own_path("https://elsewhere.example")
    ('/bill', '/', '/')
    """
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if plain and len(to) < 300 else "/"


class _Signing:
    """What the addresses do."""

    def __init__(self, door: Door, staff: Staff, sessions: StaffSessions, tries: Tries) -> None:
        self._door = door
        self._staff = staff
        self._sessions = sessions
        self._tries = tries

    def form(self, request: Request, to: str = "/", name: str = "") -> Response:
        """The sign-in page; while there are no staff, that of the first."""
        if self._staff.exist():
            return sign_page(_sign_in_form(to, name))
        if not self._door.password and not self._door.is_here(self._visit(request)):
            return RedirectResponse("/", 303)
        return sign_page(self._first_form(name))

    async def enter(self, request: Request) -> Response:
        """Sign in, or become the first of the staff."""
        given, visit = await sent_fields(request), self._visit(request)
        name = given.get("name", "")
        if not self._tries.begin(visit.client, name_key(name)):
            _LOG.warning("login_limited")
            named = await asyncio.to_thread(self._staff.exist)
            form = _sign_in_form(given.get("to", "/"), name) if named else self._first_form(name)
            return sign_page(form, _LIMITED, 429)
        if not await asyncio.to_thread(self._staff.exist):
            return await self._begin(request, visit, given)
        member = await asyncio.to_thread(self._staff.check, name, given.get("password", ""))
        if member is None:
            _LOG.warning("login_failed")
            form = _sign_in_form(given.get("to", "/"), name)
            return sign_page(form, "Name and password do not belong together.", 401)
        self._tries.succeeded(visit.client, name_key(name))
        return await self._signed_in(request, member, own_path(given.get("to", "/")))

    async def leave(self, request: Request) -> Response:
        """Sign out: the session is over for whoever has a copy of its cookie, too."""
        await asyncio.to_thread(self._sessions.end, self._visit(request).ticket)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(self._door.cookie, httponly=True, samesite="strict")
        return answer

    def ask_password(self, request: Request) -> Response:
        """The page where somebody chooses their password."""
        who = visitor_of(request)
        if who.name is None:
            return RedirectResponse("/login", 303)
        return sign_page(_password_form(who))

    async def choose_password(self, request: Request) -> Response:
        """Take up a new password; every other session of this person is over."""
        who, given, visit = visitor_of(request), await sent_fields(request), self._visit(request)
        if who.name is None:
            return RedirectResponse("/login", 303)
        if not who.is_invited:
            if not self._tries.begin(visit.client, name_key(who.name)):
                return sign_page(_password_form(who), _LIMITED, 429)
            old = given.get("password", "")
            if await asyncio.to_thread(self._staff.check, who.name, old) is None:
                return sign_page(_password_form(who), "That is not your password.", 401)
            self._tries.succeeded(visit.client, name_key(who.name))
        new = given.get("new", "")
        if new != given.get("again"):
            return sign_page(_password_form(who), _DIFFER, 400)
        try:
            member = await asyncio.to_thread(self._staff.choose, who.name, new)
        except InputError as error:
            return sign_page(_password_form(who), _sentence(error), 400)
        _LOG.info("password_chosen")
        return await self._signed_in(request, member, "/")

    async def _begin(self, request: Request, visit: Visit, given: dict[str, str]) -> Response:
        """The first of the staff, an operator."""
        name, new = given.get("name", ""), given.get("new", "")
        form = self._first_form(name)
        if not self._door.may_begin(visit, given.get("console", "")):
            _LOG.warning("login_failed")
            return sign_page(form, "That is not the password of the console.", 401)
        self._tries.succeeded(visit.client, name_key(name))
        if new != given.get("again"):
            return sign_page(form, _DIFFER, 400)
        try:
            member = await asyncio.to_thread(self._staff.begin, name, new)
        except InputError as error:
            return sign_page(form, _sentence(error), 400)
        _LOG.info("first_of_staff")
        return await self._signed_in(request, member, "/staff")

    async def _signed_in(self, request: Request, member: Member, to: str) -> Response:
        token = await asyncio.to_thread(self._sessions.begin, member)
        answer = RedirectResponse(to, 303)
        answer.set_cookie(
            self._door.cookie,
            token,
            max_age=self._sessions.limits.whole_ms // 1_000,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    def _visit(self, request: Request) -> Visit:
        return visit_of(request.scope, self._door.cookie)

    def _first_form(self, name: str) -> Form:
        console = Field(name="console", label="Password of the console, as it is set")
        return Form(
            title="The first of the staff",
            lead="There are no staff with names yet. Whoever is first is an operator, who lets in "
            "the others; from then on everybody signs in by name, on this machine too.",
            action="/login",
            press="Begin",
            fields=[
                *([console] if self._door.password else []),
                Field(
                    name="name",
                    label="Your name, as decisions are filed under it",
                    kind="text",
                    autocomplete="username",
                    value=name,
                ),
                *_NEW,
            ],
        )


def _sign_in_form(to: str, name: str) -> Form:
    return Form(
        title="Sign in",
        action="/login",
        press="Sign in",
        fields=[
            Field(name="to", label="", value=own_path(to)),
            Field(name="name", label="Name", kind="text", autocomplete="username", value=name[:60]),
            Field(name="password", label="Password", autocomplete="current-password"),
        ],
    )


def _password_form(who: Visitor) -> Form:
    assert who.name is not None
    # Not asked for, and yet a field: a password manager learns whose password it is.
    whose = Field(name="name", label="Name", kind="text", autocomplete="username", value=who.name)
    old = Field(name="password", label="The one you have", autocomplete="current-password")
    return Form(
        title="Your password",
        lead="You came in with a password that somebody told you. Choose one that nobody else "
        "knows."
        if who.is_invited
        else "Whoever is signed in by your name elsewhere has to sign in again.",
        action=PASSWORD,
        press="Take it up",
        fields=[whose, *([] if who.is_invited else [old]), *_NEW],
        after=tag("form", tag("button", "Sign out"), method="post", action=LOGOUT),
    )


def _sentence(error: InputError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
