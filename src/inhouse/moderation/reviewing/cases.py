"""Cases in the store: one open case an item, ordered by the harm expected of waiting."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.ids import ItemId, new_id
from inhouse.moderation.around.reporters import NO_COMPLAINTS, complaints
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.reviewing.queues import RoutingFacts, queues_in, route
from inhouse.moderation.types import Case, Verdict
from inhouse.moderation.verdicts.decide import HELD_BACK, decide_all, waiting_for_person
from inhouse.moderation.verdicts.rows import latest_verdicts
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


def asked_by_rules(verdict: Verdict, policy: Policy) -> Concern | None:
    """Why a policy wants a person to look at a post; None where it does not."""
    waiting = waiting_for_person(decide_all(verdict.evidence, policy).values())
    if waiting is None:
        return None
    name = waiting.decided_by.removeprefix("rule:")
    held_back = HELD_BACK in verdict.evidence.signals
    reason = f"rule {name}{', held back by the circuit breaker' if held_back else ''}"
    queue = waiting.category or "other"
    return Concern(item_id=verdict.item_id, queue=queue, kind="rule", reason=reason)


def priority(p_harm: float, reports: float, views: int) -> float:
    """Expected harm of leaving the item where it is: max p x (1 + reports) x ln(e + views).

    reports: their weight together; a report by somebody of whom nothing is known counts one.

    >>> priority(0.5, 1, 0)
    1.0
    """
    return max(p_harm, LEAST_P_HARM) * (1 + reports) * math.log(math.e + views)


def p_harm(verdict: Verdict | None) -> float:
    """The largest probability of any category, 0 where nothing is known."""
    return max((label.p for label in verdict.evidence.labels), default=0.0) if verdict else 0.0


def open_cases(
    connection: Connection, concerns: Sequence[Concern], views: Mapping[ItemId, int], now_ms: int
) -> dict[ItemId, str]:
    """Open a case for each concern, or add it to the item's open one, in the caller's
    transaction. The priority follows from the latest verdict, the reports and `views`."""
    ids = [concern.item_id for concern in concerns]
    verdicts = latest_verdicts(connection, ids)
    reported = complaints(connection, ids)
    routed = _routed(connection, concerns, verdicts)
    opened: dict[ItemId, str] = {}
    for concern in routed:
        item_id = concern.item_id
        weight = reported.get(item_id, NO_COMPLAINTS).weight
        harm = priority(p_harm(verdicts.get(item_id)), weight, views.get(item_id, 0))
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


def open_case_of(connection: Connection, item_id: ItemId) -> Case | None:
    """The item's open case."""
    return open_cases_of(connection, [item_id]).get(item_id)


def open_cases_of(connection: Connection, item_ids: Sequence[str]) -> dict[ItemId, Case]:
    """The open cases of those items that have one."""
    table = tables.review_cases
    found: dict[ItemId, Case] = {}
    for start in range(0, len(item_ids), _CHUNK):
        # The state is looked at here: asked for it too, SQLite walks through all open cases.
        query = sa.select(table).where(table.c.item_id.in_(item_ids[start : start + _CHUNK]))
        for row in connection.execute(query):
            if row.state == "open":
                found[ItemId(row.item_id)] = case_of_row(row)
    return found


def count_open(connection: Connection, queue: str) -> int:
    """How many cases wait in a queue."""
    c = tables.review_cases.c
    query = sa.select(sa.func.count()).where(c.queue == queue, c.state == "open")
    return connection.execute(query).scalar_one()


def withdraw(connection: Connection, cases: Sequence[Case], why: str, now_ms: int) -> int:
    """Close those of the cases that only a rule asked for and that nobody has touched: not taken,
    not decided before, not reported, not about an edit. Returns how many."""
    ruled = [c for c in cases if c.locked_by is None and _only_ruled(c)]
    touched = _touched(connection, ruled)
    table = tables.review_cases
    for case in ruled:
        if case.case_id not in touched:
            connection.execute(
                table.update()
                .where(table.c.case_id == case.case_id)
                .values(state="closed", closed_ms=now_ms, reason=f"{case.reason}{_PARTS}{why}")
            )
    return len(ruled) - len(touched)


def _only_ruled(case: Case) -> bool:
    return all(part.startswith("rule ") for part in case.reason.split(_PARTS))


def _touched(connection: Connection, cases: Sequence[Case]) -> set[str]:
    """The ids of those that somebody decided once, or whose item somebody reported."""
    decided, reported = tables.review_decisions, tables.reports
    touched: set[str] = set()
    for start in range(0, len(cases), _CHUNK):
        some = cases[start : start + _CHUNK]
        ids = [case.case_id for case in some]
        query = sa.select(decided.c.case_id).where(decided.c.case_id.in_(ids))
        touched.update(connection.execute(query).scalars())
        items = [case.item_id for case in some]
        query = sa.select(reported.c.item_id).where(reported.c.item_id.in_(items))
        complained = set(connection.execute(query).scalars())
        touched.update(case.case_id for case in some if case.item_id in complained)
    return touched


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
