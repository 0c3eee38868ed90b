"""Which sources serve which surface, with which quotas, and how the page is ordered."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from inhouse.moderation.types import Surface as VerdictSurface
from inhouse.recommend.surfaces import Surface
from inhouse.recommend.tuning import Ranker
from inhouse.recommend.types import SOURCE_NAMES

# value: the value model's number; newest: time of posting; offered: the only source's own score.
Order = Literal["value", "newest", "offered"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How one kind of page is made."""

    quotas: Mapping[str, int]  # source -> most candidates worth showing it may bring
    order: Order  # what the candidates are ordered by
    verdicts: VerdictSurface = "feed"  # whose moderation rules apply
    profiled: bool = True  # may use what the person did; without, only follows, mutes and blocks
    repeats: bool = False  # may show again what was seen or served
    regional: bool = True  # leaves out what is meant for other regions
    arranged: bool = True  # keeps neighbours by one creator apart, caps creators
    varied: bool = False  # lowers what is like the places above it
    explores: bool = False  # has places for chance and for new creators


# The quotas in one table. They are shares of the ranker's work, not of the page.
#            taste similar following trending fresh explore popular ordered
_QUOTAS: Final[dict[str, tuple[int, ...]]] = {
    "for_you": (200, 80, 60, 60, 60, 40, 0, 60),
    "popular": (0, 0, 0, 0, 0, 0, 300, 60),
    "following": (0, 0, 400, 0, 0, 0, 0, 60),
    "latest": (0, 0, 0, 0, 400, 0, 0, 60),
    "trending": (0, 0, 0, 300, 0, 0, 0, 60),
    "similar": (0, 300, 0, 0, 0, 0, 0, 60),
}


def _quotas(name: str) -> Mapping[str, int]:
    row = zip(SOURCE_NAMES, _QUOTAS[name], strict=True)
    return MappingProxyType({source: quota for source, quota in row if quota})


PLANS: Final[Mapping[str, Plan]] = MappingProxyType(
    {
        "for_you": Plan(quotas=_quotas("for_you"), order="value", varied=True, explores=True),
        "popular": Plan(quotas=_quotas("popular"), order="offered"),
        "following": Plan(
            quotas=_quotas("following"), order="newest", verdicts="following", regional=False
        ),
        "latest": Plan(
            quotas=_quotas("latest"),
            order="newest",
            profiled=False,
            repeats=True,
            regional=False,
            arranged=False,
        ),
        "trending": Plan(quotas=_quotas("trending"), order="offered"),
        "similar": Plan(quotas=_quotas("similar"), order="offered", repeats=True),
    }
)


def plan_for(surface: Surface, ranker: Ranker, *, paused: bool = False) -> Plan:
    """The plan of a surface; the popular arm of an experiment replaces for_you alone.

    While personalisation is paused every surface is made without a profile. What was seen is a part
    of it, so such a page may repeat, and nothing is shown by chance, which nobody may learn from.
    """
    plan = PLANS["popular" if surface == "for_you" and ranker == "popular" else surface]
    if not paused:
        return plan
    return replace(plan, profiled=False, repeats=True, regional=False, explores=False)
