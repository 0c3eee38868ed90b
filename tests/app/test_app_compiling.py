"""A server does not compile: another process does, and writes down what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher
from sqlalchemy import QueuePool
from structlog.testing import capture_logs

from inhouse.app import compiling
from inhouse.app.build import Services
from inhouse.app.compiling import compile_apart, compile_here
from inhouse.app.feeds.serving import FeedRequest
from inhouse.app.loading import load_feeds
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId

# Where a serving process compiles; the words of banks and pictures are looked at elsewhere.
_SERVING = ("inhouse.features.", "inhouse.recommend.", "inhouse.moderation.policy.")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of which nothing is written down, and a process that has not looked yet."""
    monkeypatch.setattr(compiling, "_cache_folder", lambda: tmp_path / "cache")
    compile_apart.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def children(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The processes that were started in place of those that compile; each tells it is done."""
    started: list[list[str]] = []

    def run(arguments: list[str], **_: object) -> None:
        started.append(arguments)
        compiling._tell(folder)

    monkeypatch.setattr(subprocess, "run", run)
    return started


def _ask_anew() -> None:
    """As another process would."""
    compile_apart.cache_clear()
    compile_apart()


def test_what_is_compiled_is_not_compiled_again(children: list[list[str]]) -> None:
    """The first process has another one do it; the next finds it done."""
    _ask_anew()
    _ask_anew()

    assert children == [[sys.executable, "-m", "inhouse.app.compiling"]]


@pytest.mark.parametrize("harm", ["older source", "other processor", "torn", "gone"])
def test_what_is_out_of_date_is_compiled_again(
    children: list[list[str]],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: str,
) -> None:
    """A changed source, another processor, a note that cannot be read or is gone."""
    source = tmp_path / "kernels.py"
    source.write_text("one")
    monkeypatch.setattr(compiling, "_sources", lambda: iter([source]))
    _ask_anew()
    told = folder / "inhouse-compiled.json"
    if harm == "older source":
        os.utime(source, (1, 1))
    elif harm == "other processor":
        told.write_text(told.read_text().replace('"processor": "', '"processor": "another '))
    elif harm == "torn":
        told.write_text(told.read_text()[:20])
    else:
        told.unlink()
    _ask_anew()
    _ask_anew()

    assert len(children) == 2


def test_a_child_that_fails_holds_nobody_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and whoever asks compiles for themselves, as ever."""

    def run(arguments: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, arguments)

    monkeypatch.setattr(subprocess, "run", run)
    with capture_logs() as logs:
        compile_apart()

    told = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["event"], entry["kind"]) for entry in told] == [
        ("not_compiled_apart", "CalledProcessError"),
    ]
    assert not (folder / "inhouse-compiled.json").exists()


def test_a_place_that_cannot_be_written_holds_nobody_up(
    children: list[list[str]], folder: Path
) -> None:
    """As on a full disk: it is logged, and whoever asks compiles for themselves."""
    folder.write_text("no folder")
    with capture_logs() as logs:
        compile_apart()

    told = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["event"], entry["kind"]) for entry in told] == [
        ("not_compiled_apart", "FileExistsError"),
    ]
    assert children == []


def _compiled() -> dict[str, int]:
    """For each compiled function of what serves, for how many kinds of arguments it was made."""
    return {
        f"{name}.{function}": len(part.signatures)
        for name, module in list(sys.modules.items())
        if name.startswith(_SERVING)
        for function, part in vars(module).items()
        if isinstance(part, Dispatcher)
    }


def test_nothing_is_left_to_compile(folder: Path, tmp_path: Path) -> None:
    """What loads and serves a community finds all of it done by the process that compiled."""
    compile_here()
    before = _compiled()
    services = Services(load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path)}, tmp_path / "none"))
    services.catalog.put_items(
        [Item(item_id=ItemId("i"), creator_id=UserId("c"), text="a post", created_ms=1)]
    )
    load_feeds(services)
    page = services.feeds.serve(FeedRequest(user_id=UserId("u")))
    services.close()

    assert (folder / "inhouse-compiled.json").exists()
    assert len(page.items) <= 1
    assert _compiled() == before


def test_a_state_is_loaded_once(tmp_path: Path) -> None:
    """Afterwards no connection that read it is kept open, and asking again does nothing."""
    services = Services(load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path)}, tmp_path / "none"))
    load_feeds(services)
    pool = services.database.engine.pool
    assert isinstance(pool, QueuePool)
    kept = pool.checkedin()
    again = services.feeds.start()
    services.close()

    assert (kept, again) == (0, False)
