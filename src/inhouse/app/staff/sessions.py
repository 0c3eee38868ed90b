"""Where staff are signed in: rows that a cookie names, and that end.

The cookie holds 256 random bits; the row their hash, as with API keys. A session ends twelve hours
after it began, after an hour without anything being done, by signing out, and with every change of
the member: the row is gone, and every process that asks finds nobody.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.app.staff.book import member_of
from inhouse.app.staff.types import Member, Standing
from inhouse.core.clock import HOUR_MS, MINUTE_MS, SystemClock
from inhouse.core.errors import ConflictError
from inhouse.store import tables
from inhouse.store.database import Database

_TOKEN_BYTES: Final = 32
_MOST_TOKEN_CHARS: Final = 64
_NOTE_EVERY_MS: Final = MINUTE_MS
_STAFF: Final = tables.staff
_SESSIONS: Final = tables.staff_sessions


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionLimits:
    """When a session is over."""

    whole_ms: int = 12 * HOUR_MS  # since it began
    idle_ms: int = HOUR_MS  # since its member last did something


class StaffSessions:
    """The sessions of one community's staff."""

    def __init__(
        self,
        database: Database,
        limits: SessionLimits | None = None,
        clock: SystemClock | None = None,
    ) -> None:
        self._database = database
        self.limits = limits or SessionLimits()
        self._clock = clock or SystemClock()

    def begin(self, member: Member) -> str:
        """A new session's secret, for the cookie. Raises ConflictError where the member has been
        changed since they were looked at."""
        token, now_ms = secrets.token_urlsafe(_TOKEN_BYTES), self._clock.now_ms()
        row = {
            "token_hash": _hash(token),
            "name": member.name,
            "began_ms": now_ms,
            "seen_ms": now_ms,
        }

        def write(connection: Connection) -> None:
            found = connection.execute(sa.select(_STAFF).where(_STAFF.c.name == member.name)).one()
            if member_of(found) != member:
                raise ConflictError(f"{member.name} was changed a moment ago; sign in again")
            over = sa.or_(
                _SESSIONS.c.began_ms <= now_ms - self.limits.whole_ms,
                _SESSIONS.c.seen_ms <= now_ms - self.limits.idle_ms,
            )
            connection.execute(_SESSIONS.delete().where(over))
            connection.execute(_SESSIONS.insert(), row)

        self._database.write(write)
        return token

    def standing(self, token: str | None) -> Standing:
        """How whoever shows this token stands."""
        anybody = sa.select(_STAFF.c.name).limit(1)
        with self._database.read() as connection:
            if connection.execute(anybody).first() is None:
                return Standing(named=False)
            row = self._row(connection, token)
        return Standing(named=True, member=None if row is None else member_of(row))

    def note(self, token: str) -> None:
        """Something was done in this session: it is not idle. Written down once a minute."""
        now_ms, which = self._clock.now_ms(), _SESSIONS.c.token_hash == _hash(token)
        update = (
            _SESSIONS.update()
            .where(which, _SESSIONS.c.seen_ms <= now_ms - _NOTE_EVERY_MS)
            .values(seen_ms=now_ms)
        )
        with self._database.read() as connection:
            seen_ms = connection.execute(sa.select(_SESSIONS.c.seen_ms).where(which)).scalar()
        if seen_ms is not None and seen_ms <= now_ms - _NOTE_EVERY_MS:
            self._database.write(lambda connection: connection.execute(update))

    def end(self, token: str | None) -> None:
        """Sign out."""
        if token:
            gone = _SESSIONS.delete().where(_SESSIONS.c.token_hash == _hash(token))
            self._database.write(lambda connection: connection.execute(gone))

    def _row(self, connection: Connection, token: str | None) -> sa.Row[tuple[Any, ...]] | None:
        if not token or len(token) > _MOST_TOKEN_CHARS:
            return None
        now_ms = self._clock.now_ms()
        query = (
            sa.select(_STAFF)
            .join(_SESSIONS, _SESSIONS.c.name == _STAFF.c.name)
            .where(
                _SESSIONS.c.token_hash == _hash(token),
                _SESSIONS.c.began_ms > now_ms - self.limits.whole_ms,
                _SESSIONS.c.seen_ms > now_ms - self.limits.idle_ms,
                _STAFF.c.off_ms.is_(None),
            )
        )
        return connection.execute(query).one_or_none()


def _hash(token: str) -> str:
    # The token has 256 random bits, so a plain fast hash is as safe as a slow one.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
