"""How much a page leaves out while more people ask than can be served in full.

    0  full
    1  fewer candidates: a quarter of each source, none by likeness or chance, no variety
    2  the reserve of the person's page before, then as 3
    3  what is trending, the same list for everybody, then the newest

At every level every filter runs: less is never less protection. `following` and `latest` promise
an order and cost less than level 3, so they stay whole; `similar` promises likeness and goes no
further than 1; `trending` is made of the shared list from 1 on.
"""

from typing import Final, Literal

from inhouse.recommend.surfaces import Surface

Level = Literal[0, 1, 2, 3]
FULL: Final = 0
FEWER: Final = 1
KEPT: Final = 2
SHARED: Final = 3

_MOST: Final[dict[Surface, Level]] = {
    "for_you": SHARED,
    "trending": SHARED,
    "similar": FEWER,
    "following": FULL,
    "latest": FULL,
}


def level_for(surface: Surface, asked: Level, *, has_reserve: bool) -> Level:
    """What a page of this surface is made at, where `asked` is what the load calls for."""
    level = min(asked, _MOST[surface])
    if level == KEPT and not has_reserve:
        return SHARED
    if surface == "trending" and level > FULL:
        return SHARED
    return level
