"""Examples in docstrings are what a reader would get."""

import doctest
import importlib
from pathlib import Path

import pytest

import inhouse

_ROOT = Path(inhouse.__file__).parent
_MODULES = [
    ".".join(("inhouse", *path.relative_to(_ROOT).with_suffix("").parts))
    for path in sorted(_ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    """Every example of a module gives what it says."""
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
