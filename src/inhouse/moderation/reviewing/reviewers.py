"""What reviewers choose for themselves: how pictures are shown, and when to rest."""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import Fault, SettingError
from inhouse.moderation.recording.rulings import checked_name
from inhouse.store import tables
from inhouse.store.database import Database

Blur = Literal["strong", "light", "none"]
BLURS: Final[tuple[Blur, ...]] = ("strong", "light", "none")
MOST_BREAK_MINUTES: Final = 480
MOST_HARD_CASES: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewerSettings:
    """One reviewer's own; the defaults are the careful ones."""

    blur: Blur = "strong"  # of media until they are looked at on purpose
    grey: bool = True  # media without colour until then
    break_after_minutes: int = 45  # of work; 0: never reminded by time
    break_after_hard: int = 15  # cases that were removed or sent on; 0: never reminded by them


class Reviewers:
    """The reviewers of one community, by the names they decide under."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, name: str) -> ReviewerSettings:
        """What somebody chose, or the defaults."""
        table = tables.reviewers
        query = sa.select(table.c.body).where(table.c.name == checked_name(name))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return msgspec.json.decode(body, type=ReviewerSettings) if body else ReviewerSettings()

    def put(self, name: str, settings: ReviewerSettings) -> ReviewerSettings:
        """Remember what somebody chose. Raises SettingError that shows every fault."""
        checked_name(name)
        faults = _faults(settings)
        if faults:
            raise SettingError(f"the settings of {name} cannot be kept", faults)
        table = tables.reviewers
        row = {
            "body": msgspec.json.encode(settings).decode(),
            "updated_ms": self._clock.now_ms(),
        }

        def write(connection: Connection) -> None:
            update = table.update().where(table.c.name == name).values(**row)
            if not connection.execute(update).rowcount:
                connection.execute(table.insert(), {"name": name, **row})

        self._database.write(write)
        return settings


def _faults(settings: ReviewerSettings) -> list[Fault]:
    ranges = (
        ("break_after_minutes", settings.break_after_minutes, MOST_BREAK_MINUTES),
        ("break_after_hard", settings.break_after_hard, MOST_HARD_CASES),
    )
    faults = [
        Fault(field=field, value=str(value), expected=f"0 to {most}")
        for field, value, most in ranges
        if not 0 <= value <= most
    ]
    if settings.blur not in BLURS:
        faults.append(
            Fault(field="blur", value=repr(settings.blur)[:40], expected=", ".join(BLURS))
        )
    return faults
