"""Erasing a person: the job that remembers how far it is, and the news of it for other processes.

The news names nobody: it holds a random salt and the keyed hash of the id, so whoever knows the
person finds them, and nobody else learns who it was.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import UnknownError
from inhouse.core.ids import new_id
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

ERASED: Final = "erased"  # the entity in the log of changes; also who stands where somebody stood
KIND: Final = "erasure"  # of the job
_SALT_CHARS: Final = 16

# running: rows and files are being removed; told: only a learner's memory may hold examples still.
ErasureState = Literal["running", "told", "done"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Whom:
    """What the job must remember until it is over."""

    user_ids: tuple[str, ...] = ()  # the person and the sessions that were linked to them
    posts: tuple[str, ...] = ()  # the items they posted
    words: tuple[str, ...] = ()  # what their words are called where they came without an id
    offsets: tuple[int, ...] = ()  # of their events in the log
    page_ms: tuple[int, ...] = ()  # when pages were served to them
    wiped: bool = False  # whether no row tells of them any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """The receipt. It names nobody."""

    erasure_id: str  # to ask for the receipt again
    state: ErasureState
    started_ms: int  # by the machine's clock
    updated_ms: int
    counts: dict[str, int] = field(default_factory=dict)  # what was removed, by table or file


class Erasures:
    """The jobs of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, user_id: str, now_ms: int) -> str:
        """The id of the job for a person: the one that runs already, else a new one."""

        def write(connection: Connection) -> str:
            for erasure_id, whom in _running(connection):
                if user_id in whom.user_ids:
                    return erasure_id
            erasure = Erasure(
                erasure_id=new_id("erasure"),
                state="running",
                started_ms=now_ms,
                updated_ms=now_ms,
            )
            save_erasure(connection, erasure, Whom(user_ids=(user_id,)))
            return erasure.erasure_id

        return self._database.write(write)

    def get(self, erasure_id: str) -> tuple[Erasure, Whom]:
        """A job and whom it is about. Raises UnknownError."""
        query = sa.select(tables.jobs).where(
            tables.jobs.c.job_id == erasure_id, tables.jobs.c.kind == KIND
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownError(f"no erasure {erasure_id!r}; the answer to DELETE names it")
        return _erasure(row), _whom(row)

    def save(self, erasure: Erasure, whom: Whom) -> None:
        """Remember how far the job is."""
        self._database.write(lambda connection: save_erasure(connection, erasure, whom))

    def in_state(self, state: ErasureState) -> list[tuple[Erasure, Whom]]:
        """The jobs in a state, the oldest first."""
        table = tables.jobs
        query = (
            sa.select(table)
            .where(table.c.kind == KIND, table.c.state == state)
            .order_by(table.c.job_id)
        )
        with self._database.read() as connection:
            return [(_erasure(row), _whom(row)) for row in connection.execute(query)]


def save_erasure(connection: Connection, erasure: Erasure, whom: Whom) -> None:
    """As `Erasures.save`, in the caller's transaction."""
    row = {
        "job_id": erasure.erasure_id,
        "kind": KIND,
        "state": erasure.state,
        "cursor": msgspec.json.encode(whom).decode(),
        "counts": msgspec.json.encode(
            {"started_ms": erasure.started_ms, "counts": erasure.counts}
        ).decode(),
        "updated_ms": erasure.updated_ms,
    }
    upsert(connection, tables.jobs, [row])


def _running(connection: Connection) -> list[tuple[str, Whom]]:
    table = tables.jobs
    query = sa.select(table).where(table.c.kind == KIND, table.c.state == "running")
    return [(row.job_id, _whom(row)) for row in connection.execute(query)]


def _whom(row: Any) -> Whom:
    return msgspec.json.decode(row.cursor, type=Whom)


def _erasure(row: Any) -> Erasure:
    told = msgspec.json.decode(row.counts)
    return Erasure(
        erasure_id=row.job_id,
        state=row.state,
        started_ms=told["started_ms"],
        updated_ms=row.updated_ms,
        counts=told["counts"],
    )


def mark_of(user_id: str, salt: str | None = None) -> str:
    """What the log of changes says of an erased person."""
    salt = salt or secrets.token_hex(_SALT_CHARS // 2)
    key = salt.encode()
    return salt + hashlib.blake2b(user_id.encode(), key=key, digest_size=16).hexdigest()


def marked(mark: str, names: Iterable[str]) -> list[str]:
    """Those of the names that the mark is of: at most one, about a microsecond a name."""
    salt = mark[:_SALT_CHARS]
    return [name for name in names if mark_of(name, salt) == mark]


class News:
    """Hears of erasures that happened after it was made."""

    def __init__(self, database: Database, after: int | None = None) -> None:
        """after: the offset in the log of changes from where on; None from now on."""
        self._database = database
        self.offset = self._last() if after is None else after

    def fresh(self) -> list[str]:
        """Marks that were not heard yet; ask before reading anything that tells of people."""
        table = tables.changes
        query = (
            sa.select(table.c.log_offset, table.c.entity_id)
            .where(table.c.log_offset > self.offset, table.c.entity == ERASED)
            .order_by(table.c.log_offset)
        )
        last = self._last()
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        self.offset = max([last, self.offset, *(row[0] for row in rows)])
        return [row[1] for row in rows]

    def _last(self) -> int:
        with self._database.read() as connection:
            query = sa.select(sa.func.max(tables.changes.c.log_offset))
            return connection.execute(query).scalar() or 0
