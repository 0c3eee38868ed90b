"""The file in which a community declares tasks of its own, `tasks.toml`: one table a task.

    [topic]
    kind = "labels"                # a probability for each category
    categories = ["sport", "politics", "music"]
    instructions = '''
    What is the post about? sport: matches and athletes. politics: parties, elections and laws.
    music: songs, bands and concerts.'''

    [quality]
    kind = "score"                 # one number from 0 to 1
    instructions = "How well is the post written? quality: 1 for a careful one, 0 for noise."

    [summary]
    kind = "text"                  # words: the model's name in chat calls
    stand_ins = ["main"]           # rented deployments that answer while no model trained here does

    [vectors]
    kind = "embedding"             # a vector: the model's name in calls for embeddings

Judgements (`labels`, `score`) are asked for through `Gateway.ask`; `text` and `embedding` are
called by name under /openai/v1. The file need not exist: then there are the tasks that ship with
inhouse.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from inhouse.core.errors import Fault, SettingError
from inhouse.core.faults import refuse_toml
from inhouse.models.tasks import TASKS
from inhouse.models.types import JUDGING, KINDS, OURS, SERVICES, Deployment, Service, Task
from inhouse.models.vendors import read_tables

_KINDS: Final[Mapping[str, type[str] | type[list[Any]]]] = {
    "kind": str,
    "categories": list,
    "instructions": str,
    "stand_ins": list,
}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")  # versions and files of a task carry its name
_RULE: Final = "1 to 48 of a-z 0-9 _, a letter first"
_MOST_CATEGORIES: Final = 100
_MOST_CHARS: Final = 8_000  # of instructions
_TAKEN: Final = frozenset((*TASKS, *SERVICES, *OURS))
# By which call a task that does not judge is asked for.
SERVICE_OF: Final[Mapping[str, Service]] = {"text": "chat", "embedding": "embeddings"}


def read_tasks(path: Path) -> dict[str, Task]:
    """The tasks that ship with inhouse, then those of the file in its order.

    Raises SettingError that lists every fault at once.
    """
    text, tables = read_tables(path)
    faults = [fault for name, table in tables.items() for fault in _faults(name, table)]
    if faults:
        raise refuse_toml(str(path), text, faults)
    return {**TASKS, **{name: _task(name, table) for name, table in tables.items()}}


def check_stand_ins(path: Path, tasks: Mapping[str, Task], known: Sequence[Deployment]) -> None:
    """Raises SettingError where a stand-in of a task is no deployment that can be asked so."""
    able = {(one.name, service) for one in known for service in one.serves}
    faults = [
        _fault(f"{task.name}.stand_ins", name, f"deployments that serve {SERVICE_OF[task.kind]}")
        for task in tasks.values()
        for name in task.stand_ins
        if (name, SERVICE_OF[task.kind]) not in able
    ]
    if faults:
        raise SettingError(f"{len(faults)} thing(s) in {path} cannot be used", faults)


def _faults(name: str, table: Any) -> list[Fault]:
    if not isinstance(table, dict):
        return [_fault(name, table, "a table that declares one task")]
    faults = []
    if name in _TAKEN or not _NAME.fullmatch(name):
        expected = f"a name of {_RULE}, none of {', '.join(sorted(_TAKEN))}"
        faults.append(_fault(f"[{name[:80]}]", name, expected))
    if "kind" not in table:
        faults.append(_fault(f"{name}.kind", "nothing", "one of " + ", ".join(KINDS)))
    for field, value in table.items():
        expected = _expected(field, value)
        if expected:
            faults.append(_fault(f"{name}.{field}", value, expected))
    # What belongs to a kind is only asked once there is one.
    return faults or _kind_faults(name, table)


def _expected(field: str, value: Any) -> str:
    """What would have been right; empty where the value is."""
    kind = _KINDS.get(field)
    if kind is None:
        return "no such setting; known are " + ", ".join(_KINDS)
    if not isinstance(value, kind):
        return f"a value of type {kind.__name__}"
    if field == "kind" and value not in KINDS:
        return "one of " + ", ".join(KINDS)
    if isinstance(value, str):
        too_long = field == "instructions" and not 1 <= len(value.strip()) <= _MOST_CHARS
        return f"1 to {_MOST_CHARS:,} characters" if too_long else ""
    if field == "stand_ins" and not all(isinstance(one, str) for one in value):
        return "a list of names"
    if field == "categories" and not _are_categories(value):
        return f"1 to {_MOST_CATEGORIES} different names, each {_RULE}"
    return ""


def _are_categories(value: list[Any]) -> bool:
    names = [one for one in value if isinstance(one, str) and _NAME.fullmatch(one)]
    return 1 <= len(names) <= _MOST_CATEGORIES and len(set(names)) == len(value)


def _kind_faults(name: str, table: Mapping[str, Any]) -> list[Fault]:
    """What a kind needs, and what it has no use for."""
    kind = table["kind"]
    needed = {"labels": ("categories", "instructions"), "score": ("instructions",)}.get(kind, ())
    useless = {"labels": ("stand_ins",), "score": ("categories", "stand_ins")}.get(
        kind, ("categories",)
    )
    faults = [
        _fault(f"{name}.{field}", "nothing", "a value") for field in needed if field not in table
    ]
    faults += [
        _fault(f"{name}.{field}", table[field], f"nothing: a task of kind {kind} has none")
        for field in useless
        if field in table
    ]
    told = str(table.get("instructions", ""))
    asked = [name] if kind == "score" else table.get("categories", [])
    if kind in JUDGING and told:
        faults += [
            _fault(f"{name}.instructions", told, f"a text that says what {one} means")
            for one in asked
            if one not in told
        ]
    return faults


def _task(name: str, table: Mapping[str, Any]) -> Task:
    kind = table["kind"]
    return Task(
        name=name,
        kind=kind,
        categories=(name,) if kind == "score" else tuple(table.get("categories", ())),
        instructions=str(table.get("instructions", "")).strip(),
        stand_ins=tuple(table.get("stand_ins", ())),
    )


def _fault(field: str, value: Any, expected: str) -> Fault:
    return Fault(field=field, value=repr(value)[:80], expected=expected)
