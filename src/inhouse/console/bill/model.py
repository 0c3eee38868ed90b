"""What the bill's page shows, gathered from the ledger and the routes."""

from dataclasses import dataclass

from inhouse.app.build import Services
from inhouse.console.bill.route_model import TaskFacts, gather_tasks
from inhouse.console.moments import community_now
from inhouse.console.spending import Daily, daily, host_days, month_start_ms
from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.bill import Bill, bill

DAYS_SHOWN = 45
_YEAR_MS = 366 * DAY_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class BillFacts:
    """The page's facts at one moment."""

    now_ms: int  # by the community's clock
    month: Bill  # from the first of the month until now
    year: Bill  # the last 366 days
    daily: Daily  # the last days, by host
    tasks: tuple[TaskFacts, ...]  # on their way from rented to owned


def gather(services: Services) -> BillFacts:
    """Read the ledger."""
    now_ms = community_now(services)
    until_ms = now_ms + 1
    return BillFacts(
        now_ms=now_ms,
        month=bill(services.database, month_start_ms(now_ms), until_ms),
        year=bill(services.database, max(0, until_ms - _YEAR_MS), until_ms),
        daily=daily(host_days(services.database, max(0, until_ms - DAYS_SHOWN * DAY_MS), until_ms)),
        tasks=gather_tasks(services, now_ms),
    )
