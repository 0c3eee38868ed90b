"""`inhouse doctor`: what it finds where something is not as it should be."""

from pathlib import Path

import pytest
from cli_program import call, called, posts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


def test_the_doctor_makes_no_store_where_there_is_none(folder: Path) -> None:
    """Whoever asks in the wrong folder is told so, and finds nothing there afterwards."""
    told = called("doctor", code=1)

    assert [finding["what"] for finding in told] == ["settings", "disk", "store"]
    assert told[-1]["detail"].startswith(f"there is none in {folder / 'data'}; `inhouse up` makes")
    assert not (folder / "data").exists()


def test_the_doctor_tells_of_a_damaged_store(folder: Path) -> None:
    """A database cut off in the middle is a finding with what to do, and the last one."""
    called("keys", "list")
    path = folder / "data" / "inhouse.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told = called("doctor", code=1)

    assert [finding["what"] for finding in told] == ["settings", "disk", "store"]
    assert "put a backup of inhouse.db in its place" in told[-1]["detail"]


def test_the_doctor_misses_a_worker(folder: Path) -> None:
    """Posts that nobody judges are a finding; judged, they are none."""
    call("import", "csv", str(posts(folder)), "--table", "items", "--map", "item_id=id")
    before = {finding["what"]: finding for finding in called("doctor", code=1)}["worker"]
    call("moderate", "run")
    after = {finding["what"]: finding for finding in called("doctor")}["worker"]

    assert before["ok"] is False
    assert "posts wait for a verdict and are shown nowhere; none got one ever" in before["detail"]
    assert (after["ok"], after["detail"]) == (True, "no post waits for a verdict")
