"""When a version is judged again by itself: as soon as people said enough that is new. Pure.

A report that lacks labels says how many. It is made again once so many of people have come, or,
where that is many or nobody can tell, a quarter more than it rests on and at least 20. On the same
texts another look lets nothing pass that the last one would not: what nobody judged counts against
the owned model (decision 48).
One that passed is left alone: from there on live traffic decides. A version that passed and may
replace the one that serves is judged beside it once.
"""

from dataclasses import dataclass
from typing import Final

from inhouse.core.clock import MINUTE_MS
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.gate import Parity

LEAST: Final = 20
_GROWTH: Final = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of the newest version of a task."""

    report: Parity | None  # None where it was never judged
    fresh: int  # labels of people that came after the report
    serves: str | None  # the version in force that it may replace; None where there is none
    beside: Beside | None
    is_routed: bool  # whether it is on its way already


def is_due(known: Known, now_ms: int, least_minutes: int) -> bool:
    """Whether the newest version is to be judged again now."""
    report = known.report
    if report is None:
        return False  # whoever made it wanted no gate
    made_ms = report.made_ms
    if made_ms is not None and made_ms <= now_ms < made_ms + least_minutes * MINUTE_MS:
        return False
    if _lacks_beside(known) and (report.verdict == "pass" or known.is_routed):
        return True
    return report.verdict != "pass" and known.fresh >= wanted(report)


def _lacks_beside(known: Known) -> bool:
    return known.serves is not None and (
        known.beside is None or known.beside.version != known.serves
    )


def wanted(report: Parity) -> int:
    """How many further labels of people a report is made again for."""
    more = max(LEAST, round(_GROWTH * report.people))
    return min(more, report.more_needed) if report.more_needed else more
