"""How FastAPI tells us of errors, and what is answered to them."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from inhouse.api.errors import CODES, answer_to, crashed, no_endpoint
from inhouse.api.shapes import error_answer
from inhouse.api.wire import ErrorFacts
from inhouse.core.errors import InhouseError


def install(app: FastAPI) -> None:
    """Make every error of the app answer in the shape of its path."""
    app.add_exception_handler(InhouseError, _inhouse)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def request_id(request: Request) -> str | None:
    """The id that the middleware gave the request."""
    found: str | None = getattr(request.state, "request_id", None)
    return found


async def _inhouse(request: Request, error: Exception) -> Response:
    assert isinstance(error, InhouseError)
    return answer_to(request.url.path, request_id(request), error)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    expected = str(first["msg"])
    given = repr(first.get("input"))[:100]
    facts = ErrorFacts(
        code="bad_request",
        message=f"{field}: got {given}, expected {expected[:1].lower()}{expected[1:]}",
        field=field,
        value=given,
        expected=expected,
        request_id=request_id(request),
    )
    return error_answer(request.url.path, 400, facts)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return no_endpoint(request.method, request.url.path, request_id(request))
    facts = ErrorFacts(
        code=CODES.get(error.status_code, "bad_request"),
        message=str(error.detail).lower(),
        request_id=request_id(request),
    )
    return error_answer(request.url.path, error.status_code, facts)


async def _unexpected(request: Request, error: Exception) -> Response:
    return crashed(request.url.path, request_id(request), error)
