"""Banks from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.media.fetch import Fetcher
from inhouse.moderation.media.types import Unread
from inhouse.moderation.reviewing.review import CaseFilter

ONE, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


def _call(*words: str, code: int = 0, stdin: str = "") -> str:
    given = ("moderate", "banks", *words)
    result = CliRunner().invoke(command_line(given[:1]), given, input=stdin)
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


def test_a_bank_is_made_filled_tried_out_and_removed(folder: Path) -> None:
    """What each command says, and what the lists show after it."""
    (folder / "hashes.txt").write_text(f"{ONE},a note\n{OTHER}\n")
    _call("create", "war", "--category", "violence", "--share", "10")
    assert "2 hashes added, 0 were there" in _call("add", "war", "hashes.txt")
    assert "0 hashes added, 2 were there" in _call("add", "war", "-", stdin=f"{ONE}\n{OTHER}")
    _call("disable", "war", ONE)
    _call("drop", "war", OTHER)
    _call("change", "war", "--share", "100", "--off")
    (facts,) = _json("list")
    (hash_,) = _json("hashes", "war")

    spec = facts["bank"]["spec"]
    assert (spec["category"], spec["share"], spec["active"]) == ("violence", 100, False)
    assert (facts["hashes"], facts["disabled"]) == (0, 1)
    assert (hash_["hash"], hash_["note"], hash_["state"]) == (ONE, "a note", "disabled")
    _call("enable", "war", ONE)
    assert "1" in _call("list")
    assert "war is gone" in _call("remove", "war")
    assert _json("list") == []


def test_wrong_lines_of_a_long_file_have_their_own_number(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is added in parts, and counted as one."""
    monkeypatch.setattr("inhouse.cli.banks.MOST_LINES", 2)
    (folder / "hashes.txt").write_text(f"{ONE}\n\n{OTHER}\nwrong\n")
    _call("create", "war", "--category", "violence")
    with pytest.raises(InputError, match="line 4: got 'wrong', expected the 64 hex digits"):
        _call("add", "war", "hashes.txt")

    assert [each["hash"] for each in _json("hashes", "war")] == [ONE]


def test_a_bank_either_speaks_of_something_or_of_nothing() -> None:
    """`--harmless` is for what must not match."""
    for words in ((), ("--category", "spam", "--harmless")):
        with pytest.raises(InputError, match="give either --category NAME or --harmless"):
            _call("create", "a", *words)
    _call("create", "a", "--harmless")
    with pytest.raises(InputError, match=r"cannot read none.txt"):
        _call("add", "a", "none.txt")


def test_moderate_run_reads_pictures_and_a_rescan_takes_in_old_posts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without any worker: what is posted is read by `run`, what was posted before by `rescan`;
    and what cannot be read waits for a person."""
    gone = Unread(reason="the host answered 404", again=False)
    monkeypatch.setattr(Fetcher, "fetch", lambda self, url: gone)

    def post(name: str) -> None:
        with open_services() as services:
            url = "https://a.example/x"
            item = Item(item_id=ItemId(name), creator_id=UserId(name), media_url=url)
            services.catalog.put_items([item])
        CliRunner().invoke(command_line(["moderate"]), ["moderate", "run"])

    def signals(name: str) -> dict[str, int]:
        with open_services() as services:
            return dict(services.verdicts.latest([name])[ItemId(name)].evidence.signals)

    post("before")
    assert signals("before") == {}
    _call("create", "war", "--category", "violence")
    post("after")
    assert signals("after") == {"media_unread": 1}
    with open_services() as services:
        (case,) = services.review.queue(CaseFilter(), 10)
    assert (case.item_id, case.reason) == ("after", "rule media_unread")
    assert _json("rescan") == {
        "rescanned": {"looked_at": 0, "changed": 0, "cases": 0},
        "enrolled": 1,
    }
