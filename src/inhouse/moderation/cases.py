"""Cases in the store: one open case an item, ordered by the harm expected of waiting."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.ids import ItemId, new_id
from inhouse.moderation.queues import RoutingFacts, queues_in, route
from inhouse.moderation.types import Case, Verdict
from inhouse.moderation.verdicts import latest_verdicts
from inhouse.store import tables

# A post that the models call harmless may still be reported with reason.
LEAST_P_HARM: Final = 0.05
_PARTS: Final = "; "
_CHUNK: Final = 500
# States of the table that no queue lists: a case shown again because its answer is known.
GOLD: Final = "gold"
GOLD_CLOSED: Final = "gold_closed"
_SHOWN_STATES: Final = {GOLD: "open", GOLD_CLOSED: "closed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """Why a person should look at an item."""

    item_id: ItemId
    queue: str  # a category, `unscored` or `other`; settings of queues may choose another
    kind: str  # the first word of the reason: rule, reported, edited
    reason: str  # in words, beginning with the kind


def priority(p_harm: float, reporters: int, views: int) -> float:
    """Expected harm of leaving the item where it is: max p x (1 + reporters) x ln(e + views).

    >>> priority(0.5, 1, 0)
    1.0
    """
    return max(p_harm, LEAST_P_HARM) * (1 + reporters) * math.log(math.e + views)


def p_harm(verdict: Verdict | None) -> float:
    """The largest probability of any category, 0 where nothing is known."""
    return max((label.p for label in verdict.evidence.labels), default=0.0) if verdict else 0.0


def open_cases(
    connection: Connection, concerns: Sequence[Concern], views: Mapping[ItemId, int], now_ms: int
) -> dict[ItemId, str]:
    """Open a case for each concern, or add it to the item's open one, in the caller's
    transaction. The priority follows from the latest verdict, the reporters and `views`."""
    ids = [concern.item_id for concern in concerns]
    verdicts = latest_verdicts(connection, ids)
    reporters = count_reporters(connection, ids)
    routed = _routed(connection, concerns, verdicts)
    opened: dict[ItemId, str] = {}
    for concern in routed:
        item_id = concern.item_id
        harm = priority(
            p_harm(verdicts.get(item_id)), reporters.get(item_id, 0), views.get(item_id, 0)
        )
        opened[item_id] = _open_or_add(connection, concern, harm, now_ms)
    return opened


def _routed(
    connection: Connection, concerns: Sequence[Concern], verdicts: Mapping[ItemId, Verdict]
) -> list[Concern]:
    """The concerns with the queues that the community's settings choose for them."""
    queues = [queue for queue in queues_in(connection).values() if queue.takes]
    if not queues:
        return list(concerns)
    languages = _languages(connection, [concern.item_id for concern in concerns])
    return [
        dataclasses.replace(
            concern,
            queue=route(
                RoutingFacts(
                    category=concern.queue,
                    kind=concern.kind,
                    signals=verdicts[concern.item_id].evidence.signals
                    if concern.item_id in verdicts
                    else (),
                    language=languages.get(concern.item_id),
                ),
                queues,
            ),
        )
        for concern in concerns
    ]


def _languages(connection: Connection, item_ids: Sequence[ItemId]) -> dict[ItemId, str | None]:
    c = tables.items.c
    found: dict[ItemId, str | None] = {}
    for start in range(0, len(item_ids), _CHUNK):
        query = sa.select(c.item_id, c.language).where(
            c.item_id.in_(item_ids[start : start + _CHUNK])
        )
        found.update({ItemId(row[0]): row[1] for row in connection.execute(query)})
    return found


def count_reporters(connection: Connection, item_ids: Sequence[ItemId]) -> dict[ItemId, int]:
    """How many different people reported each item; items nobody reported are absent."""
    table = tables.reports
    query = (
        sa.select(table.c.item_id, sa.func.count(table.c.reporter_id.distinct()))
        .where(table.c.item_id.in_(item_ids))
        .group_by(table.c.item_id)
    )
    return {ItemId(item_id): count for item_id, count in connection.execute(query)}


def open_case_of(connection: Connection, item_id: ItemId) -> Case | None:
    """The item's open case."""
    table = tables.review_cases
    # An item has few cases. Asked for the state too, SQLite would rather walk all open ones.
    rows = connection.execute(sa.select(table).where(table.c.item_id == item_id))
    return next((case_of_row(row) for row in rows.all() if row.state == "open"), None)


def case_of_row(row: Any) -> Case:
    """A case from a row of its table. Nothing in it tells whether its answer is known."""
    values = dict(row._mapping)
    del values["gold_id"]
    return Case(**{**values, "state": _SHOWN_STATES.get(row.state, row.state)})


def reasons(reason: str) -> list[str]:
    """The parts of a case's reason, each beginning with its kind."""
    return reason.split(_PARTS)


def with_reason(reason: str, kind: str, words: str) -> str:
    """The reasons with the new one in the place of the last of its kind."""
    parts = [part for part in reasons(reason) if not part.startswith(f"{kind} ")]
    return _PARTS.join((*parts, words))


def _open_or_add(connection: Connection, concern: Concern, harm: float, now_ms: int) -> str:
    # Whoever else opens a case for the item waits here; on SQLite writes take turns anyway.
    items = tables.items
    connection.execute(
        sa.select(items.c.item_id).where(items.c.item_id == concern.item_id).with_for_update()
    )
    found = open_case_of(connection, concern.item_id)
    if found is None:
        return _open(connection, concern, harm, now_ms)
    table = tables.review_cases
    connection.execute(
        table.update()
        .where(table.c.case_id == found.case_id)
        .values(priority=harm, reason=with_reason(found.reason, concern.kind, concern.reason))
    )
    return found.case_id


def _open(connection: Connection, concern: Concern, harm: float, now_ms: int) -> str:
    case_id = new_id("case")
    row = {
        "case_id": case_id,
        "item_id": concern.item_id,
        "queue": concern.queue,
        "reason": concern.reason,
        "priority": harm,
        "state": "open",
        "opened_ms": now_ms,
    }
    connection.execute(tables.review_cases.insert(), row)
    return case_id
