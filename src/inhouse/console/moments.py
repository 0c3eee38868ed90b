"""What time it is for the community: the system's, or that of its latest event."""

import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.core.clock import SystemClock
from inhouse.store import tables
from inhouse.store.database import Database

_LOOKED_AT = 1_000


def latest_event_ms(database: Database) -> int | None:
    """When the latest of the newest events happened, None where there are none."""
    events = tables.events
    newest = (
        sa.select(events.c.at_ms).order_by(events.c.log_offset.desc()).limit(_LOOKED_AT).subquery()
    )
    with database.read() as connection:
        found: int | None = connection.execute(sa.select(sa.func.max(newest.c.at_ms))).scalar()
    return found


def community_now(services: Services) -> int:
    """The community's time; the system's while a clock that follows the log has heard nothing."""
    services.clock.advance(latest_event_ms(services.database) or 0)
    return services.clock.now_ms() or SystemClock().now_ms()
