"""What every request passes through: an id, a bound on its body, a measurement.

Pages that would come too late are refused here, before routing and keys: each refusal is work that
the pages in front have to wait for.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inhouse.api.meters import Meters
from inhouse.api.shapes import RETRY_AFTER, error_answer
from inhouse.api.wire import ErrorFacts
from inhouse.core.ids import is_valid_id, new_id

if TYPE_CHECKING:  # what sheds load knows the feed, which a process for calls alone does not load
    from inhouse.api.turns import Turns

_HEADERS_LET_IN: Final = ("authorization", "content-type", "x-goog-api-key")
GIVE_BACK: Final = "give_back"  # in a request's state: what gives its turn to the next one


class BodyTooLargeError(Exception):
    """The body went over the bound while it was read."""


class Origins(CORSMiddleware):
    """Lets in the browser apps of every community that is served, as they come and go."""

    def __init__(self, app: ASGIApp, origins: Callable[[], set[str]]) -> None:
        super().__init__(app, allow_methods=["GET", "POST"], allow_headers=_HEADERS_LET_IN)
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._origins():
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether it is any community's."""
        return origin in self._origins()


_CONTENT_TYPE: Final = b"content-type"
_JSON: Final = (_CONTENT_TYPE, b"application/json")


class BodiesAreJson:
    """Whatever a client says of its body, it is read as JSON: all that is sent here is. `curl -d`
    calls every body a form, and the framework would not read it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            others = [pair for pair in scope["headers"] if pair[0] != _CONTENT_TYPE]
            scope = {**scope, "headers": [*others, _JSON]}
        await self._app(scope, receive, send)


class Gate:
    """Raw ASGI, so that it costs microseconds."""

    def __init__(
        self,
        app: ASGIApp,
        most_body_bytes: int,
        meters: Meters,
        late_s: Callable[[Scope], int | None] | None = None,
    ) -> None:
        """late_s: after how many seconds to ask again, where an answer would come too late."""
        self._app = app
        self._most = most_body_bytes
        self._meters = meters
        self._late_s = late_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_in(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        started = state.setdefault("arrived_s", time.perf_counter())
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((_HEADER, request_id.encode()))
            await send(message)

        try:
            retry_after_s = None if self._late_s is None else self._late_s(scope)
            if retry_after_s is not None:
                await self._put_off(retry_after_s, scope, receive, sending)
            elif _declared(scope) > self._most:
                await self._refuse(scope, receive, sending)
            else:
                await self._bounded(scope, receive, sending)
        finally:
            give_back = state.get(GIVE_BACK)
            if give_back is not None:
                give_back()
            path = getattr(scope.get("route"), "path", "unmatched")
            self._meters.request(scope["method"], path, status, time.perf_counter() - started)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise BodyTooLargeError
            return message

        try:
            await self._app(scope, receiving, send)
        except BodyTooLargeError:
            await self._refuse(scope, receive, send)

    async def _put_off(
        self, retry_after_s: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        facts = ErrorFacts(
            code="busy",
            message=f"a page would take more than {retry_after_s - 1} s; "
            "ask again after the seconds in `retry-after`",
            request_id=scope["state"]["request_id"],
        )
        refusal = error_answer(scope["path"], 503, facts)
        refusal.headers[RETRY_AFTER] = str(retry_after_s)
        await refusal(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        facts = ErrorFacts(
            code="too_large",
            message=f"the body is larger than {self._most} bytes; send smaller batches",
            expected=f"at most {self._most} bytes",
            request_id=scope["state"]["request_id"],
        )
        await error_answer(scope["path"], 413, facts)(scope, receive, send)


_PAGES: Final = "/v1/feed/"


def late_pages(turns: "Turns") -> Callable[[Scope], int | None]:
    """For a gate: pages that would come too late, `/v1/feed/USER` and nothing behind it."""

    def late_s(scope: Scope) -> int | None:
        path: str = scope["path"]
        is_page = path.startswith(_PAGES) and "/" not in path[len(_PAGES) :]
        return turns.retry_after_s() if is_page else None

    return late_s


_HEADER: Final = b"x-request-id"
_LENGTH: Final = b"content-length"
_MOST_DIGITS: Final = 15


def request_id_in(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's own where it sent one, else a new one."""
    for name, value in headers:
        if name == _HEADER and is_valid_id(given := value.decode("latin-1")):
            return given
    return new_id("req")


def _declared(scope: Scope) -> int:
    """The length that a request says its body has; 0 where it says nothing."""
    for name, value in scope["headers"]:
        if name == _LENGTH and value.isdigit():
            return int(value[:_MOST_DIGITS])
    return 0
