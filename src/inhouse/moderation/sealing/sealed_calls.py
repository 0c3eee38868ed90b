"""A call's picture that a bank knows as sexual abuse of children: sealed, though there is no post.

Whoever asks about a picture has no post here yet that could be removed. What the call held of it is
moved into the vault all the same: its words, which key asked, when, and where the picture is, or
the picture itself where it came with the call and lies nowhere else that is known of. The duties
are those of a sealed post (`recording.sealed`), and are told in the same places.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.moderation.sealing.vault import Vault
from inhouse.store import chain, tables
from inhouse.store.database import Database

# The ids of what calls brought begin so; ids from outside hold no comma.
CALL: Final = "call,"
SIGHTING: Final = "sighting"  # in the audit chain: a call showed it, for the first time or again
_SHOWN: Final = 32  # hex digits of the hash that an id holds


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What a call held."""

    source: str  # `hashes:BANK`
    key_id: str  # whose call it was
    text: str  # the words beside the picture
    address: str  # the picture's, or `data:` with the picture itself
    md5: str  # of the file, hex
    sha256: str  # of the file, hex


def seal_sighting(connection: Connection, vault: Vault, seen: Sighting, now_ms: int) -> str:
    """Seal it in the caller's transaction; returns the id that lists show. The very same call once
    more, while nobody has reported it yet, is noted and not sealed again."""
    content = msgspec.json.encode(seen)
    content_hash = hashlib.sha256(content).hexdigest()
    table, name = tables.sealed, CALL + content_hash[:_SHOWN]
    same = table.c.content_hash == content_hash
    before = connection.execute(sa.select(table.c.item_id, table.c.reported_ms).where(same)).all()
    open_ = next((row.item_id for row in before if row.reported_ms is None), None)
    sealed_id = open_ or (f"{name}.{len(before) + 1}" if before else name)
    if open_ is None:
        row = {
            "item_id": sealed_id,
            "at_ms": now_ms,
            "source": seen.source,
            "content_hash": content_hash,
            "content": vault.lock(msgspec.json.encode({"at_ms": now_ms, **_told(seen)})),
        }
        connection.execute(table.insert(), row)
    told: dict[str, object] = {"source": seen.source, "again": open_ is not None}
    entry = chain.Entry(
        at_ms=now_ms, what=SIGHTING, actor="rule:sealed", item_id=sealed_id, details=told
    )
    chain.append(connection, [entry])
    return sealed_id


def seal_now(database: Database, vault: Vault, clock: Clock, seen: Sighting) -> str:
    """`seal_sighting` in a transaction of its own."""
    now_ms = clock.now_ms()
    return database.write(lambda connection: seal_sighting(connection, vault, seen, now_ms))


def is_of_call(column: "sa.ColumnElement[str]") -> "sa.ColumnElement[bool]":
    """Whether a sealed row is of a call, and of no post."""
    return column.startswith(CALL, autoescape=True)


def _told(seen: Sighting) -> dict[str, object]:
    told: dict[str, object] = msgspec.to_builtins(seen)
    return told
