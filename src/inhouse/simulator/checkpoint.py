"""Where a community stands, on disk: a JSON file and, beside it, the hidden state as arrays.

The arrays of a checkpoint are written first, under a name of their own, and the JSON that names
them replaces the old one last: a kill at any moment leaves the old checkpoint or the new one.
"""

import io
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InputError, StoreError
from inhouse.core.files import write_atomically
from inhouse.simulator import creators, people
from inhouse.simulator.arrays import columns, ragged_columns, ragged_from, table_from
from inhouse.simulator.creators import Careers
from inhouse.simulator.people import Moods
from inhouse.simulator.posts import Posts
from inhouse.simulator.world import World

VERSION: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a community follows from; a checkpoint of another one cannot be gone on from."""

    seed: int
    people: int  # at the start
    posts: int  # at the start
    start_ms: int  # midnight of the first day


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far the play has come."""

    hour: int = 0  # the one being played, counted from the first midnight
    introduced: bool = False  # whether the people and posts of the start are on the server
    begun: bool = False  # whether the hour's beginning has happened to the hidden state
    posted: bool = False  # whether the hour's new posts are in the hidden state
    done: list[int] = field(default_factory=list)  # people whose visit of the hour is over
    arms: dict[str, dict[str, str]] = field(default_factory=dict)  # person -> experiment -> arm
    truth: dict[str, dict[str, float]] = field(default_factory=dict)  # sums of the true report


def save(path: Path, origin: Origin, world: World, progress: Progress) -> None:
    """Write a checkpoint. Raises StoreError where the disk refuses."""
    arrays = {
        **columns(world.moods, "moods"),
        **columns(world.careers, "careers"),
        **columns(world.posts, "posts"),
        **ragged_columns(world.seen, "seen"),
        **ragged_columns(world.follows, "follows"),
        "active": world.active,
    }
    name = f"{path.stem}.{progress.hour:06d}-{len(progress.done):05d}-{progress.posted:d}.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **cast("dict[str, Any]", arrays))
    write_atomically(path.with_name(name), buffer.getvalue())
    body = {
        "version": VERSION,
        "origin": asdict(origin),
        "progress": {column.name: getattr(progress, column.name) for column in fields(progress)},
        "arrays": name,
    }
    write_atomically(path, json.dumps(body).encode())
    for old in path.parent.glob(f"{path.stem}.*.npz"):
        if old.name != name:
            old.unlink(missing_ok=True)


def origin_of(path: Path) -> Origin | None:
    """Which community the checkpoint at `path` belongs to, None where there is no checkpoint."""
    return None if not path.exists() else Origin(**_read(path)["origin"])


def load(path: Path, origin: Origin) -> tuple[World, Progress]:
    """The community as it was. Raises InputError where it is another one, StoreError if torn."""
    body = _read(path)
    found = Origin(**body["origin"])
    if found != origin:
        raise InputError(
            f"{path} holds another community ({_shown(found)}) than the one asked for "
            f"({_shown(origin)}); give the same flags or another --state"
        )
    try:
        with np.load(path.with_name(body["arrays"]), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot read the arrays of {path}: {error}; remove it to start anew"
        ) from error
    return _restored(origin, arrays), Progress(**body["progress"])


def _restored(origin: Origin, arrays: dict[str, NDArray[Any]]) -> World:
    world = World(seed=origin.seed, start_ms=origin.start_ms, people_at_start=origin.people)
    world.moods = table_from(Moods, arrays, "moods")
    world.careers = table_from(Careers, arrays, "careers")
    world.posts = table_from(Posts, arrays, "posts")
    world.traits = people.draw_traits(origin.seed, world.people_count)
    world.talents = creators.draw_talents(origin.seed, world.traits)
    world.seen = ragged_from(arrays, "seen")
    world.follows = ragged_from(arrays, "follows")
    world.active = arrays["active"]
    return world


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; remove it to start anew") from error
    if not isinstance(body, dict) or body.get("version") != VERSION:
        raise StoreError(f"{path} is no checkpoint of version {VERSION}; remove it to start anew")
    return body


def _shown(origin: Origin) -> str:
    return ", ".join(f"{name} {value}" for name, value in asdict(origin).items())
