"""How far the roles behind the API have come: what waits for the worker, what for the learner."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from inhouse.learning.settings import CONSUMER as LEARNER
from inhouse.moderation.judging.scan import CONSUMER as MODERATION
from inhouse.store import tables
from inhouse.store.database import Database

FAR_BEHIND: Final = 100_000  # events; a model that lacks more of the log than this is stale
MOST_COUNTED: Final = 10_000  # posts; more are not counted, for the count is asked for often


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """What waits at one moment."""

    posts_awaiting: int  # new or changed posts without a verdict, counted up to MOST_COUNTED
    judged_ms: int | None  # when moderation last came on, by the community's clock; None: never
    events_not_learned: int  # events behind the newest that the published feed model learned from
    learned_ms: int | None  # when it was published, by the machine's clock; None: no model yet


def lag_of(database: Database) -> Lag:
    """Look once. Raises StoreError where the store refuses."""
    changes, consumers = tables.changes.c, tables.consumers.c
    where = sa.select(consumers.name, consumers.log_offset, consumers.updated_ms).where(
        consumers.name.in_((MODERATION, LEARNER))
    )
    newest = sa.select(sa.func.max(tables.events.c.log_offset))
    with database.read() as connection:
        done = {name: (offset, ms) for name, offset, ms in connection.execute(where)}
        judged, judged_ms = done.get(MODERATION, (0, None))
        learned, learned_ms = done.get(LEARNER, (0, None))
        behind = (
            sa.select(changes.entity_id)
            .where(changes.log_offset > judged, changes.entity == "item")
            .limit(MOST_COUNTED)
            .subquery()
        )
        count = sa.select(sa.func.count(behind.c.entity_id.distinct()))
        return Lag(
            posts_awaiting=connection.execute(count).scalar_one(),
            judged_ms=judged_ms,
            events_not_learned=max(0, (connection.execute(newest).scalar() or 0) - learned),
            learned_ms=learned_ms,
        )
