"""What the overview shows, gathered from every part."""

from dataclasses import dataclass

from inhouse.app.build import Services
from inhouse.console.moments import community_now
from inhouse.console.overview.health import HealthFacts, gather_health
from inhouse.console.spending import Daily, daily, host_days, month_start_ms
from inhouse.core.clock import DAY_MS
from inhouse.engagement.experiments.report import Results
from inhouse.engagement.types import Engagement
from inhouse.models.ledger.bill import Bill, bill

DAYS_SHOWN = 30
EXPERIMENTS_SHOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class OverviewFacts:
    """The page's facts at one moment."""

    now_ms: int  # by the community's clock
    health: HealthFacts
    engagement: Engagement  # the last days
    running: tuple[Results, ...]  # experiments that run, newest first
    month: Bill  # this month's
    daily: Daily  # model calls by day and host


def gather(services: Services) -> OverviewFacts:
    """Look at everything once; the log is read only where it is new."""
    now_ms = community_now(services)
    since_ms = max(0, now_ms - DAYS_SHOWN * DAY_MS)
    active = [one for one in services.experiments.list() if one.active][:EXPERIMENTS_SHOWN]
    return OverviewFacts(
        now_ms=now_ms,
        health=gather_health(services, now_ms),
        engagement=services.metrics.engagement(now_ms, days=DAYS_SHOWN),
        running=tuple(services.experiments.results(one.key, now_ms) for one in active),
        month=bill(services.database, month_start_ms(now_ms), now_ms + 1),
        daily=daily(host_days(services.database, since_ms, now_ms + 1)),
    )
