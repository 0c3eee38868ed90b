"""The aggregates on disk, so that a new process does not read the log from its first event.

A checkpoint is a shortcut, never a truth. One that is torn, of another format or of another log is
passed over, and the log is read instead.
"""

import hashlib
import io
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from inhouse.core.files import write_atomically
from inhouse.engagement.aggregates import Aggregates
from inhouse.engagement.reading import event_id_at
from inhouse.store.database import Database

FORMAT: Final = 2
_DIGEST_BYTES: Final = 32
_TABLES: Final = ("person_days", "post_days", "sessions")


class _Saved(msgspec.Struct):
    """The whole file, behind its digest."""

    format: int
    log_offset: int
    change_offset: int
    event_id: str  # of the event at that offset
    people: list[str]
    posts: list[str]
    tables: dict[str, bytes]  # name -> Arrow file


def save(aggregates: Aggregates, database: Database, path: Path) -> None:
    """Write what is known so far; the file is whole or the old one stays. Raises StoreError."""
    event_id = event_id_at(database, aggregates.log_offset)
    if event_id is None:
        return
    saved = _Saved(
        format=FORMAT,
        log_offset=aggregates.log_offset,
        change_offset=aggregates.change_offset,
        event_id=event_id,
        people=aggregates.people.names,
        posts=aggregates.posts.names,
        tables={name: _packed(getattr(aggregates, name)) for name in _TABLES},
    )
    body = msgspec.msgpack.encode(saved)
    write_atomically(path, hashlib.sha256(body).digest() + body)


def load(database: Database, path: Path) -> Aggregates | None:
    """What the file knows; None where there is none that belongs to this log."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        saved = msgspec.msgpack.decode(body, type=_Saved)
    except msgspec.ValidationError:
        return None
    if saved.format != FORMAT or event_id_at(database, saved.log_offset) != saved.event_id:
        return None
    return _unpacked(saved)


def _unpacked(saved: _Saved) -> Aggregates:
    aggregates = Aggregates()
    aggregates.log_offset, aggregates.change_offset = saved.log_offset, saved.change_offset
    for codes, names in ((aggregates.people, saved.people), (aggregates.posts, saved.posts)):
        for name in names:
            codes.code(name)
    for name in _TABLES:
        setattr(aggregates, name, pl.read_ipc(io.BytesIO(saved.tables[name])))
    return aggregates


def _packed(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()
