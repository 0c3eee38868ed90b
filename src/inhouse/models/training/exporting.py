"""Taking weights out: with their card, where the terms of all who taught them allow it.

What is taken out, and what is refused, is a row of the audit chain before the files are there.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from inhouse.core.errors import ConflictError, InputError, SnapshotError, StoreError
from inhouse.core.files import sha256_of, write_atomically
from inhouse.models.owned.files import CARD, WEIGHTS
from inhouse.models.owned.folders import checked_card
from inhouse.models.owned.registry import Registry
from inhouse.models.training.cards import (
    Purpose,
    bounds,
    card_in_words,
    kind_of,
    refusal,
    teachers_on,
)
from inhouse.models.types import ModelCard
from inhouse.store import chain
from inhouse.store.database import Database

AUDITED: Final = "export"  # what rows of the audit chain call it
DATA: Final = "data.json"
README: Final = "README.md"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be taken out."""

    version: str
    folder: Path  # where to; empty, or not there yet
    purpose: Purpose
    by: str  # who answers for it
    at_ms: int


def export_model(database: Database, registry: Registry, wanted: Wanted) -> tuple[str, ...]:
    """Write weights, card, facts of the data and a README; returns the names of the files.

    Raises ConflictError that names teacher, labels and clause where terms forbid it, InputError for
    a folder that holds something, SnapshotError where the weights are not what the card says.
    """
    card = registry.version(wanted.version).card
    if not wanted.by.strip():
        raise InputError("by is empty, expected who answers for it", field="by")
    if wanted.folder.exists() and (wanted.folder.is_file() or any(wanted.folder.iterdir())):
        raise InputError(f"{wanted.folder} holds something already; name a new folder", field="to")
    found = bounds(teachers_on(card), wanted.purpose, kind_of(card))
    if found:
        told = {bound.terms.name: bound.labels for bound in found}
        _note(database, card, wanted, {"outcome": "refused", "terms": told})
        raise ConflictError(refusal(card, wanted.purpose, found))
    made = _written(registry.folder / wanted.version, card, wanted.folder)
    _note(database, card, wanted, {"outcome": "exported", "terms": dict(card.terms)})
    try:
        made.replace(wanted.folder)
    except OSError as error:
        raise StoreError(f"cannot write {wanted.folder}: {error.strerror}; free it") from error
    return tuple(sorted(path.name for path in wanted.folder.iterdir()))


def _written(kept: Path, card: ModelCard, folder: Path) -> Path:
    """A folder beside the one that is wanted, whole."""
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        if card.files:
            checked_card(kept)
        elif sha256_of(kept / WEIGHTS) != card.sha256:
            raise SnapshotError(f"{kept / WEIGHTS} is not what its card says; train the task again")
        shutil.copytree(kept, beside)
    except OSError as error:
        raise StoreError(f"cannot copy {kept} to {beside}: {error}; mend the folder") from error
    parts: dict[str, object] = {CARD: card} | ({DATA: card.data} if card.data else {})
    for name, value in parts.items():
        write_atomically(beside / name, msgspec.json.format(msgspec.json.encode(value), indent=2))
    write_atomically(beside / README, card_in_words(card).encode())
    return beside


def _note(database: Database, card: ModelCard, wanted: Wanted, told: dict[str, object]) -> None:
    details = {"version": card.version, "task": card.task, "purpose": wanted.purpose, **told}
    entry = chain.Entry(
        at_ms=wanted.at_ms, what=AUDITED, actor=f"person:{wanted.by}"[:128], details=details
    )
    database.write(lambda connection: chain.append(connection, [entry]))
