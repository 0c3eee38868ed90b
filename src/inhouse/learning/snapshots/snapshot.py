"""Snapshots: a trained model as a folder of files, whole or absent, and checked when read."""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from inhouse.core.errors import SnapshotError, StoreError
from inhouse.core.files import sha256_of, sync_folder, write_atomically
from inhouse.core.ids import CausalId, ItemId, SnapshotId, new_id
from inhouse.core.logs import logger
from inhouse.core.tensors import tensor_bytes
from inhouse.features.candidate_kernels import products
from inhouse.features.history import HistoryArrays
from inhouse.features.items import ItemTable
from inhouse.learning.causal.beside import Beside
from inhouse.learning.causal.store import CausalStore
from inhouse.learning.encoding import empty_histories, encode_history
from inhouse.learning.head.arrays import HeadWeights, Predictions, predict
from inhouse.learning.snapshots.manifest import manifest_of, read_manifest
from inhouse.learning.taste.arrays import Floats, TasteWeights, item_vectors, person_vectors
from inhouse.learning.taste.deltas import (
    Delta,
    decode_delta,
    delta_name,
    encode_delta,
    packed_names,
    unpacked_names,
)

_MANIFEST: Final = "manifest.json"
_TASTE: Final = "taste.safetensors"
_HEAD: Final = "head.safetensors"
_MEMORY: Final = "memory.safetensors"
_PART: Final = ".part-"
_CAUSAL: Final = "causal"  # a folder beside the snapshots'
_ROOM: Final = 4  # a part of what there is
_AT_ONCE: Final = 65_536  # items placed in one product, so that a million need little beside them
_LOG = logger("snapshots")


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotFacts:
    """What a snapshot says of itself; `manifest.json` beside the digests of its files."""

    snapshot_id: SnapshotId  # sorts by time of publication
    created_ms: int  # by the learner's clock
    log_offset: int  # trained on events up to here
    page_offset: int  # joined with pages up to here
    watermark_ms: int  # pages that had matured by then were learned from
    metrics: dict[str, float] = field(default_factory=dict)  # measured before learning
    causal: CausalId | None = None  # the causal model that serves beside it


