"""What a restriction means for its author, by category: on which ground it rests, how the EU's
database calls it, how much it counts against the account. A policy file may say otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from inhouse.moderation.types import CHILD_ABUSE

Ground = Literal["terms", "illegal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoryRights:
    """What follows from being restricted for a category."""

    dsa: str = "OTHER_VIOLATION_TC"  # category of the EU's Transparency Database
    keyword: str | None = None  # its finer word, where one fits
    ground: Ground = "terms"  # against the community's rules, or against a law
    law: str | None = None  # which law; needed where the ground is illegal
    strike: float = 1.0  # points against the account for a removal; 0 for none
    exempt: bool = False  # deceptive high-volume commercial content: Art. 17(2) DSA


@dataclass(frozen=True, kw_only=True, slots=True)
class StrikeRules:
    """When an account is restricted, and for how long."""

    half_life_days: float = 90.0  # after which a strike counts half
    limit_at: float = 3.0  # points from which posts are not recommended
    limit_days: int = 7
    suspend_at: float = 6.0  # points from which new posts are hidden
    suspend_days: int = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Rights:
    """Both, as the policy has them."""

    categories: Mapping[str, CategoryRights] = field(default_factory=dict)  # where the file speaks
    strikes: StrikeRules = field(default_factory=StrikeRules)

    def of(self, category: str) -> CategoryRights:
        """What the file says of a category, else what is usual for its name."""
        found = self.categories.get(category) or USUAL.get(category, CategoryRights())
        return USUAL[CHILD_ABUSE] if category == CHILD_ABUSE else found


USUAL: Final[Mapping[str, CategoryRights]] = MappingProxyType(
    {
        "harassment": CategoryRights(dsa="CYBER_VIOLENCE", keyword="CYBER_HARASSMENT"),
        "hate": CategoryRights(dsa="ILLEGAL_OR_HARMFUL_SPEECH", keyword="HATE_SPEECH"),
        "sexual": CategoryRights(
            dsa="OTHER_VIOLATION_TC", keyword="ADULT_SEXUAL_MATERIAL", strike=0.5
        ),
        "violence": CategoryRights(dsa="VIOLENCE"),
        # Who is in distress is not punished for it.
        "self_harm": CategoryRights(dsa="SELF_HARM", strike=0.0),
        "spam": CategoryRights(dsa="SCAMS_AND_FRAUD", strike=0.5, exempt=True),
        "privacy": CategoryRights(dsa="DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", strike=0.5),
        # The account is restricted for strikes; that is none itself.
        "conduct": CategoryRights(strike=0.0),
        CHILD_ABUSE: CategoryRights(
            dsa="PROTECTION_OF_MINORS",
            keyword="CHILD_SEXUAL_ABUSE_MATERIAL",
            ground="illegal",
            law="Directive 2011/93/EU and the criminal law that follows from it",
            strike=100.0,
        ),
    }
)
DEFAULT_RIGHTS: Final = Rights()
