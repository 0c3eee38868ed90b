"""Experiments in the store: created once, stopped once, and who was exposed to what."""

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.erasures import News
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.engagement.experiments.arms import arm_of
from inhouse.engagement.experiments.checks import clash, faults_of
from inhouse.engagement.experiments.report import Results
from inhouse.engagement.experiments.types import Experiment, Setting
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.looking import Looking
from inhouse.store.statements import delete_in, insert_new

if TYPE_CHECKING:
    from inhouse.engagement.experiments.results import ResultsBook

# How old a process's idea of which experiments run may be.
_LOOK_EVERY_S: Final = 1.0


class Experiments:
    """One community's experiments. Assigning and exposing cost no read and seldom a write."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news = News(database)
        self._active: tuple[Experiment, ...] = ()
        self._looking = Looking(self._read, _LOOK_EVERY_S)
        # Hashes of (experiment, person, arm) that are written or on their way.
        self._exposed: set[int] = set()
        self._gate = threading.Lock()

    def create(self, experiment: Experiment, now_ms: int) -> Experiment:
        """Start it at `now_ms`.

        Raises InputError with every fault, ConflictError where the key was ever used or a running
        experiment varies the same setting for the same people.
        """
        faults = faults_of(experiment)
        if faults:
            lines = "\n".join(f"  {fault}" for fault in faults)
            raise InputError(f"experiment {experiment.key!r} cannot be started\n{lines}")
        started = dataclasses.replace(experiment, started_ms=now_ms, stopped_ms=None)
        stored = self._database.write(lambda connection: _insert(connection, started))
        self.refresh()
        return stored

    def list(self) -> tuple[Experiment, ...]:
        """Every experiment ever created, newest first."""
        with self._database.read() as connection:
            return _stored(connection)

    def get(self, key: str) -> Experiment:
        """One experiment. Raises UnknownError."""
        with self._database.read() as connection:
            return _one(connection, key)

    def stop(self, key: str, now_ms: int) -> Experiment:
        """Assign nobody from now on, and count nothing that happens later. Twice is once.

        Raises UnknownError.
        """
        stopped = self._database.write(lambda connection: _stop(connection, key, now_ms))
        self.refresh()
        return stopped

    def refresh(self) -> None:
        """Hear of experiments that other processes created or stopped; `arms_for` does so itself
        once a second."""
        self._looking.look()

    def arms_for(self, user_id: str) -> dict[str, str]:
        """Experiment -> arm, for the running experiments the person takes part in. While the store
        refuses, those that were last known to run; StoreError where none were heard of yet."""
        self._looking.keep_up()
        arms = ((experiment.key, arm_of(experiment, user_id)) for experiment in self._active)
        return {key: arm for key, arm in arms if arm is not None}

    def settings_for(self, arms: Mapping[str, str]) -> dict[str, Setting]:
        """What the arms change, all experiments together; no two change the same setting."""
        settings: dict[str, Setting] = {}
        for experiment in self._active:
            for arm in experiment.arms:
                if arms.get(experiment.key) == arm.key:
                    settings.update(arm.settings)
        return settings

    def expose(self, user_id: str, arms: Mapping[str, str], now_ms: int) -> "Future[int] | None":
        """Log that a person was shown these arms: once a person and arm, whoever asks how often.

        Returns None where this process knows that all of it is written; else a future of the number
        of new rows, done once they are durable.
        """
        rows = [
            {"experiment": key, "user_id": user_id, "arm": arm, "at_ms": now_ms}
            for key, arm in arms.items()
        ]
        marks = [hash((row["experiment"], user_id, row["arm"])) for row in rows]
        with self._gate:
            fresh = [i for i, mark in enumerate(marks) if mark not in self._exposed]
            self._exposed.update(marks)
        if not fresh:
            return None
        new = [rows[i] for i in fresh]
        written = self._database.submit(
            lambda connection: insert_new(connection, tables.exposures, new)
        )
        written.add_done_callback(
            lambda done: self._forget_if_lost(done, [marks[i] for i in fresh])
        )
        return written

    def results(self, key: str, now_ms: int) -> Results:
        """What came of it so far. Reads what was logged since the last look; call it off the event
        loop. Raises UnknownError."""
        return self._book.of(self.get(key), now_ms)

    @cached_property
    def _book(self) -> "ResultsBook":
        # Brings the data frames, which a process that only assigns people does without.
        from inhouse.engagement.experiments.results import ResultsBook  # noqa: PLC0415

        return ResultsBook(self._database)

    def _read(self) -> None:
        with self._database.read() as connection:
            self._active = _stored(connection, active=True)
        if self._news.fresh():  # whoever comes back is exposed anew
            with self._gate:
                self._exposed.clear()

    def _forget_if_lost(self, done: "Future[int]", marks: Sequence[int]) -> None:
        """An exposure that was not written is tried again at the person's next request."""
        if done.cancelled() or done.exception() is not None:
            with self._gate:
                self._exposed.difference_update(marks)


def erase_exposures(connection: Connection, user_ids: Sequence[str]) -> int:
    """Remove who was in which arm, in the caller's transaction; returns how many rows."""
    return delete_in(connection, tables.exposures.c.user_id, user_ids)


def _insert(connection: Connection, given: Experiment) -> Experiment:
    offset = connection.execute(sa.select(sa.func.max(tables.events.c.log_offset))).scalar()
    experiment = dataclasses.replace(given, log_offset=offset or 0)
    for running in _stored(connection, active=True):
        setting = clash(running, experiment)
        if setting:
            raise ConflictError(
                f"experiment {running.key!r} varies {setting!r} for the same people; stop it, or"
                " give both disjoint slices of one layer"
            )
    row = {
        "key": experiment.key,
        "created_ms": experiment.started_ms,
        "body": msgspec.json.encode(experiment).decode(),
        "active": True,
    }
    if not insert_new(connection, tables.experiments, [row]):
        raise ConflictError(f"experiment {experiment.key!r} exists already; choose another key")
    return experiment


def _stop(connection: Connection, key: str, now_ms: int) -> Experiment:
    experiment = _one(connection, key)
    if not experiment.active:
        return experiment
    stopped = dataclasses.replace(experiment, stopped_ms=now_ms)
    connection.execute(
        tables.experiments.update()
        .where(tables.experiments.c.key == key)
        .values(body=msgspec.json.encode(stopped).decode(), active=False)
    )
    return stopped


def _one(connection: Connection, key: str) -> Experiment:
    query = sa.select(tables.experiments.c.body).where(tables.experiments.c.key == key)
    body = connection.execute(query).scalar()
    if body is None:
        raise UnknownError(f"experiment {key!r} does not exist; list them to see the keys")
    return msgspec.json.decode(body, type=Experiment)


def _stored(connection: Connection, *, active: bool = False) -> tuple[Experiment, ...]:
    table = tables.experiments.c
    query = sa.select(table.body).order_by(table.created_ms.desc(), table.key)
    if active:
        query = query.where(table.active)
    bodies = connection.execute(query).scalars()
    return tuple(msgspec.json.decode(body, type=Experiment) for body in bodies)
