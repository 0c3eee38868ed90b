"""Trained models that are a folder of files: whole or absent, and checked before they are used."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from inhouse.core.errors import SnapshotError
from inhouse.core.files import sha256_of, sync_folder, write_atomically
from inhouse.models.owned.files import CARD, load_card
from inhouse.models.types import ModelCard

_MAKING: Final = ".making"  # holds what is not whole yet


@contextmanager
def making(folder: Path, task: str) -> Iterator[Path]:
    """A folder of its own for a task's model while it is written; what a killed process left there
    goes first, and it is gone afterwards."""
    place = folder / _MAKING / task
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def publish(made: Path, folder: Path, card: ModelCard) -> ModelCard:
    """Put a folder where versions lie, under a name made of its files; returns the card with it.

    card: without version, sha256 and files. The same files give the same version.
    """
    files = {
        path.relative_to(made).as_posix(): sha256_of(path)
        for path in sorted(made.rglob("*"))
        if path.is_file()
    }
    listed = "\n".join(f"{digest} {name}" for name, digest in files.items())
    sha256 = hashlib.sha256(listed.encode()).hexdigest()
    whole = replace(card, version=f"{card.task}-{sha256[:16]}", sha256=sha256, files=files)
    write_atomically(made / CARD, msgspec.json.format(msgspec.json.encode(whole), indent=2))
    for name in files:
        with (made / name).open("rb") as handle:
            os.fsync(handle.fileno())
    sync_folder(made)
    to = folder / whole.version
    if to.exists():
        write_atomically(to / CARD, (made / CARD).read_bytes())
    else:
        made.replace(to)
        sync_folder(folder)
    return whole


def checked_card(folder: Path) -> ModelCard:
    """The card of a folder whose files are what it says. Raises SnapshotError."""
    card = load_card(folder)
    for name, digest in card.files.items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            raise SnapshotError(
                f"cannot read {folder / name}: {error.strerror}; train the task again"
            ) from None
        if found != digest:
            raise SnapshotError(
                f"{folder / name} has the checksum {found[:12]}, its card says {digest[:12]}; "
                "train the task again"
            )
    return card
