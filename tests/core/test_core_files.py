"""Files are whole or absent."""

import errno
import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from inhouse.core import files
from inhouse.core.errors import StoreError
from inhouse.core.files import sha256_of, write_atomically


def _full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    """Missing folders are made on the way."""
    path = tmp_path / "a" / "b" / "model.bin"
    write_atomically(path, b"weights")

    assert path.read_bytes() == b"weights"
    assert [entry.name for entry in path.parent.iterdir()] == ["model.bin"]


def test_a_full_disk_leaves_the_old_file_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where flushing fails, the old content stands and the half-written part is gone."""
    path = tmp_path / "model.bin"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", _full_disk)

    with pytest.raises(StoreError) as caught:
        write_atomically(path, b"new")

    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; free space or fix the permissions"
    )
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.bin"]


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    """A path through a file cannot be written, and the message says where."""
    (tmp_path / "plain").write_text("not a folder")
    path = tmp_path / "plain" / "model.bin"

    with pytest.raises(StoreError) as caught:
        write_atomically(path, b"x")

    assert str(caught.value) == (
        f"cannot write {path}: File exists; free space or fix the permissions"
    )


def test_a_reader_never_sees_a_half_written_file(tmp_path: Path) -> None:
    """While two threads rewrite a file, whoever reads it gets one whole content."""
    path = tmp_path / "model.bin"
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    write_atomically(path, contents[0])
    writers = [
        threading.Thread(target=lambda c=content: [write_atomically(path, c) for _ in range(20)])
        for content in contents
    ]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_bytes())
    for writer in writers:
        writer.join()

    assert seen <= set(contents)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.bin"]


def test_a_digest_is_that_of_the_content(tmp_path: Path) -> None:
    """The checksum is plain SHA-256."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"weights" * 100_000)

    assert sha256_of(path) == hashlib.sha256(b"weights" * 100_000).hexdigest()


def test_a_name_is_found_across_the_pieces_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the file is cut, each place is counted once; no file holds nothing."""
    monkeypatch.setattr(files, "_READ_AT_ONCE", 5)
    path = tmp_path / "file"
    path.write_bytes(b"xxzebraxxxzebrazebraxx" + b"quagga")

    assert files.count_in(path, [b"zebra", b"quagga"]) == 4
    assert files.count_in(path, [b"z"]) == 3
    assert files.count_in(tmp_path / "none", [b"z"]) == 0
