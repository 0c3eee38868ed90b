"""From the exception tree to HTTP: status and code, in our shape or in that of the format asked."""

from typing import Final

from starlette.responses import Response

from inhouse.api.shapes import RETRY_AFTER, error_answer
from inhouse.api.wire import ErrorFacts
from inhouse.core.errors import (
    AccessError,
    BusyError,
    ConflictError,
    InhouseError,
    InputError,
    LimitedError,
    PictureError,
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
    (LimitedError, 429, "rate_limited"),
    (BusyError, 429, "busy"),
    (StoreError, 503, "store_refused"),
    (VendorError, 502, "vendor_failed"),
    (InhouseError, 500, "internal"),
)
CODES: Final = {404: "unknown", 405: "method_not_allowed", 413: "too_large"}
_LOG: Final = logger("api")


def answer_to(path: str, request_id: str | None, error: InhouseError) -> Response:
    """What a request is answered that ended in one of our own errors."""
    if isinstance(error, AccessError):
        status, code = (403, "forbidden") if error.known_key else (401, "no_key")
    else:
        status, code = next((s, c) for kind, s, c in _TABLE if isinstance(error, kind))
    if isinstance(error, PictureError):
        code = error.code
    if status >= 500:
        # The line that says why; a database may name values in the lines after it.
        why = {"reason": str(error).partition("\n")[0]} if isinstance(error, StoreError) else {}
        kind = type(error).__name__
        _LOG.error("request_failed", code=code, kind=kind, request_id=request_id, **why)
    facts = ErrorFacts(
        code=code,
        message=str(error),
        field=error.field if isinstance(error, InputError) else None,
        request_id=request_id,
    )
    response = error_answer(path, status, facts)
    if isinstance(error, BusyError):
        response.headers[RETRY_AFTER] = str(error.retry_after_s)
    if isinstance(error, LimitedError):
        response.headers.update(error.headers)
    return response


def crashed(path: str, request_id: str | None, error: Exception) -> Response:
    """What is answered where something nobody foresaw went wrong."""
    _LOG.error("request_crashed", kind=type(error).__name__, request_id=request_id, exc_info=error)
    facts = ErrorFacts(
        code="internal",
        message="something broke on our side; the log has it under this request id",
        request_id=request_id,
    )
    return error_answer(path, 500, facts)


def no_endpoint(method: str, path: str, request_id: str | None) -> Response:
    """Nothing is there."""
    facts = ErrorFacts(
        code=CODES[404],
        message=f"no endpoint {method} {path}; /docs lists them",
        request_id=request_id,
    )
    return error_answer(path, 404, facts)
