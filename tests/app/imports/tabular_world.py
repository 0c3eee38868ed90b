"""Writes rows into files of each format that can be read, and reads them again."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from inhouse.app.imports.tabular import open_table

Rows = list[dict[str, Any]]
Writer = Callable[[Path, Rows], None]


def write_csv(path: Path, rows: Rows) -> None:
    """With a header of the first row's names."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: Rows) -> None:
    """An object a line, without what is None."""
    lines = [{name: value for name, value in row.items() if value is not None} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_parquet(path: Path, rows: Rows) -> None:
    """Groups of 500 rows."""
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500)


WRITERS: dict[str, Writer] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


def records(path: Path, format_name: str, table: str, *pairs: str) -> list[object]:
    """What is read of each row, or what is wrong with it in words."""
    source = open_table(path, format_name, table, pairs)
    return [row.record or str(row.bad) for row in source.read()]
