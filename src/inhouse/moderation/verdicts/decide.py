"""From evidence to a decision: pure.

What is sealed is removed, whoever says otherwise. A person's call beats everything else; then a
post that no model could score waits for a person; then the first rule of the policy that matches
and speaks for the surface and viewer; else it is shown.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from inhouse.moderation.policy.compiled import NO_RULE_HOLDS, PAIRS, PLACE, Compiled, gated
from inhouse.moderation.policy.match import Condition, Number, numbers_of
from inhouse.moderation.policy.types import Policy, Rule
from inhouse.moderation.types import (
    ACTIONS,
    CHILD_ABUSE,
    CODES,
    SEALED,
    SURFACES,
    Decision,
    Evidence,
    PersonCall,
    Surface,
    Viewer,
    ViewerClass,
    viewer_class,
)

# The signal of a text that no model could score although it could score others.
UNSCORED: Final = "unscored"
_HOLD: Final = MappingProxyType(dict.fromkeys(SURFACES, ACTIONS[CODES["review"]]))
_REMOVE: Final = MappingProxyType(dict.fromkeys(SURFACES, ACTIONS[CODES["remove"]]))
UNSCORED_RULE: Final = Rule(
    name=UNSCORED,
    category=UNSCORED,
    when=((Condition(kind="count", name=UNSCORED, low=1),),),
    adult=_HOLD,
    minor=_HOLD,
    why="The post could not be checked automatically; a person will look at it.",
)
# The first rule of every policy: sexual abuse of children is shown to nobody (`recording.sealed`).
SEALED_RULE: Final = Rule(
    name=SEALED,
    category=CHILD_ABUSE,
    when=((Condition(kind="count", name=SEALED, low=1),),),
    adult=_REMOVE,
    minor=_REMOVE,
    why="The post was found to show sexual abuse of children, which is a crime.",
)
SEALED_BY: Final = f"rule:{SEALED_RULE.name}"
# Asked before every policy's own rules, in this order.
BUILT_IN: Final = (SEALED_RULE, UNSCORED_RULE)
SEALED_PLACE: Final = BUILT_IN.index(SEALED_RULE)  # what it decides, no person may change
_BUILT_IN_NAMES: Final = frozenset(rule.name for rule in BUILT_IN)
NO_RULE: Final = Decision(action="allow", decided_by="no rule", category=None)
# The signal of a post that a rule would have removed while the circuit breaker was open: a person
# is asked instead, whatever becomes of the breaker. See `judging.breaker`.
HELD_BACK: Final = "held_back"
_HELD_BACK_NUMBER: Final[Number] = ("count", HELD_BACK)


def decide(evidence: Evidence, policy: Policy, surface: Surface, viewer: Viewer) -> Decision:
    """What to do with a post for one viewer on one surface.

    >>> from inhouse.moderation.policy.parse import load_policy
    >>> from inhouse.moderation.types import Label
    >>> seen = Evidence(labels=(Label(category="hate", p=0.99, source="model:x"),))
    >>> decide(seen, load_policy(), "feed", "adult")
    Decision(action='remove', decided_by='rule:hate_clear', category='hate')
    """
    seen_by = viewer_class(viewer)
    if evidence.person is not None and not evidence.is_sealed:
        return person_decision(evidence.person, seen_by)
    ready = compiled(policy)
    found = ready.decide(numbers_of(evidence), PLACE[surface, seen_by])
    return decision_of(ready, *found)


def decide_all(evidence: Evidence, policy: Policy) -> dict[tuple[Surface, ViewerClass], Decision]:
    """The decision for every surface and class of viewers, looking at each rule once."""
    call = evidence.person
    if call is not None and not evidence.is_sealed:
        return {pair: person_decision(call, pair[1]) for pair in PAIRS}
    ready = compiled(policy)
    found = ready.decide_pairs(numbers_of(evidence))
    return {pair: decision_of(ready, *one) for pair, one in zip(PAIRS, found, strict=True)}


@lru_cache(maxsize=16)
def compiled(policy: Policy) -> Compiled:
    """A policy made ready, the built-in rules before its own."""
    return Compiled((*BUILT_IN, *policy.rules), len(BUILT_IN), _HELD_BACK_NUMBER)


def decision_of(ready: Compiled, rule: int, code: int) -> Decision:
    """In words: the place of a rule, or NO_RULE_HOLDS, and the code of an action."""
    if rule == NO_RULE_HOLDS:
        return NO_RULE
    named = ready.rules[rule]
    return Decision(action=ACTIONS[code], decided_by=f"rule:{named.name}", category=named.category)


def person_decision(call: PersonCall, viewer: ViewerClass) -> Decision:
    """A person's call for a class of viewers: the same on every surface."""
    return Decision(
        action=gated(call.action, viewer),
        decided_by=f"person:{call.name}",
        category=call.category,
    )


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The most severe one, of equals the first: what a verdict is filed under."""
    return max(decisions, key=lambda decision: CODES[decision.action])


def removing_rule(decisions: Mapping[tuple[Surface, ViewerClass], Decision]) -> str | None:
    """The rule of the policy that removes a post for adults, on the first surface where one does,
    or None. What is built in is not the policy's."""
    for (_, viewer), decision in decisions.items():
        kind, _, name = decision.decided_by.partition(":")
        ruled = kind == "rule" and name not in _BUILT_IN_NAMES
        if viewer == "adult" and decision.action == "remove" and ruled:
            return name
    return None


def waiting_for_person(decisions: Iterable[Decision]) -> Decision | None:
    """The first decision that holds a post until a person has decided, or None."""
    return next((decision for decision in decisions if decision.action == "review"), None)
