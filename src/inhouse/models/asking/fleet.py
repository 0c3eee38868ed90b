"""Everybody who can be asked: rented deployments by name, and the owned model of a route."""

import asyncio
from collections.abc import Mapping, Sequence

from inhouse.core.errors import SnapshotError
from inhouse.core.logs import logger
from inhouse.models.owned.registry import Registry
from inhouse.models.ports import Provider
from inhouse.models.providers.faults import Line, Switch
from inhouse.models.providers.http import HttpProvider
from inhouse.models.providers.hugging_face import HuggingFaceProvider
from inhouse.models.providers.owned import OwnedProvider
from inhouse.models.providers.transport import Transport
from inhouse.models.tasks import TASKS, TEXT_HARM
from inhouse.models.types import HUGGING_FACE, INCUMBENT, OURS, Deployment, Route, Task

_LOG = logger("models")
_MOST_LOADED = 4


class Fleet:
    """Finds the provider behind a name. The owned model is loaded when a route first names it."""

    def __init__(
        self,
        providers: Sequence[Provider],
        registry: Registry,
        tasks: Mapping[str, Task] = TASKS,
        switch: Switch | None = None,
    ) -> None:
        """providers: rented deployments that judge texts, the preferred one first. switch: that
        their lines have."""
        self.switch = switch or Switch()
        self._rented = {provider.deployment.name: provider for provider in providers}
        self.tasks = tasks
        self._registry = registry
        self._owned: dict[str, OwnedProvider] = {}

    @property
    def vendors(self) -> tuple[str, ...]:
        """Names of the rented deployments, the preferred one first."""
        return tuple(self._rented)

    def takes_pictures(self, name: str) -> bool:
        """Whether a rented deployment is asked about pictures."""
        found = self._rented.get(name)
        return found is not None and found.deployment.pictures

    async def provider(self, name: str, route: Route) -> Provider | None:
        """Whoever bears the name on that route; None where it is gone, its files are damaged, or it
        knows nothing of what the task asks."""
        if name not in OURS:
            found = self._rented.get(name)
            task = self.tasks.get(route.task)
            return found if found and (task is None or speaks_of(found.deployment, task)) else None
        version = version_of(name, route)
        return None if version is None else await self._owned_provider(version)

    async def close(self) -> None:
        """Close all connections; asking again opens new ones."""
        for provider in self._rented.values():
            await provider.close()

    async def _owned_provider(self, version: str) -> OwnedProvider | None:
        if version not in self._owned:
            try:
                model = await asyncio.to_thread(self._registry.load, version)
            except SnapshotError as error:
                _LOG.error("owned_model_unusable", version=version, reason=str(error))
                return None
            while len(self._owned) >= _MOST_LOADED:
                self._owned.pop(next(iter(self._owned)))
            self._owned[version] = OwnedProvider(version, model)
        return self._owned[version]


def version_of(name: str, route: Route) -> str | None:
    """Which of a route's own models the name stands for; None where there is none."""
    return route.incumbent if name == INCUMBENT else route.owned


def speaks_of(deployment: Deployment, task: Task) -> bool:
    """Whether it can say anything of a task. Who is told what is asked can; whoever always says the
    same of a text can where that is part of it."""
    if deployment.dialect == HUGGING_FACE:
        return not set(deployment.labels.values()).isdisjoint(task.categories)
    return deployment.dialect != "moderations" or task.name == TEXT_HARM.name


def open_fleet(
    deployments: Sequence[Deployment],
    registry: Registry,
    tasks: Mapping[str, Task] = TASKS,
    switch: Switch | None = None,
) -> Fleet:
    """A fleet: vendors over one pool of connections, checkpoints of others in this process.

    switch: which of the vendors are cut off; none where it is not given."""
    transport, switch = Transport(), switch or Switch()

    def provider(deployment: Deployment) -> Provider:
        if deployment.dialect == HUGGING_FACE:
            return HuggingFaceProvider(deployment)
        return HttpProvider(deployment, Line(transport, deployment, switch))

    judging = [deployment for deployment in deployments if "scores" in deployment.serves]
    return Fleet([provider(deployment) for deployment in judging], registry, tasks, switch)
