"""How well people decide: against known answers, and against each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.moderation.measuring.agreement import (
    Agreement,
    SecondLook,
    agreement,
    alpha,
    second_looks,
)
from inhouse.moderation.types import CODES, UNDO
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval, NotEnough
from inhouse.store import tables
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Accuracy:
    """Answers of one reviewer, or of all in a queue, to cases whose answer is known."""

    name: str  # of the reviewer or the queue
    answers: int
    right: int  # the same action, and where it restricts the same category
    too_strict: int  # restricted what is allowed, or more severely than is right
    too_mild: int  # allowed what is not, or less severely than is right
    share: Interval | NotEnough  # of right answers, 95%


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAgreement:
    """How far two people say the same of a case without knowing of each other."""

    queue: str
    pairs: Agreement  # first and second opinion: restricted or not
    alpha: float | None  # Krippendorff's, on action and category; None where chance says all


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerAgreement:
    """How far others come out as somebody does, whoever looked first."""

    reviewer: str
    looks: Agreement


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """All of it, since a time."""

    since_ms: int
    known: list[Accuracy]  # by reviewer
    known_by_queue: list[Accuracy]
    pairs: list[QueueAgreement]  # queues for two people
    second_looks: Agreement  # every second look: pairs, cases decided again, appeals
    by_reviewer: list[ReviewerAgreement]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    reviewer: str
    queue: str
    said: tuple[str, str | None]
    known: tuple[str, str | None]


def review_quality(database: Database, since_ms: int = 0) -> Quality:
    """How well people have decided since then."""
    with database.read() as connection:
        answers = _answers(connection, since_ms)
        blind = _blind(connection, since_ms)
    looks = second_looks(database, since_ms)
    return Quality(
        since_ms=since_ms,
        known=_accuracies(answers, "reviewer"),
        known_by_queue=_accuracies(answers, "queue"),
        pairs=[_queue_agreement(queue, units) for queue, units in sorted(blind.items())],
        second_looks=agreement(looks),
        by_reviewer=[
            ReviewerAgreement(
                reviewer=name,
                looks=agreement([look for look in looks if name in (look.first, look.second)]),
            )
            for name in sorted({name for look in looks for name in (look.first, look.second)})
        ],
    )


def _accuracies(answers: Sequence[_Answer], by: str) -> list[Accuracy]:
    names = sorted({getattr(answer, by) for answer in answers})
    return [_accuracy(n, [a for a in answers if getattr(a, by) == n]) for n in names]


def _accuracy(name: str, answers: Sequence[_Answer]) -> Accuracy:
    right = sum(answer.said == answer.known for answer in answers)
    severity = [CODES[a.said[0]] - CODES[a.known[0]] for a in answers]
    return Accuracy(
        name=name,
        answers=len(answers),
        right=right,
        too_strict=sum(by > 0 for by in severity),
        too_mild=sum(by < 0 for by in severity),
        share=wilson(right, len(answers)),
    )


def _answers(connection: Connection, since_ms: int) -> list[_Answer]:
    """Each reviewer's answers that stand, beside what was right."""
    said, gold = tables.review_opinions, tables.gold_items
    query = (
        sa.select(
            said.c.reviewer,
            gold.c.queue,
            said.c.action,
            said.c.category,
            gold.c.action.label("right_action"),
            gold.c.category.label("right_category"),
        )
        .join(gold, gold.c.gold_id == said.c.gold_id)
        .where(said.c.at_ms >= since_ms, said.c.action != UNDO, _not_undone())
        .order_by(said.c.log_offset)
    )
    return [
        _Answer(
            reviewer=row.reviewer,
            queue=row.queue,
            said=(row.action, row.category),
            known=(row.right_action, row.right_category),
        )
        for row in connection.execute(query)
    ]


def _blind(connection: Connection, since_ms: int) -> dict[str, list[list[Any]]]:
    """By queue, of each case what its first two reviewers said."""
    said, made, cases = tables.review_opinions, tables.review_decisions, tables.review_cases
    opinions = (
        sa.select(said.c.case_id, cases.c.queue, said.c.reviewer, said.c.action, said.c.category)
        .join(cases, cases.c.case_id == said.c.case_id)
        .where(
            said.c.at_ms >= since_ms,
            said.c.action != UNDO,
            said.c.gold_id.is_(None),
            _not_undone(),
        )
        .order_by(said.c.log_offset)
    )
    found: dict[str, list[Any]] = {}
    for row in connection.execute(opinions):
        found.setdefault(row.case_id, []).append(row)
    undone = sa.select(made.c.undoes).where(made.c.undoes.is_not(None))
    for some in _chunks(list(found)):
        decided = sa.select(made.c.case_id, made.c.action, made.c.category).where(
            made.c.case_id.in_(some), made.c.action != UNDO, made.c.decision_id.not_in(undone)
        )
        for last in connection.execute(decided.order_by(made.c.log_offset)):
            found[last.case_id].append(last)
    by_queue: dict[str, list[list[Any]]] = {}
    for rows in found.values():
        if len(rows) > 1:
            by_queue.setdefault(rows[0].queue, []).append(rows[:2])
    return by_queue


def _queue_agreement(queue: str, units: Sequence[Sequence[Any]]) -> QueueAgreement:
    looks = [
        SecondLook(
            first="first",
            second="second",
            first_restricts=first.action != "allow",
            second_restricts=second.action != "allow",
        )
        for first, second in units
    ]
    answers = [[(row.action, row.category) for row in unit] for unit in units]
    return QueueAgreement(queue=queue, pairs=agreement(looks), alpha=alpha(answers))


def _not_undone() -> "sa.ColumnElement[bool]":
    said, undoing = tables.review_opinions, tables.review_opinions.alias()
    return ~sa.exists().where(
        undoing.c.case_id == said.c.case_id, undoing.c.undoes == said.c.opinion_id
    )


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + 500] for start in range(0, len(ids), 500))
