"""The nouns of a policy."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Final, Literal

from inhouse.moderation.policy.rights import DEFAULT_RIGHTS, Rights
from inhouse.moderation.types import P_SCALE, Action, Surface, ViewerClass

Kind = Literal["p", "count"]

# A value nobody knows. Every condition has an upper bound below it, so it never holds.
MISSING: Final = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """`low <= value < high`, on whole numbers: ten-thousandths of a probability, or a count."""

    kind: Kind  # a category's probability, or a signal
    name: str  # of the category or the signal
    low: int = 0
    high: int = MISSING

    @property
    def at_least(self) -> float:
        """The lower bound as written."""
        return self.low / P_SCALE if self.kind == "p" else self.low

    @property
    def below(self) -> float | None:
        """The upper bound as written, None where there is none."""
        if self.high == MISSING:
            return None
        return self.high / P_SCALE if self.kind == "p" else self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What happens where a condition holds."""

    name: str  # in `decided_by`
    category: str  # what a post that it matches is called
    when: tuple[tuple[Condition, ...], ...]  # any of these groups, of each all conditions
    adult: Mapping[Surface, Action]  # where it speaks for adults
    minor: Mapping[Surface, Action]  # where it speaks for minors and people of unknown age
    why: str | None = None  # for the author of a post it restricts

    def action(self, surface: Surface, viewer: ViewerClass) -> Action | None:
        """What it says there; None where it does not speak and the next rule is asked."""
        return (self.adult if viewer == "adult" else self.minor).get(surface)


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Rules in order: for each surface and viewer the first that matches and speaks decides."""

    name: str
    categories: Mapping[str, str]  # name -> what it means, in words
    rules: tuple[Rule, ...]  # without the built-in one
    version: str  # name and a hash of the content: another content, another version
    rights: Rights = DEFAULT_RIGHTS  # what restrictions mean for authors and their accounts


def version_of(
    name: str,
    categories: Mapping[str, str],
    rules: tuple[Rule, ...],
    rights: Rights = DEFAULT_RIGHTS,
) -> str:
    """The same for the same content, whatever the remarks and the order of keys in the file."""
    content = [
        [
            rule.name,
            rule.category,
            [[[c.kind, c.name, c.low, c.high] for c in group] for group in rule.when],
            sorted(rule.adult.items()),
            sorted(rule.minor.items()),
            rule.why,
        ]
        for rule in rules
    ]
    whole: list[object] = [name, sorted(categories.items()), content]
    if rights != DEFAULT_RIGHTS:
        whole.append([sorted((k, astuple(v)) for k, v in rights.categories.items())])
        whole.append(astuple(rights.strikes))
    text = json.dumps(whole)
    return f"{name}-{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
