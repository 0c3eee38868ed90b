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
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from inhouse.core.errors import InhouseError
from inhouse.store.database import Database, is_fatal, refused

R = TypeVar("R")
A = TypeVar("A")


@dataclass(slots=True, eq=False)
class _Group(Generic[R, A]):
    requests: list[R] = field(default_factory=list)
    answers: "list[Future[A] | None]" = field(default_factory=list)  # None where nobody waits


class Combined(Generic[R, A]):
    """Hands requests to `write_all` together. Thread-safe."""

    def __init__(
        self,
        database: Database,
        write_all: Callable[[Connection, Sequence[R]], Sequence[A]],
        *,
        patient: bool = False,
        heard: Callable[[int, Exception | None], None] | None = None,
    ) -> None:
        """write_all: writes the requests in order in the caller's transaction, and answers each.
        patient: see `Database.submit`. heard: told of every so many requests that were written, or
        of what was refused."""
        self._database, self._write_all, self._patient = database, write_all, patient
        self._heard = heard
        self._gate = threading.Lock()
        self._open: _Group[R, A] | None = None  # waits for the writer; requests may join
        self._last: Future[Any] | None = None

    def submit(self, request: R) -> "Future[A]":
        """Queue a request; its answer once it is durable. Raises StoreError after `close`."""
        answer: Future[A] = Future()
        self._add(request, answer)
        return answer

    def hand_over(self, request: R) -> None:
        """`submit` where nobody waits for the answer: a future costs as much as the rest of it."""
        self._add(request, None)

    def _add(self, request: R, answer: "Future[A] | None") -> None:
        done = None
        with self._gate:
            group = self._open or _Group()
            if self._open is None:
                done = self._database.submit(partial(self._write, group), patient=self._patient)
                self._open = group
            group.requests.append(request)
            group.answers.append(answer)
            self._last = answer or done or self._last
        if done is not None:  # it may be done by now, and then it is told here
            done.add_done_callback(partial(self._tell, group))

    def settle(self) -> None:
        """Wait until what was submitted before is durable or refused; patient or not, it is written
        now. Raises StoreError after `close` where something still waits."""
        if self._last is not None and not self._last.done():
            self._database.submit(_nothing).exception()

    def _write(self, group: _Group[R, A], connection: Connection) -> Sequence[A | InhouseError]:
        self._close(group)
        if len(group.requests) == 1:
            return self._write_all(connection, group.requests)
        try:
            with connection.begin_nested():
                return self._write_all(connection, group.requests)
        except DBAPIError as error:
            if is_fatal(error):
                raise
        return [self._alone(connection, request) for request in group.requests]

    def _tell(self, group: _Group[R, A], done: "Future[Sequence[A | InhouseError]]") -> None:
        """Answer everybody of a group that is durable, or was refused."""
        self._close(group)  # where the database could not even be reached nobody has
        lost = done.exception()
        told = [lost] * len(group.answers) if lost is not None else done.result()
        worst: Exception | None = None
        for answer, found in zip(group.answers, told, strict=True):
            if isinstance(found, Exception):
                worst = found
            if answer is None:
                continue
            if isinstance(found, BaseException):
                answer.set_exception(found)
            else:
                answer.set_result(found)
        if self._heard is not None:
            self._heard(len(group.answers), worst)

    def _close(self, group: _Group[R, A]) -> None:
        """From now on nobody joins it."""
        with self._gate:
            if self._open is group:
                self._open = None

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
