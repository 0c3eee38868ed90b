"""The trained models of one community: rows in the store, files in the models folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa

from inhouse.core.errors import SnapshotError, UnknownError
from inhouse.models.owned.encoder import load_classifier
from inhouse.models.owned.files import load_card, load_text_model
from inhouse.models.owned.text import Doubles
from inhouse.models.types import ModelCard, Scores
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert


class Judging(Protocol):
    """A model that was trained here to judge texts. Never changes; thread-safe."""

    @property
    def categories(self) -> tuple[str, ...]:
        """That it learned."""

    @property
    def at_once_chars(self) -> int:
        """So much is scored sooner than a thread takes over."""

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """A probability for each category of each text, in order."""

    def probabilities(self, texts: Sequence[str]) -> Doubles:
        """The same as a table, [texts, categories]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A trained model that may be routed to."""

    version: str
    task: str
    created_ms: int
    card: ModelCard
    parity: str | None  # the report against the rented model and people, JSON of parity.Parity
    beside: str | None = None  # beside the version that served, JSON of beside.Beside


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
            "beside": version.beside,
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

    def load(self, version: str) -> Judging:
        """The judging model behind a version. Raises SnapshotError where its files are not whole,
        or it judges nothing."""
        folder = self.folder / version
        student = load_card(folder).student
        if student == "words":
            return load_text_model(folder)[0]
        if student == "encoder":
            return load_classifier(folder)
        raise SnapshotError(f"{version} writes or places texts and judges none; call it by name")


def _versions(rows: Sequence[Any]) -> list[ModelVersion]:
    return [
        ModelVersion(
            version=row["version"],
            task=row["task"],
            created_ms=row["created_ms"],
            card=msgspec.json.decode(row["card"], type=ModelCard),
            parity=row["parity"],
            beside=row["beside"],
        )
        for row in rows
    ]
