"""The models that the role `students` holds: loaded when first asked, the longest idle let go."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from inhouse.app.communities import label_of, names_in, settings_of
from inhouse.app.settings import Settings
from inhouse.core.errors import UnknownError
from inhouse.models.owned.encoder import TextVectors, load_vectors
from inhouse.models.owned.files import load_card
from inhouse.models.passing.cache import MB
from inhouse.models.students.writer_torch import Room, Writer

M = TypeVar("M", Writer, TextVectors)
_MOST_LOADED: Final = 2
_VERSION: Final = re.compile(r"[a-z][a-z0-9_]{0,47}-[0-9a-f]{16}")


class Shelf:
    """Finds the model behind a community's version. For one event loop."""

    def __init__(self, home: Settings) -> None:
        self._home = home
        models = home.models
        self._room = Room(
            at_once=models.students_at_once,
            waiting=models.students_waiting,
            kept_bytes=models.students_kept_mb * MB,
        )
        self._held: dict[Path, Writer | TextVectors] = {}
        self._gate = asyncio.Lock()

    def folder_of(self, community: str) -> Path:
        """Of a community's data. Raises UnknownError."""
        if community == label_of(""):
            return self._home.folder
        if community not in names_in(self._home):
            raise UnknownError(f"no community {community[:40]!r} is served here")
        return settings_of(self._home, community).folder

    async def writer(self, community: str, version: str) -> Writer:
        """A language model. Raises UnknownError where the version is none, SnapshotError where its
        files are not whole."""
        path = self._path(community, version, "causal")
        return await self._get(path, Writer, lambda folder: Writer(folder, self._room))

    async def vectors(self, community: str, version: str) -> TextVectors:
        """The same for what gives vectors."""
        path = self._path(community, version, "vectors")
        return await self._get(path, TextVectors, load_vectors)

    def close(self) -> None:
        """Let go of all."""
        for model in self._held.values():
            _let_go(model)
        self._held.clear()

    def _path(self, community: str, version: str, student: str) -> Path:
        path = self.folder_of(community) / "models" / version
        if not _VERSION.fullmatch(version) or not path.is_dir():
            raise UnknownError(f"no version is called {version[:80]!r}", field="model")
        if load_card(path).student != student:
            raise UnknownError(f"{version} answers other calls than this one", field="model")
        return path

    async def _get(self, path: Path, kind: type[M], load: Callable[[Path], M]) -> M:
        async with self._gate:  # a model is loaded once, however many ask for it
            found = self._held.pop(path, None)
            if not isinstance(found, kind):
                found = await asyncio.to_thread(load, path)
            self._held[path] = found
            while len(self._held) > _MOST_LOADED:
                _let_go(self._held.pop(next(iter(self._held))))
            return found


def _let_go(model: Writer | TextVectors) -> None:
    if isinstance(model, Writer):
        model.close()
