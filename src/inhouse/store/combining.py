"""Many small appends written as one: what a log is handed by hundreds of requests at once.

A write costs a savepoint and a few statements whatever its size. So requests that wait for the
writer gather in a group, and the group is one write. A request that the database refuses is
answered alone: then those of its group are written one by one.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from inhouse.core.errors import InhouseError
from inhouse.store.database import Database, is_fatal, refused

R = TypeVar("R")
A = TypeVar("A")


@dataclass(slots=True, eq=False)
class _Group(Generic[R, A]):
    requests: list[R] = field(default_factory=list)
    answers: "list[Future[A]]" = field(default_factory=list)


class Combined(Generic[R, A]):
    """Hands requests to `write_all` together. Thread-safe."""

    def __init__(
        self,
        database: Database,
        write_all: Callable[[Connection, Sequence[R]], Sequence[A]],
        *,
        patient: bool = False,
    ) -> None:
        """write_all: writes the requests in order in the caller's transaction, and answers each.
        patient: see `Database.submit`."""
        self._database, self._write_all, self._patient = database, write_all, patient
        self._gate = threading.Lock()
        self._open: _Group[R, A] | None = None  # waits for the writer; requests may join
        self._last: Future[A] | None = None

    def submit(self, request: R) -> "Future[A]":
        """Queue a request; its answer once it is durable. Raises StoreError after `close`."""
        answer: Future[A] = Future()
        with self._gate:
            group = self._open or _Group()
            group.requests.append(request)
            group.answers.append(answer)
            self._last = answer
            if self._open is None:
                done = self._database.submit(partial(self._write, group), patient=self._patient)
                done.add_done_callback(partial(_tell, group))
                self._open = group
        return answer

    def settle(self) -> None:
        """Wait until what was submitted before is durable or refused; patient or not, it is written
        now. Raises StoreError after `close` where something still waits."""
        if self._last is not None and not self._last.done():
            self._database.submit(_nothing).exception()

    def _write(self, group: _Group[R, A], connection: Connection) -> Sequence[A | InhouseError]:
        with self._gate:
            if self._open is group:
                self._open = None
        if len(group.requests) == 1:
            return self._write_all(connection, group.requests)
        try:
            with connection.begin_nested():
                return self._write_all(connection, group.requests)
        except DBAPIError as error:
            if is_fatal(error):
                raise
        return [self._alone(connection, request) for request in group.requests]

    def _alone(self, connection: Connection, request: R) -> A | InhouseError:
        try:
            with connection.begin_nested():
                return self._write_all(connection, [request])[0]
        except DBAPIError as error:
            if is_fatal(error):
                raise
            return refused(error)


def _nothing(_connection: Connection) -> None:
    """What goes before it in the queue is written."""


def _tell(group: _Group[R, A], done: "Future[Sequence[A | InhouseError]]") -> None:
    """Answer everybody of a group that is durable, or was refused."""
    error = done.exception()
    if error is not None:
        for answer in group.answers:
            answer.set_exception(error)
        return
    for answer, found in zip(group.answers, done.result(), strict=True):
        if isinstance(found, InhouseError):
            answer.set_exception(found)
        else:
            answer.set_result(found)
