"""Files that are missing, torn or in another shape are told, at once or row by row."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.app.imports.tabular_world import WRITERS, records, write_parquet

from inhouse.app.imports.run import run_import
from inhouse.app.imports.tabular import open_table
from inhouse.app.imports.types import Counts
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.store.database import Database


@pytest.mark.parametrize("format_name", list(WRITERS))
def test_missing_and_empty_files_are_refused(tmp_path: Path, format_name: str) -> None:
    """Before anything is stored, with the path."""
    path = tmp_path / f"rows.{format_name}"
    with pytest.raises(InputError) as missing:
        open_table(path, format_name, "items", [])
    path.touch()
    with pytest.raises(InputError) as empty:
        open_table(path, format_name, "items", [])

    assert str(missing.value) == f"there is no file {path}; check the path"
    assert str(empty.value) == f"{path} is empty; nothing can be imported from it"


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_another_encoding_is_refused_with_its_line(tmp_path: Path, format_name: str) -> None:
    """Nothing is guessed, and nothing stored; the way out is named."""
    path = tmp_path / f"rows.{format_name}"
    WRITERS[format_name](path, [{"item_id": f"i{n}", "creator_id": "c"} for n in range(3)])
    with path.open("ab") as handle:
        handle.write("i9,Löwe\n".encode("latin-1"))
    line = {"csv": 5, "jsonl": 4}[format_name]

    with pytest.raises(InputError) as caught:
        open_table(path, format_name, "items", [])
    assert str(caught.value) == (
        f"{path}, line {line}: not UTF-8 (byte 0xf6);"
        " convert the file first, for example with `iconv -f LATIN1 -t UTF-8`"
    )


def test_gzip_is_read_as_is_and_a_torn_one_refused(tmp_path: Path) -> None:
    """A compressed file that breaks off is found before anything is stored."""
    path = tmp_path / "rows.csv.gz"
    rows = "".join(f"i{n},c\n" for n in range(5_000))
    with gzip.open(path, "wt") as handle:
        handle.write("item_id,creator_id\n" + rows)
    assert len(records(path, "csv", "items")) == 5_000

    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError) as caught:
        open_table(path, "csv", "items", [])
    assert str(caught.value) == (
        f"{path} is not a whole gzip file: Compressed file ended before the end-of-stream marker"
        " was reached; copy it again"
    )


def test_a_torn_parquet_file_is_refused(tmp_path: Path) -> None:
    """A copy that broke off is found before anything is stored."""
    path = tmp_path / "rows.parquet"
    write_parquet(path, [{"item_id": f"i{n}", "creator_id": "c"} for n in range(100)])
    path.write_bytes(path.read_bytes()[:-50])

    with pytest.raises(InputError) as caught:
        open_table(path, "parquet", "items", [])
    assert str(caught.value).startswith(f"{path} is not a whole Parquet file: ")
    assert str(caught.value).endswith("; copy it again")


def test_a_parquet_file_damaged_in_the_middle_can_be_mended(
    tmp_path: Path, database: Database
) -> None:
    """What came before the damage is stored; with a good copy the rest follows, nothing twice."""
    path = tmp_path / "rows.parquet"
    rows = [{"item_id": f"i{n * 7919 % 100_003}", "creator_id": "c"} for n in range(9_000)]
    pq.write_table(
        pa.Table.from_pylist(rows),
        path,
        row_group_size=3_000,
        compression="zstd",
        use_dictionary=[],
    )
    good = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset
    path.write_bytes(good[: start + 40] + b"\xff" * 400 + good[start + 440 :])
    with pytest.raises(InputError) as caught:
        run_import(open_table(path, "parquet", "items", []), database)
    assert str(caught.value).startswith(f"{path} is damaged behind row ")
    assert str(caught.value).endswith("what is stored is not stored twice")

    stored_before = Catalog(database).counts()[0]
    path.write_bytes(good)
    counts = run_import(open_table(path, "parquet", "items", []), database).counts

    assert stored_before >= 2_000
    assert counts == Counts(
        read=9_000,
        stored=9_000 - stored_before,
        repeated=stored_before,
        items=9_000 - stored_before,
    )


def test_csv_rows_of_the_wrong_width_and_open_quotes_are_bad_rows(tmp_path: Path) -> None:
    """The line named is that where the row begins, also behind a value of several lines."""
    path = tmp_path / "rows.csv"
    path.write_text(
        'item_id,creator_id,title\na,c,"two\nlines"\nb,c\n\nd,c,x,y\ne,c,fine\nf,c,"never closed\n'
    )

    assert records(path, "csv", "items") == [
        Item(item_id=ItemId("a"), creator_id=UserId("c"), title="two\nlines"),
        "rows.csv line 4: row: got 2 values, expected 3, as in the header",
        "rows.csv line 6: row: got 4 values, expected 3, as in the header",
        Item(item_id=ItemId("e"), creator_id=UserId("c"), title="fine"),
        "rows.csv line 8: row: got broken quotes, expected CSV: unexpected end of data",
    ]


def test_a_csv_header_with_a_doubled_column_is_refused(tmp_path: Path) -> None:
    """Which of the two was meant is not guessed."""
    path = tmp_path / "rows.csv"
    path.write_text("item_id,creator_id,item_id\na,c,b\n")

    with pytest.raises(InputError) as caught:
        open_table(path, "csv", "items", [])
    assert str(caught.value) == f"{path}: column 'item_id' is there twice; rename one of them"


def test_json_lines_that_are_no_objects_are_bad_rows(tmp_path: Path) -> None:
    """Blank lines are passed over; a byte-order mark is no fault."""
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '\ufeff{"item_id": "a", "creator_id": "c"}\n\n[1]\n{"item_id": \n{"item_id": true}\n'
    )
    first, listed, torn, wrong = records(path, "jsonl", "items")

    assert first == Item(item_id=ItemId("a"), creator_id=UserId("c"))
    assert str(listed).startswith("rows.jsonl line 3: row: got '[1]', expected a JSON object: ")
    assert str(torn).startswith(
        "rows.jsonl line 4: row: got '{\"item_id\":', expected a JSON object"
    )
    assert wrong == "rows.jsonl line 5: item_id: got True, expected text"
