"""The nouns of an import."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from inhouse.catalog.types import Item, User
from inhouse.events.types import Event
from inhouse.models.types import Label

Record = Item | User | Event | Label


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """A row that was not taken, and what to do about it."""

    where: str  # file and line, or file and row
    field: str  # which part of the row
    value: str  # what was given, shortened
    expected: str  # what would have been right

    def __str__(self) -> str:
        return f"{self.where}: {self.field}: got {self.value}, expected {self.expected}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a source: a record, or what is wrong with it."""

    where: str  # file and line, or file and row
    record: Record | None = None  # what it says
    bad: BadRow | None = None  # or why it says nothing


class Source(Protocol):
    """Something that can be imported. Making one checks all that can be checked beforehand."""

    kind: str  # movielens, reddit, csv, jsonl or parquet
    fingerprint: str  # of content and options: the same source is the same job
    rows: int  # how many rows there are, blank lines included
    notes: tuple[str, ...]  # what a person should know of how it is read

    def read(self) -> Iterator[Row]:
        """Every row from the first, in the same order each time; items before their events.

        Raises InputError where the file breaks in the middle.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What became of the rows: read = stored + repeated + rejected."""

    read: int = 0  # rows looked at
    stored: int = 0  # rows that were new, or changed what was stored
    repeated: int = 0  # rows that were there already
    rejected: int = 0  # rows that made no sense
    items: int = 0  # of those stored
    users: int = 0  # of those stored
    events: int = 0  # of those stored
    labels: int = 0  # of those stored

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            read=self.read + other.read,
            stored=self.stored + other.stored,
            repeated=self.repeated + other.repeated,
            rejected=self.rejected + other.rejected,
            items=self.items + other.items,
            users=self.users + other.users,
            events=self.events + other.events,
            labels=self.labels + other.labels,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far an import came."""

    rows: int  # dealt with, those of an earlier interrupted run included
    total: int  # rows of the source
    counts: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportReport:
    """What an import did."""

    job_id: str  # in the table `jobs`
    resumed_at: int  # row at which an interrupted run was taken up, 0 for a fresh one
    counts: Counts  # of the whole source, the interrupted run included
    bad_rows: tuple[BadRow, ...] = ()  # the first hundred; counts.rejected says how many there are
    notes: tuple[str, ...] = field(default=())  # what a person should know of how it was read
