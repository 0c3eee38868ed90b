"""The short way for what is asked by the thousand: past the framework's routing.

Finding a route and its dependencies takes FastAPI 0.3 ms, more than all the rest of a single event.
The functions are the same ones that it documents; here they are found by method and path. What asks
for anything out of the ordinary, or in a way that is wrong, goes the long way.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inhouse.api.errors import answer_to
from inhouse.core.errors import InhouseError

Handler = Callable[[Request], Awaitable[Response | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fast:
    """A function that checks the key itself and needs nothing but the request."""

    path: str  # as in the documentation, for the metrics
    handle: Handler  # None, before anything is done: the framework shall see to it


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """What answers by itself, errors too, without a request's object."""

    path: str  # as in the documentation, for the metrics
    app: ASGIApp


class Lane:
    """Raw ASGI in front of the routes."""

    def __init__(self, app: ASGIApp, fast: Mapping[tuple[str, str], Fast | Raw]) -> None:
        """fast: by method and path; `{}` stands for a last part that may be anything."""
        self._app, self._fast = app, fast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope)
        if isinstance(found, Raw):
            scope["route"] = found
            await found.app(scope, receive, send)
            return
        response = None if found is None else await _response(found, Request(scope, receive, send))
        await (response or self._app)(scope, receive, send)

    def _find(self, scope: Scope) -> Fast | Raw | None:
        if scope["type"] != "http":
            return None
        method, path = scope["method"], scope["path"]
        found = self._fast.get((method, path))
        return found or self._fast.get((method, f"{path.rpartition('/')[0]}/{{}}"))


async def _response(fast: Fast, request: Request) -> Response | None:
    try:
        response = await fast.handle(request)
    except InhouseError as error:
        response = answer_to(request.url.path, request.state.request_id, error)
    except Exception:
        request.scope["route"] = fast  # whoever counts the failure knows of what
        raise
    if response is not None:
        request.scope["route"] = fast
    return response
