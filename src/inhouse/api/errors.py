"""From the exception tree to HTTP: status and code, in our shape or in that of the format asked."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from inhouse.api.shapes import RETRY_AFTER, error_answer
from inhouse.api.wire import ErrorFacts
from inhouse.core.errors import (
    AccessError,
    BusyError,
    ConflictError,
    InhouseError,
    InputError,
    SettingError,
    SpentError,
    StoreError,
    UnknownError,
    VendorError,
)
from inhouse.core.logs import logger

# The first row whose type fits decides, so the narrow ones come first.
_TABLE: Final[tuple[tuple[type[InhouseError], int, str], ...]] = (
    (UnknownError, 404, "unknown"),
    (ConflictError, 409, "conflict"),
    (SettingError, 400, "bad_setting"),
    (InputError, 400, "bad_request"),
    (SpentError, 429, "over_budget"),
    (BusyError, 429, "busy"),
    (StoreError, 503, "store_refused"),
    (VendorError, 502, "vendor_failed"),
    (InhouseError, 500, "internal"),
)
_CODES: Final = {404: "unknown", 405: "method_not_allowed", 413: "too_large"}
_LOG: Final = logger("api")


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


def answer_to(request: Request, error: InhouseError) -> Response:
    """What a request is answered that ended in one of our own errors."""
    if isinstance(error, AccessError):
        status, code = (403, "forbidden") if error.known_key else (401, "no_key")
    else:
        status, code = next((s, c) for kind, s, c in _TABLE if isinstance(error, kind))
    if status >= 500:
        _LOG.error(
            "request_failed", code=code, kind=type(error).__name__, request_id=request_id(request)
        )
    facts = ErrorFacts(
        code=code,
        message=str(error),
        field=error.field if isinstance(error, InputError) else None,
        request_id=request_id(request),
    )
    response = error_answer(request.url.path, status, facts)
    if isinstance(error, BusyError):
        response.headers[RETRY_AFTER] = str(error.retry_after_s)
    return response


async def _inhouse(request: Request, error: Exception) -> Response:
    assert isinstance(error, InhouseError)
    return answer_to(request, error)


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
    message = str(error.detail).lower()
    if error.status_code == 404:
        message = f"no endpoint {request.method} {request.url.path}; /docs lists them"
    facts = ErrorFacts(
        code=_CODES.get(error.status_code, "bad_request"),
        message=message,
        request_id=request_id(request),
    )
    return error_answer(request.url.path, error.status_code, facts)


async def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error(
        "request_crashed", kind=type(error).__name__, request_id=request_id(request), exc_info=error
    )
    facts = ErrorFacts(
        code="internal",
        message="something broke on our side; the log has it under this request id",
        request_id=request_id(request),
    )
    return error_answer(request.url.path, 500, facts)


Next = Callable[[Request], Awaitable[Response]]
