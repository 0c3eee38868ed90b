"""Staff from a terminal, and what the doctor says of their being none."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.app.settings import load_settings
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.moderation.reviewing.queues import QueueSettings

pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))


def _call(*words: str) -> str:
    result = CliRunner().invoke(command_line((words[0],)), words)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_somebody_is_added_shown_given_a_role_reset_and_erased() -> None:
    """The password is shown once; lists never show it."""
    once = json.loads(_call("staff", "add", "Ada", "--role", "operator", "--json"))["once"]
    told = _call("staff", "add", "Ben", "--role", "moderator")
    _call("staff", "role", "ben", "lead")
    reset = json.loads(_call("staff", "reset", "Ben", "--json"))["once"]
    _call("staff", "off", "Ben")
    listed = json.loads(_call("staff", "list", "--json"))
    _call("staff", "erase", "Ben")
    with open_services() as services:
        ada, ben = services.staff.check("Ada", once), services.staff.check("Ben", reset)

    assert "sign in at http://127.0.0.1:8701/login" in told
    assert [(m["name"], m["role"], m["state"]) for m in listed] == [
        ("Ada", "operator", "invited"),
        ("Ben", "lead", "off"),
    ]
    assert once not in _call("staff", "list")
    assert (ada is not None, ben) == (True, None)
    assert '"erased"' in _call("staff", "list", "--json")


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (("add", "Ben", "--role", "boss"), InputError, "role: got 'boss', expected one of viewer"),
        (("add", "Ben", "--role", "viewer"), ConflictError, "add an operator first"),
        (("off", "nobody"), UnknownError, "nobody of the staff is called 'nobody'"),
        (("add", "a/b", "--role", "operator"), InputError, "name: got 'a/b', expected 1 to 60"),
    ],
)
def test_what_cannot_be_is_told(words: tuple[str, ...], error: type[Exception], told: str) -> None:
    """With what would be right."""
    with pytest.raises(error, match=told):
        _call("staff", *words)


def _finding() -> dict[str, object]:
    found = json.loads(_call("doctor", "--json"))
    return next(one for one in found if one["what"] == "staff")


def test_the_doctor_warns_where_two_people_may_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue for two people is worth nothing while anybody types any name."""
    _call("keys", "list")  # makes the store
    before = _finding()
    with open_services() as services:
        services.queues.put(QueueSettings(name="hate", two_person=True))
    warned = _finding()
    _call("staff", "add", "Ada", "--role", "operator")
    after = _finding()
    monkeypatch.setenv("INHOUSE_CONSOLE_PASSWORD", "of before")
    stale = _finding()

    assert (before["ok"], warned["ok"], after["ok"], stale["ok"]) == (True, False, True, True)
    assert "in hate two people must agree, who may be one" in str(warned["detail"])
    assert after["detail"] == "1 with names"
    assert "INHOUSE_CONSOLE_PASSWORD opens nothing any more" in str(stale["detail"])


def test_a_communitys_staff_are_its_own(tmp_path: Path) -> None:
    """Nobody of one community is known in another."""
    _call("staff", "add", "Ada", "--role", "operator")
    other = load_settings({"INHOUSE_STORE_FOLDER": str(tmp_path / "other")}, tmp_path / "none.toml")
    with open_services(other) as services:
        assert services.staff.list() == []
