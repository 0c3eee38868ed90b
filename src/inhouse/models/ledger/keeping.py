"""Rows that nobody waits for: written together, within 50 ms and a commit.

Whoever answers from memory within a millisecond would spend most of it waiting for a disk. A
process that is told to stop writes them all; one that is killed loses those of the last 50 ms or
so. Where the ledger refuses rows, callers wait for theirs until it takes them again: what cannot be
metered is not answered.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.engine import Connection

from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.models.harvest.labels import add_labels
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.types import Attempt, Label
from inhouse.store.combining import Combined
from inhouse.store.database import Database

_MOST_WAITING: Final = 20_000  # about 10 MB; beyond them a caller waits for the disk
_LOG = logger("models")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is kept of one request."""

    attempt: Attempt
    labels: Sequence[Label] = field(default_factory=tuple)


def keep_all(connection: Connection, rows: Sequence[Kept]) -> list[None]:
    """Write rows in the caller's transaction."""
    append_attempts(connection, [kept.attempt for kept in rows])
    add_labels(connection, [label for kept in rows for label in kept.labels])
    return [None] * len(rows)


class Keeper:
    """Takes rows and writes them soon. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._rows: Combined[Kept, None] = Combined(
            database, keep_all, patient=True, heard=self._written
        )
        self._gate = threading.Lock()
        self._waiting = 0
        self._refused = False

    def keep(self, kept: Kept) -> "Future[None] | None":
        """Hand a row over. Returns what the caller has to wait for, None where nothing.

        Raises StoreError after the database's `close`.
        """
        with self._gate:
            self._waiting += 1
            must_wait = self._refused or self._waiting > _MOST_WAITING
        if must_wait:
            return self._rows.submit(kept)
        self._rows.hand_over(kept)
        return None

    def _written(self, count: int, error: Exception | None) -> None:
        with self._gate:
            self._waiting -= count
            news = error is not None and not self._refused
            self._refused = error is not None
        if news:
            reason = str(error) if isinstance(error, InhouseError) else type(error).__name__
            _LOG.error("ledger_rows_refused", reason=reason)
