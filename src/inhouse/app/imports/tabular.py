"""CSV, JSON lines and Parquet with a column map."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from inhouse.app.imports.columns import ColumnMap, column_map
from inhouse.app.imports.fields import record_of
from inhouse.app.imports.files import check_text, fingerprint, open_parquet, open_text, parquet_rows
from inhouse.app.imports.types import BadRow, Row, Source
from inhouse.core.errors import Fault, InputError

FORMATS: Final = ("csv", "jsonl", "parquet")


def open_table(path: Path, format_name: str, table: str, given: Sequence[str]) -> Source:
    """A source of `items`, `users` or `events` from a file; `given` are `field=column` pairs.

    `.gz` is read as is, except for Parquet. Raises InputError where the file or the map is wrong.
    """
    if format_name == "csv":
        return CsvSource(path, table, given)
    if format_name == "jsonl":
        return JsonLinesSource(path, table, given)
    if format_name == "parquet":
        return ParquetSource(path, table, given)
    raise InputError(f"cannot read {format_name!r}; it is one of {', '.join(FORMATS)}")


def table_by_name(path: Path, table: str) -> Source:
    """A source of `items`, `users` or `events`, its format told by the file's name."""
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in FORMATS:
        raise InputError(f"{path}: got .{kind}, expected .csv, .jsonl or .parquet")
    return open_table(path, kind, table, [])


def _row(where: str, columns: ColumnMap, values: Mapping[str, object]) -> Row:
    """One row, from values by column."""
    fields = {
        **columns.constants,
        **{field: values[column] for field, column in columns.columns.items() if column in values},
    }
    record = record_of(columns.table, fields)
    if isinstance(record, Fault):
        return Row(where=where, bad=_bad(where, record))
    return Row(where=where, record=record)


def _bad(where: str, fault: Fault) -> BadRow:
    return BadRow(where=where, field=fault.field, value=fault.value, expected=fault.expected)


class CsvSource:
    """A file of comma-separated values with a header line."""

    def __init__(self, path: Path, table: str, given: Sequence[str]) -> None:
        lines, _ = check_text(path)
        self._path = path
        with open_text(path) as handle:
            self._header = next(csv.reader(handle), [])
        doubled = {name for name in self._header if self._header.count(name) > 1}
        if doubled:
            raise InputError(f"{path}: column {min(doubled)!r} is there twice; rename one of them")
        self._map = column_map(table, given, self._header, path)
        self.kind = "csv"
        self.rows = lines - 1
        self.notes: tuple[str, ...] = ()
        self.fingerprint = fingerprint([path], "csv", table, *given)

    def read(self) -> Iterator[Row]:
        """See `Source.read`; the line named is that where a row begins."""
        with open_text(self._path) as handle:
            reader = csv.reader(handle, strict=True)
            next(reader)
            line = reader.line_num + 1
            while True:
                where = f"{self._path.name} line {line}"
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    fault = Fault(field="row", value="broken quotes", expected=f"CSV: {error}")
                    yield Row(where=where, bad=_bad(where, fault))
                else:
                    if cells:
                        yield self._one(where, cells)
                line = reader.line_num + 1

    def _one(self, where: str, cells: list[str]) -> Row:
        if len(cells) != len(self._header):
            fault = Fault(
                field="row",
                value=f"{len(cells)} values",
                expected=f"{len(self._header)}, as in the header",
            )
            return Row(where=where, bad=_bad(where, fault))
        return _row(where, self._map, dict(zip(self._header, cells, strict=True)))


class JsonLinesSource:
    """A file with one JSON object a line."""

    def __init__(self, path: Path, table: str, given: Sequence[str]) -> None:
        self.rows, _ = check_text(path)
        self._path = path
        self._map = column_map(table, given, None, path)
        self.kind = "jsonl"
        self.notes: tuple[str, ...] = ()
        self.fingerprint = fingerprint([path], "jsonl", table, *given)

    def read(self) -> Iterator[Row]:
        """See `Source.read`."""
        decoder = msgspec.json.Decoder(dict[str, object])
        with open_text(self._path) as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    yield self._one(f"{self._path.name} line {number}", line, decoder)

    def _one(
        self, where: str, line: str, decoder: "msgspec.json.Decoder[dict[str, object]]"
    ) -> Row:
        try:
            values = decoder.decode(line)
        except msgspec.DecodeError as error:
            fault = Fault(
                field="row", value=repr(line.strip())[:80], expected=f"a JSON object: {error}"
            )
            return Row(where=where, bad=_bad(where, fault))
        return _row(where, self._map, values)


class ParquetSource:
    """A Parquet file."""

    def __init__(self, path: Path, table: str, given: Sequence[str]) -> None:
        file = open_parquet(path)
        self._path = path
        self._map = column_map(table, given, file.schema_arrow.names, path)
        self.kind = "parquet"
        self.rows = file.metadata.num_rows
        self.notes: tuple[str, ...] = ()
        self.fingerprint = fingerprint([path], "parquet", table, *given)

    def read(self) -> Iterator[Row]:
        """See `Source.read`."""
        columns = sorted(set(self._map.columns.values()))
        rows = parquet_rows(self._path, open_parquet(self._path), columns)
        for number, values in enumerate(rows, 1):
            where = f"{self._path.name} row {number}"
            yield _row(where, self._map, dict(zip(columns, values, strict=True)))
