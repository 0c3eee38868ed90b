"""Which deployments a text goes to, by the route's shares. Pure: the same text, the same way."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from inhouse.models.types import INCUMBENT, OWNED, Route, TaskInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The way of one text."""

    candidates: tuple[str, ...]  # deployments in the order they are asked until one answers
    shadows: tuple[str, ...] = ()  # also asked, their answers recorded and never returned


def plan(route: Route, ref: str) -> Plan:
    """Who is asked about a ref. Shares nest: what the owned model answers at 10% it also answers
    at 50%. The owned model, where there is one, is the last to fall back on; where it is to replace
    another, that one answers what it does not, and rented models what they answer in any case."""
    rented = rented_of(route)
    if route.owned is None:
        return Plan(candidates=rented)
    if route.incumbent is not None:
        return _while_replacing(route, rented, ref)
    if not rented:
        return Plan(candidates=(OWNED,))
    checked = place_of(route.task, "shadow", ref)
    if place_of(route.task, "owned", ref) < route.owned_share:
        watched = checked < route.watch_share
        return Plan(candidates=(OWNED, *rented), shadows=rented[:1] if watched else ())
    shadows = (OWNED,) if checked < route.shadow_share else ()
    return Plan(candidates=(*rented, OWNED), shadows=shadows)


def _while_replacing(route: Route, rented: tuple[str, ...], ref: str) -> Plan:
    """Whichever of both owned models answers, the other is asked besides; whoever is in force is
    held against the rented model as before."""
    checked = place_of(route.task, "shadow", ref)
    place = place_of(route.task, "owned", ref)
    beside = checked < route.shadow_share
    if place < route.owned_share:
        return Plan(candidates=(OWNED, INCUMBENT, *rented), shadows=(INCUMBENT,) if beside else ())
    if place < route.incumbent_share:
        watched = rented[:1] if checked < route.watch_share else ()
        return Plan(
            candidates=(INCUMBENT, *rented, OWNED),
            shadows=((OWNED,) if beside else ()) + watched,
        )
    return Plan(candidates=(*rented, INCUMBENT, OWNED), shadows=(INCUMBENT,) if beside else ())


def rented_of(route: Route) -> tuple[str, ...]:
    """The rented deployments in the order they are asked."""
    return (() if route.primary is None else (route.primary,)) + route.fallbacks


def plans(route: Route, inputs: Iterable[TaskInput]) -> dict[Plan, list[TaskInput]]:
    """The inputs by plan, each in their order."""
    by_plan: dict[Plan, list[TaskInput]] = {}
    for given in inputs:
        by_plan.setdefault(plan(route, given.ref), []).append(given)
    return by_plan


def place_of(task: str, purpose: str, ref: str) -> float:
    """Where a ref falls in [0, 1): fixed, uniform, and independent between purposes."""
    told = "\x1f".join((task, purpose, ref)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big") / 2**64
