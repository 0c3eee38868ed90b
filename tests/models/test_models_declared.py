"""The file of a community's own tasks: read whole, or every fault named."""

from pathlib import Path

import pytest

from inhouse.core.errors import InputError, SettingError, UnknownError
from inhouse.models.asking.fleet import speaks_of
from inhouse.models.declared import check_stand_ins, read_tasks
from inhouse.models.tasks import TASKS, TEXT_HARM, judgement_named, judging, task_named
from inhouse.models.types import HUGGING_FACE, Deployment, Task
from inhouse.models.vendors import read_vendors

_GOOD = """
[topic]
kind = "labels"
categories = ["sport", "music"]
instructions = "What is it about? sport: matches. music: songs."

[quality]
kind = "score"
instructions = "How well is it written? quality: 1 for a careful post."

[summary]
kind = "text"
stand_ins = ["main"]

[vectors]
kind = "embedding"
"""
_VENDORS = """
[main]
url = "http://10.0.0.7:8000/v1"
model = "llama"
host = "ourselves"
owner = "meta"
serves = ["chat"]
stand_ins = ["summary"]
"""


def _read(folder: Path, text: str) -> dict[str, Task]:
    path = folder / "tasks.toml"
    path.write_text(text, "utf-8")
    return read_tasks(path)


def _faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingError) as caught:
        _read(folder, text)
    return [str(fault) for fault in caught.value.faults]


def test_tasks_are_read_behind_the_one_that_ships(tmp_path: Path) -> None:
    """A score's category is its own name; words and vectors have none."""
    tasks = _read(tmp_path, _GOOD)

    assert list(tasks) == ["text_harm", "topic", "quality", "summary", "vectors"]
    assert tasks["topic"] == Task(
        name="topic",
        kind="labels",
        categories=("sport", "music"),
        instructions="What is it about? sport: matches. music: songs.",
    )
    assert tasks["quality"].categories == ("quality",)
    assert (tasks["summary"].categories, tasks["summary"].stand_ins) == ((), ("main",))
    assert [task.name for task in judging(tasks)] == ["text_harm", "topic", "quality"]


def test_without_the_file_there_is_what_ships(tmp_path: Path) -> None:
    """Nobody has to declare anything."""
    assert read_tasks(tmp_path / "none.toml") == TASKS


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """Each with what would have been right."""
    text = """
loose = 3
[Topic]
kind = "scores"
[text_harm]
kind = "labels"
[a]
categories = ["x", "x"]
instructions = " "
mood = 1
[b]
kind = "labels"
categories = ["sport"]
[c]
kind = "score"
categories = ["c"]
instructions = "no idea"
[d]
kind = "text"
categories = ["x"]
stand_ins = [1]
"""
    rule = "1 to 48 of a-z 0-9 _, a letter first"
    taken = "a name of " + rule + ", none of chat, embeddings, incumbent, owned, scores, text_harm"

    assert _faults(tmp_path, text) == [
        "loose: got 3, expected a table that declares one task",
        f"[Topic]: got 'Topic', expected {taken}",
        "Topic.kind: got 'scores', expected one of labels, score, embedding, text",
        f"[text_harm]: got 'text_harm', expected {taken}",
        "a.kind: got 'nothing', expected one of labels, score, embedding, text",
        f"a.categories: got ['x', 'x'], expected 1 to 100 different names, each {rule}",
        "a.instructions: got ' ', expected 1 to 8,000 characters",
        "a.mood: got 1, expected no such setting; known are kind, categories, instructions, "
        "stand_ins",
        "b.instructions: got 'nothing', expected a value",
        "c.categories: got ['c'], expected nothing: a task of kind score has none",
        "c.instructions: got 'no idea', expected a text that says what c means",
        "d.stand_ins: got [1], expected a list of names",
    ]


def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    """The reader's own words say where."""
    with pytest.raises(SettingError, match=r"cannot read .*tasks.toml: .*line 1.*; mend the line"):
        _read(tmp_path, "[topic\n")


def test_stand_ins_must_be_able_to_stand_in(tmp_path: Path) -> None:
    """A deployment that only judges cannot chat; a task of words may stand in for a deployment."""
    tasks = _read(tmp_path, _GOOD)
    vendors = tmp_path / "vendors.toml"
    vendors.write_text(_VENDORS)
    main = read_vendors(vendors, {}, tasks)

    check_stand_ins(tmp_path / "tasks.toml", tasks, main)
    with pytest.raises(SettingError) as caught:
        check_stand_ins(tmp_path / "tasks.toml", tasks, [])

    assert [str(fault) for fault in caught.value.faults] == [
        "summary.stand_ins: got 'main', expected deployments that serve chat"
    ]
    assert main[0].stand_ins == ("summary",)


def test_a_deployment_is_not_called_like_a_task(tmp_path: Path) -> None:
    """A name under /openai/v1 means one thing."""
    path = tmp_path / "vendors.toml"
    path.write_text(_VENDORS.replace("[main]", "[vectors]").replace('"summary"', '"vectors"'))

    with pytest.raises(SettingError) as caught:
        read_vendors(path, {}, _read(tmp_path, _GOOD))

    assert [str(fault) for fault in caught.value.faults] == [
        "vectors.stand_ins: got 'vectors', expected names of other tables of this file",
        "[vectors]: got 'vectors', expected another name than that of a task",
    ]


def test_tasks_are_found_by_name(tmp_path: Path) -> None:
    """Unknown ones say which there are; one of words is no judgement."""
    tasks = _read(tmp_path, _GOOD)

    assert task_named("topic", tasks) == tasks["topic"] == judgement_named("topic", tasks)
    with pytest.raises(UnknownError) as unknown:
        task_named("mood", tasks)
    with pytest.raises(InputError) as wrong:
        judgement_named("summary", tasks)

    assert str(unknown.value) == (
        "no task is called 'mood'; expected one of text_harm, topic, quality, summary, vectors"
    )
    assert str(wrong.value) == "summary answers with text; call it by its name under /openai/v1"


def test_only_who_knows_of_a_task_is_asked(tmp_path: Path) -> None:
    """A moderations endpoint says nothing of topics; a checkpoint what its labels say."""
    topic = _read(tmp_path, _GOOD)["topic"]
    chat = Deployment(name="c", host="h", owner="o", model="m")
    moderations = Deployment(name="m", host="h", owner="o", model="m", dialect="moderations")
    guard = Deployment(
        name="g", host="h", owner="o", model="m", dialect=HUGGING_FACE, labels={"s": "sport"}
    )

    assert [speaks_of(one, topic) for one in (chat, moderations, guard)] == [True, False, True]
    assert [speaks_of(one, TEXT_HARM) for one in (chat, moderations, guard)] == [True, True, False]
