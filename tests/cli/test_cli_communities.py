"""inhouse communities, --community, and the real roles with several communities."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from cli_program import Said
from typer.testing import CliRunner

from inhouse.cli.main import _called, command_line
from inhouse.core.settings import COMMUNITY


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, no settings file, and no community named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv(COMMUNITY, "")
    return tmp_path


def _run(*words: str) -> Any:
    try:
        return CliRunner().invoke(command_line(_called(words)), words)
    finally:
        os.environ[COMMUNITY] = ""  # a process is about one community, this one about several


def _call(*words: str) -> str:
    result = _run(*words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def _json(*words: str) -> Any:
    return json.loads(_call(*words, "--json"))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["bill"], ["bill"]),
        (["--community", "tea", "bill"], ["bill"]),
        (["--community=tea", "bill", "--by", "days"], ["bill"]),
        (["--version"], []),
        (["--community", "tea"], []),
    ],
)
def test_the_command_is_found_behind_the_option(words: list[str], command: list[str]) -> None:
    """The community's name is not taken for a command."""
    assert _called(words) == command


def test_communities_are_added_listed_removed_and_restored() -> None:
    """What each command says is true afterwards, and removing says where everything stays."""
    made = _call("communities", "add", "tea", "--console-port", "8711")
    rows = _json("communities", "list")
    removed = " ".join(_call("communities", "remove", "tea").split())
    after = _json("communities", "list")
    _call("communities", "restore", "tea")

    assert "inhouse --community tea keys create my-app" in made
    assert [(r["name"], r["state"], r["events"]) for r in rows] == [
        ("default", "served", 0),
        ("tea", "served", 0),
    ]
    assert "all it held stays:" in removed
    assert [r["state"] for r in after] == ["served", "removed"]
    assert (Path(rows[1]["folder"]) / "inhouse.db").exists()
    assert [r["state"] for r in _json("communities", "list")] == ["served", "served"]


def test_every_command_is_about_the_named_community() -> None:
    """Keys, experiments and doctor of one are not those of another; nothing names the wrong one."""
    _call("communities", "add", "tea")
    made = _json("--community", "tea", "keys", "create", "app")
    Path("e.json").write_text(json.dumps({"key": "e", "arms": [{"key": "a"}, {"key": "b"}]}))
    _call("--community", "tea", "experiment", "start", "e.json")

    assert made["secret"].startswith("inh_tea.")
    assert [key["name"] for key in _json("--community", "tea", "keys", "list")] == ["app"]
    assert _json("keys", "list") == []
    assert len(_json("--community", "tea", "experiment", "list")) == 1
    assert _json("experiment", "list") == []
    disk = next(f for f in _json("--community", "tea", "doctor") if f["what"] == "disk")
    assert disk["detail"].endswith(str(Path("data") / "communities" / "tea"))


def test_doctor_looks_at_every_community(folder: Path) -> None:
    """One with a faulty file is what is wrong with the installation, by name of the file."""
    _call("keys", "list")  # makes the store of the community without a name
    _call("communities", "add", "tea")
    well = next(f for f in _json("doctor") if f["what"] == "communities")
    (folder / "data" / "communities" / "tea" / "inhouse.toml").write_text("[api]\nport = 9\n")
    result = _run("doctor", "--json")
    ill = next(f for f in json.loads(result.output) if f["what"] == "communities")

    assert (well["ok"], well["detail"]) == (True, "tea")
    assert (result.exit_code, ill["ok"]) == (1, False)
    assert "tea/inhouse.toml cannot stand there" in ill["detail"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--community", "ghost", "bill"), "no community 'ghost' in "),
        (("--community", "../x", "bill"), "community: got '../x', expected 1 to 32 of a-z"),
        (("--community", "tea", "up"), "inhouse up serves every community"),
        (("--community", "tea", "up", "--role", "worker"), "inhouse up serves every community"),
        (("--community", "tea", "up", "--role", "console"), "tea has no console; set [console]"),
        (("--community", "tea", "demo"), "inhouse demo makes a community of its own"),
        (("communities", "add", "Tea"), "community: got 'Tea', expected 1 to 32 of a-z"),
        (("communities", "add", "tea"), "the community 'tea' exists already"),
        (("communities", "remove", "ghost"), "no community 'ghost' in "),
    ],
)
def test_asking_wrongly_names_what_is_wrong(
    program: Callable[..., Said], words: tuple[str, ...], said: str
) -> None:
    """By a message that says what to do, with exit code 2."""
    _call("communities", "add", "tea")
    found = program(*words)

    assert (found.code, found.out) == (2, "")
    assert said in " ".join(found.err.split())


def test_the_variable_names_a_community_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """INHOUSE_COMMUNITY and --community are one."""
    _call("communities", "add", "tea")
    run = [sys.executable, "-m", "inhouse.cli.main", "keys", "create", "app", "--json"]
    environment = {**os.environ, COMMUNITY: "tea"}
    found = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)

    assert json.loads(found.stdout)["secret"].startswith("inh_tea.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(true: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@contextlib.contextmanager
def _up(environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as lines:
        server = subprocess.Popen(
            [sys.executable, "-m", "inhouse.cli.main", "up"],
            env={**os.environ, **environment},
            stdout=lines,
            stderr=lines,
        )
    try:
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


@pytest.mark.slow
def test_the_real_roles_serve_two_communities(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Posts of both are judged and served over HTTP, each to its own key; each has a console; one
    that is added while all run is served, and one that is removed no longer is."""
    ports = {"api": _free_port(), "console": _free_port(), "tea": _free_port()}
    environment = {f"INHOUSE_{role.upper()}_PORT": str(ports[role]) for role in ("api", "console")}
    _call("communities", "add", "tea", "--console-port", str(ports["tea"]))
    keys = {name: _key(name) for name in ("", "tea")}
    api = f"http://127.0.0.1:{ports['api']}"

    def ask(name: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(api + path, data, {"authorization": f"Bearer {keys[name]}"})
        return json.load(urlopen(request, timeout=10))

    def served(name: str) -> list[str]:
        page = ask(name, "/v1/feed/ana?surface=latest&detail=true")
        return [shown["title"] for shown in page["items"]]

    def is_unknown(name: str) -> bool:
        try:
            ask(name, "/v1/state")
        except HTTPError as error:
            return error.code == 401
        return False

    with _up(environment, folder / "up.log") as server:
        _until(lambda: server.poll() is None and _answers(f"{api}/readyz"))
        for name in keys:
            item = {"item_id": "i", "creator_id": "c", "title": f"of {name or 'default'}"}
            ask(name, "/v1/items", {"items": [item]})
        _until(lambda: served("") == ["of default"] and served("tea") == ["of tea"])
        _until(lambda: _answers(f"http://127.0.0.1:{ports['console']}/healthz"))
        _until(lambda: _answers(f"http://127.0.0.1:{ports['tea']}/healthz"))
        with urlopen(f"http://127.0.0.1:{ports['tea']}/feed", timeout=10) as page:
            assert "inh_tea." in page.read().decode()
        _call("communities", "add", "coffee")
        keys["coffee"] = _key("coffee")
        _until(lambda: not is_unknown("coffee"))
        _call("communities", "remove", "tea")
        _until(lambda: is_unknown("tea"))
        _until(lambda: not _answers(f"http://127.0.0.1:{ports['tea']}/healthz"))
        assert served("") == ["of default"]
        assert ask("coffee", "/v1/state")["items"] == 0


def _key(name: str) -> str:
    options = ("--community", name) if name else ()
    return str(_json(*options, "keys", "create", "app")["secret"])


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2):
            return True
    except (URLError, OSError):
        return False
