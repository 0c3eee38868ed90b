"""Bodies of answers, and the two helpers that turn them into bytes and into documentation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from pydantic import TypeAdapter
from starlette.responses import Response

from inhouse.app.ingest import Rejected

_ENCODER: Final = msgspec.json.Encoder()
JSON: Final = "application/json"


def answer(body: object, status: int = 200) -> Response:
    """A JSON response from dataclasses, straight to bytes."""
    return Response(content=_ENCODER.encode(body), status_code=status, media_type=JSON)


def documented(kind: Any, description: str = "done") -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route's answer, and of its errors."""
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": meaning}
        for status, meaning in _MEANINGS.items()
    }
    return {200: {"model": kind, "description": description}, **errors}


def takes(kind: Any) -> dict[str, Any]:
    """What OpenAPI says of a body that the route reads as bytes."""
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def definitions(kinds: tuple[Any, ...]) -> dict[str, Any]:
    """The named schemas behind `takes`, for the components of the document."""
    found: dict[str, Any] = {}
    for kind in kinds:
        schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
        found.update(schema.get("$defs", {}))
    return found


_MEANINGS: Final = {
    400: "the request is wrong; `field`, `value` and `expected` say where",
    401: "no valid API key",
    403: "the key lacks the scope",
    404: "no such thing",
    409: "its state forbids this",
    413: "the body is too large",
    429: "too many ask at once; `retry-after` says when to come back",
    503: "the store refused, or too many ask at once; nothing was half-written, try again",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorFacts:
    """What went wrong, in one shape everywhere."""

    code: str  # stable name for programs
    message: str  # for people
    field: str | None = None  # which part of the request
    value: str | None = None  # what was given
    expected: str | None = None  # what would have been right
    request_id: str | None = None  # to find it in the logs


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBody:
    """The body of every error."""

    error: ErrorFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAnswer:
    """What became of a batch of items or users."""

    created: int  # were new
    updated: int  # were known and differ now
    unchanged: int  # were known and equal
    rejected: list[Rejected]  # were not taken


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsAnswer:
    """What became of a batch of events; all that is counted here is durable."""

    stored: int  # were new
    repeated: int  # ids that were stored before
    rejected: list[Rejected]  # were not taken
    last_offset: int  # of the log


@dataclass(kw_only=True, slots=True)  # frozen, each of twenty a page would take 1 us more to make
class FeedItem:
    """One place of a page. The facts of the item come with `detail=true`."""

    item_id: str  # which
    position: int  # 0 first
    source: str  # what offered it: taste, similar, following, trending, fresh, explore
    label: str | None = None  # warn or age_gate: how the app should show it
    promoted: str | None = None  # pinned or boosted: an operator wanted it shown; say so
    creator_id: str | None = None
    creator_name: str | None = None
    kind: str | None = None
    title: str | None = None
    text: str | None = None
    topics: tuple[str, ...] | None = None
    media_url: str | None = None
    duration_ms: int | None = None
    created_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedAnswer:
    """A page of a feed."""

    page_id: str  # send it with every event that follows
    at_ms: int  # the server's time
    surface: str  # for_you, following, latest, trending, similar
    items: list[FeedItem]  # in order
    arms: dict[str, str] = field(default_factory=dict)  # experiment -> arm
    snapshot_id: str | None = None  # the model that ranked it, if one did
    profiled: bool = True  # whether what the person did was used
    level: int = 0  # 0 full; less was done under load: 1 fewer candidates, 2 a reserve, 3 trending
    next: str | None = None  # on `latest`: give it as `after` for the page behind this one


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Whether the process can do its work. What is told of a state is the community's without a
    name, null while that cannot be served, and where the process holds none."""

    ok: bool
    items: int | None = None
    people: int | None = None
    log_offset: int | None = None  # how much of the log is in the state
    snapshot_id: str | None = None  # the model in use; null where there is none yet, too
    communities: int  # served here, the one without a name too
    failing: int  # of these cannot be served at the moment
    keeping_rules: int = 0  # of these go by earlier rules, for their changed files have faults


Handler = Callable[..., Any]
