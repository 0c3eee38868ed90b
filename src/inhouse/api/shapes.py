"""Errors in the shape that the clients of a format read; everywhere else in our own."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import Response

from inhouse.api.wire import ErrorBody, ErrorFacts, answer

OPENAI: Final = "/openai/"
PERSPECTIVE: Final = "/v1alpha1/"
RETRY_AFTER: Final = "retry-after"


def error_answer(path: str, status: int, facts: ErrorFacts) -> Response:
    """An error's response, in the shape of the format that the path belongs to."""
    if path.startswith(OPENAI):
        response = openai_error(status, facts)
    elif path.startswith(PERSPECTIVE):
        response = google_error(status, facts)
    else:
        response = answer(ErrorBody(error=facts), status)
    if response.status_code == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


# -- OpenAI's ------------------------------------------------------------------------------------

# Our code -> type and code of theirs. Of other errors below 500 the type is that of a bad request.
_OPENAI: Final[Mapping[str, tuple[str, str | None]]] = MappingProxyType(
    {
        "bad_request": ("invalid_request_error", None),
        "no_key": ("invalid_request_error", "invalid_api_key"),
        "forbidden": ("invalid_request_error", "missing_scope"),
        "busy": ("requests", "rate_limit_exceeded"),
        "rate_limited": ("requests", "rate_limit_exceeded"),
        "over_budget": ("insufficient_quota", "insufficient_quota"),
    }
)


def openai_error(status: int, facts: ErrorFacts) -> Response:
    """`{"error": {"message", "type", "param", "code"}}`."""
    other = ("invalid_request_error" if status < 500 else "server_error", facts.code)
    kind, code = _OPENAI.get(facts.code, other)
    if (facts.code, facts.field) == ("unknown", "model"):
        code = "model_not_found"
    error = {"message": facts.message, "type": kind, "param": facts.field, "code": code}
    return answer({"error": error}, status)


# -- Google's ------------------------------------------------------------------------------------

_STATUSES: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        405: "UNIMPLEMENTED",
        409: "ABORTED",
        413: "INVALID_ARGUMENT",
        429: "RESOURCE_EXHAUSTED",
        500: "INTERNAL",
        502: "UNAVAILABLE",
        503: "UNAVAILABLE",
    }
)
_KEY_INVALID: Final = MappingProxyType(
    {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
)


def google_error(status: int, facts: ErrorFacts) -> Response:
    """`{"error": {"code", "message", "status", "details"}}`; a key that is not known is a bad
    request there."""
    if facts.code == "no_key":
        return google_answer(400, facts.message, [_KEY_INVALID])
    return google_answer(status, facts.message)


def google_answer(status: int, message: str, details: Sequence[Mapping[str, Any]] = ()) -> Response:
    """An error as `google.rpc.Status` has it, with its details."""
    error: dict[str, Any] = {
        "code": status,
        "message": message,
        "status": _STATUSES.get(status, "UNKNOWN"),
    }
    if details:
        error["details"] = [dict(detail) for detail in details]
    return answer({"error": error}, status)
