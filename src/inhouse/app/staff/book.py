"""The staff of one community: added, given a role, reset, switched off, erased.

A change of role or password, a reset and a switching off end all sessions of that person in the
same transaction. A name stays taken for good, so that nobody else's decisions are ever filed under
it.
"""

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.app.staff.passwords import checked_password, fits, hashed, once_password
from inhouse.app.staff.types import Member, Role, State, name_key, role_named, staff_name
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.store import tables
from inhouse.store.database import Database

# A one-time password that nobody has used for so long is void.
ONCE_FOR_MS: Final = 7 * DAY_MS
MOST: Final = 1_000
COMMAND_LINE: Final = "command line"  # who changed something, where it was no member
_STAFF: Final = tables.staff
_Row = sa.Row[tuple[Any, ...]]


class Staff:
    """Rows of the community's database; every process sees a change at once."""

    def __init__(self, database: Database, clock: SystemClock | None = None) -> None:
        """clock: the machine's own time, whatever the community's follows."""
        self._database = database
        self._clock = clock or SystemClock()

    def list(self) -> list[Member]:
        """Everybody, in the order of the alphabet; who was erased, too."""
        with self._database.read() as connection:
            found = connection.execute(sa.select(_STAFF).order_by(_STAFF.c.name_key))
            return [member_of(row) for row in found]

    def exist(self) -> bool:
        """Whether there are staff with names, so that nobody else comes in."""
        with self._database.read() as connection:
            return connection.execute(sa.select(_STAFF.c.name).limit(1)).first() is not None

    def holds(self, name: str) -> bool:
        """Whether a name is, or looks like, somebody's of the staff, now or before."""
        with self._database.read() as connection:
            return _find(connection, name) is not None

    def add(self, name: str, role: str, by: str = COMMAND_LINE) -> tuple[Member, str]:
        """A new member and the one-time password that is told to them, which cannot be shown again.

        Raises InputError, and ConflictError where the name is taken or the first is no operator.
        """
        chosen, wanted, once = staff_name(name), role_named(role), once_password()
        now_ms = self._clock.now_ms()
        row = _new_row(chosen, wanted, now_ms, by)
        row |= {"secret": hashed(once), "secret_until_ms": now_ms + ONCE_FOR_MS}

        def write(connection: Connection) -> _Row:
            if wanted != "operator" and _operators(connection) == 0:
                raise ConflictError(
                    f"{chosen} would be a {wanted} with no operator above; "
                    "add an operator first: `inhouse staff add NAME --role operator`"
                )
            return _insert(connection, row)

        return member_of(self._database.write(write)), once

    def begin(self, name: str, password: str) -> Member:
        """The first of the staff, an operator, with the password that they chose.

        Raises InputError, and ConflictError where there are staff already.
        """
        chosen = staff_name(name)
        row = _new_row(chosen, "operator", self._clock.now_ms(), chosen)
        row |= {"secret": hashed(checked_password(password, chosen)), "secret_until_ms": None}

        def write(connection: Connection) -> _Row:
            if connection.execute(sa.select(_STAFF.c.name).limit(1)).first() is not None:
                raise ConflictError("there are staff with names already; sign in as one of them")
            return _insert(connection, row)

        return member_of(self._database.write(write))

    def reset(self, name: str, by: str = COMMAND_LINE) -> str:
        """A new one-time password; the old one and all sessions are void. Whoever was switched off
        is back. Raises UnknownError, and ConflictError for who was erased."""
        once, now_ms = once_password(), self._clock.now_ms()
        values = {
            "secret": hashed(once),
            "secret_until_ms": now_ms + ONCE_FOR_MS,
            "off_ms": None,
        }
        self._change(name, by, lambda connection, row: values)
        return once

    def off(self, name: str, by: str = COMMAND_LINE) -> None:
        """Let somebody in no more, and end their sessions. Raises UnknownError, and ConflictError
        for the last operator."""

        def write(connection: Connection, row: _Row) -> dict[str, object]:
            _spare_the_last(connection, row)
            return {"off_ms": self._clock.now_ms()}

        self._change(name, by, write)

    def set_role(self, name: str, role: str, by: str = COMMAND_LINE) -> None:
        """Give somebody another role; they sign in anew. Raises as `off`."""
        wanted = role_named(role)

        def write(connection: Connection, row: _Row) -> dict[str, object]:
            if wanted != "operator":
                _spare_the_last(connection, row)
            return {"role": wanted}

        self._change(name, by, write)

    def erase(self, name: str, by: str = COMMAND_LINE) -> None:
        """Forget how somebody signed in and how they chose to work. Their name stays, taken, with
        the decisions that are filed under it. Raises as `off`."""
        reviewers = tables.reviewers

        def write(connection: Connection, row: _Row) -> dict[str, object]:
            _spare_the_last(connection, row)
            connection.execute(reviewers.delete().where(reviewers.c.name == row.name))
            now_ms = self._clock.now_ms()
            return {"secret": None, "secret_until_ms": None, "off_ms": now_ms, "erased_ms": now_ms}

        self._change(name, by, write)

    def check(self, name: str, password: str) -> Member | None:
        """Whose name and password these are, None for nobody's. Takes the same time for a name that
        does not exist as for a wrong password."""
        with self._database.read() as connection:
            row = _find(connection, name)
        stands = row is not None and row.off_ms is None and self._is_good(row.secret_until_ms)
        right = fits(password, row.secret if row is not None and stands else None)
        return member_of(row) if row is not None and right else None

    def choose(self, name: str, password: str) -> Member:
        """Take up the password that somebody chose, another than before. Their sessions end, so
        they begin a new one. Raises InputError, UnknownError."""
        secret = hashed(checked_password(password, name))
        if self.check(name, password) is not None:
            raise InputError("that is the password you have; choose another", field="password")
        values: dict[str, object] = {"secret": secret, "secret_until_ms": None}

        def write(connection: Connection, row: _Row) -> dict[str, object]:
            if row.off_ms is not None:
                raise ConflictError(f"{row.name} is switched off")
            if not self._is_good(row.secret_until_ms):
                raise ConflictError("the one-time password is void; ask an operator for another")
            return values

        return self._change(name, name, write)

    def _is_good(self, until_ms: int | None) -> bool:
        return until_ms is None or self._clock.now_ms() < until_ms

    def _change(
        self, name: str, by: str, change: Callable[[Connection, _Row], dict[str, Any]]
    ) -> Member:
        now_ms = self._clock.now_ms()

        def write(connection: Connection) -> _Row:
            row = _row_named(connection, name)
            if row.erased_ms is not None:
                raise ConflictError(
                    f"{row.name} was erased; the name stays with their decisions, add another"
                )
            values = {**change(connection, row), "changed_ms": now_ms, "changed_by": by[:64]}
            connection.execute(_STAFF.update().where(_STAFF.c.name == row.name).values(**values))
            sessions = tables.staff_sessions
            connection.execute(sessions.delete().where(sessions.c.name == row.name))
            return _row_named(connection, row.name)

        return member_of(self._database.write(write))


