"""The program `inhouse`, in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.cli.main import command_line, run


def call(*words: str, code: int = 0) -> str:
    """What a command prints, which ends as is expected."""
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def called(*words: str, code: int = 0) -> Any:
    """The same as JSON."""
    return json.loads(call(*words, "--json", code=code))


def posts(folder: Path) -> Path:
    """A file of three posts, one of them with an id that cannot be one."""
    path = folder / "posts.csv"
    path.write_text(
        "id,creator_id,title,topics,created_ms\n"
        "a,ana,Green tea at dawn,tea,1760000000000\n"
        "b,bo,A quiet endgame,chess,1760000001000\n"
        "c d,bo,An id with a space,chess,1760000002000\n"
    )
    return path


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a call of the program leaves behind."""

    code: int  # what the process ends with
    out: str  # on standard output
    err: str  # on standard error


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Its entry point with these words, for calls that end by themselves: a process of its own
    reads two seconds of libraries before it refuses anything."""

    def called(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["inhouse", *words])
        capsys.readouterr()  # of whoever called before
        with pytest.raises(SystemExit) as ended:
            run()
        said = capsys.readouterr()
        return Said(code=int(ended.value.code or 0), out=said.out, err=said.err)

    return called
