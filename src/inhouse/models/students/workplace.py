"""Where a student is taught: what it begins as, what it is kept with, how it becomes a version."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from inhouse.core.clock import Clock
from inhouse.models.owned.folders import making, publish
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.settings import ModelSettings
from inhouse.models.students.course import Course, Tell, Work
from inhouse.models.types import ModelCard, Task
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

_UNFINISHED: Final = ".unfinished"  # in the folder of models: checkpoints of what is being taught


def _silent(_what: str, _done: int, _total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """A model that others began."""

    name: str  # on the hub, or a folder
    terms: str  # its licence
    full: bool = False  # whether all of its weights are taught


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """What it takes to teach a student and to register it."""

    database: Database
    registry: Registry
    clock: Clock
    settings: ModelSettings
    tell: Tell = field(default=_silent)  # hears of progress


Made = tuple[ModelCard, str | None]  # a card without version and files; the parity report as JSON


def made_version(
    place: Workplace,
    task: Task,
    work: tuple[Base, Course, str],
    teach: Callable[[Work], Made | NotEnough],
) -> ModelVersion | NotEnough:
    """Teach, publish the folder that was written, register it, and only then drop the checkpoint.

    work: what it begins as, how it is taught, and a digest of what it is taught. Killed in between,
    the same call goes on where it was.
    """
    base, course, taught = work
    folder = place.registry.folder
    checkpoint = folder / _UNFINISHED / f"{task.name}.safetensors"
    with making(folder, task.name) as to:
        made = teach(
            Work(
                base=base.name,
                full=base.full,
                most_tokens=place.settings.student_tokens,
                course=course,
                to=to,
                checkpoint=checkpoint,
                job=f"{task.name} {_fingerprint(base.name)} {base.full} {taught}",
            )
        )
        if isinstance(made, NotEnough):
            checkpoint.unlink(missing_ok=True)
            return made
        card = publish(to, folder, made[0])
    version = ModelVersion(
        version=card.version,
        task=task.name,
        created_ms=card.created_ms,
        card=card,
        parity=made[1],
    )
    place.registry.put(version)
    checkpoint.unlink(missing_ok=True)
    return version


def card_for(
    task: Task, base: Base, now_ms: int, provenance: tuple[dict[str, int], dict[str, int]]
) -> ModelCard:
    """Of what judges nothing: without files, and without what it was and how it was taught.

    provenance: what it was taught, by source and by terms.
    """
    sources, terms = provenance
    return ModelCard(
        version="",
        task=task.name,
        created_ms=now_ms,
        categories=(),
        trained_on=sum(terms.values()),
        positives={},
        negatives={},
        sources=sources,
        terms=terms,
        metrics={},
        sha256="",
        features=0,
        base=base.name,
        base_terms=base.terms,
    )


def digest_of(told: object) -> str:
    """Of what a student is taught."""
    return hashlib.blake2b(msgspec.json.encode(told), digest_size=16).hexdigest()


def _fingerprint(base: str) -> str:
    """Names a model; a folder with the sizes and times of its files, for it may be written anew."""
    found = [base]
    with suppress(OSError):
        for path in sorted(Path(base).iterdir()):
            told = path.stat()
            found.append(f"{path.name} {told.st_size} {told.st_mtime_ns}")
    return digest_of(found)
