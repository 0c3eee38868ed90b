"""Many cases at once: chosen and shown first, decided in chunks, taken back as a whole.

What was shown is written down with the ids of its cases. Each chunk is one transaction that also
moves the mark of how far it has come, so whoever is killed in between goes on from there, and
nothing is decided twice. Each case gets a decision of its own, with the id of the whole.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.erasures import ERASED
from inhouse.core.clock import DAY_MS, Clock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.moderation.recording.rulings import Ruling, checked_name
from inhouse.moderation.reviewing.deciding import Decider
from inhouse.moderation.reviewing.queues import closed_to, queues_in
from inhouse.moderation.reviewing.search import Asker, CaseFilter, find_cases
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Case
from inhouse.store import tables
from inhouse.store.database import Database

MOST_CASES: Final = 10_000
SAMPLE: Final = 10
_CHUNK: Final = 200
BulkState = Literal["shown", "running", "done", "undoing", "undone"]
_log = logger("review")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulk:
    """A decision on many cases."""

    bulk_id: str
    made_ms: int  # when it was shown
    reviewer: str  # who chose, and decides
    state: BulkState  # shown: nothing has happened yet
    which: CaseFilter  # what was asked for
    ruling: Ruling  # what is said of each
    cases: int  # exactly so many were shown
    left_out: int  # more fitted than one bulk holds
    by_queue: Mapping[str, int]
    sample: tuple[Case, ...] = ()  # the first ones, while it is only shown
    done: int = 0  # cases dealt with, deciding or taking back
    decided: int = 0  # of them decided; the others were decided, taken or for others meanwhile
    standing: int = 0  # decisions of it that were not taken back


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    """What the column `body` holds, as JSON."""

    which: CaseFilter
    ruling: Ruling
    by_queue: Mapping[str, int]
    left_out: int


Told = Callable[[Bulk], None]


class Bulks:
    """The decisions on many cases of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def preview(self, which: CaseFilter, ruling: Ruling) -> Bulk:
        """What deciding all free cases of a filter in one way would mean; nothing is decided. It
        may be run within a day. Raises InputError for a filter that leaves everything in."""
        if all(getattr(which, name) is None for name in _NARROWING):
            raise InputError(f"the filter is empty; give at least one of {', '.join(_NARROWING)}")
        chosen = dataclasses.replace(which, state="open", free_for=ruling.name)
        with self._database.read() as connection:
            closed = closed_to(ruling.name, queues_in(connection))
            asker = Asker(now_ms=self._clock.now_ms(), closed=closed)
            found = find_cases(connection, chosen, asker, None)
        cases = found[:MOST_CASES]
        bulk = Bulk(
            bulk_id=new_id("bulk"),
            made_ms=self._clock.now_ms(),
            reviewer=ruling.name,
            state="shown",
            which=which,
            ruling=ruling,
            cases=len(cases),
            left_out=len(found) - len(cases),
            by_queue=dict(Counter(case.queue for case in cases).most_common()),
            sample=tuple(cases[:SAMPLE]),
        )
        row = _row(bulk, [case.case_id for case in cases])
        stale = (_TABLE.c.state == "shown") & (_TABLE.c.made_ms < bulk.made_ms - DAY_MS)

        def write(connection: Connection) -> None:
            connection.execute(_TABLE.delete().where(stale))
            connection.execute(_TABLE.insert(), row)

        self._database.write(write)
        return bulk

    def get(self, bulk_id: str) -> Bulk:
        """How far one has come. Raises UnknownError."""
        with self._database.read() as connection:
            return _bulk(connection, _found(connection, bulk_id))

    def list(self, limit: int = 50) -> list[Bulk]:
        """Those that were decided, newest first."""
        query = (
            sa.select(_TABLE)
            .where(_TABLE.c.state != "shown")
            .order_by(_TABLE.c.made_ms.desc(), _TABLE.c.bulk_id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_bulk(connection, row) for row in connection.execute(query).all()]

    def run(self, bulk_id: str, told: Told | None = None) -> Bulk:
        """Decide exactly the cases that were shown, or go on where it was interrupted; `told` hears
        of each chunk. Raises ConflictError for one that is done."""
        return self._all(bulk_id, self._decide_some, told)

    def undo(self, bulk_id: str, reviewer: str, told: Told | None = None) -> Bulk:
        """Take back every decision of it that still stands, or go on doing so. Raises ConflictError
        for one that was not decided, or that was taken back."""
        checked_name(reviewer)
        return self._all(
            bulk_id, lambda connection, row: self._undo_some(connection, row, reviewer), told
        )

    def _all(
        self, bulk_id: str, step: "Callable[[Connection, Any], bool]", told: Told | None
    ) -> Bulk:
        def write(connection: Connection) -> bool:
            return step(connection, _found(connection, bulk_id, locked=True))

        while True:
            ended = self._database.write(write)
            bulk = self.get(bulk_id)
            if told is not None:
                told(bulk)
            if ended:
                _log.info("bulk_finished", state=bulk.state, cases=bulk.cases, done=bulk.done)
                return bulk

    def _decide_some(self, connection: Connection, row: Any) -> bool:
        if row.state not in ("shown", "running"):
            raise ConflictError(f"the bulk {row.bulk_id} is {row.state}; choose its cases anew")
        cases = msgspec.json.decode(row.cases, type=list[str])
        ruling = msgspec.json.decode(row.body, type=_Body).ruling
        decider = Decider(clock=self._clock, tools=self.tools)
        some = cases[row.done : row.done + _CHUNK]
        decided = 0
        for case_id in some:
            try:
                decider.decide(connection, case_id, ruling, row.bulk_id)
                decided += 1
            except ConflictError:
                continue  # decided or taken since it was shown
        done = row.done + len(some)
        ended = bool(done >= len(cases))
        self._move(
            connection,
            row,
            state="done" if ended else "running",
            done=done,
            decided=row.decided + decided,
        )
        return ended

    def _undo_some(self, connection: Connection, row: Any, reviewer: str) -> bool:
        if row.state == "undone":
            raise ConflictError(f"the bulk {row.bulk_id} was undone already")
        if row.state == "shown":
            raise ConflictError(f"the bulk {row.bulk_id} was not decided; there is nothing to undo")
        done = 0 if row.state != "undoing" else row.done
        whole = msgspec.json.decode(row.cases, type=list[str])
        cases = whole[done : done + _CHUNK]
        decider = Decider(clock=self._clock, tools=self.tools)
        for decision_id in _standing(connection, row.bulk_id, cases):
            try:
                decider.undo(connection, decision_id, reviewer, row.bulk_id)
            except ConflictError:
                continue  # decided anew since: what was said later stays
        done += len(cases)
        ended = bool(done >= len(whole))
        self._move(connection, row, state="undone" if ended else "undoing", done=done)
        return ended

    def _move(self, connection: Connection, row: Any, **values: object) -> None:
        update = _TABLE.update().where(_TABLE.c.bulk_id == row.bulk_id)
        connection.execute(update.values(**values, updated_ms=self._clock.now_ms()))


def without_creator(body: str) -> str:
    """The column `body` of a bulk whose cases were chosen by somebody who was erased, and by their
    words perhaps."""
    told = msgspec.json.decode(body, type=_Body)
    which = dataclasses.replace(told.which, creator_id=ERASED, text=None, item_id=None)
    ruling = dataclasses.replace(told.ruling, note=None)
    return msgspec.json.encode(dataclasses.replace(told, which=which, ruling=ruling)).decode()


_TABLE: Final = tables.review_bulks
_NARROWING: Final = ("queue", "item_id", "reason", "rule", "creator_id", "text", "domain")


def _row(bulk: Bulk, case_ids: list[str]) -> dict[str, object]:
    body = _Body(
        which=bulk.which, ruling=bulk.ruling, by_queue=bulk.by_queue, left_out=bulk.left_out
    )
    return {
        "bulk_id": bulk.bulk_id,
        "made_ms": bulk.made_ms,
        "reviewer": bulk.reviewer,
        "state": bulk.state,
        "creator_id": bulk.which.creator_id,
        "body": msgspec.json.encode(body).decode(),
        "cases": msgspec.json.encode(case_ids).decode(),
        "done": 0,
        "decided": 0,
        "updated_ms": bulk.made_ms,
    }


def _found(connection: Connection, bulk_id: str, *, locked: bool = False) -> Any:
    query = sa.select(_TABLE).where(_TABLE.c.bulk_id == bulk_id)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise UnknownError(f"no bulk has the id {bulk_id!r}; preview one first")
    return row


def _bulk(connection: Connection, row: Any) -> Bulk:
    body = msgspec.json.decode(row.body, type=_Body)
    cases = msgspec.json.decode(row.cases, type=list[str])
    return Bulk(
        bulk_id=row.bulk_id,
        made_ms=row.made_ms,
        reviewer=row.reviewer,
        state=row.state,
        which=body.which,
        ruling=body.ruling,
        cases=len(cases),
        left_out=body.left_out,
        by_queue=body.by_queue,
        done=row.done,
        decided=row.decided,
        standing=_count_standing(connection, row.bulk_id),
    )


def _standing(connection: Connection, bulk_id: str, cases: list[str]) -> list[str]:
    """Ids of what it said of some cases that was not taken back."""
    found: list[str] = []
    for table, key in _SAID:
        undone = sa.select(table.c.undoes).where(table.c.undoes.is_not(None))
        query = sa.select(key).where(
            table.c.bulk_id == bulk_id,
            table.c.case_id.in_(cases),
            table.c.undoes.is_(None),
            key.not_in(undone),
        )
        found += connection.execute(query).scalars()
    return found


def _count_standing(connection: Connection, bulk_id: str) -> int:
    """Each taking back has the bulk's id too, or came alone."""
    count = 0
    for table, key in _SAID:
        ours = sa.select(key).where(table.c.bulk_id == bulk_id, table.c.undoes.is_(None))
        undone = sa.select(sa.func.count()).where(table.c.undoes.in_(ours))
        made = sa.select(sa.func.count()).select_from(ours.subquery())
        count += connection.execute(made).scalar_one() - connection.execute(undone).scalar_one()
    return count


_SAID: Final = (
    (tables.review_decisions, tables.review_decisions.c.decision_id),
    (tables.review_opinions, tables.review_opinions.c.opinion_id),
)
