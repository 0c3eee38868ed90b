"""Who reports well: each reporter's complaints, as far as people have looked at them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.ids import ItemId
from inhouse.moderation.types import UNDO
from inhouse.stats.posteriors import BetaPosterior
from inhouse.store import tables

_CHUNK: Final = 500
_MOST_REPORTS: Final = 5_000  # of so many reporters at once, the latest


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaints:
    """The reports on one item."""

    people: int  # who reported it
    weight: float  # of their reports together; see `weight_of`


NO_COMPLAINTS: Final = Complaints(people=0, weight=0.0)


def weight_of(quality: BetaPosterior) -> float:
    """What a report counts: one where nothing is known of its reporter, up to two where people
    always find what they report, hardly anything where never.

    >>> weight_of(BetaPosterior()), weight_of(BetaPosterior().updated(successes=0, n=8))
    (1.0, 0.2)
    """
    return 2 * quality.mean


def qualities(connection: Connection, reporters: Collection[str]) -> dict[str, BetaPosterior]:
    """The share of each reporter's complaints in which people found a violation: a posterior over
    Beta(1, 1). A complaint is settled by the first decision of a person after it that stands."""
    found: dict[str, Counter[bool]] = {}
    names = sorted(reporters)
    for start in range(0, len(names), _CHUNK):
        settled: dict[tuple[str, str], bool] = {}
        for reporter, item_id, action in _outcomes(connection, names[start : start + _CHUNK]):
            settled.setdefault((reporter, item_id), action != "allow")
        for (reporter, _), confirmed in settled.items():
            found.setdefault(reporter, Counter())[confirmed] += 1
    return {
        name: BetaPosterior().updated(successes=counts[True], n=counts.total())
        for name, counts in found.items()
    }


def complaints(connection: Connection, item_ids: Sequence[str]) -> dict[ItemId, Complaints]:
    """Of items that somebody reported: how many people, and what their word is worth together."""
    table = tables.reports
    people: dict[str, set[str]] = {}
    for start in range(0, len(item_ids), _CHUNK):
        some = item_ids[start : start + _CHUNK]
        query = sa.select(table.c.item_id, table.c.reporter_id).where(table.c.item_id.in_(some))
        for item_id, reporter in connection.execute(query):
            people.setdefault(item_id, set()).add(reporter)
    known = qualities(connection, set().union(*people.values())) if people else {}
    return {ItemId(item): _together(names, known) for item, names in people.items()}


def _together(names: Collection[str], known: Mapping[str, BetaPosterior]) -> Complaints:
    weights = (weight_of(known.get(name, BetaPosterior())) for name in names)
    return Complaints(people=len(names), weight=sum(weights))


def _outcomes(connection: Connection, reporters: Sequence[str]) -> list[tuple[str, str, str]]:
    """Reporter, item and action of each decision after a report, the first decisions first."""
    reports, made = tables.reports, tables.review_decisions
    latest = (
        sa.select(reports.c.reporter_id, reports.c.item_id, reports.c.at_ms)
        .where(reports.c.reporter_id.in_(reporters))
        .order_by(reports.c.log_offset.desc())
        .limit(_MOST_REPORTS)
        .subquery()
    )
    undone = sa.select(made.c.undoes).where(made.c.undoes.is_not(None))
    query = (
        sa.select(latest.c.reporter_id, latest.c.item_id, made.c.action)
        .join(made, made.c.item_id == latest.c.item_id)
        .where(
            made.c.at_ms >= latest.c.at_ms,
            made.c.action != UNDO,
            made.c.decision_id.not_in(undone),
        )
        .order_by(made.c.log_offset)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]
