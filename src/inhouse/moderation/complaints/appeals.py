"""Appeals: an author objects to a restriction, a reporter to there being none; somebody else than
who decided looks again."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import ItemId, UserId, new_id
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.rulings import Ruling, checked_name, checked_ruling, rule_on
from inhouse.moderation.statements.answers import latest_answers
from inhouse.moderation.statements.keep import in_force
from inhouse.moderation.statements.types import REDRESS_MS
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Appeal, AppealState, Verdict
from inhouse.moderation.verdicts.decide import decide_all, strictest
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import chain, tables
from inhouse.store.database import Database

MOST_WORDS_CHARS: Final = 4_000
OUTCOMES: Final[Mapping[str, AppealState]] = MappingProxyType(
    {"uphold": "upheld", "overturn": "overturned"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Instead:
    """What is done with a post when a reporter's appeal is granted."""

    action: str  # a restriction
    category: str  # what the post violates


class Appeals:
    """The appeals of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def open(self, item_id: str, user_id: str, words: str, report_id: str | None = None) -> Appeal:
        """Object to the restriction of an item, or, with the id of one's report, to there being
        none. Within six months.

        Raises UnknownError for an item or report that does not exist, InputError where the person
        is not its creator or reporter or says nothing, ConflictError where there is nothing to
        object to, time is up or an appeal is open already.
        """
        if not words.strip() or len(words) > MOST_WORDS_CHARS:
            raise InputError(
                f"the words have {len(words)} characters; expected 1 to {MOST_WORDS_CHARS}"
            )
        appeal = Appeal(
            appeal_id=new_id("appeal"),
            item_id=ItemId(item_id),
            user_id=UserId(user_id),
            at_ms=self._clock.now_ms(),
            words=words,
            state="open",
            report_id=report_id,
        )
        return self._database.write(lambda connection: self._open(connection, appeal))

    def list(self, state: AppealState | None = "open", limit: int = 100) -> list[Appeal]:
        """Appeals, the longest-waiting first; of every state where None is given."""
        table = tables.appeals
        query = sa.select(table).order_by(table.c.at_ms, table.c.appeal_id).limit(limit)
        if state is not None:
            query = query.where(table.c.state == state)
        with self._database.read() as connection:
            return [_appeal_of_row(row) for row in connection.execute(query)]

    def decided(self, limit: int = 100) -> Sequence[Appeal]:
        """Those that were answered, the latest first."""
        table = tables.appeals
        query = sa.select(table).where(table.c.state != "open")
        query = query.order_by(table.c.decided_ms.desc(), table.c.appeal_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_appeal_of_row(row) for row in connection.execute(query)]

    def of_user(self, user_id: str, limit: int = 100) -> Sequence[Appeal]:
        """What a person objected to and what they were told, newest first."""
        table = tables.appeals
        query = sa.select(table).where(table.c.user_id == user_id)
        query = query.order_by(table.c.at_ms.desc(), table.c.appeal_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_appeal_of_row(row) for row in connection.execute(query)]

    def get(self, appeal_id: str) -> Appeal:
        """One appeal. Raises UnknownError."""
        table = tables.appeals
        query = sa.select(table).where(table.c.appeal_id == appeal_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise _unknown(appeal_id)
        return _appeal_of_row(row)

    def barred(self, item_id: ItemId) -> frozenset[str]:
        """Who may not decide appeals about an item: whoever made the decision in force on it."""
        with self._database.read() as connection:
            return deciders_of(connection, item_id)

    def decide(
        self,
        appeal_id: str,
        reviewer: str,
        outcome: str,
        answer: str,
        instead: Instead | None = None,
    ) -> Appeal:
        """`uphold`: everything stays. `overturn`: an author's item is allowed, a reporter's is
        restricted as `instead` says, by a new verdict and with a label that teaches models. The
        answer is what the person is told.

        Raises ConflictError where the appeal is decided already, or the reviewer is the person
        whose decision is appealed.
        """
        if outcome not in OUTCOMES:
            raise InputError(f"unknown outcome {outcome!r}; expected one of {', '.join(OUTCOMES)}")
        if not answer.strip() or len(answer) > MOST_WORDS_CHARS:
            raise InputError(
                "the answer is empty; tell the author why"
                if not answer.strip()
                else f"the answer has {len(answer)} characters; expected 1 to {MOST_WORDS_CHARS}"
            )
        checked_name(reviewer)

        def write(connection: Connection) -> Appeal:
            appeal = _open_appeal(connection, appeal_id)
            _require_other(connection, appeal.item_id, reviewer)
            now_ms = self._clock.now_ms()
            if outcome == "overturn":
                policy = self.tools.rules.policy
                ruling = _ruling(appeal, reviewer, instead, policy)
                rule_on(connection, appeal.item_id, ruling, policy, now_ms)
            decided = dataclasses.replace(
                appeal,
                state=OUTCOMES[outcome],
                decided_by=reviewer,
                decided_ms=now_ms,
                answer=answer,
            )
            _keep(connection, decided)
            chain.append(connection, [_entry(decided, now_ms)])
            return decided

        return self._database.write(write)

    def _open(self, connection: Connection, appeal: Appeal) -> Appeal:
        items, table = tables.items, tables.appeals
        creator = connection.execute(
            sa.select(items.c.creator_id).where(items.c.item_id == appeal.item_id).with_for_update()
        ).scalar()
        if creator is None:
            raise UnknownError(f"no item has the id {appeal.item_id!r}")
        if appeal.report_id is None and creator != appeal.user_id:
            raise InputError("only the creator of an item can appeal; give their user id")
        waiting = sa.select(table.c.appeal_id).where(
            table.c.item_id == appeal.item_id,
            table.c.state == "open",
            table.c.report_id == appeal.report_id
            if appeal.report_id is not None
            else table.c.report_id.is_(None),
        )
        if connection.execute(waiting).first() is not None:
            raise ConflictError(f"an appeal for the item {appeal.item_id} is open already")
        if appeal.report_id is not None:
            _check_reporter(connection, appeal, appeal.report_id)
        else:
            self._check_author(connection, appeal)
        connection.execute(table.insert(), dataclasses.asdict(appeal))
        return appeal

    def _check_author(self, connection: Connection, appeal: Appeal) -> None:
        if not self._is_restricted(latest_verdicts(connection, [appeal.item_id])):
            raise ConflictError(
                f"nothing restricts the item {appeal.item_id}; there is nothing to appeal"
            )
        statement = in_force(connection, [appeal.item_id]).get(appeal.item_id)
        if statement is not None and appeal.at_ms > statement.reasons.redress_until_ms:
            raise _too_late(statement.at_ms)

    def _is_restricted(self, latest: dict[ItemId, Verdict]) -> bool:
        policy = self.tools.rules.policy
        return any(
            strictest(decide_all(verdict.evidence, policy).values()).action != "allow"
            for verdict in latest.values()
        )


def _check_reporter(connection: Connection, appeal: Appeal, report_id: str) -> None:
    """Whether a reporter may object: their own report, told that nothing was done."""
    table = tables.reports
    query = sa.select(table).where(table.c.report_id == report_id)
    report = connection.execute(query).first()
    if report is None or report.item_id != appeal.item_id:
        raise UnknownError(f"no report {report_id[:80]!r} of the item {appeal.item_id}")
    if report.reporter_id != appeal.user_id:
        raise InputError("only who reported an item can appeal by their report; give their user id")
    answer = latest_answers(connection, [report_id]).get(report_id)
    if answer is None or answer.outcome != "none":
        raise ConflictError(
            f"the report {report_id} was not answered with no action; there is nothing to appeal"
        )
    if appeal.at_ms > answer.at_ms + REDRESS_MS:
        raise _too_late(answer.at_ms)


def _too_late(decided_ms: int) -> ConflictError:
    day = datetime.datetime.fromtimestamp(decided_ms / 1_000, datetime.UTC).strftime("%Y-%m-%d")
    return ConflictError(f"the decision is of {day}; appeals are taken for six months")


def _ruling(appeal: Appeal, reviewer: str, instead: Instead | None, policy: Policy) -> Ruling:
    """What a granted appeal puts into force. Raises InputError."""
    note = f"appeal {appeal.appeal_id}"
    if appeal.report_id is None:
        if instead is not None:
            raise InputError("an author's appeal is granted by allowing the item; leave action out")
        return checked_ruling("allow", None, reviewer, note, policy)
    if instead is None or instead.action == "allow":
        raise InputError(
            "a reporter's appeal is granted by restricting the item; give action and category"
        )
    return checked_ruling(instead.action, instead.category, reviewer, note, policy)


def _entry(appeal: Appeal, now_ms: int) -> chain.Entry:
    return chain.Entry(
        at_ms=now_ms,
        what="appeal",
        actor=f"person:{appeal.decided_by}",
        item_id=appeal.item_id,
        details={
            "appeal": appeal.appeal_id,
            "outcome": appeal.state,
            "of": "author" if appeal.report_id is None else "reporter",
        },
    )


def _open_appeal(connection: Connection, appeal_id: str) -> Appeal:
    table = tables.appeals
    query = sa.select(table).where(table.c.appeal_id == appeal_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise _unknown(appeal_id)
    if row.state != "open":
        raise ConflictError(f"the appeal {appeal_id} is {row.state} already")
    return _appeal_of_row(row)


def deciders_of(connection: Connection, item_id: ItemId) -> frozenset[str]:
    """The people by whose word an item is treated as it is: one, or the two who agreed. None where
    rules decide."""
    verdict = latest_verdicts(connection, [item_id]).get(item_id)
    call = verdict.evidence.person if verdict else None
    if call is None:
        return frozenset()
    table = tables.review_opinions
    undone = sa.select(table.c.undoes).where(table.c.undoes.is_not(None))
    query = sa.select(table.c.reviewer).where(
        table.c.item_id == item_id,
        table.c.gold_id.is_(None),
        table.c.action == call.action,
        table.c.opinion_id.not_in(undone),
    )
    return frozenset((call.name, *connection.execute(query).scalars()))


def _unknown(appeal_id: str) -> UnknownError:
    return UnknownError(f"no appeal has the id {appeal_id[:80]!r}")


def _require_other(connection: Connection, item_id: ItemId, reviewer: str) -> None:
    """A second look is somebody else's."""
    if reviewer in deciders_of(connection, item_id):
        raise ConflictError(
            f"{reviewer} made the decision that is appealed; somebody else must look at it"
        )


def _keep(connection: Connection, appeal: Appeal) -> None:
    table = tables.appeals
    connection.execute(
        table.update()
        .where(table.c.appeal_id == appeal.appeal_id)
        .values(**dataclasses.asdict(appeal))
    )


def _appeal_of_row(row: Any) -> Appeal:
    return Appeal(**row._mapping)
