"""What every serving process has of a community: its store, its keys, and the calls that it passes
on. Nothing here loads what feeds and moderation need, so that a process for calls alone is small.
"""

import os
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Protocol

from inhouse.app.keys import Keys
from inhouse.app.settings import Settings
from inhouse.core.clock import SystemClock, clock_named
from inhouse.core.errors import StoreError
from inhouse.core.settings import COMMUNITY
from inhouse.models.budgets import Budgets
from inhouse.models.keeping import Keeper, Stores
from inhouse.models.limits import Limits
from inhouse.models.passing import Passer
from inhouse.models.tally import Tally
from inhouse.models.types import Deployment
from inhouse.models.vendors import read_vendors
from inhouse.store.database import Database, open_database
from inhouse.store.versions import check_answers, is_current


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
        self._make_tables(database)
        return database

    def _make_tables(self, database: Database) -> None:
        if is_current(database):
            return
        done = subprocess.run(
            [sys.executable, "-m", "inhouse.app.tables"],
            env={**os.environ, COMMUNITY: self.settings.community},
            check=False,
        )
        if done.returncode != 0:
            raise StoreError(
                "the tables could not be brought to the newest version; see the lines above, or "
                "run `inhouse doctor --migrate`"
            )

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.database, self.settings.community)

    @cached_property
    def deployments(self) -> list[Deployment]:
        """The rented models; read from their file once a process."""
        return read_vendors(Path(self.settings.models.vendors), os.environ)

    @cached_property
    def passer(self) -> Passer:
        """For calls of others that are passed on to rented models."""
        keeper = Keeper(self.database)
        stores = Stores(database=self.database, keeper=keeper, limits=self.limits)
        return Passer(self.deployments, stores, self.clock, self.settings.models)

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
