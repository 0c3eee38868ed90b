"""A state on disk, so that a process starts from there and not from the first event ever.

A checkpoint is a shortcut, never a truth: it names the offsets it was folded to, and the log goes
on from them. One that is torn, of another format or newer than the log is passed over.

It is read where it lies on disk: columns are copied from there into their table, and people are
made one after the other. Read whole it would take the state's memory three times, and much of it
would stay with the process, in holes between what was kept.
"""

import hashlib
import mmap
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.files import write_atomically
from inhouse.core.ids import ItemId, UserId
from inhouse.features.items import COLUMNS, ItemTable, Names
from inhouse.features.people import EMPTY, SERVED_KEPT, History, Person
from inhouse.features.rows import Actions, Latest, RowSet
from inhouse.features.state import LiveState

FORMAT: Final = 6
_DIGEST_BYTES: Final = 32


class _Columns(msgspec.Struct, array_like=True):
    """One column: raw bytes of its first `count` rows."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


class _Someone(msgspec.Struct, array_like=True):
    """A person, without what says the same twice."""

    user_id: str
    seen: bytes  # int32 sorted
    recent: tuple[bytes, bytes, bytes, bytes]  # the columns of `Actions`
    served: bytes  # int32
    relations: tuple[list[int], list[int], list[int], list[int], list[int]]
    words: list[str]
    topics: tuple[int, ...]
    about: tuple[str | None, str | None, int | None, int, int, int, int]
    paused: bool


class _Saved(msgspec.Struct):
    """The whole file but for its digest."""

    format: int
    offsets: tuple[int, int, int, int]  # log, changes, pages, latest event's time
    ids: list[str]
    names: list[list[str]]  # creators, topics, languages, regions
    words: _Columns
    word_counts: _Columns
    columns: dict[str, _Columns]
    people: list[msgspec.Raw]  # each a `_Someone`


_SOMEONE: Final = msgspec.msgpack.Decoder(_Someone)


def save(state: LiveState, path: Path) -> None:
    """Write the state; the file is whole or the old one stays. Raises StoreError."""
    body = encode(state)
    write_atomically(path, hashlib.sha256(body).digest() + body)


def load(path: Path) -> LiveState | None:
    """The state in the file; None where there is none that can be used."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return decode(body) if hashlib.sha256(body).digest() == digest else None


def encode(state: LiveState) -> bytes:
    """The state as bytes."""
    table = state.items
    words, lengths = table.words()
    saved = _Saved(
        format=FORMAT,
        offsets=(state.log_offset, state.change_offset, state.page_offset, state.last_event_ms),
        ids=list(table.ids),
        names=[names.names for names in _name_lists(table)],
        words=_packed(words),
        word_counts=_packed(lengths),
        columns={name: _packed(getattr(table, name)[: table.count]) for name in COLUMNS},
        people=[
            msgspec.Raw(msgspec.msgpack.encode(_packed_person(person)))
            for person in state.people.values()
        ],
    )
    return msgspec.msgpack.encode(saved)


def decode(body: bytes | memoryview) -> LiveState | None:
    """The state again; None where the bytes are of another format."""
    try:
        saved = msgspec.msgpack.decode(body, type=_Saved)
        return _restored(saved) if saved.format == FORMAT else None
    except msgspec.MsgspecError:
        return None


def _restored(saved: _Saved) -> LiveState:
    state = LiveState()
    state.adopt(_restored_items(saved))
    for packed in saved.people:
        person = _person(_SOMEONE.decode(packed))
        state.people[person.user_id] = person
    state.log_offset, state.change_offset, state.page_offset, state.last_event_ms = saved.offsets
    return state


def _restored_items(saved: _Saved) -> ItemTable:
    count = len(saved.ids)
    table = ItemTable(capacity=max(1024, count + count // 4))
    for names, known in zip(_name_lists(table), saved.names, strict=True):
        for name in known:
            names.code(name)
    words, lengths = _unpacked(saved.words).copy(), _unpacked(saved.word_counts).copy()
    table.restore([ItemId(item_id) for item_id in saved.ids], (words, lengths))
    for name in COLUMNS:
        getattr(table, name)[:count] = _unpacked(saved.columns[name])
    return table


def _name_lists(table: ItemTable) -> tuple[Names, Names, Names, Names]:
    return table.creators, table.topic_names, table.languages, table.regions


def _packed(array: NDArray[Any]) -> _Columns:
    whole = np.ascontiguousarray(array)
    return _Columns(dtype=array.dtype.str, shape=array.shape, data=whole.reshape(-1).view("B").data)


def _unpacked(column: _Columns) -> NDArray[Any]:
    return np.frombuffer(column.data, dtype=np.dtype(column.dtype)).reshape(column.shape)


def _packed_person(person: Person) -> _Someone:
    recent = person.recent.latest()
    relations = (
        person.follows,
        person.muted_creators,
        person.blocked_creators,
        person.blocked_by,
        person.muted_topics,
    )
    follows, muted, blocked, blocked_by, topics = (sorted(members) for members in relations)
    return _Someone(
        user_id=person.user_id,
        seen=person.seen.rows().tobytes(),
        recent=(
            recent.items.tobytes(),
            recent.kinds.tobytes(),
            recent.at_ms.tobytes(),
            recent.values.tobytes(),
        ),
        served=person.served.rows().tobytes(),
        relations=(follows, muted, blocked, blocked_by, topics),
        words=sorted(person.muted_words),
        topics=person.topics,
        about=(
            person.region,
            person.language,
            person.birth_year,
            person.created_ms,
            person.first_ms,
            person.last_ms,
            person.pages,
        ),
        paused=person.paused,
    )


def _person(someone: _Someone) -> Person:
    region, language, birth_year, created_ms, first_ms, last_ms, pages = someone.about
    items, kinds, at_ms, values = someone.recent
    follows, muted, blocked, blocked_by, muted_topics = (
        frozenset(members) or EMPTY for members in someone.relations
    )
    return Person(
        user_id=UserId(someone.user_id),
        seen=RowSet(np.frombuffer(someone.seen, dtype=np.int32)),
        recent=History(
            Actions(
                items=np.frombuffer(items, dtype=np.int32),
                kinds=np.frombuffer(kinds, dtype=np.int8),
                at_ms=np.frombuffer(at_ms, dtype=np.int64),
                values=np.frombuffer(values, dtype=np.float32),
            )
        ),
        served=Latest(SERVED_KEPT, np.frombuffer(someone.served, dtype=np.int32).tolist()),
        follows=follows,
        muted_creators=muted,
        blocked_creators=blocked,
        blocked_by=blocked_by,
        muted_topics=muted_topics,
        muted_words=frozenset(someone.words) or EMPTY,
        topics=someone.topics,
        region=region,
        language=language,
        birth_year=birth_year,
        created_ms=created_ms,
        first_ms=first_ms,
        last_ms=last_ms,
        pages=pages,
        paused=someone.paused,
    )
