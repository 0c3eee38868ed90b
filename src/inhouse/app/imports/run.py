"""Store a source chunk by chunk. A chunk and the place reached are one transaction, so an import
that is killed goes on where it was, and none of it is half there."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.app.imports.types import BadRow, Counts, ImportReport, Progress, Record, Row, Source
from inhouse.catalog.catalog import Catalog, put_items, put_users
from inhouse.catalog.types import Item, User
from inhouse.catalog.validate import item_fault, user_fault
from inhouse.core.clock import DAY_MS, SystemClock
from inhouse.core.errors import ConflictError, Fault, InputError
from inhouse.events.log import append_rows, rows_of
from inhouse.events.types import Event
from inhouse.events.validate import fault_of
from inhouse.models.harvest.labels import add_labels, label_fault
from inhouse.models.types import Label
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

MOST_BAD_ROWS_KEPT: Final = 100
_CHUNK_ROWS: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """How far a job is: what the table `jobs` remembers of it."""

    rows: int = 0
    counts: Counts = dataclasses.field(default_factory=Counts)
    bad_rows: tuple[BadRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chunk:
    """Consecutive rows, sorted."""

    rows: int  # how many
    items: list[Item]
    users: list[User]
    events: list[Event]
    labels: list[Label]
    repeated: int  # rows whose id stood in the source before
    bad_rows: list[BadRow]


def run_import(
    source: Source,
    database: Database,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> ImportReport:
    """Store every good row of `source`; resumes where an interrupted run of the same source was.

    Importing the same source again stores nothing new. Of an id that stands in a source twice the
    first row counts. Raises InputError where the source breaks off: what came before is stored,
    whole, and running it again goes on from there.
    """
    job = _Job(database, f"import-{source.kind}-{source.fingerprint[:24]}")
    resumed_at = job.place.rows
    sorter = _Sorter(Catalog(database))

    def tell() -> None:
        on_progress(Progress(rows=job.place.rows, total=source.rows, counts=job.place.counts))

    try:
        for rows in _chunks(source.read()):
            chunk = sorter.sort(rows, store_from=resumed_at)
            if job.settle():
                tell()
            if chunk.rows:
                job.store(chunk)
    except ConflictError:
        raise
    except InputError:
        job.end("failed")
        raise
    finally:
        job.settle()
    job.end("done")
    tell()
    return ImportReport(
        job_id=job.job_id,
        resumed_at=resumed_at,
        counts=job.place.counts,
        bad_rows=job.place.bad_rows,
        notes=source.notes,
    )


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, _CHUNK_ROWS)):
        yield chunk


class _Sorter:
    """Sorts rows into items, users, events and bad ones; remembers every id it has seen."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._given: set[tuple[type[Record], str]] = set()
        self._known_items: set[str] = set()
        self._passed = 0
        self._latest_ms = SystemClock().now_ms() + DAY_MS

    def sort(self, rows: Sequence[Row], store_from: int) -> _Chunk:
        """One chunk; rows before `store_from` were stored by an earlier run and are only noted."""
        old = min(max(0, store_from - self._passed), len(rows))
        self._passed += len(rows)
        for row in rows[:old]:
            self._note(row.record)
        new = rows[old:]
        self._look_up(row.record.item_id for row in new if isinstance(row.record, Event))
        chunk = _Chunk(
            rows=len(new), items=[], users=[], events=[], labels=[], repeated=0, bad_rows=[]
        )
        repeated = sum(self._take(row, chunk) for row in new)
        return dataclasses.replace(chunk, repeated=repeated)

    def _take(self, row: Row, chunk: _Chunk) -> bool:
        """Put a row where it belongs; returns whether its id stood in the source before."""
        bad = row.bad or self._fault(row)
        if bad is not None:
            chunk.bad_rows.append(bad)
            return False
        record = row.record
        if record is None or not self._note(record):
            return True
        if isinstance(record, Item):
            chunk.items.append(record)
        elif isinstance(record, User):
            chunk.users.append(record)
        elif isinstance(record, Label):
            chunk.labels.append(record)
        else:
            chunk.events.append(record)
        return False

    def _fault(self, row: Row) -> BadRow | None:
        fault = None if row.record is None else self._record_fault(row.record)
        if fault is None:
            return None
        return BadRow(
            where=row.where, field=fault.field, value=fault.value, expected=fault.expected
        )

    def _record_fault(self, record: Record) -> Fault | None:
        if isinstance(record, Item):
            return item_fault(record)
        if isinstance(record, User):
            return user_fault(record)
        if isinstance(record, Label):
            return label_fault(record)
        return fault_of(record, self._known_items.__contains__, self._latest_ms)

    def _note(self, record: Record | None) -> bool:
        """Remember a record's id; returns whether it is new in this source."""
        if isinstance(record, Item):
            self._known_items.add(record.item_id)
            key: tuple[type[Record], str] = (Item, record.item_id)
        elif isinstance(record, User):
            key = (User, record.user_id)
        else:
            return True  # the log and the labels know themselves what they have
        if key in self._given:
            return False
        self._given.add(key)
        return True

    def _look_up(self, wanted: Iterable[str | None]) -> None:
        """Learn which of the items that events speak of are in the catalog."""
        unknown = {item_id for item_id in wanted if item_id is not None} - self._known_items
        self._known_items.update(self._catalog.items(unknown))


