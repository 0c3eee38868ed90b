"""A person stops a task on its way, sends it back, or lets it go on; with name and reason."""

from dataclasses import dataclass, replace
from typing import Final

from inhouse.core.errors import ConflictError, InputError
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.cutover.stages import Measuring, with_stage
from inhouse.models.parity.margins import named
from inhouse.models.types import Route

_MOST_REASON_CHARS: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """What a person decided of a task's way."""

    task: str
    by: str  # who
    reason: str  # in their words
    at_ms: int


def hold(routes: Routes, ruling: Ruling) -> Route:
    """Keep the task where it is: it goes no further forwards. What crosses a bound still goes back.
    Raises ConflictError where a person holds it already."""
    route = routes.current(ruling.task)
    if route.held_by is not None and route.held_by.startswith("person:"):
        raise ConflictError(f"{ruling.task} is held by {route.held_by} already")
    return _ruled(routes, ruling, replace(route, held_by=_by(ruling)))


def roll_back(routes: Routes, ruling: Ruling, measuring: Measuring) -> Route:
    """Take the owned model out of service into the shadow, and hold it there. One that was to
    replace another gives way to that one, which takes another rollback to be taken out itself.
    Raises ConflictError where none answers anybody, or where nobody else could answer."""
    route = routes.current(ruling.task)
    if route.incumbent is not None and route.owned_share:
        back = with_stage(route, "shadow", measuring)
        return _ruled(routes, ruling, replace(back, held_by=_by(ruling)))
    if route.incumbent is not None:
        route = replace(route, owned=route.incumbent, incumbent=None, owned_share=1.0)
    if route.owned is None or route.owned_share == 0:
        raise ConflictError(f"no owned model answers {ruling.task}; there is nothing to roll back")
    if route.primary is None:
        raise ConflictError(
            f"no rented model is configured to answer {ruling.task} in its place; name one in the "
            "file of vendors first"
        )
    back = replace(with_stage(route, "shadow", measuring), held_by=_by(ruling))
    return _ruled(routes, ruling, back)


def resume(routes: Routes, ruling: Ruling) -> Route:
    """Let the evidence decide again, from now on: what was seen before no longer counts.

    Raises ConflictError where nothing holds the task."""
    route = routes.current(ruling.task)
    if route.held_by is None:
        raise ConflictError(f"nothing holds {ruling.task}; the evidence decides already")
    return _ruled(routes, ruling, replace(route, held_by=None), afresh=True)


def _by(ruling: Ruling) -> str:
    return f"person:{named(ruling.by)}"


def _ruled(routes: Routes, ruling: Ruling, route: Route, *, afresh: bool = False) -> Route:
    reason = ruling.reason.strip()
    if not 1 <= len(reason) <= _MOST_REASON_CHARS:
        raise InputError(
            f"a reason of {len(reason):,} characters; expected 1 to {_MOST_REASON_CHARS}, for the "
            "record",
            field="because",
        )
    routes.set(
        RouteChange(route=route, at_ms=ruling.at_ms, decided_by=_by(ruling), reason=reason),
        afresh=afresh,
    )
    return route
