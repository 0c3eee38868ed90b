"""Connections to PostgreSQL that wait for a silent server no longer than their thread can.

Imported only where a server is used: its driver is an extra.
"""

import time
from collections.abc import Generator
from math import ceil
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from inhouse.store.silence import patience_s

_CONNECT_S: Final = 5
# What the kernel notices by itself of a line that was cut, in the terms of libpq.
_LINE: Final = {
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 10,  # s
    "keepalives_interval": 3,  # s
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}
_Steps = Generator[Any, Any, Any]


class SilentServerError(psycopg.OperationalError):
    """The server has not answered for as long as its asker can wait."""

    is_silent = True


class _Connection(psycopg.Connection[Any]):
    """One that is closed when the server keeps silent."""

    def wait(self, gen: _Steps, *args: Any, **kwargs: Any) -> Any:
        """Until the server has answered. Raises SilentServerError."""
        seconds = patience_s()
        if seconds is None:
            return super().wait(gen, *args, **kwargs)
        try:
            return super().wait(_bounded(gen, seconds), *args, **kwargs)
        except SilentServerError:
            self.close()  # half an answer may yet come: nobody else may have this connection
            raise


def _bounded(steps: _Steps, seconds: float) -> _Steps:
    """The same steps; whoever waits between two of them is heard of every tenth of a second."""
    until_s = time.monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until_s:
                raise SilentServerError(f"the server has not answered for {seconds:g} s")
            wanted = steps.send(ready)
    except StopIteration as end:
        return end.value


def postgres_engine(url: str, schema: str) -> Engine:
    """Does not connect. schema: where its tables lie; empty for the server's default. What the URL
    says of the line goes before what is said here."""
    full = url.replace("postgresql://", "postgresql+psycopg://", 1)
    line = {name: value for name, value in _LINE.items() if name not in url}
    engine = sa.create_engine(
        full, pool_size=8, max_overflow=8, pool_pre_ping=True, connect_args=line
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        seconds = patience_s()
        if seconds is not None:
            most_s = ceil(seconds)
            named["connect_timeout"] = min(int(named.get("connect_timeout", 0)) or most_s, most_s)
        return _Connection.connect(*given, **named)

    if not schema:
        return engine

    @sa.event.listens_for(engine, "connect", insert=True)
    def _enter(connection: Any, _record: Any) -> None:
        connection.autocommit = True  # what is set in a transaction is undone with it
        connection.execute(f"SET search_path TO {schema}")
        connection.autocommit = False

    return engine
