"""The drill that goes on, as every process sees it: what is cut off, what is noted meanwhile."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import HOUR_MS
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.ledger.prices import to_pico
from inhouse.store import tables

_FORGOTTEN_MS: Final = 2 * HOUR_MS  # so long after its end nobody grades it any more
_FIELDS: Final = tuple(Drill.__dataclass_fields__)
# What of a noted call stands in columns of the same name.
PLAIN: Final = tuple(name for name in Noted.__dataclass_fields__ if name != "cost_usd")


def open_drill(connection: Connection, now_ms: int) -> Drill | None:
    """What has no grade long after its end was never looked after; it is no longer listened to."""
    table = tables.drills
    query = (
        sa.select(table)
        .where(table.c.result.is_(None), table.c.until_ms > now_ms - _FORGOTTEN_MS)
        .order_by(table.c.started_ms.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else drill_of(row)


def add_calls(connection: Connection, drill_id: str, calls: Sequence[Noted]) -> None:
    """Append in the caller's transaction."""
    rows = [
        {
            **{name: getattr(call, name) for name in PLAIN},
            "drill_id": drill_id,
            "cost_pico_usd": None if call.cost_usd is None else to_pico(call.cost_usd),
        }
        for call in calls
    ]
    if rows:
        connection.execute(tables.drill_calls.insert(), rows)


def drill_of(row: Any) -> Drill:
    """A row of the table."""
    return Drill(**{name: row[name] for name in _FIELDS})
