"""The program `inhouse`, in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from inhouse.cli.main import run


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
