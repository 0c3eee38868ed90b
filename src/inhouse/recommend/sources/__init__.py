"""The sources: each offers candidates by one idea. The list below is the order of their names."""

from typing import Final, Protocol

from inhouse.recommend.moment import Moment
from inhouse.recommend.sources.explore import ExploreSource
from inhouse.recommend.sources.following import FollowingSource
from inhouse.recommend.sources.fresh import FreshSource
from inhouse.recommend.sources.ordered import OrderedSource
from inhouse.recommend.sources.popular import PopularSource
from inhouse.recommend.sources.reserve import ReserveSource
from inhouse.recommend.sources.similar import SimilarSource
from inhouse.recommend.sources.taste import TasteSource
from inhouse.recommend.sources.trending import TrendingSource
from inhouse.recommend.types import Offer


class Source(Protocol):
    """Offers candidates."""

    @property
    def name(self) -> str:
        """One of `types.SOURCE_NAMES`."""

    def offer(self, moment: Moment, quota: int) -> Offer | None:
        """At most `quota` worthwhile items and a few near misses; None where it has no idea."""


SOURCES: Final[tuple[Source, ...]] = (
    TasteSource(),
    SimilarSource(),
    FollowingSource(),
    TrendingSource(),
    FreshSource(),
    ExploreSource(),
    PopularSource(),
    OrderedSource(),
    ReserveSource(),
)
