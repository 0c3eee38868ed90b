"""Which sources serve which surface, with which quotas, and how the page is ordered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from inhouse.moderation.types import Surface as VerdictSurface
from inhouse.recommend.levels import FEWER, FULL, KEPT
from inhouse.recommend.surfaces import Surface
from inhouse.recommend.tuning import Ranker
from inhouse.recommend.types import SOURCE_NAMES, FeedQuery

# value: the value model's number; newest: time of posting; offered: the only source's own score;
# kept: what the page before left over in its order, then the others by their source's score.
Order = Literal["value", "newest", "offered", "kept"]


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
    tastes: bool = True  # reads where the person and the items lie, and says what led to each
    shared: bool = False  # trending is the same list for everybody, by region alone


# The quotas in one table. They are shares of the ranker's work, not of the page.
#            taste similar following trending fresh explore popular ordered reserve
_QUOTAS: Final[dict[str, tuple[int, ...]]] = {
    "for_you": (200, 80, 60, 60, 60, 40, 0, 60, 0),
    "popular": (0, 0, 0, 0, 0, 0, 300, 60, 0),
    "following": (0, 0, 400, 0, 0, 0, 0, 60, 0),
    "latest": (0, 0, 0, 0, 400, 0, 0, 60, 0),
    "trending": (0, 0, 0, 300, 0, 0, 0, 60, 0),
    "similar": (0, 300, 0, 0, 0, 0, 0, 60, 0),
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


_FEWER: Final = 4  # a quarter of each source, but never less than as many candidates a place
_LEFT_OUT: Final = frozenset(("similar", "explore"))
_SPARE: Final = 3  # times the page's length: how much of the shared list is looked at


def lighter(plan: Plan, query: FeedQuery) -> Plan:
    """The plan of a page at the query's level of load; see `levels`."""
    level, n = query.level, query.n
    if level == FULL:
        return plan
    if level == FEWER:
        share = min(1.0, max(1, n / 20) / _FEWER)
        dropped = _LEFT_OUT if plan.order == "value" else frozenset()  # `similar` lives by it alone
        quotas = {name: _part(plan, name, share) for name in plan.quotas if name not in dropped}
        return replace(plan, quotas=quotas, varied=False, explores=False, shared=True)
    quotas = {"trending": _SPARE * n, "ordered": plan.quotas["ordered"]}
    if query.surface == "for_you":  # the other promises what is trending, and no more
        quotas["fresh"] = n
    if level == KEPT:
        quotas["reserve"] = _SPARE * n
    return replace(
        plan,
        quotas=quotas,
        order="kept" if level == KEPT else "offered",
        arranged=False,
        varied=False,
        explores=False,
        tastes=False,
        shared=True,
    )


def _part(plan: Plan, source: str, share: float) -> int:
    quota = plan.quotas[source]
    return quota if source == "ordered" else math.ceil(quota * share)
