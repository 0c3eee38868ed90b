"""Files for the EU's Transparency Database: what is new since the last one, in its batches.

A file is whole or absent. Statements are remembered as exported after it is on disk; whoever is
killed before writes the same file again.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import StoreError
from inhouse.core.files import sync_folder
from inhouse.moderation.statements.keep import statement_of_row
from inhouse.moderation.statements.types import Statement
from inhouse.moderation.transparency.dsa import FIELDS, Record, faults_of, record_of, row_of
from inhouse.store import tables
from inhouse.store.database import Database

# Of statements in one call of `POST /api/v1/statements`.
MOST_IN_A_CALL: Final = 100
COLUMNS: Final = tuple(sorted(FIELDS))
_AT_ONCE: Final = 1_000
Format = Literal["json", "csv"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """What went into a file."""

    statements: int
    calls: int  # batches of at most a hundred; a line each in a JSON file
    exempt: int  # left out: the law asks for no statement
    refused: tuple[str, ...]  # ids and faults of those that do not fit the schema; left out too


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to export."""

    since_ms: int  # statements made from then on
    again: bool = False  # those too that were exported before
    format: Format = "json"


class DsaExport:
    """Exports of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, path: Path, wanted: Wanted, now_ms: int) -> Exported:
        """Write the file, then remember what is in it. Raises StoreError where it cannot be
        written; nothing is remembered then."""
        taken: list[str] = []
        refused: list[str] = []
        exempt = calls = 0
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as file:
                if wanted.format == "csv":
                    file.write(_csv_line(COLUMNS))
                for batch in self._batches(wanted):
                    owed = [s for s in batch if not s.reasons.exempt]
                    exempt += len(batch) - len(owed)
                    good, bad = _sorted_out([record_of(statement) for statement in owed])
                    refused += bad
                    taken += [str(record["puid"]) for record in good]
                    calls += bool(good)
                    file.write(_lines(good, wanted.format))
            part.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise StoreError(
                f"cannot write {path}: {error.strerror}; choose a folder that can be written"
            ) from error
        self._database.write(lambda connection: _remember(connection, taken, now_ms))
        return Exported(statements=len(taken), calls=calls, exempt=exempt, refused=tuple(refused))

    def _batches(self, wanted: Wanted) -> Iterator[Sequence[Statement]]:
        """Statements by id, which rises with time, as many as one call takes."""
        table = tables.statements
        after = ""
        while True:
            query = (
                sa.select(table)
                .where(table.c.at_ms >= wanted.since_ms, table.c.statement_id > after)
                .order_by(table.c.statement_id)
                .limit(MOST_IN_A_CALL)
            )
            if not wanted.again:
                query = query.where(table.c.exported_ms.is_(None))
            with self._database.read() as connection:
                batch = [statement_of_row(row) for row in connection.execute(query)]
            if not batch:
                return
            yield batch
            after = batch[-1].statement_id


def _sorted_out(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """Those that fit the schema, and what is wrong with the others."""
    good: list[Record] = []
    bad: list[str] = []
    for record in records:
        faults = faults_of(record)
        if faults:
            bad.append(f"{record['puid']}: {'; '.join(map(str, faults))}")
        else:
            good.append(record)
    return good, bad


def _lines(records: Sequence[Record], form: Format) -> str:
    if not records:
        return ""
    if form == "csv":
        return "".join(_csv_line(row_of(record, COLUMNS)) for record in records)
    return msgspec.json.encode({"statements": records}).decode() + "\n"


def _csv_line(cells: Sequence[str]) -> str:
    """RFC 4180: commas, doubled quotes, CR LF. A cell that a spreadsheet would compute is made
    text."""
    line = io.StringIO()
    safe = [f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in cells]
    csv.writer(line, lineterminator="\r\n").writerow(safe)
    return line.getvalue()


def _remember(connection: Connection, ids: Sequence[str], now_ms: int) -> None:
    table = tables.statements
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        connection.execute(
            table.update().where(table.c.statement_id.in_(some)).values(exported_ms=now_ms)
        )
