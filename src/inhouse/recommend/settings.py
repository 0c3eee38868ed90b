"""Settings of the feed."""

from dataclasses import dataclass

from inhouse.core.settings import setting


@dataclass(frozen=True, kw_only=True)
class RecommendSettings:
    """What an operator may turn; experiments vary the same by name (`tuning.py`)."""

    explore_share: float = setting(
        0.1,
        unit="share of places",
        help="places of a for_you page given to posts that few have seen, chosen by chance",
        least=0,
        most=0.5,
    )
    diversity: float = setting(
        0.25,
        unit="0 to 1",
        help="how much likeness to what stands above costs a post; 0 orders by value alone",
        least=0,
        most=0.9,
    )
    creator_cap: int = setting(
        3,
        unit="posts",
        help="most posts by one creator on a page and the two pages' worth of places before it; "
        "where creators are few, that many even shares of these places",
        least=1,
        most=100,
    )
    removed_logged: int = setting(
        150,
        unit="items",
        help="candidates that were taken out, kept in a page's log so that `why` can answer",
        least=0,
        most=2_000,
    )
