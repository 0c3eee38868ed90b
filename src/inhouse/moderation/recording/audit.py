"""The record of what was decided, by whom, on which versions: read, filtered, checked.

The rows are those of `store.chain`; they are written in the same transaction as what they tell of.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import InputError
from inhouse.models.training.exporting import AUDITED as EXPORT
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.sealing.sealed_calls import SIGHTING
from inhouse.store import chain, tables
from inhouse.store.chain import Checked, Head
from inhouse.store.database import Database

POLICY: Final = "policy"  # a version of it is used for the first time
# What rows tell of, for people who filter.
KINDS: Final[Mapping[str, str]] = {
    "verdict": "a rule's decision on a post",
    "ruling": "a person's decision on a post",
    "undo": "a person's decision taken back",
    "appeal": "the outcome of an appeal",
    "report": "what a reporter was told",
    "strike": "an account restricted, or no longer",
    POLICY: "a version of the policy used for the first time",
    "drill": "a rented model cut off on purpose, or back",
    "model": "another way for a task: which model answers",
    EXPORT: "a model's weights taken out, or refused",
    "seal": "a post sealed as child sexual abuse material",
    SIGHTING: "a call showed a picture that is known as such; what it held is sealed",
    "duty": "a duty about a sealed post fulfilled",
    "break_glass": "somebody opened what is sealed",
    chain.BLANKED: "an erasure blanked what rows told of a person",
}
_AT_ONCE: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """One decision."""

    number: int  # in the order in which they were made, without gaps
    at_ms: int
    what: str  # see KINDS
    actor: str  # `rule:NAME`, `person:NAME`, `cutover`, …
    item_id: str | None  # of a post
    user_id: str | None  # of an account
    details: Mapping[str, Any] | None  # versions and outcomes; None where an erasure blanked them
    previous: str  # hash of the row before, hex
    hash: str  # of this row, hex


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which rows; what is None does not matter."""

    what: str | None = None
    actor: str | None = None
    item_id: str | None = None
    user_id: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None  # not counting this moment


class Audit:
    """Reads of the chain of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Head:
        """Where the chain ends now."""
        with self._database.read() as connection:
            return chain.head(connection)

    def check(self, noted: Head | None = None) -> Checked:
        """Read the whole chain; see `store.chain.check`."""
        with self._database.read() as connection:
            return chain.check(connection, noted)

    def rows(
        self, which: AuditFilter | None = None, *, after: int = 0, limit: int | None = None
    ) -> Iterator[AuditRow]:
        """Rows behind a number, oldest first, read a few at a time."""
        left = limit
        query = _query(which or AuditFilter())
        while left is None or left > 0:
            some = _AT_ONCE if left is None else min(left, _AT_ONCE)
            page = query.where(tables.audit.c.number > after).limit(some)
            with self._database.read() as connection:
                rows = [_row(row) for row in connection.execute(page)]
            yield from rows
            if len(rows) < some:
                return
            after = rows[-1].number
            left = None if left is None else left - len(rows)

    def latest(self, which: AuditFilter | None = None, limit: int = 100) -> list[AuditRow]:
        """The newest rows, oldest first."""
        query = _query(which or AuditFilter()).order_by(None)
        with self._database.read() as connection:
            found = connection.execute(query.order_by(tables.audit.c.number.desc()).limit(limit))
            return [_row(row) for row in reversed(found.all())]


def note_policy(connection: Connection, policy: Policy, at_ms: int) -> None:
    """Say that a policy is in use, where the last one in use was another."""
    table = tables.audit
    query = (
        sa.select(table.c.details)
        .where(table.c.what == POLICY, table.c.what != sa.literal_column("'verdict'"))
        .order_by(table.c.number.desc())
        .limit(1)
    )
    told = connection.execute(query).scalar()
    if told is None or msgspec.json.decode(told)["policy"] != policy.version:
        details: dict[str, object] = {"policy": policy.version, "rules": len(policy.rules)}
        entry = chain.Entry(at_ms=at_ms, what=POLICY, actor="settings", details=details)
        chain.append(connection, [entry])


def head_of(text: str) -> Head:
    """A head as it was written down, `NUMBER:HASH`. Raises InputError."""
    number, _, digest = text.strip().partition(":")
    if not number.isdigit() or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InputError(
            f"head {text[:80]!r}; expected NUMBER:HASH, as `inhouse moderate audit --head` prints"
        )
    return Head(number=int(number), hash=digest)


def _query(which: AuditFilter) -> "sa.Select[Any]":
    columns = tables.audit.c
    query = sa.select(tables.audit).order_by(columns.number)
    if which.what is not None:
        if which.what not in KINDS:
            known = ", ".join(KINDS)
            raise InputError(f"unknown kind {which.what[:40]!r}; expected one of {known}")
        query = query.where(columns.what == which.what)
        if which.what != "verdict":
            query = query.where(columns.what != sa.literal_column("'verdict'"))  # has an index
    for name in ("actor", "item_id", "user_id"):
        if (value := getattr(which, name)) is not None:
            query = query.where(columns[name] == value)
    if which.from_ms is not None:
        query = query.where(columns.at_ms >= which.from_ms)
    if which.until_ms is not None:
        query = query.where(columns.at_ms < which.until_ms)
    return query


def _row(row: Any) -> AuditRow:
    return AuditRow(
        number=row.number,
        at_ms=row.at_ms,
        what=row.what,
        actor=row.actor,
        item_id=row.item_id,
        user_id=row.user_id,
        details=None if row.details is None else msgspec.json.decode(row.details),
        previous=bytes(row.previous).hex(),
        hash=bytes(row.hash).hex(),
    )
