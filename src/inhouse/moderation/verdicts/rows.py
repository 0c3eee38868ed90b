"""Verdicts in the store: appended, never edited; the latest of an item counts."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import tell
from inhouse.core.ids import ItemId
from inhouse.moderation.types import Evidence, Hit, Label, PersonCall, Verdict
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.prepared import Prepared

_CHUNK = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    """What the column `labels` holds, as JSON."""

    text: str
    labels: tuple[Label, ...]
    signals: Mapping[str, int]
    hits: tuple[Hit, ...] = ()
    person: PersonCall | None = None
    reader: str | None = None
    removed_by: str | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Body)
_COLUMNS = tables.verdicts.c
_NEWEST = (
    sa.select(sa.func.max(_COLUMNS.log_offset))
    .where(_COLUMNS.item_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(_COLUMNS.item_id)
)
_LATEST = Prepared(sa.select(tables.verdicts).where(_COLUMNS.log_offset.in_(_NEWEST)))


class Verdicts:
    """Reads of the verdicts of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self, item_ids: Iterable[str]) -> dict[ItemId, Verdict]:
        """The verdict that counts, of those items that have one."""
        with self._database.read() as connection:
            return latest_verdicts(connection, item_ids)

    def history(self, item_id: str) -> list[Verdict]:
        """Every verdict of an item, oldest first."""
        with self._database.read() as connection:
            return verdict_history(connection, item_id)

    def read(self, after: int, limit: int = 10_000) -> list[Verdict]:
        """Verdicts behind an offset, in order: of an item read twice the later one counts."""
        table = tables.verdicts
        query = (
            sa.select(table)
            .where(table.c.log_offset > after)
            .order_by(table.c.log_offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [verdict_of_row(row) for row in connection.execute(query)]

    def read_all(self, after: int = 0, chunk: int = 10_000) -> Iterator[list[Verdict]]:
        """The whole rest in chunks."""
        while batch := self.read(after, chunk):
            yield batch
            after = batch[-1].log_offset


def append_verdicts(connection: Connection, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts and the news of them, in the caller's transaction."""
    if not verdicts:
        return
    connection.execute(tables.verdicts.insert(), [_row(verdict) for verdict in verdicts])
    tell(connection, "verdict", [verdict.item_id for verdict in verdicts])


def verdict_history(connection: Connection, item_id: str) -> list[Verdict]:
    """As `Verdicts.history`, in the caller's transaction."""
    table = tables.verdicts
    query = sa.select(table).where(table.c.item_id == item_id).order_by(table.c.log_offset)
    return [verdict_of_row(row) for row in connection.execute(query)]


def latest_verdicts(connection: Connection, item_ids: Iterable[str]) -> dict[ItemId, Verdict]:
    """As `Verdicts.latest`, in the caller's transaction."""
    wanted = list(item_ids)
    found: dict[ItemId, Verdict] = {}
    for start in range(0, len(wanted), _CHUNK):
        rows = _LATEST.run(connection, ids=wanted[start : start + _CHUNK])
        found.update({verdict.item_id: verdict for verdict in map(verdict_of_row, rows)})
    return found


def latest_offsets(connection: Connection, item_ids: Sequence[str]) -> dict[ItemId, int]:
    """Where the verdicts that count lie, of those items that have one."""
    table = tables.verdicts
    found: dict[ItemId, int] = {}
    for start in range(0, len(item_ids), _CHUNK):
        query = (
            sa.select(table.c.item_id, sa.func.max(table.c.log_offset))
            .where(table.c.item_id.in_(item_ids[start : start + _CHUNK]))
            .group_by(table.c.item_id)
        )
        found.update((ItemId(item_id), at) for item_id, at in connection.execute(query))
    return found


def with_person(verdict: Verdict, call: PersonCall) -> Verdict:
    """The same evidence under a person's call."""
    return dataclasses.replace(
        verdict,
        evidence=dataclasses.replace(verdict.evidence, person=call),
        decided_by=f"person:{call.name}",
    )


def evidence_key(verdict: Verdict) -> str:
    """Names the evidence: 16 hex digits, the same with and without the places in the text."""
    return hashlib.blake2b(_ENCODER.encode(verdict.evidence), digest_size=8).hexdigest()


def without_text(labels: str) -> str:
    """The column `labels` of a verdict without the places in the text it speaks of."""
    body = dataclasses.replace(_DECODER.decode(labels), hits=())
    return _ENCODER.encode(body).decode()


def _row(verdict: Verdict) -> dict[str, Any]:
    body = _Body(
        text=verdict.text_key,
        labels=verdict.evidence.labels,
        signals=verdict.evidence.signals,
        hits=verdict.hits,
        person=verdict.evidence.person,
        reader=verdict.reader_version,
        removed_by=verdict.removed_by,
    )
    return {
        "item_id": verdict.item_id,
        "at_ms": verdict.at_ms,
        "labels": _ENCODER.encode(body).decode(),
        "decided_by": verdict.decided_by,
        "policy_version": verdict.policy_version,
        "model_version": verdict.model_version,
        "note": verdict.note,
    }


def verdict_of_row(row: Any) -> Verdict:
    """A verdict from a row of its table."""
    body = _DECODER.decode(row.labels)
    return Verdict(
        item_id=ItemId(row.item_id),
        at_ms=row.at_ms,
        text_key=body.text,
        evidence=Evidence(labels=body.labels, signals=body.signals, person=body.person),
        hits=body.hits,
        decided_by=row.decided_by,
        policy_version=row.policy_version,
        model_version=row.model_version,
        note=row.note,
        reader_version=body.reader,
        removed_by=body.removed_by,
        log_offset=row.log_offset,
    )
