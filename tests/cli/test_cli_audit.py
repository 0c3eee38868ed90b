"""`inhouse moderate audit` and `inhouse doctor` on the audit chain."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A community with three posts that were judged, two of them with a telephone number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    with open_services() as services:
        services.catalog.put_items(
            [
                Item(item_id=ItemId(name), creator_id=UserId("ana"), text=text, created_ms=1)
                for name, text in (("a", "plain"), ("b", "+49 30 1234567"), ("c", "fine"))
            ]
        )
        asyncio.run(services.moderator.scan())
    return tmp_path / "data"


def _call(*words: str) -> Result:
    return CliRunner().invoke(command_line(words[:1]), words)


def test_decisions_are_listed_filtered_and_exported() -> None:
    """As JSON the newest, as JSON lines all of them."""
    listed = json.loads(_call("moderate", "audit", "--item", "b", "--json").stdout)
    lines = _call("moderate", "audit", "--lines").stdout.splitlines()
    table = _call("moderate", "audit").stdout

    assert [(row["what"], row["actor"]) for row in listed] == [("verdict", "rule:contact_details")]
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3, 4]
    assert table.count("verdict") == 3
    assert isinstance(_call("moderate", "audit", "--since", "tomorrow").exception, InputError)


def test_the_doctor_finds_a_row_that_somebody_changed(folder: Path) -> None:
    """It says that all is well, then which row is not."""
    before = {f["what"]: f for f in json.loads(_call("doctor", "--json").stdout)}
    with sqlite3.connect(folder / "inhouse.db") as connection:
        connection.execute("UPDATE audit SET actor = 'person:eve' WHERE number = 3")
    connection.close()
    found = _call("doctor", "--json")
    after = {f["what"]: f for f in json.loads(found.stdout)}

    assert before["audit"]["ok"]
    assert before["audit"]["detail"].startswith("4 decisions, chain whole, 0 blanked")
    assert (found.exit_code, after["audit"]["ok"]) == (1, False)
    assert after["audit"]["detail"].startswith("row 3 was changed: ")


def test_the_doctor_finds_a_verdict_that_somebody_changed(folder: Path) -> None:
    """The chain is whole, and does not tell of what the table says now."""
    before = {f["what"]: f for f in json.loads(_call("doctor", "--json").stdout)}
    with sqlite3.connect(folder / "inhouse.db") as connection:
        connection.execute("UPDATE verdicts SET policy_version = 'x-1' WHERE log_offset = 2")
    connection.close()
    found = _call("doctor", "--json")
    after = {f["what"]: f for f in json.loads(found.stdout)}

    assert before["verdicts"]["detail"] == "3 are what the audit chain tells"
    assert (found.exit_code, after["audit"]["ok"], after["verdicts"]["ok"]) == (1, True, False)
    assert "is not what row 3 of the chain tells: its policy" in after["verdicts"]["detail"]


def test_the_doctor_finds_a_chain_cut_off_behind_its_verdicts(folder: Path) -> None:
    """Whoever cuts the chain alone leaves a verdict without its row."""
    with sqlite3.connect(folder / "inhouse.db") as connection:
        connection.execute("DELETE FROM audit WHERE number = 4")
    connection.close()
    found = {f["what"]: f for f in json.loads(_call("doctor", "--json").stdout)}
    assert found["verdicts"]["detail"].startswith("verdict 3 on ")
    assert "has no row in the chain" in found["verdicts"]["detail"]


def test_the_doctor_finds_a_cut_off_end_by_a_noted_head(folder: Path) -> None:
    """The head is printed alone, for a notebook or another machine."""
    noted = _call("moderate", "audit", "--head").stdout.strip()
    with sqlite3.connect(folder / "inhouse.db") as connection:
        connection.execute("DELETE FROM audit WHERE number = 4")
        connection.execute("DELETE FROM verdicts WHERE log_offset = 3")
    connection.close()
    alone = _call("doctor", "--json")
    found = _call("doctor", "--head", noted, "--json")

    assert alone.exit_code == 0
    assert found.exit_code == 1
    assert "row 4 is cut off; the noted head has more" in found.stdout
