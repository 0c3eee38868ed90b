"""What a statement says, in words. Never the post's own, and nobody's name."""

from collections.abc import Sequence
from typing import Final

from inhouse.moderation.policy.types import Policy, Rule
from inhouse.moderation.statements.restriction import Restriction
from inhouse.moderation.statements.types import Automated, Kind, Source
from inhouse.moderation.types import CHILD_ABUSE, Evidence

_KIND_WORDS: Final[dict[Kind, str]] = {
    "removed": "is not shown to anybody",
    "disabled": "is hidden until a person has looked at it",
    "demoted": "is not recommended",
    "age_restricted": "is shown to adults only",
    "labelled": "is shown behind a warning",
    "account_limited": "new posts of the account are not recommended",
    "account_suspended": "new posts of the account are hidden",
}
_SOURCE_WORDS: Final[dict[Source, str]] = {
    "own": "It was found by our own checks.",
    "report": "It was brought up by a report.",
    "notice": "It was brought up by a notice of illegal content.",
}
_DECIDED_WORDS: Final[dict[Automated, str]] = {
    "fully": "A program decided.",
    "partially": "A program found it, and a person decided.",
    "not": "A person decided.",
}
REDRESS: Final = (
    "You can object free of charge within six months: send an appeal with the id of the post. A "
    "person who did not take this decision looks at it again. In the European Union you can also "
    "turn to a certified out-of-court dispute settlement body, and everywhere to a court."
)


def facts_of(found: Restriction, evidence: Evidence, source: Source, automated: Automated) -> str:
    """What was found, by what, and what follows from it."""
    said = _join([_KIND_WORDS[kind] for kind in found.kinds])
    named = found.category.replace("_", " ")
    parts = [
        f"The post was found to be {named} and {said}.",
        _SOURCE_WORDS[source],
        _DECIDED_WORDS[automated],
    ]
    if automated != "not" and found.category != CHILD_ABUSE:
        parts += _signs(found, evidence)
    return " ".join(parts)


def explanation_of(found: Restriction, policy: Policy) -> str:
    """The rule's own words for authors, or else what the category means."""
    rule = rule_named(policy, found.decision.decided_by)
    if rule is not None and rule.why is not None:
        return rule.why
    if found.category == CHILD_ABUSE:
        return "Sexual abuse of children is a crime wherever this service is offered."
    meaning = policy.categories.get(found.category)
    if meaning is None:
        return "The post breaks the rules of this community."
    return f"The rules of this community do not allow: {meaning}."


def rule_named(policy: Policy, decided_by: str) -> Rule | None:
    """The rule behind a decision, None for a person's."""
    name = decided_by.removeprefix("rule:")
    if name == decided_by:
        return None
    return next((rule for rule in policy.rules if rule.name == name), None)


def account_facts(points: float, kind: Kind, days: int) -> str:
    """Why an account is restricted."""
    return (
        f"Decisions on posts of this account add up to {points:.1f} points, of which older ones "
        f"count less. For {days} days {_KIND_WORDS[kind]}."
    )


def _signs(found: Restriction, evidence: Evidence) -> list[str]:
    """What programs said of the category."""
    told = []
    for label in evidence.labels:
        if label.category == found.category and label.p >= 0.5:
            kind = label.source.partition(":")[0]
            by = {"model": "A model", "terms": "A list of terms"}.get(kind, "A bank of hashes")
            told.append(f"{by} put the probability at {100 * label.p:.0f}%.")
    return sorted(set(told))


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
