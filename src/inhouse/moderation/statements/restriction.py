"""What decisions mean as a restriction of the author: pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from inhouse.moderation.statements.types import Kind
from inhouse.moderation.types import SHOWN, SURFACES, Decision, Surface, ViewerClass
from inhouse.moderation.verdicts.decide import UNSCORED, strictest

Decisions = Mapping[tuple[Surface, ViewerClass], Decision]


@dataclass(frozen=True, kw_only=True, slots=True)
class Restriction:
    """How a post is restricted, and by which decision first of all."""

    kinds: tuple[Kind, ...]
    decision: Decision  # the most severe one that restricts
    category: str  # of that decision


def restriction_of(decisions: Decisions) -> Restriction | None:
    """None where nobody is kept from the post on account of the rules or a law.

    A post that could not be checked waits for a person and is restricted by neither.
    """
    adults = {surface: decisions[surface, "adult"] for surface in SURFACES}
    minors = {surface: decisions[surface, "minor"] for surface in SURFACES}
    if all(decision.action == "allow" for decision in (*adults.values(), *minors.values())):
        return None
    kinds = _kinds(adults, minors)
    of_adults, of_minors = strictest(adults.values()), strictest(minors.values())
    decision = of_adults if of_adults.action != "allow" else of_minors
    category = decision.category
    if not kinds or category is None or category == UNSCORED:
        return None
    return Restriction(kinds=kinds, decision=decision, category=category)


def _kinds(
    adults: Mapping[Surface, Decision], minors: Mapping[Surface, Decision]
) -> tuple[Kind, ...]:
    hidden = {surface for surface in SURFACES if not _is_shown(surface, adults)}
    if len(hidden) == len(SURFACES):
        held = all(decision.action == "review" for decision in adults.values())
        return ("disabled",) if held else ("removed",)
    kinds: list[Kind] = ["demoted"] if hidden else []
    gated = any(decision.action == "age_gate" for decision in adults.values())
    if gated or any(not _is_shown(s, minors) for s in SURFACES if s not in hidden):
        kinds.append("age_restricted")
    if any(decision.action == "warn" for decision in (*adults.values(), *minors.values())):
        kinds.append("labelled")
    return tuple(kinds)


def _is_shown(surface: Surface, decisions: Mapping[Surface, Decision]) -> bool:
    return decisions[surface].action in SHOWN[surface]