class TasteSnapshot:
    """A model to serve from. Not thread-safe: vectors are extended and changed in place."""

    def __init__(
        self,
        facts: SnapshotFacts,
        taste: TasteWeights,
        head: HeadWeights | None,
        beside: Beside | None = None,
    ) -> None:
        """beside: whose numbers follow those of the taste model in each vector."""
        self.facts = replace(facts, causal=None if beside is None else beside.causal_id)
        self.head, self.beside = head, beside
        self.sequence = 0  # of the latest delta applied
        self.log_offset = facts.log_offset  # its rows have learned from events up to here
        self._names = list(taste.item_ids)
        self._rows = {item_id: row for row, item_id in enumerate(taste.item_ids)}
        self._ids = taste.id_part  # [at least rows, d]
        self._dense = replace(taste, item_ids=(), id_part=taste.id_part[:0])
        self._own = taste.shape.dims  # of the numbers of a vector, the first
        self._vectors: Floats = np.zeros((0, self.dims), dtype=np.float32)
        self._count = 0
        self._table: ItemTable | None = None

    @property
    def taste(self) -> TasteWeights:
        """Everything learned, deltas included."""
        count = len(self._names)
        return replace(self._dense, item_ids=tuple(self._names), id_part=self._ids[:count].copy())

    @property
    def dense(self) -> TasteWeights:
        """The same without any row."""
        return self._dense

    @property
    def snapshot_id(self) -> SnapshotId:
        """Logged with every page it ranked."""
        return self.facts.snapshot_id

    @property
    def dims(self) -> int:
        """Length of the vectors."""
        return self._own if self.beside is None else self._own + self.beside.dims

    @property
    def has_head(self) -> bool:
        """Whether `predict` may be asked."""
        return self.head is not None

    def item_vectors(self, items: ItemTable) -> Floats:
        """float32[items.count, d], row i for item i of the table, new items by their content.

        Rows already computed are kept, so an edited post moves with the next snapshot. The array
        is a view that the next call may extend.
        """
        if items is not self._table:
            self._table, self._count = items, 0
        if items.count > self._count:
            self.extend(items)
        return self._vectors[: self._count]

    def extend(self, items: ItemTable) -> None:
        """Compute the vectors of the rows added to the table since the last call."""
        start, stop = self._count, items.count
        if stop > len(self._vectors):
            # Room from the start, so that the first post that comes copies nothing: untouched rows
            # take no memory, and a million vectors half a second.
            grown = np.zeros((stop + stop // _ROOM + 1_024, self.dims), dtype=np.float32)
            grown[:start] = self._vectors[:start]
            self._vectors = grown
        for first in range(start, stop, _AT_ONCE):
            part = slice(first, min(first + _AT_ONCE, stop))
            self._vectors[part] = self._placed(items.ids[part], items.content[part])
        self._count = stop

    def apply(self, delta: Delta) -> NDArray[np.int32]:
        """Put newer rows in place. Raises SnapshotError where it is not the next of this snapshot.

        Nothing is changed then. Vectors that `item_vectors` gave out change with it; returned are
        the rows of its table where they did.
        """
        facts = delta.facts
        if facts.base != self.snapshot_id or facts.sequence != self.sequence + 1:
            raise SnapshotError(
                f"delta {facts.sequence} of {facts.base} does not follow delta {self.sequence} "
                f"of {self.snapshot_id}"
            )
        if delta.rows.shape[1] != self._own:
            raise SnapshotError(f"delta {facts.sequence} has rows of {delta.rows.shape[1]} numbers")
        rows = np.array([self._row(name) for name in delta.item_ids], dtype=np.int64)
        self._reserve(len(self._names))
        self._ids[rows] = delta.rows
        self.sequence, self.log_offset = facts.sequence, facts.log_offset
        if self._table is None:
            return np.empty(0, dtype=np.int32)
        return self._move(self._table, delta.item_ids)

    def _row(self, item_id: ItemId) -> int:
        """The item's row, a new one if need be."""
        row = self._rows.get(item_id)
        if row is None:
            row = self._rows[item_id] = len(self._names)
            self._names.append(item_id)
        return row

    def _reserve(self, rows: int) -> None:
        """Have room for so many rows, in memory that is this snapshot's own."""
        if rows > len(self._ids) or not self._ids.flags.writeable:
            grown = np.zeros((max(rows, 2 * len(self._ids)), self._own), dtype=np.float32)
            grown[: len(self._ids)] = self._ids
            self._ids = grown

    def _move(self, items: ItemTable, names: Sequence[ItemId]) -> NDArray[np.int32]:
        """Compute anew the vectors that were computed already of these items; their rows."""
        places = [items.index[name] for name in names if name in items.index]
        moved = np.array([place for place in places if place < self._count], dtype=np.int32)
        if len(moved):
            self._vectors[moved, : self._own] = self._by_taste(
                [items.ids[place] for place in moved.tolist()], items.content[moved]
            )
        return moved

    def _placed(self, names: Sequence[ItemId], content: Floats) -> Floats:
        """float32[n, d]: where items lie."""
        own = self._by_taste(names, content)
        if self.beside is None:
            return own
        return np.concatenate([own, self.beside.placed(names, content)], axis=1)

    def _by_taste(self, names: Sequence[ItemId], content: Floats) -> Floats:
        """The first numbers of their vectors, by their rows and their content."""
        rows = np.array([self._rows.get(name, -1) for name in names], dtype=np.int64)
        held = np.flatnonzero(rows >= 0)
        own = np.full(len(rows), -1, dtype=np.int64)
        own[held] = np.arange(len(held))
        part = replace(
            self._dense,
            item_ids=tuple(names[place] for place in held.tolist()),
            id_part=self._ids[rows[held]],
        )
        return item_vectors(part, own, content)

    def warm_up(self) -> None:
        """Have what a person's vector needs compiled before somebody waits for one."""
        nobody = empty_histories(1, self._dense.shape.length)
        person_vectors(self._dense, self._vectors[: self._count, : self._own], nobody)

    def user_vector(self, history: HistoryArrays) -> Floats:
        """float32[d]. Actions on items that `item_vectors` has not met yet are passed over."""
        encoded = encode_history(history, self._dense.shape.length)
        known = self._vectors[: self._count]
        vector: Floats = person_vectors(self._dense, known[:, : self._own], encoded)[0]
        if self.beside is None:
            return vector
        further = self.beside.person(known[:, self._own :], history, self._table)
        return self.beside.joined(vector, further)

    def scores(self, items: ItemTable, history: HistoryArrays, rows: NDArray[np.int32]) -> Floats:
        """float32[n]: dot products of person and items, 0 for a person without history."""
        vectors = self.item_vectors(items)
        if history.count == 0:
            return np.zeros(len(rows), dtype=np.float32)
        return products(vectors, rows, self.user_vector(history))

    def predict(self, features: Floats) -> Predictions:
        """For float32[n, F] in the order of FEATURE_NAMES. Raises SnapshotError without a head."""
        if self.head is None:
            raise SnapshotError(
                f"snapshot {self.snapshot_id} has no head; ask `has_head` before `predict`"
            )
        return predict(self.head, features)


class SnapshotStore:
    """Snapshots in one folder, each a folder of its own. Publishing is one rename."""

    def __init__(self, folder: Path, *, kept: int = 5) -> None:
        self.folder = folder
        self._kept = kept
        self._good: set[SnapshotId] = set()
        self._bad: set[SnapshotId] = set()
        self._bad_deltas: set[tuple[SnapshotId, int]] = set()
        self.causal = CausalStore(folder / _CAUSAL)

    def ids(self) -> list[SnapshotId]:
        """Every published snapshot, newest first, good or not."""
        if not self.folder.is_dir():
            return []
        names = {path.name for path in self.folder.iterdir() if path.is_dir()} - {_CAUSAL}
        return [SnapshotId(name) for name in sorted(names, reverse=True) if _PART not in name]

    def current(self) -> SnapshotId | None:
        """The newest snapshot that can be loaded; None where there is none.

        One that is torn, altered or of another shape is passed over, and the log says so once.
        """
        for snapshot_id in self.ids():
            if snapshot_id in self._good:
                return snapshot_id
            if snapshot_id not in self._bad and self._is_good(snapshot_id):
                return snapshot_id
        return None

    def load(self, snapshot_id: SnapshotId) -> TasteSnapshot:
        """Read and check one. Raises SnapshotError that says what is wrong with it."""
        facts, files = self._manifest(snapshot_id)
        arrays = self._tensors(snapshot_id, _TASTE, files)
        names = arrays.pop("item_ids", None)
        if names is None:
            raise SnapshotError(f"snapshot {snapshot_id}: {_TASTE} names no items")
        taste = _build(TasteWeights, arrays, snapshot_id, item_ids=unpacked_names(names))
        head = None
        if _HEAD in files:
            head = _build(HeadWeights, self._tensors(snapshot_id, _HEAD, files), snapshot_id)
        beside = None if facts.causal is None else self.causal.load(facts.causal)
        return TasteSnapshot(facts, taste, head, beside)

    def load_current(self) -> TasteSnapshot | None:
        """The newest one that can be loaded, with its deltas."""
        snapshot = self.load_newer(None)
        if snapshot is not None:
            self.bring_up(snapshot)
        return snapshot

    def load_newer(self, than: SnapshotId | None) -> TasteSnapshot | None:
        """The newest one that can be loaded, without its deltas; None where none is newer.

        Whoever serves from one keeps it in memory when it is deleted or altered, rather than go
        back to an older one. One that breaks while it is read is passed over.
        """
        while (current := self.current()) is not None and (than is None or current > than):
            try:
                return self.load(current)
            except SnapshotError as error:
                self._refuse(current, error)
        return None

    def bring_up(self, snapshot: TasteSnapshot) -> NDArray[np.int32]:
        """Apply the deltas that the snapshot has not yet, in their order; rows whose vectors moved.

        It stops before one that is torn, altered or missing, and the log says so once.
        """
        moved = [np.empty(0, dtype=np.int32)]
        while (delta := self._next_delta(snapshot)) is not None:
            try:
                moved.append(snapshot.apply(delta))
            except SnapshotError as error:
                self._refuse_delta(snapshot, str(error))
                break
        return np.unique(np.concatenate(moved))

    def publish_delta(self, delta: Delta) -> None:
        """Show what changed, whole or not at all. Raises StoreError."""
        folder = self.folder / delta.facts.base
        if not folder.is_dir():
            raise StoreError(f"cannot publish to {folder}: the snapshot it changes is gone")
        write_atomically(folder / delta_name(delta.facts.sequence), encode_delta(delta))

    def _next_delta(self, snapshot: TasteSnapshot) -> Delta | None:
        folder = self.folder / snapshot.snapshot_id
        sequence = snapshot.sequence + 1
        try:
            return decode_delta((folder / delta_name(sequence)).read_bytes())
        except SnapshotError as error:
            self._refuse_delta(snapshot, str(error))
        except FileNotFoundError:
            later = [path.name for path in folder.glob("delta-*.bin")]
            if later and max(later) > delta_name(sequence):
                self._refuse_delta(snapshot, f"{max(later)} is there but not the one before it")
        except OSError as error:
            self._refuse_delta(snapshot, str(error))
        return None

    def _refuse_delta(self, snapshot: TasteSnapshot, reason: str) -> None:
        refused = (snapshot.snapshot_id, snapshot.sequence + 1)
        if refused not in self._bad_deltas:
            self._bad_deltas.add(refused)
            _LOG.error("delta_refused", snapshot=refused[0], sequence=refused[1], reason=reason)

    def memory(self, snapshot_id: SnapshotId) -> dict[str, NDArray[Any]]:
        """What the learner rehearses from, as it was published; serving never reads it."""
        _, files = self._manifest(snapshot_id)
        return self._tensors(snapshot_id, _MEMORY, files) if _MEMORY in files else {}

    def publish(
        self, snapshot: TasteSnapshot, memory: Mapping[str, NDArray[Any]] | None = None
    ) -> SnapshotId:
        """Write a snapshot whole, then show it by a rename; prune the oldest. Raises StoreError."""
        files = {
            _TASTE: tensor_bytes(
                {**snapshot.taste.arrays(), "item_ids": packed_names(snapshot.taste.item_ids)}
            )
        }
        if snapshot.head is not None:
            files[_HEAD] = tensor_bytes(snapshot.head.arrays())
        if memory:
            files[_MEMORY] = tensor_bytes(memory)
        part = self.folder / f"{_PART}{snapshot.snapshot_id}-{os.getpid()}"
        try:
            for name, data in files.items():
                write_atomically(part / name, data)
            digests = {name: sha256_of(part / name) for name in files}
            facts = {name: getattr(snapshot.facts, name) for name in SnapshotFacts.__slots__}
            write_atomically(part / _MANIFEST, manifest_of(facts, digests))
            part.rename(self.folder / snapshot.snapshot_id)
            sync_folder(self.folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise StoreError(
                f"cannot publish to {self.folder}: {error.strerror}; free space or fix permissions"
            ) from error
        self._prune()
        return snapshot.snapshot_id

    def publish_causal(self, beside: Beside) -> CausalId:
        """Show a causal model, whole or not at all, for the snapshots to come. Raises StoreError.

        Causal models that nothing needs any more go.
        """
        self.causal.publish(beside)
        self.causal.prune(self._named())
        return beside.causal_id

    def _named(self) -> set[CausalId]:
        """The causal models that snapshots serve with."""
        found: set[CausalId] = set()
        for snapshot_id in self.ids():
            with contextlib.suppress(SnapshotError):
                facts, _ = self._manifest(snapshot_id)
                found |= set() if facts.causal is None else {facts.causal}
        return found

    def forget(self, page_ms: Sequence[int]) -> int:
        """Take impressions of pages served at these moments out of every snapshot's memory.

        Returns how many went. A process that dies in between leaves a memory that its reader
        refuses, or a part of the snapshots as they were; doing it again goes on.
        """
        gone = np.array(page_ms, dtype=np.int64)
        return sum(self._forget_in(snapshot_id, gone) for snapshot_id in self.ids())

    def _forget_in(self, snapshot_id: SnapshotId, gone: NDArray[np.int64]) -> int:
        try:
            arrays = self.memory(snapshot_id)
            told = json.loads((self.folder / snapshot_id / _MANIFEST).read_text("utf-8"))
        except (SnapshotError, OSError):
            return self._without_memory(snapshot_id)
        if not arrays:
            return 0
        kept = ~np.isin(arrays["at_ms"], gone)
        if not kept.all():
            path = self.folder / snapshot_id / _MEMORY
            write_atomically(path, tensor_bytes({n: part[kept] for n, part in arrays.items()}))
            told["files"][_MEMORY] = sha256_of(path)
            body = (json.dumps(told, indent=2) + "\n").encode()
            write_atomically(self.folder / snapshot_id / _MANIFEST, body)
        return int(np.count_nonzero(~kept))

    def _without_memory(self, snapshot_id: SnapshotId) -> int:
        """A memory that cannot be read may hold anybody."""
        (self.folder / snapshot_id / _MEMORY).unlink(missing_ok=True)
        return 0

    def _prune(self) -> None:
        """Keep the newest, and the newest good one whatever its age; drop torn publications."""
        good = self.current()
        for snapshot_id in self.ids()[self._kept :]:
            if snapshot_id != good:
                shutil.rmtree(self.folder / snapshot_id, ignore_errors=True)
        for path in self.folder.iterdir():
            if _PART in path.name and not path.name.endswith(f"-{os.getpid()}"):
                shutil.rmtree(path, ignore_errors=True)
        self.causal.prune(self._named())

    def _is_good(self, snapshot_id: SnapshotId) -> bool:
        try:
            self.load(snapshot_id)
        except SnapshotError as error:
            self._refuse(snapshot_id, error)
            return False
        self._good.add(snapshot_id)
        return True

    def _refuse(self, snapshot_id: SnapshotId, error: SnapshotError) -> None:
        self._good.discard(snapshot_id)
        self._bad.add(snapshot_id)
        _LOG.error("snapshot_refused", snapshot=snapshot_id, reason=str(error))

    def _manifest(self, snapshot_id: SnapshotId) -> tuple[SnapshotFacts, dict[str, str]]:
        found, files = read_manifest(self.folder / snapshot_id / _MANIFEST)
        try:
            return SnapshotFacts(**found), files
        except TypeError as error:
            raise SnapshotError(f"snapshot {snapshot_id}: cannot read its manifest") from error

    def _tensors(
        self, snapshot_id: SnapshotId, name: str, files: Mapping[str, str]
    ) -> dict[str, NDArray[Any]]:
        path = self.folder / snapshot_id / name
        try:
            if sha256_of(path) != files.get(name):
                raise SnapshotError(f"snapshot {snapshot_id}: {name} is torn or was altered")
            return dict(load_tensors(path.read_bytes()))
        except (OSError, SafetensorError) as error:
            raise SnapshotError(f"snapshot {snapshot_id}: cannot read {name}") from error


def with_beside(snapshot: TasteSnapshot, beside: Beside | None, created_ms: int) -> TasteSnapshot:
    """The same weights, deltas included, as a snapshot with another causal model or with none.

    What the head learned is still what the old one says, so its memory goes with the new one.
    """
    facts = replace(
        snapshot.facts,
        snapshot_id=new_snapshot_id(),
        created_ms=created_ms,
        log_offset=snapshot.log_offset,
    )
    return TasteSnapshot(facts, snapshot.taste, snapshot.head, beside)


def new_snapshot_id() -> SnapshotId:
    """Sorts after every earlier one of this machine."""
    return SnapshotId(new_id("snap"))


def _build(
    kind: type[Any], arrays: Mapping[str, NDArray[Any]], snapshot_id: SnapshotId, **more: object
) -> Any:
    """The weights, or SnapshotError where an array is missing, unknown or of a wrong type."""
    try:
        return kind(**arrays, **more)
    except (TypeError, IndexError) as error:
        raise SnapshotError(f"snapshot {snapshot_id}: holds other arrays than expected") from error
