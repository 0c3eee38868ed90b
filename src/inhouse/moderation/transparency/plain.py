"""The live policy in plain sentences, for the people it applies to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from inhouse.moderation.policy.compiled import gated
from inhouse.moderation.policy.match import Condition
from inhouse.moderation.policy.types import Policy, Rule
from inhouse.moderation.signals.facts import KIND, LANGUAGE
from inhouse.moderation.signals.read import BY_CATEGORY, SIGNALS
from inhouse.moderation.types import SHOWN, SURFACES, Action, Surface, ViewerClass

_ACTION_WORDS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        "allow": "shown",
        "limit": "left out",
        "warn": "shown behind a warning",
        "age_gate": "shown to adults only, behind a gate",
        "review": "hidden until a person has looked at it",
        "remove": "hidden",
    }
)
_SURFACE_WORDS: Final[Mapping[Surface, str]] = MappingProxyType(
    {
        "feed": "recommendations",
        "following": "followers' feeds",
        "search": "search",
        "profile": "the author's profile",
        "notification": "notifications",
    }
)


def policy_in_words(policy: Policy) -> list[str]:
    """One paragraph a category, one sentence a rule in the order in which they are asked."""
    paragraphs = [
        f"Policy {policy.version}. The rules are asked from the first to the last; the first one "
        "that fits decides. A decision made by a person stands above all rules. A post that has "
        "not been checked yet is not shown, and a post that could not be checked is hidden until "
        "a person has looked at it. People whose age is not known are treated as minors."
    ]
    paragraphs += [
        f"{number}. {rule_in_words(rule, policy)}" for number, rule in enumerate(policy.rules, 1)
    ]
    paragraphs.append("A post that no rule fits is shown.")
    return paragraphs


def rule_in_words(rule: Rule, policy: Policy) -> str:
    """One rule as a sentence or two."""
    when = ", or ".join(" and ".join(map(_condition, group)) for group in rule.when)
    adults, minors = _effects(rule, "adult"), _effects(rule, "minor")
    sentence = f"A post {when} is {_places(adults)}"
    if minors != adults:
        sentence += f"; for minors it is {_places(minors)}"
    about = f"This is about {_spoken(rule.category)}: {policy.categories[rule.category]}"
    watched = " The rule is only watched so far and decides nothing." if rule.shadow else ""
    return f"{sentence}. {about} (rule {rule.name}).{watched}"


def _condition(condition: Condition) -> str:
    name, no = condition.name, "not " if condition.negated else ""
    if condition.kind == "p":
        return f"that is {no}{_percent(condition)} likely to be {_spoken(name)}"
    if name.startswith(KIND):
        return f"that is {no}a {name.removeprefix(KIND)}"
    if name.startswith(LANGUAGE):
        return f"that is {no}in the language `{name.removeprefix(LANGUAGE)}`"
    return f"that {'does not have' if condition.negated else 'has'} {_count(condition)}"


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _percent(condition: Condition) -> str:
    low, below = condition.at_least, condition.below
    least = f"at least {100 * low:.4g}%"
    if below is None:
        return least
    upper = f"less than {100 * below:.4g}%"
    return upper if condition.low == 0 else f"{least} and {upper}"


def _count(condition: Condition) -> str:
    one, many = _signal_words(condition.name)
    low, below = condition.low, condition.below
    words = one if low == 1 else many
    if below is None:
        return f"at least {low} {words}"
    if low == 0:
        return f"fewer than {below:g} {many}"
    return f"at least {low} and fewer than {below:g} {many}"


def _signal_words(name: str) -> tuple[str, str]:
    for kind, (one, many) in BY_CATEGORY.items():
        if name.startswith(kind):
            category = _spoken(name.removeprefix(kind))
            return one.format(category), many.format(category)
    return SIGNALS[name]


def _effects(rule: Rule, viewer: ViewerClass) -> dict[Surface, str]:
    """What a viewer sees of a matching post, by the surfaces where the rule speaks."""
    effects: dict[Surface, str] = {}
    for surface in SURFACES:
        action = rule.action(surface, viewer)
        if action is None:
            continue
        action = gated(action, viewer)
        limited_but_shown = action == "limit" and action in SHOWN[surface]
        effects[surface] = _ACTION_WORDS["allow" if limited_but_shown else action]
    return effects


def _places(effects: Mapping[Surface, str]) -> str:
    """The same effects together; where a rule does not speak the later ones decide."""
    places: dict[str, list[str]] = {}
    for surface, effect in effects.items():
        places.setdefault(effect, []).append(_SURFACE_WORDS[surface])
    everywhere = len(effects) == len(SURFACES)
    if everywhere and len(places) == 1:
        return next(iter(places))
    parts = [
        f"{effect} {'of' if effect == _ACTION_WORDS['limit'] else 'in'} {_list(words)}"
        for effect, words in places.items()
    ]
    return ", ".join(parts) + ("" if everywhere else ", elsewhere as the rules below say")


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
