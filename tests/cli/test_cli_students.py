"""`inhouse models train` and `use` for models that others began: what is said, and why not."""

import json
from pathlib import Path

import pytest
from tests.models.models_students import make_causal, make_encoder, talk, write_lines
from typer.testing import CliRunner

from inhouse.app.build import open_services
from inhouse.app.owning.students import Begun, train_student
from inhouse.app.settings import load_settings
from inhouse.cli.main import command_line
from inhouse.cli.up import Role, roles_of
from inhouse.core.errors import InputError
from inhouse.models.harvest.pairs import Pair as KeptPair
from inhouse.models.harvest.pairs import add_pairs
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.students.pairs import Pair

_TASKS = """
[names]
kind = "text"
[places]
kind = "embedding"
[topic]
kind = "labels"
categories = ["sport"]
instructions = "sport: matches."
"""
GEMINI = "gemini-2025-05-20"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("INHOUSE_MODELS_LEAST_PAIRS", "20")
    (tmp_path / "tasks.toml").write_text(_TASKS)


def _run(*arguments: str) -> str:
    told = CliRunner().invoke(command_line(("models",)), ["models", *arguments])
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    assert told.exit_code == 0, told.output
    return told.stdout


def test_a_writer_is_trained_and_put_into_use(tmp_path: Path) -> None:
    """From a file of pairs: the command says how good it is, under which licence it began, and what
    to do next; the list and the route know of it."""
    base = make_causal(tmp_path / "base", licence="apache-2.0")
    lines = [
        {
            "messages": [{"role": one.role, "content": one.content} for one in pair.messages],
            "answer": pair.answer,
            "at_ms": pair.at_ms,
            "terms": pair.terms,
        }
        for pair in talk(60)
    ]
    pairs = str(write_lines(tmp_path / "pairs.jsonl", *lines))
    how = ("train", "names", "--base", str(base), "--pairs", pairs, "--full")

    # So slow a rate teaches a model of no size little, and that little is better than nothing.
    said = " ".join(_run(*how).split())
    (version,) = json.loads(_run("list", "names", "--json"))
    used = _run("use", "names", version["version"], "--by", "ann", "--because", "read it")

    assert f"{version['version']}, trained on 48 texts, full from" in said
    assert "(apache-2.0)" in said
    assert f"inhouse models use names {version['version']} --by NAME" in said
    assert version["card"]["terms"] == {"t-2026": 48}
    assert used == f"names: stage owned, {version['version']}\n"
    routes = {one["route"]["task"]: one for one in json.loads(_run("routes", "--json"))}
    assert (routes["names"]["kind"], routes["names"]["route"]["owned"]) == (
        "text",
        version["version"],
    )


def test_without_a_file_it_learns_from_kept_calls(tmp_path: Path) -> None:
    """Of its own task, but for those under terms that were left out."""
    base = str(make_causal(tmp_path / "base", licence="apache-2.0"))
    kept = [
        # The same words of others come first, so that they would be the ones that count.
        *(_kept("chat", one) for one in talk(30, source="mistral/mistral/m", terms="mit")),
        *(_kept("names", one) for one in talk(40, source="google/google/m", terms=GEMINI)),
        *(_kept("names", one) for one in talk(60, terms="mit")),
    ]
    begun = Begun(base=base, full=True, without=("gemini",))
    with open_services() as services:
        services.database.write(lambda connection: add_pairs(connection, kept))
        version = train_student(services, services.tasks["names"], begun, lambda *_: None)

    assert isinstance(version, ModelVersion)
    assert version.card.terms == {"mit": 48}
    assert version.card.sources == {"openai/openai/m": 48}


def _kept(task: str, pair: Pair) -> KeptPair:
    """A pair as it is kept of a call."""
    return KeptPair(
        task=task,
        messages=pair.messages,
        answer=pair.answer,
        person=None,
        ref=None,
        call_id="call_1",
        key_id="key_1",
        deployment="main",
        source=pair.source,
        terms=pair.terms,
        at_ms=pair.at_ms,
    )


def test_an_encoder_places_texts_as_it_is(tmp_path: Path) -> None:
    """Its licence must be known: said, where its README says nothing."""
    folder = str(make_encoder(tmp_path / "encoder"))

    with pytest.raises(InputError, match="does not say under which licence it came; say it with"):
        _run("train", "places", "--encoder", folder)
    said = " ".join(_run("train", "places", "--encoder", folder, "--licence", "mit").split())

    assert "trained on 0 texts, as it is from" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("names",), "names answers with text and is taught with --base"),
        (("names", "--base", "b", "--encoder", "e"), "names answers with text and is taught with"),
        (("places",), "places answers with embedding and takes an --encoder as it is"),
        (("places", "--base", "b"), "only a task of text begins from a --base"),
        (("topic", "--full"), "has nothing that --full could teach; name an --encoder"),
        (("topic", "--pairs", "p"), "learns from its labels, not from --pairs"),
        (("mood",), "no task is called 'mood'; expected one of text_harm, names, places, topic"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: tuple[str, ...], message: str) -> None:
    """Before anything is loaded."""
    with pytest.raises(InputError) as caught:
        _run("train", *arguments)

    assert message in str(caught.value)


def test_the_role_runs_where_a_task_needs_it(tmp_path: Path) -> None:
    """Without a task of words or vectors there is no process for them."""
    with open_services() as services:
        settings = services.settings
    assert Role.students in roles_of(settings)
    (tmp_path / "tasks.toml").unlink()
    assert roles_of(load_settings()) == [Role.api, Role.learner, Role.worker, Role.console]
