"""Files to be imported: looked through before anything is stored."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from inhouse.core.errors import InputError

_BLOCK_BYTES: Final = 1 << 20


def existing(path: Path) -> Path:
    """The path of a file that is there and not empty. Raises InputError otherwise."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; nothing can be imported from it")
    return path


def fingerprint(paths: Sequence[Path], *options: str) -> str:
    """Of the sizes and the first and last MiB of the files, and of how they are to be read."""
    digest = hashlib.sha256("\x1f".join(options).encode())
    for path in paths:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as handle:
            digest.update(handle.read(_BLOCK_BYTES))
            handle.seek(max(0, size - _BLOCK_BYTES))
            digest.update(handle.read())
    return digest.hexdigest()


def check_text(path: Path, fallback: str | None = None) -> tuple[int, str]:
    """Read a text file through once: how many lines it has, and in which encoding.

    fallback: the encoding where the file is not UTF-8; none refuses it. Raises InputError with the
    line where the encoding is wrong, and for a compressed file that breaks off.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, last, encoding = 0, b"", "utf-8-sig"
    for block in _blocks(existing(path)):
        if encoding == "utf-8-sig":
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                if fallback is None:
                    line = lines + 1 + error.object[: error.start].count(b"\n")
                    raise InputError(
                        f"{path}, line {line}: not UTF-8 (byte 0x{error.object[error.start]:02x});"
                        " convert the file first, for example with `iconv -f LATIN1 -t UTF-8`"
                    ) from error
                encoding = fallback
        lines += block.count(b"\n")
        last = block
    if not last:
        raise InputError(f"{path} is empty; nothing can be imported from it")
    return lines + (not last.endswith(b"\n")), encoding


def open_text(path: Path, encoding: str = "utf-8-sig") -> TextIO:
    """A text file for reading, decompressed where its name ends in .gz; line ends as they are."""
    if path.suffix == ".gz":
        return cast("TextIO", gzip.open(path, "rt", encoding=encoding, newline=""))
    return path.open(encoding=encoding, newline="")


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with _open_bytes(path) as handle:
            while block := handle.read(_BLOCK_BYTES):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file: {error}; copy it again") from error


def _open_bytes(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path) if path.suffix == ".gz" else path.open("rb"))


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose description could be read. Raises InputError where it could not."""
    try:
        return pq.ParquetFile(existing(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path} is not a whole Parquet file: {_first_line(error)}; copy it again"
        ) from error


def parquet_rows(
    path: Path, file: pq.ParquetFile, columns: Sequence[str]
) -> Iterator[tuple[object, ...]]:
    """Rows of some columns in order. Raises InputError where the file is damaged in the middle."""
    done = 0
    try:
        for batch in file.iter_batches(batch_size=2_000, columns=list(columns)):
            lists = [batch.column(name).to_pylist() for name in columns]
            yield from zip(*lists, strict=True)
            done += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{path} is damaged behind row {done}: {_first_line(error)}; copy it again, then start"
            " the import again: what is stored is not stored twice"
        ) from error


def require_columns(path: Path, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises InputError that names the missing columns and those the file has."""
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(map(repr, missing))};"
            f" it has {', '.join(map(repr, found))}"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
