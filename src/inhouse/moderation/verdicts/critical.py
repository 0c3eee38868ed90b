"""Which models' scores stood behind restrictions: the decisions that hurt when they are wrong."""

import sqlalchemy as sa

from inhouse.store import tables
from inhouse.store.database import Database

_BY_RULE = "rule:%"


def restricted_by_model(database: Database, since_ms: int, until_ms: int) -> dict[str | None, int]:
    """Restrictions of posts that a rule made in a span of time, by the model, as `host/model`, that
    had scored the post; None where none had."""
    made, verdicts = tables.statements, tables.verdicts
    earlier = verdicts.alias("earlier")
    before = (
        sa.select(sa.func.max(earlier.c.log_offset))
        .where(earlier.c.item_id == made.c.item_id, earlier.c.at_ms <= made.c.at_ms)
        .correlate(made)
        .scalar_subquery()
    )
    query = (
        sa.select(verdicts.c.model_version, sa.func.count())
        .select_from(made)
        .outerjoin(verdicts, verdicts.c.log_offset == before)
        .where(made.c.at_ms >= since_ms, made.c.at_ms < until_ms, made.c.item_id.is_not(None))
        .where(made.c.decided_by.like(_BY_RULE))
        .group_by(verdicts.c.model_version)
    )
    with database.read() as connection:
        return {row[0]: int(row[1]) for row in connection.execute(query)}
