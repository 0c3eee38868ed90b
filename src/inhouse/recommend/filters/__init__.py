"""The filters, in the order in which they are asked: the list is the table of what is removed."""

from typing import Final

from inhouse.recommend.filters.base import Filter, Filtered, run
from inhouse.recommend.filters.blocked import BlockedFilter
from inhouse.recommend.filters.excluded import ExcludedFilter
from inhouse.recommend.filters.live import LiveFilter
from inhouse.recommend.filters.muted import MutedFilter
from inhouse.recommend.filters.operator import OperatorFilter
from inhouse.recommend.filters.own import OwnPostFilter
from inhouse.recommend.filters.region import RegionFilter
from inhouse.recommend.filters.seen import SeenFilter
from inhouse.recommend.filters.served import ServedFilter
from inhouse.recommend.filters.verdict import VerdictFilter

FILTERS: Final[tuple[Filter, ...]] = (
    LiveFilter(),
    VerdictFilter(),
    OperatorFilter(),
    BlockedFilter(),
    MutedFilter(),
    OwnPostFilter(),
    RegionFilter(),
    ExcludedFilter(),
    SeenFilter(),
    ServedFilter(),
)

__all__ = ["FILTERS", "Filter", "Filtered", "run"]
