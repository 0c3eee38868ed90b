"""What is shown where no page is, where one is not for whoever asks, and where one has failed."""

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import Response
from nicegui import Client, app, ui
from starlette.exceptions import HTTPException

from inhouse.console.access import Visitor, visitor_of
from inhouse.console.frame import frame
from inhouse.console.markup import Safe, empty
from inhouse.console.rights import BARRED
from inhouse.core.logs import logger

_PARTS = "/_nicegui/"  # scripts and styles: whoever asks for one wants no page
_NOWHERE = empty(
    "There is no page here",
    "The address may be mistyped, or the page has moved. All pages are listed above.",
)
_FAILED = empty(
    "This page could not be made",
    "Try it again; the reason is in the log of the console, under page_failed.",
)
_LOG = logger("console")


def register() -> None:
    """Answer in the console's own words instead of the framework's."""

    @app.get(BARRED, include_in_schema=False)
    def barred(request: Request) -> Response:
        return _page(request, "Not for your role", _not_yours(visitor_of(request)), 403)

    @app.exception_handler(404)
    async def nowhere(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith(_PARTS):
            return await http_exception_handler(request, error)
        return _page(request, "Not found", _NOWHERE, 404)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        _LOG.error("page_failed", path=request.url.path, exc_info=error)
        return _page(request, "Failed", _FAILED, 500)


def _not_yours(who: Visitor) -> Safe:
    """Says so, and whom to ask."""
    return empty(
        "This page is not for your role",
        f"Your role is {who.role}: what you may see is listed "
        "above. An operator of this community can give you another role, on the page Staff.",
    )


def _page(request: Request, title: str, words: Safe, status: int) -> Response:
    with Client(ui.page(""), request=request) as client:
        with frame(request, "", title):
            ui.html(words, sanitize=False)
        return client.build_response(request, status)
