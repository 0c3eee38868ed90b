"""The models trained here that calls under /openai/v1 may name: each task's, and every version.

They answer in a process of their own (the role `students`), spoken to like any other server in
OpenAI's format: what is said of deployments elsewhere (retries, breakers, stand-ins, the ledger)
holds for them too.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from inhouse.models.declared import SERVICE_OF
from inhouse.models.types import INHOUSE, Deployment, Route, Service, Task

_AGE_S: Final = 2.0  # how long what is known is used before the store is asked again


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """Where the process that runs them answers."""

    url: str  # base address, without the last path
    key: str  # what it asks of callers


class Named(Protocol):
    """A version, as far as it is called by its name."""

    @property
    def version(self) -> str: ...


class Versions(Protocol):
    """Whoever knows what was trained (`owned.registry`)."""

    def versions(self, task: str) -> Sequence[Named]:
        """All versions of a task."""


class CurrentRoutes(Protocol):
    """Whoever knows what is in use (`routes`)."""

    def current(self, task: str) -> Route:
        """The route in force."""


class StudentBook:
    """Knows which version answers for which task, as of at most two seconds ago."""

    def __init__(
        self, tasks: Mapping[str, Task], registry: Versions, routes: CurrentRoutes, door: Door
    ) -> None:
        self._tasks = [task for task in tasks.values() if not task.judges]
        self._registry, self._routes, self._door = registry, routes, door
        self._looked_s = float("-inf")
        self.deployments: Mapping[str, Deployment] = {}  # by task in use, and by version
        self._by_version: Mapping[str, str] = {}  # each version's task

    def task_of(self, name: str, service: Service) -> str | None:
        """The task that calls by that name are for: its own, or one of its versions'. None where
        the name is no task's."""
        task = self._by_version.get(name, name)
        known = any(one.name == task and SERVICE_OF[one.kind] == service for one in self._tasks)
        return task if known else None

    def stand_ins(self, name: str, service: Service) -> tuple[str, ...]:
        """Who answers for a task while no version of it is in use."""
        for task in self._tasks:
            if task.name == name and SERVICE_OF[task.kind] == service:
                return task.stand_ins
        return ()

    async def look(self) -> None:
        """Hear of what was trained and put into use."""
        if self._tasks and monotonic() - self._looked_s > _AGE_S:
            self.deployments, self._by_version = await asyncio.to_thread(self._read)
            self._looked_s = monotonic()

    def _read(self) -> tuple[dict[str, Deployment], dict[str, str]]:
        found, tasks = {}, {}
        for task in self._tasks:
            for version in self._registry.versions(task.name):
                found[version.version] = self._deployment(version.version, version.version, task)
                tasks[version.version] = task.name
            owned = self._routes.current(task.name).owned
            if owned is not None:
                found[task.name] = self._deployment(task.name, owned, task)
        return found, tasks

    def _deployment(self, name: str, version: str, task: Task) -> Deployment:
        return Deployment(
            name=name,
            host=INHOUSE,
            owner=INHOUSE,
            model=version,
            url=self._door.url,
            key=self._door.key,
            serves=(SERVICE_OF[task.kind],),
            stand_ins=task.stand_ins if name == task.name else (),
            harvest=False,
        )
