"""Starting the server, and the demo's words where nobody watches a terminal."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.live import Live
from typer.testing import CliRunner

from inhouse.app.roles.demo import Plan
from inhouse.app.settings import load_settings
from inhouse.cli.demo import Story
from inhouse.cli.main import command_line
from inhouse.core.errors import ConflictError


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """A port on which another program listens, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("variable", ["INHOUSE_API_PORT", "INHOUSE_CONSOLE_PORT"])
def test_a_port_that_is_taken_is_said_before_anything_starts(
    variable: str, taken: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One line with the setting, no process that dies again and again, and no data folder."""
    for name in ("INHOUSE_API_PORT", "INHOUSE_CONSOLE_PORT"):
        monkeypatch.setenv(name, str(taken if name == variable else 0))
    told = f"port {taken} is taken by another program; choose one with {variable}"
    with pytest.raises(ConflictError) as caught:
        CliRunner().invoke(command_line(["up"]), ["up"], catch_exceptions=False)

    assert str(caught.value) == told
    assert list(tmp_path.iterdir()) == []


def test_a_demo_without_a_terminal_says_where_to_look(
    taken: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file or a pipe gets one line where there is news: the addresses, then each day."""
    monkeypatch.setenv("INHOUSE_CONSOLE_PORT", str(taken))
    plan = Plan(
        folder=Path("demo"), people=12, posts=1, days=1, seed=1, media_port=1, vendor_port=2
    )
    story = Story(settings=load_settings(), plan=plan)
    with Live("", auto_refresh=False) as live:
        for hour in ({}, {}, {"sim_day": 0, "hour": 3}, {"sim_day": 0, "hour": 4}, {"sim_day": 1}):
            story.hour = hour
            story.tell(live, browser=False)
    at = f"http://127.0.0.1:{taken}"
    lines = capsys.readouterr().out.split("\n")

    assert [line for line in lines if line] == [
        "starting the server…",
        f"console {at} · feed {at}/feed · API http://127.0.0.1:8700/docs · "
        "people and posts are moving in…",
        f"simulated day 1 · {at}",
        f"simulated day 2 · {at}",
    ]
