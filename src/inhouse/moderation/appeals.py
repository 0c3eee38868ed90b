"""Appeals: an author objects, somebody else looks again."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import ItemId, UserId, new_id
from inhouse.moderation.decide import decide_all, strictest
from inhouse.moderation.rulings import checked_ruling, rule_on
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Appeal, AppealState, Verdict
from inhouse.moderation.verdicts import latest_verdicts
from inhouse.store import tables
from inhouse.store.database import Database

MOST_WORDS_CHARS: Final = 4_000
OUTCOMES: Final[Mapping[str, AppealState]] = MappingProxyType(
    {"uphold": "upheld", "overturn": "overturned"}
)


class Appeals:
    """The appeals of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def open(self, item_id: str, user_id: str, words: str) -> Appeal:
        """Object to the restriction of an item. Raises UnknownError for an item that does not
        exist, InputError where the person is not its creator or says nothing, ConflictError where
        nothing restricts it or an appeal is open already."""
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

    def decide(self, appeal_id: str, reviewer: str, outcome: str, answer: str) -> Appeal:
        """`uphold`: the restriction stays. `overturn`: the item is allowed, by a new verdict and
        with a label that teaches models. The answer is what the author is told.

        Raises ConflictError where the appeal is decided already, or the reviewer is the person
        whose decision is appealed.
        """
        if outcome not in OUTCOMES:
            raise InputError(f"unknown outcome {outcome!r}; expected one of {', '.join(OUTCOMES)}")
        if not answer.strip():
            raise InputError("the answer is empty; tell the author why")
        policy, note = self.tools.rules.policy, f"appeal {appeal_id}"
        ruling = checked_ruling("allow", None, reviewer, note, policy)

        def write(connection: Connection) -> Appeal:
            appeal = _open_appeal(connection, appeal_id)
            _require_other(connection, appeal.item_id, reviewer)
            now_ms = self._clock.now_ms()
            if outcome == "overturn":
                rule_on(connection, appeal.item_id, ruling, policy, now_ms)
            decided = dataclasses.replace(
                appeal,
                state=OUTCOMES[outcome],
                decided_by=reviewer,
                decided_ms=now_ms,
                answer=answer,
            )
            _keep(connection, decided)
            return decided

        return self._database.write(write)

    def _open(self, connection: Connection, appeal: Appeal) -> Appeal:
        items, table = tables.items, tables.appeals
        creator = connection.execute(
            sa.select(items.c.creator_id).where(items.c.item_id == appeal.item_id).with_for_update()
        ).scalar()
        if creator is None:
            raise UnknownError(f"no item has the id {appeal.item_id!r}")
        if creator != appeal.user_id:
            raise InputError("only the creator of an item can appeal; give their user id")
        waiting = sa.select(table.c.appeal_id).where(
            table.c.item_id == appeal.item_id, table.c.state == "open"
        )
        if connection.execute(waiting).first() is not None:
            raise ConflictError(f"an appeal for the item {appeal.item_id} is open already")
        if not self._is_restricted(latest_verdicts(connection, [appeal.item_id])):
            raise ConflictError(
                f"nothing restricts the item {appeal.item_id}; there is nothing to appeal"
            )
        connection.execute(table.insert(), dataclasses.asdict(appeal))
        return appeal

    def _is_restricted(self, latest: dict[ItemId, Verdict]) -> bool:
        policy = self.tools.rules.policy
        return any(
            strictest(decide_all(verdict.evidence, policy).values()).action != "allow"
            for verdict in latest.values()
        )


def _open_appeal(connection: Connection, appeal_id: str) -> Appeal:
    table = tables.appeals
    query = sa.select(table).where(table.c.appeal_id == appeal_id).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        raise UnknownError(f"no appeal has the id {appeal_id!r}")
    if row.state != "open":
        raise ConflictError(f"the appeal {appeal_id} is {row.state} already")
    return _appeal_of_row(row)


def _require_other(connection: Connection, item_id: ItemId, reviewer: str) -> None:
    """A second look is somebody else's."""
    verdict = latest_verdicts(connection, [item_id]).get(item_id)
    call = verdict.evidence.person if verdict else None
    if call is not None and call.name == reviewer:
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