def member_of(row: _Row) -> Member:
    """A member by their row."""
    state: State = "active"
    if row.erased_ms is not None:
        state = "erased"
    elif row.off_ms is not None:
        state = "off"
    elif row.secret_until_ms is not None:
        state = "invited"
    return Member(
        name=row.name,
        role=row.role,
        state=state,
        created_ms=row.created_ms,
        changed_ms=row.changed_ms,
        changed_by=row.changed_by,
    )


def _new_row(name: str, role: Role, now_ms: int, by: str) -> dict[str, Any]:
    return {
        "name": name,
        "name_key": name_key(name),
        "role": role,
        "created_ms": now_ms,
        "changed_ms": now_ms,
        "changed_by": by[:64],
    }


def _insert(connection: Connection, row: dict[str, Any]) -> _Row:
    taken = sa.select(_STAFF).where(_STAFF.c.name_key == row["name_key"])
    there = connection.execute(taken).one_or_none()
    if there is not None:
        raise ConflictError(
            f"{there.name} is one of the staff already; `inhouse staff list` shows them"
            if there.erased_ms is None
            else f"{there.name} was erased; the name stays with their decisions, choose another"
        )
    count = connection.execute(sa.select(sa.func.count()).select_from(_STAFF)).scalar_one()
    if count >= MOST:
        raise InputError(f"there are {count:,} members of staff; expected at most {MOST:,}")
    connection.execute(_STAFF.insert(), row)
    return connection.execute(taken).one()


def _find(connection: Connection, name: str) -> _Row | None:
    if not name.isprintable():  # no name, and PostgreSQL would not even compare it
        return None
    query = sa.select(_STAFF).where(_STAFF.c.name_key == name_key(name))
    return connection.execute(query).one_or_none()


def _row_named(connection: Connection, name: str) -> _Row:
    row = _find(connection, name)
    if row is None:
        raise UnknownError(
            f"nobody of the staff is called {name[:80]!r}; `inhouse staff list` shows them"
        )
    return row


def _operators(connection: Connection) -> int:
    query = sa.select(sa.func.count()).where(_STAFF.c.role == "operator", _STAFF.c.off_ms.is_(None))
    return connection.execute(query).scalar_one()


def _spare_the_last(connection: Connection, row: _Row) -> None:
    if row.role == "operator" and row.off_ms is None and _operators(connection) == 1:
        raise ConflictError(
            f"{row.name} is the only operator; make somebody else one first, or nobody could "
            "let staff in"
        )
