"""How much worse than the rented model an owned one may be, as somebody signed for it."""

from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import InputError
from inhouse.models.settings import ModelSettings
from inhouse.store import chain, tables
from inhouse.store.database import Database

LEAST, MOST = 0.001, 0.5
MOST_NAME_CHARS = 100  # of whoever signs


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """A margin and whose word it is."""

    task: str
    margin: float  # how much less often than the rented model it may be right
    signed_by: str  # a person's name
    at_ms: int


class Margins:
    """The margins of one community: appended, the latest of a task holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign(self, margin: Margin) -> None:
        """Put a margin on record. Raises InputError where it, or the name, is out of range."""
        if not LEAST <= margin.margin <= MOST:
            raise InputError(
                f"margin is {margin.margin}, expected {LEAST} to {MOST}, such as 0.03",
                field="margin",
            )
        by = named(margin.signed_by)
        row = {"task": margin.task, "at_ms": margin.at_ms, "margin": margin.margin, "signed_by": by}
        told: dict[str, object] = {"task": margin.task, "margin": margin.margin}
        entry = chain.Entry(at_ms=margin.at_ms, what="model", actor=f"person:{by}", details=told)

        def write(connection: Connection) -> None:
            connection.execute(tables.margins.insert(), row)
            chain.append(connection, [entry])

        self._database.write(write)

    def of(self, task: str) -> Margin | None:
        """The one that holds; None where nobody signed, and the setting's counts."""
        table = tables.margins
        query = sa.select(table).where(table.c.task == task).order_by(table.c.log_offset.desc())
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).mappings().first()
        if row is None:
            return None
        return Margin(
            task=row["task"],
            margin=row["margin"],
            signed_by=row["signed_by"],
            at_ms=row["at_ms"],
        )

    def applied(self, task: str, settings: ModelSettings) -> ModelSettings:
        """The settings with the signed margin, where there is one."""
        signed = self.of(task)
        return settings if signed is None else replace(settings, margin=signed.margin)


def named(by: str) -> str:
    """A person's name that can be put on record. Raises InputError."""
    name = by.strip()
    if not 1 <= len(name) <= MOST_NAME_CHARS or not name.isprintable():
        raise InputError(
            f"a name of {len(name):,} characters; expected 1 to {MOST_NAME_CHARS} that can be "
            "printed: who answers for it",
            field="by",
        )
    return name
