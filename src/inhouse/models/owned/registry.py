"""The trained models of one community: rows in the store, files in the models folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from inhouse.core.errors import UnknownError
from inhouse.models.owned.files import load_text_model
from inhouse.models.owned.text import TextClassifier
from inhouse.models.types import ModelCard
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A trained model that may be routed to."""

    version: str
    task: str
    created_ms: int
    card: ModelCard
    parity: str | None  # the report against the rented model and people, JSON of parity.Parity


class Registry:
    """Trained versions by task, and the models behind them."""

    def __init__(self, database: Database, folder: Path) -> None:
        """folder: where models lie, one folder a version."""
        self.folder = folder
        self._database = database

    def put(self, version: ModelVersion) -> None:
        """Make a version known whose files are already written; a later report replaces the
        earlier one."""
        row = {
            "version": version.version,
            "task": version.task,
            "created_ms": version.created_ms,
            "folder": version.version,
            "card": msgspec.json.encode(version.card).decode(),
            "parity": version.parity,
        }
        self._database.write(lambda connection: upsert(connection, tables.model_versions, [row]))

    def versions(self, task: str) -> list[ModelVersion]:
        """All versions of a task, newest first."""
        table = tables.model_versions
        query = (
            sa.select(table)
            .where(table.c.task == task)
            .order_by(table.c.created_ms.desc(), table.c.version)
        )
        with self._database.read() as connection:
            return _versions(connection.execute(query).mappings().all())

    def version(self, version: str) -> ModelVersion:
        """One version, or UnknownError."""
        table = tables.model_versions
        query = sa.select(table).where(table.c.version == version)
        with self._database.read() as connection:
            found = _versions(connection.execute(query).mappings().all())
        if not found:
            raise UnknownError(f"no model version is called {version!r}; list them by task")
        return found[0]

    def load(self, version: str) -> TextClassifier:
        """The model behind a version. Raises SnapshotError where its files are not whole."""
        return load_text_model(self.folder / version)[0]


def _versions(rows: Sequence[Any]) -> list[ModelVersion]:
    return [
        ModelVersion(
            version=row["version"],
            task=row["task"],
            created_ms=row["created_ms"],
            card=msgspec.json.decode(row["card"], type=ModelCard),
            parity=row["parity"],
        )
        for row in rows
    ]
