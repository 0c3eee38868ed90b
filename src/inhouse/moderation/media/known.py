"""What a process knows of the banks: kept up to date with the store, and asked about media."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.moderation.media.banks import all_banks
from inhouse.moderation.media.index import Entry, HashIndex, Near
from inhouse.moderation.media.match import evidence_of
from inhouse.moderation.media.pdq import BYTES
from inhouse.moderation.media.types import HashBank, MediaHashes
from inhouse.moderation.types import MediaEvidence
from inhouse.store import tables
from inhouse.store.database import Database

_LOOK_EVERY_S: Final = 1.0
_AT_ONCE: Final = 20_000


class KnownHashes:
    """One community's banks in memory. What others change is heard within a second or two."""

    def __init__(self, database: Database, folder: Path) -> None:
        """folder: where the index of hashes lies."""
        self._database = database
        self._folder = folder
        self._index: HashIndex | None = None
        self._banks: dict[int, HashBank] = {}
        self._looked_s = -_LOOK_EVERY_S

    def are_there(self) -> bool:
        """Whether there is any bank that counts."""
        self.refresh()
        return any(bank.spec.active for bank in self._banks.values())

    def categories(self) -> frozenset[str]:
        """What banks that count speak of, as of the last look."""
        counting = (bank.spec for bank in self._banks.values() if bank.spec.active)
        return frozenset(spec.category for spec in counting if spec.category and spec.share)

    def evidence(self, media: MediaHashes) -> MediaEvidence:
        """What the banks say of a file. Raises StoreError."""
        self.refresh()
        reach = max(
            (b.spec.distance for b in self._banks.values() if b.spec.kind == "pdq"), default=0
        )
        index = self._index
        return evidence_of(
            media.frames,
            self._same_file(media),
            self._banks,
            lambda frame: index.find(frame.pdq, reach) if index is not None else [],
        )

    def refresh(self, *, now: bool = False) -> None:
        """Hear what changed, at most once a second unless `now`. Raises StoreError."""
        if not now and time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        with self._database.read() as connection:
            self._banks = all_banks(connection)
            if any(bank.spec.kind == "pdq" for bank in self._banks.values()):
                self._index = self._caught_up(connection, self._index)
        self._looked_s = time.monotonic()

    def _caught_up(self, connection: Connection, index: HashIndex | None) -> HashIndex:
        if index is None:
            index = HashIndex(self._folder)
            if index.through == 0:
                _load_all(connection, index)
        for rows in _changed(connection, index.through):
            index.apply((_entry(row) for row in rows if _is_pdq(row)), rows[-1].change)
        if index.is_due():
            # Read anew: what was made a moment ago may have hashes among those just read.
            index.fold(all_banks(connection))
        return index

    def _same_file(self, media: MediaHashes) -> list[Near]:
        exact = [b.bank_id for b in self._banks.values() if b.spec.kind != "pdq"]
        if not exact:
            return []
        table = tables.bank_hashes
        query = sa.select(table.c.hash_id, table.c.bank_id).where(
            table.c.hash.in_((media.md5, media.sha256)),
            table.c.state == "active",
            table.c.bank_id.in_(exact),
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Near(hash_id=row.hash_id, bank=row.bank_id, distance=0) for row in rows]


def _changed(connection: Connection, after: int) -> Iterator[Sequence[Any]]:
    """Rows behind a change, in order, in parts."""
    table = tables.bank_hashes
    while True:
        query = (
            sa.select(table.c.hash_id, table.c.bank_id, table.c.hash, table.c.state, table.c.change)
            .where(table.c.change > after)
            .order_by(table.c.change)
            .limit(_AT_ONCE)
        )
        rows = connection.execute(query).all()
        if not rows:
            return
        yield rows
        after = rows[-1].change


def _is_pdq(row: Any) -> bool:
    """By its length; the few digests of files that are as long belong to banks of another kind,
    which no frame is held against."""
    return len(row.hash) == BYTES


def _load_all(connection: Connection, index: HashIndex) -> None:
    """Fill an empty index with all there is."""
    bits: list[bytes] = []
    facts = [np.empty((0, 2), np.int64)]  # of each hash its number and its bank's
    through = 0
    for rows in _changed(connection, 0):
        active = [row for row in rows if row.state == "active" and _is_pdq(row)]
        bits += [b"".join(bytes(row.hash) for row in active)]
        numbers = [(row.hash_id, row.bank_id) for row in active]
        facts.append(np.array(numbers, np.int64).reshape(-1, 2))
        through = rows[-1].change
    hashes = np.frombuffer(b"".join(bits), np.uint64).reshape(-1, 4)
    ids, banks = np.concatenate(facts).T
    order = np.argsort(ids)
    index.load(hashes[order], ids[order], banks[order].astype(np.int32), through)


def _entry(row: Any) -> Entry:
    return Entry(
        hash_id=row.hash_id,
        bank=row.bank_id,
        bits=bytes(row.hash),
        active=row.state == "active",
    )
