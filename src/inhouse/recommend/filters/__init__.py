"""The filters, in the order in which they are asked: the list is the table of what is removed."""

from typing import Final

from inhouse.recommend.filters.at_once import run_at_once
from inhouse.recommend.filters.base import Filter, Filtered, run
from inhouse.recommend.filters.blocked import BlockedFilter
from inhouse.recommend.filters.excluded import ExcludedFilter
from inhouse.recommend.filters.live import LiveFilter
from inhouse.recommend.filters.muted import MutedFilter
from inhouse.recommend.filters.operator import OperatorFilter
from inhouse.recommend.filters.own import OwnPostFilter
from inhouse.recommend.filters.region import RegionFilter
from inhouse.recommend.filters.reply import ReplyFilter
from inhouse.recommend.filters.seen import SeenFilter
from inhouse.recommend.filters.served import ServedFilter
from inhouse.recommend.filters.verdict import VerdictFilter
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates

FILTERS: Final[tuple[Filter, ...]] = (
    LiveFilter(),
    ReplyFilter(),
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

# Stage and reason of everything that a filter may say, in their order; `worth` counts from 1.
REASONS: Final = tuple((type(each).__name__, reason) for each in FILTERS for reason in each.reasons)


def run_all(moment: Moment, candidates: Candidates) -> Filtered:
    """`run(FILTERS, ...)` in one compiled step."""
    return run_at_once(REASONS, moment, candidates)


__all__ = ["FILTERS", "REASONS", "Filter", "Filtered", "run", "run_all"]
