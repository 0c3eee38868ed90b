"""`inhouse drill` as a person types it."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_vendor import NOW_MS, Vendor, scores_for
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.cli.main import command_line
from inhouse.core.clock import SystemClock
from inhouse.core.errors import InputError
from inhouse.models.drill.book import DrillBook
from inhouse.models.harvest.labels import Labels
from inhouse.models.types import Label

_TABLE = """
[{name}]
url = "{url}"
model = "{name}"
host = "{host}"
owner = "{host}"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def vendors(folder: Path) -> Iterator[Vendor]:
    """Two rented models behind one server, on a loop of its own, with what the first said."""
    loop, vendor = asyncio.new_event_loop(), Vendor()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(vendor.__aenter__(), loop).result()
    (folder / "vendors.toml").write_text(
        "".join(_TABLE.format(name=n, host=h, url=vendor.url) for n, h in _BOTH)
    )
    with open_services() as services:
        Labels(services.database).add([_label(number) for number in range(90)])
    yield vendor
    asyncio.run_coroutine_threadsafe(vendor.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


_BOTH = (("main", "openai"), ("other", "elsewhere"))


def _label(number: int) -> Label:
    text = f"{'hate' if number % 3 == 0 else 'walk'} number {number}"
    return Label(
        task="text_harm",
        ref=f"p{number}",
        text=text,
        scores=scores_for(text),
        source="openai/openai/main",
        terms="",
        at_ms=NOW_MS + number,
    )


def _call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(["drill"]), ["drill", *words])
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


def test_a_drill_in_a_copy(vendors: Vendor) -> None:
    """It is graded, kept and listed; the vendor that was cut off saw nothing of it."""
    found = _json("openai", "--minutes", "0.1", "--fault", "429")
    (listed,) = _json("list")
    table = _call("list")

    (task,) = found["tasks"]
    assert (found["grade"], task["task"], task["quality"]["verdict"]) == (
        "A",
        "text_harm",
        "pass",
    ), task["reasons"]
    assert task["answered"] == task["asked"] >= 90
    assert {asked["model"] for asked in vendors.asked} == {"other"}
    assert listed == found
    assert "openai" in table
    assert "429" in table


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("--fault", "fire", "expected one of refused, slow, 429, wrong, mid-stream"),
        ("--how", "gently", "expected one of copy, shadow, live"),
        ("--layer", "planet", "expected one of host, owner"),
        ("--minutes", "0", "greater than or equal to 0.01"),
        ("--share", "2", "less than or equal to 1"),
    ],
)
def test_words_that_mean_nothing(folder: Path, name: str, value: str, told: str) -> None:
    """They end with code 2 and say what would have been right."""
    assert told in _call("openai", name, value, code=2)


def test_a_live_drill_wants_a_name(vendors: Vendor) -> None:
    """Without one nothing is cut off."""
    result = CliRunner().invoke(command_line(["drill"]), ["drill", "openai", "--how", "live"])

    assert isinstance(result.exception, InputError)
    assert "say who consents" in str(result.exception)
    assert _json("list") == []


def test_a_live_drill_outlives_its_command_and_can_be_stopped(vendors: Vendor) -> None:
    """Killed with the drill under way, the command leaves it in force until its time or until
    somebody stops it."""
    words = [sys.executable, "-m", "inhouse.cli.main", "drill", "openai", "--how", "live"]
    command = subprocess.Popen([*words, "--minutes", "5", "--consent", "Ada"])
    try:
        _until_begun()
    finally:
        command.send_signal(signal.SIGKILL)
        command.wait()
    line = _call("list")
    ended = _json("stop")

    assert "a live drill of openai goes on" in line
    assert (ended["why_ended"], ended["started_by"]) == ("it was stopped", "Ada")
    assert ended["until_ms"] - ended["started_ms"] == 300_000


def _until_begun() -> None:
    with open_services() as services:
        book, until = DrillBook(services.database), time.monotonic() + 60
        while book.open(SystemClock().now_ms()) is None:
            assert time.monotonic() < until
            time.sleep(0.1)
