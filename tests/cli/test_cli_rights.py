"""`inhouse moderate dsa`, `sealed` and `report`."""

import asyncio
import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.ids import ItemId, UserId

TEXTS = {"a": "plain", "b": "+49 30 1234567", "c": "zebra"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A community with three posts that were judged; one is left out of feeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(name), creator_id=UserId("ana"), text=text, created_ms=1)
                for name, text in TEXTS.items()
            ]
        )
        asyncio.run(services.moderator.scan())
    return tmp_path


def _call(*words: str) -> Result:
    return CliRunner().invoke(command_line(words[:1]), words)


def test_statements_are_exported_once(folder: Path) -> None:
    """The file has the body of one call; a second export is empty."""
    words = ("moderate", "dsa", "export", str(folder / "dsa.jsonl"), "--since", "2020-01-01")
    first = json.loads(_call(*words, "--json").stdout)
    (line,) = (folder / "dsa.jsonl").read_text("utf-8").splitlines()
    second = _call(*words)

    assert (first["statements"], first["refused"]) == (1, [])
    (record,) = json.loads(line)["statements"]
    assert record["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_DEMOTED"]
    assert record["category"] == "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"
    assert second.stdout.startswith("0 statements in 0 calls")


def test_the_doctor_tells_of_a_duty_until_it_is_done(folder: Path) -> None:
    """Sealed from the command line, opened with a reason, reported; nobody sees it on the way."""
    sealed = _call("moderate", "sealed", "add", "c", "--by", "ada")
    before = _call("doctor", "--json")
    listed = _call("moderate", "sealed", "list")
    opened = _call(
        "moderate", "sealed", "open", "c", "out.json", "--by", "eve", "--reason", "report"
    )
    done = _call(
        "moderate", "sealed", "report", "c", "--by", "eve", "--to", "NCMEC", "--number", "1"
    )
    after = _call("doctor", "--json")

    found = {f["what"]: f for f in json.loads(before.stdout)}["sealed"]
    assert (sealed.exit_code, before.exit_code, found["ok"]) == (0, 1, False)
    assert found["detail"].startswith("1 of 1 sealed posts not reported, the first since ")
    assert "TO DO" in listed.stdout
    for result in (sealed, before, listed, opened, done, after):
        assert "zebra" not in result.output
    assert json.loads((folder / "out.json").read_text("utf-8"))["text"] == "zebra"
    assert stat.S_IMODE((folder / "out.json").stat().st_mode) == 0o600
    assert {f["what"]: f["ok"] for f in json.loads(after.stdout)}["sealed"]
    assert stat.S_IMODE((folder / "data" / "sealed.key").stat().st_mode) == 0o600


def test_a_seal_is_lifted_by_two(folder: Path) -> None:
    """The post is back, and waits for its verdict."""
    _call("moderate", "sealed", "add", "c", "--by", "ada")
    words = ("--by", "ada", "--second", "ben", "--reason", "a mistake")
    lifted = _call("moderate", "sealed", "lift", "c", *words)
    with open_services() as services:
        item = services.catalog.item("c")
    assert lifted.exit_code == 0
    assert item is not None
    assert (item.text, item.hidden) == ("zebra", False)


def test_a_period_is_reported_in_words_json_and_csv(folder: Path) -> None:
    """One restriction so far, which nobody has looked at."""
    words = ("moderate", "report", "--from", "2020-01-01", "--to", "2100-01-01")
    spoken = _call(*words)
    told = json.loads(_call(*words, "--csv", str(folder / "report.csv"), "--json").stdout)

    assert "1 restrictions: demoted 1" in spoken.stdout
    assert "taken back: unknown (no trials)" in spoken.stdout
    assert told["measures"]["by_category"] == {"privacy": 1}
    assert "measures,by_kind,demoted,1\r\n" in (folder / "report.csv").read_bytes().decode()
