"""What a process for calls needs only where a deployment or a task asks for it.

`Parts` loads this module then: what reads models and finds personal data takes as much memory as
all the rest of such a process.
"""

from collections.abc import Mapping
from typing import Protocol

from inhouse.app.settings import Settings
from inhouse.app.student_door import door_of
from inhouse.core.clock import Clock, SystemClock
from inhouse.models.asking.fleet import Fleet
from inhouse.models.cutover.routes import Routes
from inhouse.models.harvest.calls import CallHarvest
from inhouse.models.owned.registry import Registry
from inhouse.models.passing.guard import Guard
from inhouse.models.stores import Stores
from inhouse.models.students.book import StudentBook
from inhouse.models.types import Task
from inhouse.moderation.signals.redact import redact
from inhouse.store.database import Database


class Calling(Protocol):
    """What of a process's parts these need; see `parts.Parts`."""

    settings: Settings
    clock: Clock

    @property
    def database(self) -> Database: ...

    @property
    def tasks(self) -> Mapping[str, Task]: ...

    @property
    def stores(self) -> Stores: ...


def guard_of(parts: Calling) -> Guard:
    """Judges chats by models trained here; no vendor is asked."""
    fleet, routes = Fleet([], _registry(parts), parts.tasks), Routes(parts.database, ())
    return Guard(fleet, routes, parts.stores, parts.clock, parts.settings.models.flag_at)


def students_of(parts: Calling) -> StudentBook:
    """The models trained here that calls may name."""
    routes, door = Routes(parts.database, ()), door_of(parts.settings)
    return StudentBook(parts.tasks, _registry(parts), routes, door)


def call_harvest_of(parts: Calling) -> CallHarvest:
    """Keeps calls passed on, without personal data."""
    return CallHarvest(parts.database, redact, SystemClock(), parts.settings.models)


def _registry(parts: Calling) -> Registry:
    return Registry(parts.database, parts.settings.folder / "models")
