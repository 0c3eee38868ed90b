"""From evidence to a decision: pure.

What is sealed is removed, whoever says otherwise. A person's call beats everything else; then a
post that no model could score waits for a person; then the first rule of the policy that matches
and speaks for the surface and viewer; else it is shown.
"""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

from inhouse.moderation.policy.match import numbers_of, rule_holds
from inhouse.moderation.policy.types import Condition, Policy, Rule
from inhouse.moderation.types import (
    ACTIONS,
    CHILD_ABUSE,
    CODES,
    SEALED,
    SURFACES,
    VIEWER_CLASSES,
    Action,
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
# The first rule of every policy: sexual abuse of children is shown to nobody (`moderation.sealed`).
SEALED_RULE: Final = Rule(
    name=SEALED,
    category=CHILD_ABUSE,
    when=((Condition(kind="count", name=SEALED, low=1),),),
    adult=_REMOVE,
    minor=_REMOVE,
    why="The post was found to show sexual abuse of children, which is a crime.",
)
NO_RULE: Final = Decision(action="allow", decided_by="no rule", category=None)
SEALED_BY: Final = f"rule:{SEALED_RULE.name}"
PAIRS: Final = tuple((surface, viewer) for surface in SURFACES for viewer in VIEWER_CLASSES)


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
    known = numbers_of(evidence)
    for rule in all_rules(policy):
        action = rule.action(surface, seen_by)
        if action is not None and rule_holds(rule, known):
            return rule_decision(rule, action, seen_by)
    return NO_RULE


def decide_all(evidence: Evidence, policy: Policy) -> dict[tuple[Surface, ViewerClass], Decision]:
    """The decision for every surface and class of viewers, looking at each rule once."""
    call = evidence.person
    if call is not None and not evidence.is_sealed:
        return {pair: person_decision(call, pair[1]) for pair in PAIRS}
    known = numbers_of(evidence)
    held = [rule for rule in all_rules(policy) if rule_holds(rule, known)]
    return {pair: _first(held, *pair) for pair in PAIRS}


def _first(held: Sequence[Rule], surface: Surface, viewer: ViewerClass) -> Decision:
    for rule in held:
        action = rule.action(surface, viewer)
        if action is not None:
            return rule_decision(rule, action, viewer)
    return NO_RULE


def all_rules(policy: Policy) -> Sequence[Rule]:
    """The policy's rules behind those that are built in."""
    return (SEALED_RULE, UNSCORED_RULE, *policy.rules)


def rule_decision(rule: Rule, action: Action, viewer: ViewerClass) -> Decision:
    """A rule's action for a class of viewers."""
    return Decision(
        action=_gated(action, viewer), decided_by=f"rule:{rule.name}", category=rule.category
    )


def person_decision(call: PersonCall, viewer: ViewerClass) -> Decision:
    """A person's call for a class of viewers: the same on every surface."""
    return Decision(
        action=_gated(call.action, viewer),
        decided_by=f"person:{call.name}",
        category=call.category,
    )


def _gated(action: Action, viewer: ViewerClass) -> Action:
    """An age gate does not open for a minor."""
    return "remove" if action == "age_gate" and viewer == "minor" else action


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The most severe one, of equals the first: what a verdict is filed under."""
    return max(decisions, key=lambda decision: CODES[decision.action])


def waiting_for_person(decisions: Iterable[Decision]) -> Decision | None:
    """The first decision that holds a post until a person has decided, or None."""
    return next((decision for decision in decisions if decision.action == "review"), None)