class _Job:
    """The row of the table `jobs`, and the chunk that is being stored while the next is read."""

    def __init__(self, database: Database, job_id: str) -> None:
        self.job_id = job_id
        self.place = _unfinished(database, job_id)
        self._database = database
        self._waiting: Future[_Place] | None = None

    def store(self, chunk: _Chunk) -> None:
        """Store a chunk and the new place in one transaction, after the chunk before it."""
        self.settle()
        place = self.place

        def write(connection: Connection) -> _Place:
            _refuse_another(connection, self.job_id, place)
            reached = _Place(
                rows=place.rows + chunk.rows,
                counts=place.counts + _store(connection, chunk),
                bad_rows=(*place.bad_rows, *chunk.bad_rows)[:MOST_BAD_ROWS_KEPT],
            )
            upsert(connection, tables.jobs, [_job_row(self.job_id, "running", reached)])
            return reached

        self._waiting = self._database.submit(write)

    def settle(self) -> bool:
        """Wait until nothing is being stored; returns whether something was."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.place = waiting.result()
        return waiting is not None

    def end(self, state: str) -> None:
        """Settle, then note how it ended."""
        self.settle()
        row = _job_row(self.job_id, state, self.place)
        self._database.write(lambda connection: upsert(connection, tables.jobs, [row]))


def _store(connection: Connection, chunk: _Chunk) -> Counts:
    put = put_items(connection, chunk.items)
    users = put_users(connection, chunk.users)
    log = append_rows(connection, rows_of(chunk.events, SystemClock().now_ms()))
    items, people = put.created + put.updated, users.created + users.updated
    labels = add_labels(connection, chunk.labels)
    return Counts(
        read=chunk.rows,
        stored=items + people + log.stored + labels,
        repeated=(
            chunk.repeated
            + put.unchanged
            + users.unchanged
            + log.repeated
            + len(chunk.labels)
            - labels
        ),
        rejected=len(chunk.bad_rows),
        items=items,
        users=people,
        events=log.stored,
        labels=labels,
    )


def _refuse_another(connection: Connection, job_id: str, place: _Place) -> None:
    """Two imports of one source at once would each count the other's rows."""
    query = sa.select(tables.jobs.c.cursor).where(tables.jobs.c.job_id == job_id)
    cursor = connection.execute(query).scalar()
    if place.rows and cursor is not None and int(cursor) != place.rows:
        raise ConflictError(
            f"another import of this source is running: it is at row {cursor}, this one at"
            f" {place.rows}; wait for it"
        )


def _job_row(job_id: str, state: str, place: _Place) -> dict[str, object]:
    body = {"counts": place.counts, "bad_rows": place.bad_rows}
    return {
        "job_id": job_id,
        "kind": "import",
        "state": state,
        "cursor": str(place.rows),
        "counts": msgspec.json.encode(body).decode(),
        "updated_ms": SystemClock().now_ms(),
    }


def _unfinished(database: Database, job_id: str) -> _Place:
    """Where an interrupted run of this job was; the start for a new or a finished one."""
    table = tables.jobs
    query = sa.select(table.c.state, table.c.cursor, table.c.counts).where(table.c.job_id == job_id)
    with database.read() as connection:
        row = connection.execute(query).first()
    if row is None or row.state == "done":
        return _Place()
    body = msgspec.json.decode(row.counts, type=_Body)
    return _Place(rows=int(row.cursor), counts=body.counts, bad_rows=body.bad_rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Body:
    counts: Counts
    bad_rows: tuple[BadRow, ...]
