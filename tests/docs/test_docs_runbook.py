"""The runbook names nothing that is not there: whoever follows it has no time to search."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.main import get_command

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.settings import load_settings
from inhouse.cli.main import command_line

_ROOT = Path(__file__).resolve().parents[2]
_PAGE = (_ROOT / "docs" / "runbook.md").read_text("utf-8")
_CODE = "\n".join(path.read_text("utf-8") for path in (_ROOT / "src").rglob("*.py"))
_COMMANDS = sorted({each.strip() for each in re.findall(r"(?:^|`)inhouse ([^`\n#]+)", _PAGE, re.M)})


def test_every_metric_to_watch_is_told(tmp_path: Path) -> None:
    """Each fact and family that the table names is in the exposition of a fresh server."""
    environment = {"INHOUSE_STORE_FOLDER": str(tmp_path / "data")}
    services = Services(load_settings(environment, tmp_path / "none.toml"))
    with TestClient(create_app(services)) as client:
        client.get("/healthz")
        told = client.get("/metrics").text
    services.close()
    facts = set(re.findall(r'inhouse_state\{fact="(\w+)"\}', _PAGE))
    families = set(re.findall(r"`(inhouse_[a-z_]+?)(?:_count|_total)?[{`]", _PAGE))

    assert len(facts) >= 7
    assert {fact for fact in facts if f'fact="{fact}"' not in told} == set()
    assert {name for name in families if f"# TYPE {name}" not in told} == set()


@pytest.mark.parametrize("typed", _COMMANDS)
def test_every_command_can_be_typed(typed: str) -> None:
    """Each command exists with the options that are named; a word in capitals is a value."""
    words = typed.split()
    rest = words[2:] if words[0] == "--community" else words
    found = get_command(command_line(rest[:1]))
    options = {name for one in found.params for name in one.opts}
    for word in rest:
        if word.startswith("--"):
            assert word in options
        elif hasattr(found, "commands") and word in found.commands:
            found = found.commands[word]
            options = {name for one in found.params for name in one.opts}
    assert not getattr(found, "commands", {}), f"{words} is no whole command"


def test_every_event_and_setting_is_of_the_code() -> None:
    """What the log is searched for is what the log says, and settings are those there are."""
    settings = (_ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", _PAGE)) - {"request_id"}
    events = {name for name in named if not name.startswith("inhouse_")}

    assert len(events) >= 10
    assert {name for name in events if f'"{name}"' not in _CODE} == set()
    assert {name for name in re.findall(r"INHOUSE_\w+", _PAGE) if name not in settings} == set()
