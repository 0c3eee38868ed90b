"""What every serving process has of a community: its store, its keys, and the calls that it passes
on. Nothing here loads what feeds and moderation need, so that a process for calls alone is small.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inhouse.app.keys import Keys
from inhouse.app.settings import Settings
from inhouse.app.staff.book import Staff
from inhouse.app.staff.sessions import SessionLimits, StaffSessions
from inhouse.core.clock import HOUR_MS, MINUTE_MS, SystemClock, clock_named
from inhouse.models.bounds.budgets import Budgets
from inhouse.models.bounds.limits import Limits
from inhouse.models.declared import check_stand_ins, read_tasks
from inhouse.models.drill.watch import DrillWatch
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.tally import Tally
from inhouse.models.stores import Stores
from inhouse.models.types import Deployment, Task
from inhouse.models.vendors import read_vendors
from inhouse.store.database import Database, open_database
from inhouse.store.migrate import check_answers, migrate

if TYPE_CHECKING:
    from inhouse.models.harvest.calls import CallHarvest
    from inhouse.models.passing.guard import Guard
    from inhouse.models.students.book import StudentBook


class Closing(Protocol):
    """Something that holds connections of a loop."""

    async def close(self) -> None: ...


class Parts:
    """One process's parts for one community. Whoever needs one names it; what is never named is
    never built."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = clock_named(settings.app.clock)

    def close(self) -> None:
        """Finish what waits to be written and let go of the database."""
        if "call_harvest" in self.__dict__:
            self.call_harvest.close()
        if "limits" in self.__dict__:
            self.limits.close()
        if "database" in self.__dict__:
            self.database.close()

    def check(self) -> None:
        """Raises StoreError where the store does not answer."""
        check_answers(self.database)

    @cached_property
    def database(self) -> Database:
        """Opened, and with the newest tables."""
        database = open_database(self.settings.store, self.settings.community)
        migrate(database)
        return database

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.database, self.settings.community)

    @cached_property
    def staff(self) -> Staff:
        return Staff(self.database)

    @cached_property
    def staff_sessions(self) -> StaffSessions:
        console = self.settings.console
        limits = SessionLimits(
            whole_ms=console.session_hours * HOUR_MS, idle_ms=console.idle_minutes * MINUTE_MS
        )
        return StaffSessions(self.database, limits)

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """What models are asked for; read from its file once a process."""
        return read_tasks(Path(self.settings.models.tasks))

    @cached_property
    def deployments(self) -> list[Deployment]:
        """The rented models; read from their file once a process."""
        found = read_vendors(Path(self.settings.models.vendors), os.environ, self.tasks)
        check_stand_ins(Path(self.settings.models.tasks), self.tasks, found)
        return found

    @cached_property
    def drills(self) -> DrillWatch:
        """Which vendors are cut off on purpose, and what is seen meanwhile."""
        return DrillWatch(self.database, None, self.settings.models.flag_at)

    @cached_property
    def passer(self) -> Passer:
        """For calls of others that are passed on to rented models."""
        models = self.settings.models
        passer = Passer(self.deployments, self.stores, self.clock, models, students=self.students)
        if any(deployment.moderate for deployment in self.deployments):
            passer.guard = self.guard
        return passer

    @cached_property
    def stores(self) -> Stores:
        """Where rows of calls go, and who hears of them."""
        may_keep = any(deployment.keep_calls for deployment in self.deployments)
        return Stores(
            database=self.database,
            keeper=Keeper(self.database),
            limits=self.limits,
            switch=self.drills,
            listener=self.call_harvest if may_keep else None,
        )

    @cached_property
    def guard(self) -> "Guard":
        """Judges chats with deployments that say `moderate`, by models trained here."""
        from inhouse.app.on_demand import guard_of  # noqa: PLC0415

        return guard_of(self)

    def generation_blocked(self) -> dict[str, float]:
        """Chats that were blocked in this process, by where the harm was found."""
        blocked = self.guard.blocked if "guard" in self.__dict__ else {}
        return {
            "prompts_blocked": float(blocked.get("prompt", 0)),
            "answers_blocked": float(blocked.get("answer", 0)),
        }

    @cached_property
    def students(self) -> "StudentBook | None":
        """The models trained here that calls may name; None while no task is for calls."""
        if all(task.judges for task in self.tasks.values()):
            return None
        from inhouse.app.on_demand import students_of  # noqa: PLC0415

        return students_of(self)

    @cached_property
    def call_harvest(self) -> "CallHarvest":
        """Keeps calls passed on where deployment and key allow it, without personal data."""
        from inhouse.app.on_demand import call_harvest_of  # noqa: PLC0415

        return call_harvest_of(self)

    @property
    def tally(self) -> Tally:
        """Counts of the calls that were passed on."""
        return self.passer.tally if "passer" in self.__dict__ else Tally()

    @cached_property
    def budgets(self) -> Budgets:
        return Budgets(self.database, SystemClock())

    @cached_property
    def limits(self) -> Limits:
        return Limits(self.database, SystemClock(), self.settings.folder)

    @property
    def on_the_loop(self) -> list[Closing]:
        """What was asked so far and holds connections: whoever ends the loop closes it there."""
        return [self.passer] if "passer" in self.__dict__ else []
