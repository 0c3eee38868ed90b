"""The nouns of a policy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final

from inhouse.moderation.policy.match import Condition, When
from inhouse.moderation.policy.rights import DEFAULT_RIGHTS, Rights
from inhouse.moderation.types import Action, Surface, ViewerClass


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerLimit:
    """How many posts rules may remove before people are asked instead."""

    removals_per_hour: int  # more than so many, and
    least_share: float = 0.0  # more than this share of the posts judged in that hour, 0 to 1


# Where a policy says nothing: a rule gone wrong removes much and a large part of everything.
DEFAULT_BREAKER: Final = BreakerLimit(removals_per_hour=1_000, least_share=0.2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What happens where a condition holds."""

    name: str  # in `decided_by`
    category: str  # what a post that it matches is called
    when: When  # what it asks
    adult: Mapping[Surface, Action]  # where it speaks for adults
    minor: Mapping[Surface, Action]  # where it speaks for minors and people of unknown age
    why: str | None = None  # for the author of a post it restricts
    shadow: bool = False  # whether it is only watched: it decides nothing
    breaker: BreakerLimit | None = None  # its own, beside the policy's

    def action(self, surface: Surface, viewer: ViewerClass) -> Action | None:
        """What it says there; None where it does not speak and the next rule is asked."""
        return (self.adult if viewer == "adult" else self.minor).get(surface)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Policy:
    """Rules in order: for each surface and viewer the first that matches and speaks decides.

    Two are the same where their versions are; as objects each is itself alone.
    """

    name: str
    categories: Mapping[str, str]  # name -> what it means, in words
    rules: tuple[Rule, ...]  # without the built-in one
    version: str  # name and a hash of the content: another content, another version
    breaker: BreakerLimit = DEFAULT_BREAKER  # of all rules together
    rights: Rights = DEFAULT_RIGHTS  # what restrictions mean for authors and their accounts


def version_of(
    name: str,
    categories: Mapping[str, str],
    rules: tuple[Rule, ...],
    *,
    rights: Rights = DEFAULT_RIGHTS,
    breaker: BreakerLimit = DEFAULT_BREAKER,
) -> str:
    """The same for the same content, whatever the remarks and the order of keys in the file."""
    whole: list[object] = [name, sorted(categories.items()), [_content(rule) for rule in rules]]
    if rights != DEFAULT_RIGHTS:
        whole.append([sorted((k, astuple(v)) for k, v in rights.categories.items())])
        whole.append(astuple(rights.strikes))
    if breaker != DEFAULT_BREAKER:
        whole.append(astuple(breaker))
    text = json.dumps(whole)
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"


def _content(rule: Rule) -> list[object]:
    """What a rule is, without what it leaves as it is by default."""
    extra: dict[str, object] = {}
    if rule.shadow:
        extra["shadow"] = True
    if rule.breaker is not None:
        extra["breaker"] = astuple(rule.breaker)
    return [
        rule.name,
        rule.category,
        [[_asked(condition) for condition in group] for group in rule.when],
        sorted(rule.adult.items()),
        sorted(rule.minor.items()),
        rule.why,
        *([extra] if extra else []),
    ]


def _asked(condition: Condition) -> list[object]:
    asked: list[object] = [condition.kind, condition.name, condition.low, condition.high]
    return [*asked, "not"] if condition.negated else asked
