"""Pairs: what calls passed on asked and were answered, kept for a while to learn from.

They are people's words, so they are kept only where deployment and key allow it, without personal
data and secrets, for some days and within some bytes, and go with whoever said them.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.models.harvest.conversations import Message, gist_of
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import delete_in, insert_new

_JOINT: Final = "\x1f"
_LEAST_ID: Final = 4  # characters; a shorter id in a text is a word like any other
_LEAST_TEXT: Final = 12
_SLACK: Final = 16  # so much of the bound, a part in so many, is made free at once
_AT_ONCE: Final = 200
_MESSAGES: Final = msgspec.json.Decoder(tuple[Message, ...])


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One question and its answer, with where they come from."""

    task: str  # as the app calls it
    messages: tuple[Message, ...]
    answer: str
    person: str | None  # the app's user: an id, or its SHA-256
    ref: str | None  # the item it is about
    call_id: str  # as in the ledger
    key_id: str  # whose call it was
    deployment: str
    source: str  # host/owner/model
    terms: str  # under which it may be used
    at_ms: int  # by the machine's clock

    def gist(self) -> str:
        """See `gist_of`."""
        return gist_of(self.messages, self.answer)


def add_pairs(connection: Connection, pairs: Sequence[Pair]) -> int:
    """Keep pairs in the caller's transaction; returns how many were new. A model asked the same
    again says nothing new, as with labels."""
    return insert_new(connection, tables.pairs, [_row(pair) for pair in pairs])


def erase_pairs(
    connection: Connection,
    user_ids: Sequence[str],
    refs: Sequence[str],
    texts: Sequence[str] = (),
) -> int:
    """Remove what these people said, what is about these items, and what names the people by their
    id or holds one of the texts, in the caller's transaction; returns how many went.

    texts: few, for every pair is searched for each; redacted as pairs are. Short ones are words
    like any other and are not looked for.
    """
    table = tables.pairs
    gone = delete_in(connection, table.c.person, names_of(user_ids))
    gone += delete_in(connection, table.c.ref, refs)
    shapes = [rf"(?<![\w-]){re.escape(one)}(?![\w-])" for one in user_ids if len(one) >= _LEAST_ID]
    # As they stand in a text, and as they stand in JSON.
    quoted = (msgspec.json.encode(text).decode()[1:-1] for text in texts)
    shapes += [re.escape(text) for text in (*texts, *quoted) if len(text) >= _LEAST_TEXT]
    if not shapes:
        return gone
    return gone + delete_in(connection, table.c.log_offset, list(_holding(connection, shapes)))


def names_of(user_ids: Iterable[str]) -> list[str]:
    """What apps may call these people: their ids, or the SHA-256 of them, as OpenAI advises."""
    return [name for one in user_ids for name in (one, hashlib.sha256(one.encode()).hexdigest())]


def keys_keeping(connection: Connection, key_ids: Iterable[str]) -> frozenset[str]:
    """Those of the keys whose calls may be kept now."""
    keys = tables.api_keys.c
    query = sa.select(keys.key_id).where(keys.key_id.in_(key_ids), keys.keeps_calls)
    return frozenset(connection.execute(query).scalars())


def forget_pairs_of(connection: Connection, key_id: str) -> int:
    """Remove what was kept of a key's calls, in the caller's transaction; returns how many went.
    What models learned of them they know."""
    table = tables.pairs
    return connection.execute(table.delete().where(table.c.key_id == key_id)).rowcount


def expire_pairs(connection: Connection, until_ms: int) -> int:
    """Remove what is older, in the caller's transaction; returns how many went."""
    table = tables.pairs
    return connection.execute(table.delete().where(table.c.at_ms < until_ms)).rowcount


def trim_pairs(connection: Connection, most_bytes: int) -> int:
    """Remove the oldest where there is more than so much, in the caller's transaction; returns how
    many went."""
    table = tables.pairs
    whole = connection.execute(sa.select(sa.func.sum(table.c.size_bytes))).scalar() or 0
    if whole <= most_bytes:
        return 0
    newer = sa.func.sum(table.c.size_bytes).over(order_by=table.c.log_offset.desc())
    running = sa.select(table.c.log_offset, newer.label("bytes")).subquery()
    too_old = running.c.bytes > most_bytes - most_bytes // _SLACK
    last = connection.execute(sa.select(sa.func.max(running.c.log_offset)).where(too_old)).scalar()
    return connection.execute(table.delete().where(table.c.log_offset <= last)).rowcount


class Pairs:
    """Reads of the pairs of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, task: str, limit: int) -> list[Pair]:
        """The newest `limit` pairs of a task, oldest first."""
        table = tables.pairs
        query = sa.select(table).where(table.c.task == task)
        query = query.order_by(table.c.log_offset.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [_pair(row) for row in reversed(rows)]

    def counts(self) -> dict[str, int]:
        """Pairs by task."""
        table = tables.pairs
        query = sa.select(table.c.task, sa.func.count().label("pairs"))
        query = query.group_by(table.c.task).order_by(table.c.task)
        with self._database.read() as connection:
            return {row.task: row.pairs for row in connection.execute(query)}


def _row(pair: Pair) -> dict[str, Any]:
    messages = msgspec.json.encode(pair.messages).decode()
    told = _JOINT.join((pair.task, pair.source, messages))
    size_bytes = len(messages.encode()) + len(pair.answer.encode("utf-8", "replace"))
    return {
        "pair_id": hashlib.blake2b(told.encode(), digest_size=20).hexdigest(),
        "task": pair.task,
        "person": pair.person,
        "ref": pair.ref,
        "call_id": pair.call_id,
        "key_id": pair.key_id,
        "deployment": pair.deployment,
        "source": pair.source,
        "terms": pair.terms,
        "at_ms": pair.at_ms,
        "messages": messages,
        "answer": pair.answer,
        "size_bytes": size_bytes,
    }


def _pair(row: Any) -> Pair:
    values = {name: row[name] for name in Pair.__slots__ if name != "messages"}
    return Pair(messages=_MESSAGES.decode(row["messages"]), **values)


def _holding(connection: Connection, shapes: Sequence[str]) -> Iterator[int]:
    """Pairs in whose words one of the shapes is found."""
    shape = re.compile("|".join(shapes))
    table, after = tables.pairs, 0
    while True:
        query = sa.select(table.c.log_offset, table.c.messages, table.c.answer)
        query = query.where(table.c.log_offset > after).order_by(table.c.log_offset)
        rows = connection.execute(query.limit(_AT_ONCE)).all()
        yield from (row[0] for row in rows if shape.search(row[1]) or shape.search(row[2]))
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1][0]
