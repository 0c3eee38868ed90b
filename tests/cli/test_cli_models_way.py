"""inhouse models hold, rollback, resume, margin: a person's word on a task's way."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.cli.main import command_line
from inhouse.models.cutover.routes import RouteChange

VENDORS = """
[main]
host = "openai"
owner = "openai"
model = "gpt-4o-mini"
url = "http://127.0.0.1:9/v1"
key_env = "A_KEY"
terms = "mit"
"""
RULED = ("--by", "ann", "--because", "I saw something")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A community whose task is answered by an owned model to a twentieth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("A_KEY", "sk-test")
    (tmp_path / "vendors.toml").write_text(VENDORS)
    with open_services() as services:
        rented = services.routes.current("text_harm")
        route = replace(rented, stage="ramp5", owned="v1", owned_share=0.05)
        services.routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="so"))
    return tmp_path


def _call(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def test_hold_rollback_and_resume() -> None:
    """Each changes the route and says how it stands."""
    told = _call("models", "hold", "text_harm", *RULED)
    assert told == "text_harm: stage ramp5, held by person:ann\n"
    told = _call("models", "rollback", "text_harm", *RULED)
    assert told == "text_harm: stage shadow, held by person:ann\n"
    route = json.loads(_call("models", "resume", "text_harm", *RULED, "--json"))
    assert (route["stage"], route["held_by"], route["owned_share"]) == ("shadow", None, 0.0)
    with open_services() as services:
        history = services.routes.history("text_harm")
    assert {(c.decided_by, c.reason) for c in history[:3]} == {("person:ann", "I saw something")}


def test_a_margin_is_shown_and_signed() -> None:
    """Before anybody signed it is the setting's; it needs a name."""
    told = _call("models", "margin", "text_harm")
    assert told == "text_harm: nobody signed a margin; the setting's is 0.05\n"
    told = _call("models", "margin", "text_harm", "0.03", "--by", "Ann Ω")
    assert told == "text_harm: 0.03, signed by Ann Ω\n"
    shown = json.loads(_call("models", "margin", "text_harm", "--json"))
    assert (shown["signed"]["margin"], shown["default"]) == (0.03, 0.05)
