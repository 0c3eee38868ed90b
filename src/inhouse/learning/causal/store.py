"""Causal models for the feed on disk: a file of weights each, and a small one that vouches for it.

The small file is written last, so a model is there whole or not at all. One that is torn or altered
is passed over for the newest good one, and the log says so once.
"""

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Final

from inhouse.core.errors import SnapshotError
from inhouse.core.files import sha256_of, write_atomically
from inhouse.core.ids import CausalId
from inhouse.core.logs import logger
from inhouse.learning.causal.beside import Beside, BesideFacts
from inhouse.learning.causal.serving import read_causal, write_causal

FORMAT: Final = 2  # 1 read no gaps between actions
_KEPT: Final = 2  # the newest, beside those that snapshots name
_WEIGHTS, _FACTS = ".safetensors", ".json"
_LOG = logger("causal")
_Stamp = tuple[tuple[int, int], ...] | None  # time and size of both files; None where one is gone


class CausalStore:
    """One folder of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[Beside, _Stamp] | None = None  # the one that was read last
        self._bad: dict[CausalId, _Stamp] = {}

    def ids(self) -> list[CausalId]:
        """Every published one, newest first, good or not."""
        names = (path.name.removesuffix(_FACTS) for path in self.folder.glob(f"[!.]*{_FACTS}"))
        return [CausalId(name) for name in sorted(names, reverse=True)]

    def publish(self, beside: Beside) -> None:
        """Write the weights, then what vouches for them. Raises StoreError."""
        weights = self._path(beside.causal_id, _WEIGHTS)
        write_causal(beside.weights, weights)
        told = {"format": FORMAT, "facts": asdict(beside.facts), "sha256": sha256_of(weights)}
        body = (json.dumps(told, indent=2) + "\n").encode()
        write_atomically(self._path(beside.causal_id, _FACTS), body)

    def load(self, causal_id: CausalId) -> Beside:
        """Read and check one; as long as its files stay as they are, it is read once.

        Raises SnapshotError that says what is wrong with it.
        """
        stamp = self._stamp(causal_id)
        if self._held is not None and self._held[0].causal_id == causal_id:
            if stamp is not None and self._held[1] == stamp:
                return self._held[0]
            self._held = None
        beside = self._read(causal_id)
        self._held = (beside, stamp)
        return beside

    def newest(self) -> Beside | None:
        """The newest that can be loaded; None where there is none."""
        for causal_id in self.ids():
            stamp = self._stamp(causal_id)
            if causal_id in self._bad and self._bad[causal_id] == stamp:
                continue
            try:
                return self.load(causal_id)
            except SnapshotError as error:
                if causal_id not in self._bad:
                    _LOG.error("causal_refused", causal=causal_id, reason=str(error))
                self._bad[causal_id] = stamp
        return None

    def prune(self, named: Collection[CausalId]) -> None:
        """Keep the newest and those named; what a killed process left behind goes too."""
        ids = self.ids()
        kept = {*ids[:_KEPT], *named}
        for path in self.folder.glob("*") if ids else ():
            causal_id = path.name.lstrip(".").partition(".")[0]
            if causal_id < ids[0] and causal_id not in kept:  # a younger one may be being written
                path.unlink(missing_ok=True)

    def _read(self, causal_id: CausalId) -> Beside:
        weights = self._path(causal_id, _WEIGHTS)
        try:
            told = json.loads(self._path(causal_id, _FACTS).read_text("utf-8"))
            facts, version = BesideFacts(**told["facts"]), told["format"]
            if sha256_of(weights) != told["sha256"]:
                raise SnapshotError(f"causal model {causal_id}: it is torn or was altered")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SnapshotError(f"causal model {causal_id}: it cannot be read") from error
        if version != FORMAT:
            raise SnapshotError(
                f"causal model {causal_id}: it is of another format than this version's"
                f" ({FORMAT}); train a new one"
            )
        return Beside(facts, read_causal(weights))

    def _stamp(self, causal_id: CausalId) -> _Stamp:
        try:
            both = [self._path(causal_id, part).stat() for part in (_WEIGHTS, _FACTS)]
        except OSError:
            return None
        return tuple((found.st_mtime_ns, found.st_size) for found in both)

    def _path(self, causal_id: CausalId, part: str) -> Path:
        return self.folder / f"{causal_id}{part}"
