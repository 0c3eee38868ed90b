"""What is known of a vendor before it is cut off: its answers, its pace, its traffic."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from inhouse.core.clock import DAY_MS
from inhouse.models.drill.grading import times_of
from inhouse.models.drill.results import Times
from inhouse.models.harvest.dataset import Shares
from inhouse.models.harvest.labels import Example, Labels, examples, is_person, source_of
from inhouse.models.owned.registry import Registry
from inhouse.models.providers.faults import Cut
from inhouse.models.types import ASKED_BESIDES, Deployment, Label, Route
from inhouse.store import tables
from inhouse.store.database import Database

_WEEK_MS: Final = 7 * DAY_MS
_MOST_LABELS: Final = 20_000
_MOST_ROWS: Final = 5_000  # of the ledger, the latest, that say how long calls take


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """Where to look for a vendor's word."""

    task: str
    route: Route  # as it stands
    cut: Cut
    deployments: Sequence[Deployment]  # all that are rented


def known_texts(database: Database, registry: Registry, texts: Texts, most: int) -> list[Example]:
    """The latest texts that the vendor judged and that the routed owned model was not taught on,
    newest first.

    `teacher` is that vendor's word, and nobody else's; `people` is what people said.
    """
    sources = {
        source_of(one.host, one.owner, one.model)
        for one in texts.deployments
        if texts.cut.hits(one)
    }
    labels = Labels(database).latest(texts.task, _MOST_LABELS)
    kept = [label for label in labels if label.source in sources or is_person(label.source)]
    since_ms = _untaught_ms(registry, texts.route, labels)
    found = [one for one in examples(kept) if one.teacher and one.at_ms >= since_ms]
    return found[: -most - 1 : -1]


def _untaught_ms(registry: Registry, route: Route, labels: Sequence[Label]) -> int:
    """From here on texts are later than what the owned model was taught on: the latest part of what
    there was when it was trained was held back to judge it."""
    if route.owned is None:
        return 0
    made_ms = registry.version(route.owned).created_ms
    there = [one.at_ms for one in examples(labels) if one.at_ms <= made_ms]
    return there[int(len(there) * Shares().train)] if there else made_ms


def usual_times(database: Database, cut: Cut) -> dict[str, Times]:
    """How long the vendor took lately, by task."""
    c = tables.ledger.c
    layer = c.host if cut.layer == "host" else c.owner
    query = (
        sa.select(c.task, c.latency_ms)
        .where(layer == cut.vendor, c.outcome == "ok")
        .order_by(c.log_offset.desc())
        .limit(_MOST_ROWS)
    )
    with database.read() as connection:
        rows = [(row.task, row.latency_ms) for row in connection.execute(query)]
    return {task: times_of(found) for task, found in _together(rows).items()}


def _together(rows: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for task, latency_ms in rows:
        found[task].append(latency_ms)
    return found


def traffic_of(database: Database, now_ms: int) -> dict[str, int]:
    """Inputs answered in the week before, by task."""
    c = tables.ledger.c
    query = (
        sa.select(c.task, sa.func.sum(c.answered).label("answered"))
        .where(c.at_ms > now_ms - _WEEK_MS, c.role.not_in(ASKED_BESIDES))
        .group_by(c.task)
    )
    with database.read() as connection:
        return {row.task: int(row.answered) for row in connection.execute(query)}
