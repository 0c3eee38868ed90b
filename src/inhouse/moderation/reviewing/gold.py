"""Known answers: cases shown again to see how well people decide, never touching the post.

A reviewer who takes a case from a queue with a `gold_share` is now and then given one of these
instead. It looks like any other: it has a case of its own, which no queue lists, and what is shown
around it ends where its answer was not known yet.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import item_of_row
from inhouse.catalog.types import text_key
from inhouse.core.clock import Clock
from inhouse.core.errors import ConflictError, UnknownError
from inhouse.core.ids import ItemId, new_id
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.rulings import Ruling, checked_ruling
from inhouse.moderation.reviewing.cases import GOLD, case_of_row
from inhouse.moderation.types import UNDO, Case
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import tables
from inhouse.store.database import Database

MOST_A_QUEUE: Final = 500
Source = Literal["agreed", "hand"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldItem:
    """A case whose right answer is known."""

    gold_id: str
    item_id: ItemId  # what it is about; one known answer an item
    queue: str  # whose reviewers are shown it
    action: str  # the right answer
    category: str | None  # what the post violates; None where it is allowed
    reason: str  # of the case it was
    priority: float  # of the case it was
    waited_ms: int  # how old the case was when the answer became known
    known_ms: int  # since when: what came later is not shown beside it
    text_key: str  # of the text that was judged; another text has no known answer
    source: Source  # two people agreed, or somebody chose it
    made_by: str  # who agreed last, or chose it
    made_ms: int


class Gold:
    """The known answers of one community."""

    def __init__(self, database: Database, clock: Clock, policy: Policy) -> None:
        self._database = database
        self._clock = clock
        self._policy = policy

    def add(self, case_id: str, made_by: str, action: str, category: str | None = None) -> GoldItem:
        """Make a decided case a known answer. Raises UnknownError, ConflictError for a case that
        still waits or an item that has an answer already."""
        ruling = checked_ruling(action, category, made_by, None, self._policy)

        def write(connection: Connection) -> GoldItem:
            table = tables.review_cases
            query = sa.select(table).where(table.c.case_id == case_id, table.c.gold_id.is_(None))
            row = connection.execute(query).first()
            if row is None:
                raise UnknownError(f"no case has the id {case_id!r}")
            if row.state != "closed":
                raise ConflictError(f"the case {case_id} still waits; decide it first")
            made = keep_gold(connection, case_of_row(row), ruling, "hand", self._clock.now_ms())
            if made is None:
                raise ConflictError(
                    f"the item {row.item_id} has a known answer already, or is gone; or its queue "
                    f"has {MOST_A_QUEUE}: remove one first"
                )
            return made

        return self._database.write(write)

    def list(self, queue: str | None = None) -> list[GoldItem]:
        """Known answers, newest first."""
        table = tables.gold_items
        query = sa.select(table).order_by(table.c.made_ms.desc(), table.c.gold_id)
        if queue is not None:
            query = query.where(table.c.queue == queue)
        with self._database.read() as connection:
            return [GoldItem(**row._mapping) for row in connection.execute(query)]

    def remove(self, gold_id: str) -> None:
        """Show it no more; what people answered stays. Raises UnknownError."""
        delete = tables.gold_items.delete().where(tables.gold_items.c.gold_id == gold_id)
        if not self._database.write(lambda connection: connection.execute(delete).rowcount):
            raise UnknownError(f"no known answer has the id {gold_id!r}")


def keep_gold(
    connection: Connection, case: Case, ruling: Ruling, source: Source, now_ms: int
) -> GoldItem | None:
    """Write a known answer; None where the item has one, is gone, or the queue has enough."""
    table = tables.gold_items
    text = _text_key(connection, case.item_id)
    there = sa.select(table.c.gold_id).where(table.c.item_id == case.item_id)
    full = sa.select(sa.func.count()).where(table.c.queue == case.queue)
    if (
        text is None
        or connection.execute(there).first() is not None
        or connection.execute(full).scalar_one() >= MOST_A_QUEUE
    ):
        return None
    known_ms = _first_word_ms(connection, case) or now_ms
    made = GoldItem(
        gold_id=new_id("gold"),
        item_id=case.item_id,
        queue=case.queue,
        action=ruling.action,
        category=ruling.category,
        reason=case.reason,
        priority=case.priority,
        waited_ms=max(0, known_ms - case.opened_ms),
        known_ms=known_ms,
        text_key=text,
        source=source,
        made_by=ruling.name,
        made_ms=now_ms,
    )
    connection.execute(table.insert(), dataclasses.asdict(made))
    return made


def drop_gold(connection: Connection, item_id: str) -> None:
    """The answer for an item is not known any more."""
    table = tables.gold_items
    connection.execute(table.delete().where(table.c.item_id == item_id))


def gold_case(connection: Connection, queue: str, reviewer: str, now_ms: int) -> Case | None:
    """Lay out a case with a known answer that the reviewer has said nothing on; None where there
    is none. The caller locks it."""
    row = connection.execute(_choice(queue, reviewer)).first()
    if row is None:
        return None
    gold = GoldItem(**row._mapping)
    if not _still_known(connection, gold):
        drop_gold(connection, gold.item_id)
        return None
    case = {
        "case_id": new_id("case"),
        "item_id": gold.item_id,
        "queue": queue,
        "reason": gold.reason,
        "priority": gold.priority,
        "state": GOLD,
        "opened_ms": now_ms - gold.waited_ms,
        "gold_id": gold.gold_id,
    }
    connection.execute(tables.review_cases.insert(), case)
    query = sa.select(tables.review_cases).where(tables.review_cases.c.case_id == case["case_id"])
    return case_of_row(connection.execute(query).one())


def known_since(connection: Connection, case_id: str) -> int | None:
    """Where the answer of a case is known: since when, so that what came later can be left out."""
    cases, gold = tables.review_cases, tables.gold_items
    query = (
        sa.select(gold.c.known_ms)
        .join(cases, cases.c.gold_id == gold.c.gold_id)
        .where(cases.c.case_id == case_id)
    )
    found: int | None = connection.execute(query).scalar()
    return found


def _choice(queue: str, reviewer: str) -> "sa.Select[Any]":
    table = tables.gold_items
    spoke = [
        sa.select(said.c.item_id).where(said.c.reviewer == reviewer, said.c.action != UNDO)
        for said in (tables.review_opinions, tables.review_decisions)
    ]
    return (
        sa.select(table)
        .where(table.c.queue == queue, *(table.c.item_id.not_in(query) for query in spoke))
        .order_by(sa.func.random())
        .limit(1)
    )


def _still_known(connection: Connection, gold: GoldItem) -> bool:
    """The post is there with the same text, and what two people agreed on still stands."""
    if _text_key(connection, gold.item_id) != gold.text_key:
        return False
    if gold.source == "hand":
        return True
    verdict = latest_verdicts(connection, [gold.item_id]).get(gold.item_id)
    call = verdict.evidence.person if verdict else None
    return call is not None and (call.action, call.category) == (gold.action, gold.category)


def _text_key(connection: Connection, item_id: str) -> str | None:
    query = sa.select(tables.items).where(tables.items.c.item_id == item_id)
    row = connection.execute(query).first()
    if row is None:
        return None
    item = item_of_row(row)
    return text_key(item.title, item.text)


def _first_word_ms(connection: Connection, case: Case) -> int | None:
    """When a person first said anything on the case."""
    times = [
        connection.execute(
            sa.select(sa.func.min(table.c.at_ms)).where(table.c.case_id == case.case_id)
        ).scalar()
        for table in (tables.review_opinions, tables.review_decisions)
    ]
    return min((at_ms for at_ms in times if at_ms is not None), default=None)
