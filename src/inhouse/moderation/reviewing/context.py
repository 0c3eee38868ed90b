"""What a person should know around a case: its thread, reports, the creator, the past, others.

Reporters are numbered, so that whoever decides learns how many complained and not who. Around a
case whose answer is known, everything is shown as it was before the answer was.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import item_of_row
from inhouse.catalog.types import Item, post_text
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.reviewing.gold import known_since
from inhouse.moderation.reviewing.likeness import grams, likeness
from inhouse.moderation.reviewing.thread import Thread, thread_around
from inhouse.moderation.statements.strikes import Standing, Strikes
from inhouse.moderation.types import UNDO, Case, PersonCall, Verdict
from inhouse.moderation.verdicts.decide import decide
from inhouse.moderation.verdicts.rows import latest_verdicts, verdict_history
from inhouse.store import tables
from inhouse.store.database import Database

MOST_REPORTS: Final = 50
MOST_EARLIER: Final = 6
MOST_HISTORY: Final = 20
MOST_SIMILAR: Final = 3
POSTS_LOOKED_AT: Final = 300
POSTS_SHOWN: Final = 5
_CASES_COMPARED: Final = 200
_LEAST_LIKENESS: Final = 0.12
_WORDS_SHOWN: Final = 200
_NEVER_MS: Final = 1 << 62


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """A report, without who made it."""

    at_ms: int
    category: str
    note: str | None  # the reporter's words
    reporter: int  # 1 for whoever reported the post first
    reports_before: int  # on other posts, by the same person, before this one


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A decision somebody took on the post before."""

    at_ms: int
    reviewer: str
    action: str
    category: str | None
    note: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One of the verdicts there were on the post."""

    at_ms: int
    decided_by: str
    action: str  # it led to, in feeds for adults, by the policy of now
    p_harm: float  # the largest probability of any category
    model_version: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """What somebody left with the case besides a decision."""

    at_ms: int
    reviewer: str
    kind: str  # note, skip, escalate
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherPost:
    """Another post of the same creator."""

    item_id: ItemId
    created_ms: int
    words: str  # how it begins
    action: str | None  # in feeds for adults; None where it awaits a verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatorFacts:
    """What is known of whoever posted it."""

    user_id: UserId
    posts: int  # looked at: the latest 300 at most
    actions: Mapping[str, int]  # action in feeds for adults -> other posts
    awaiting: int  # other posts without a verdict
    reports: int  # on other posts
    strikes: float  # that still count, without any for this post: it may be a known answer
    decided: tuple[Earlier, ...]  # by people, on other posts, newest first
    latest: tuple[OtherPost, ...]  # their newest others, newest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Similar:
    """A decided case about a post that reads alike."""

    case_id: str
    item_id: ItemId
    words: str  # how the post begins
    likeness: float  # share of common letter groups, 0 to 1
    action: str
    category: str | None
    at_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseContext:
    """One case with all around it."""

    case: Case
    item: Item | None  # None where it was deleted meanwhile
    verdict: Verdict | None  # None where nothing judged it yet
    thread: Thread | None  # None where it answers nothing
    reports: tuple[Complaint, ...]  # newest first, 50 at most
    reported_for: Mapping[str, int]  # category -> how many different people
    earlier: tuple[Earlier, ...]  # decisions on the post, newest first
    opinions: tuple[Earlier, ...]  # of two people who differ, once they do
    remarks: tuple[Remark, ...]  # newest first
    history: tuple[Judged, ...]  # verdicts on the post, newest first
    creator: CreatorFacts | None
    similar: tuple[Similar, ...]  # the most alike first


class ContextReader:
    """Reads what lies around the cases of one community."""

    def __init__(self, database: Database, policy: Policy, strikes: Strikes) -> None:
        self._database = database
        self._policy = policy
        self._strikes = strikes

    def around(self, case: Case, opinions: Sequence[Earlier] = ()) -> CaseContext:
        """Everything about one case. `opinions` are told only where they are no secret."""
        with self._database.read() as connection:
            known_ms = known_since(connection, case.case_id)
            until_ms = _NEVER_MS if known_ms is None else known_ms
            query = sa.select(tables.items).where(tables.items.c.item_id == case.item_id)
            row = connection.execute(query).first()
            item = None if row is None else item_of_row(row)
            verdicts = _told(verdict_history(connection, case.item_id), known_ms)
            return CaseContext(
                case=case,
                item=item,
                verdict=verdicts[-1] if verdicts else None,
                thread=thread_around(connection, self._policy, item, until_ms) if item else None,
                reports=_reports(connection, case.item_id, until_ms),
                reported_for=_reported_for(connection, case.item_id, until_ms),
                earlier=_earlier(connection, [case.item_id], until_ms),
                opinions=tuple(opinions),
                remarks=_remarks(connection, case.case_id),
                history=tuple(self._judged(v) for v in verdicts[: -MOST_HISTORY - 1 : -1]),
                creator=self._creator(connection, item, until_ms) if item else None,
                similar=_similar(connection, case, item, until_ms) if item else (),
            )

    def _judged(self, verdict: Verdict) -> Judged:
        labels = verdict.evidence.labels
        return Judged(
            at_ms=verdict.at_ms,
            decided_by=verdict.decided_by,
            action=self._action(verdict),
            p_harm=max((label.p for label in labels), default=0.0),
            model_version=verdict.model_version,
        )

    def _action(self, verdict: Verdict) -> str:
        return decide(verdict.evidence, self._policy, "feed", "adult").action

    def _creator(self, connection: Connection, item: Item, until_ms: int) -> CreatorFacts:
        others = _other_posts(connection, item)
        ids = [ItemId(row.item_id) for row in others]
        verdicts = latest_verdicts(connection, ids)
        actions = Counter(self._action(verdict) for verdict in verdicts.values())
        reports = sa.select(sa.func.count()).where(tables.reports.c.item_id.in_(ids))
        return CreatorFacts(
            user_id=item.creator_id,
            posts=len(others) + 1,
            actions=dict(actions),
            awaiting=len(others) - len(verdicts),
            reports=connection.execute(reports).scalar_one(),
            strikes=_points_for_others(self._strikes.of(item.creator_id), item.item_id),
            decided=_earlier(connection, ids, until_ms),
            latest=tuple(
                OtherPost(
                    item_id=ItemId(row.item_id),
                    created_ms=row.created_ms,
                    words=_beginning(row),
                    action=self._action(verdicts[row.item_id]) if row.item_id in verdicts else None,
                )
                for row in others[:POSTS_SHOWN]
            ),
        )


def _told(history: Sequence[Verdict], known_ms: int | None) -> list[Verdict]:
    """The verdicts up to the first word of a person since the answer is known. That somebody's
    opinion holds the post for now would tell the next person what it was, so it is left out."""
    found: list[Verdict] = []
    call: PersonCall | None = None
    for verdict in history:
        said = verdict.evidence.person
        if known_ms is not None and verdict.at_ms >= known_ms and said:
            break
        if said is None or said.action != "review":
            call = said
            found.append(verdict)
        elif not found or found[-1].text_key != verdict.text_key:  # edited while it was held
            evidence = dataclasses.replace(verdict.evidence, person=call)
            by = f"person:{call.name}" if call else "an edit"
            found.append(dataclasses.replace(verdict, evidence=evidence, decided_by=by))
    return found


def _reports(connection: Connection, item_id: ItemId, until_ms: int) -> tuple[Complaint, ...]:
    table = tables.reports
    query = (
        sa.select(table)
        .where(table.c.item_id == item_id, table.c.at_ms < until_ms)
        .order_by(table.c.log_offset)
    )
    rows = connection.execute(query).all()
    numbers: dict[str, int] = {}
    for row in rows:
        numbers.setdefault(row.reporter_id, len(numbers) + 1)
    shown = rows[: -MOST_REPORTS - 1 : -1]
    before = _reports_before(connection, shown, item_id)
    return tuple(
        Complaint(
            at_ms=row.at_ms,
            category=row.category,
            note=row.note,
            reporter=numbers[row.reporter_id],
            reports_before=before.get(row.reporter_id, 0),
        )
        for row in shown
    )


def _reports_before(connection: Connection, rows: Sequence[Any], item_id: ItemId) -> dict[str, int]:
    if not rows:
        return {}
    c = tables.reports.c
    query = (
        sa.select(c.reporter_id, sa.func.count())
        .where(
            c.reporter_id.in_({row.reporter_id for row in rows}),
            c.item_id != item_id,
            c.at_ms <= max(row.at_ms for row in rows),
        )
        .group_by(c.reporter_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _reported_for(connection: Connection, item_id: ItemId, until_ms: int) -> dict[str, int]:
    c = tables.reports.c
    people = sa.func.count(c.reporter_id.distinct()).label("people")
    query = (
        sa.select(c.category, people)
        .where(c.item_id == item_id, c.at_ms < until_ms)
        .group_by(c.category)
        .order_by(people.desc(), c.category)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _earlier(connection: Connection, items: Sequence[ItemId], until_ms: int) -> tuple[Earlier, ...]:
    c = tables.review_decisions.c
    query = (
        sa.select(c.at_ms, c.reviewer, c.action, c.category, c.note)
        .where(c.item_id.in_(items), c.at_ms < until_ms)
        .order_by(c.log_offset.desc())
        .limit(MOST_EARLIER)
    )
    return tuple(Earlier(**row._mapping) for row in connection.execute(query))


def _remarks(connection: Connection, case_id: str) -> tuple[Remark, ...]:
    c = tables.review_notes.c
    query = (
        sa.select(c.at_ms, c.reviewer, c.kind, c.words)
        .where(c.case_id == case_id)
        .order_by(c.log_offset.desc())
        .limit(MOST_HISTORY)
    )
    return tuple(Remark(**row._mapping) for row in connection.execute(query))


def _other_posts(connection: Connection, item: Item) -> Sequence[Any]:
    c = tables.items.c
    query = (
        sa.select(c.item_id, c.created_ms, c.title, c.text)
        .where(c.creator_id == item.creator_id, c.item_id != item.item_id)
        .order_by(c.created_ms.desc(), c.item_id)
        .limit(POSTS_LOOKED_AT)
    )
    return connection.execute(query).all()


def _similar(connection: Connection, case: Case, item: Item, until_ms: int) -> tuple[Similar, ...]:
    """Of the cases of the queue that were decided last, those whose posts read alike."""
    cases, made, items = tables.review_cases, tables.review_decisions, tables.items
    undone = sa.select(made.c.undoes).where(made.c.undoes.is_not(None))
    query = (
        sa.select(
            cases.c.case_id,
            cases.c.item_id,
            items.c.title,
            items.c.text,
            made.c.action,
            made.c.category,
            made.c.at_ms,
        )
        .join(made, made.c.case_id == cases.c.case_id)
        .join(items, items.c.item_id == cases.c.item_id)
        .where(
            cases.c.state == "closed",
            cases.c.queue == case.queue,
            cases.c.item_id != case.item_id,
            made.c.action != UNDO,
            made.c.decision_id.not_in(undone),
            made.c.at_ms < until_ms,
        )
        .order_by(made.c.log_offset.desc())
        .limit(_CASES_COMPARED)
    )
    own = grams(post_text(item.title, item.text))
    found = [
        Similar(
            case_id=row.case_id,
            item_id=ItemId(row.item_id),
            words=_beginning(row),
            likeness=round(likeness(own, grams(post_text(row.title, row.text))), 4),
            action=row.action,
            category=row.category,
            at_ms=row.at_ms,
        )
        for row in connection.execute(query)
    ]
    alike = [one for one in found if one.likeness >= _LEAST_LIKENESS]
    return tuple(sorted(alike, key=lambda one: -one.likeness)[:MOST_SIMILAR])


def _points_for_others(standing: Standing, item_id: ItemId) -> float:
    return sum(strike.points for strike in standing.strikes if strike.item_id != item_id)


def _beginning(row: Any) -> str:
    return post_text(row.title, row.text)[:_WORDS_SHOWN]
