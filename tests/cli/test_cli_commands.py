"""The command line: what a person types, what comes back, and with which exit code."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inhouse.cli.main import COMMANDS, command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId
from inhouse.learning.causal_serving import read_causal


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


def _call(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(command_line(words[:1]), words)
    assert result.exit_code == code, result.output
    return result.output


def _json(*words: str, code: int = 0) -> Any:
    return json.loads(_call(*words, "--json", code=code))


def _posts(folder: Path) -> Path:
    path = folder / "posts.csv"
    path.write_text(
        "id,creator_id,title,topics,created_ms\n"
        "a,ana,Green tea at dawn,tea,1760000000000\n"
        "b,bo,A quiet endgame,chess,1760000001000\n"
        "c d,bo,An id with a space,chess,1760000002000\n"
    )
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """`--help` of each command ends well and says more than its name."""
    assert len(_call(name, "--help").split()) > 10


def test_the_list_of_commands_imports_none_of_them() -> None:
    """`inhouse --help` is quick: neither torch nor the server's libraries are loaded."""
    code = (
        "import sys\nfrom inhouse.cli.main import command_line\ncommand_line([])\n"
        "print(sorted({'torch', 'nicegui', 'fastapi', 'polars'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_a_key_is_made_listed_and_revoked() -> None:
    """The secret is printed once; the list never has it; a revoked key says so."""
    made = _json("keys", "create", "my app", "--scope", "events")
    listed = _call("keys", "list", "--json")
    _call("keys", "revoke", made["key_id"])
    (after,) = _json("keys", "list")

    assert made["secret"].startswith("inh_")
    assert made["secret"] not in listed
    assert after["revoked_ms"] is not None


def test_an_import_counts_its_rows_and_names_the_bad_ones(folder: Path) -> None:
    """Three rows: two stored, one rejected by name; again, nothing new is stored."""
    words = ("import", "csv", str(_posts(folder)), "--table", "items", "--map", "item_id=id")
    first = _json(*words)
    again = _json(*words)

    assert (first["counts"]["stored"], first["counts"]["rejected"]) == (2, 1)
    assert first["bad_rows"][0]["field"] == "item_id"
    assert again["counts"]["stored"] == 0


def test_posts_are_judged_and_the_queue_can_be_read(folder: Path) -> None:
    """After an import `moderate run` leaves nothing waiting."""
    _call("import", "csv", str(_posts(folder)), "--table", "items", "--map", "item_id=id")
    judged = _json("moderate", "run")

    assert (judged["judged"], judged["awaiting"]) == (2, 0)
    assert _json("review", "queue") == []


def test_the_shipped_policy_keeps_its_examples() -> None:
    """`moderate test` passes on what is shipped, `moderate policy` says it in words."""
    found = _json("moderate", "test")

    assert found["examples"] > 10
    assert found["failures"] == []
    assert len(_json("moderate", "policy")["sentences"]) > 5


def test_a_faulty_policy_is_shown_with_its_line(folder: Path) -> None:
    """Exit code 2, the file, the line and a hint, on standard error."""
    path = folder / "policy.yaml"
    path.write_text("name: mine\ncategories:\n  spam: unwanted\nrulez: []\n")
    run = [sys.executable, "-m", "inhouse.cli.main", "moderate", "policy", str(path)]
    found = subprocess.run(run, capture_output=True, text=True, check=False)

    assert found.returncode == 2
    assert f"{path}:4" in found.stderr
    assert "rulez" in found.stderr


def test_an_empty_installation_answers_every_question() -> None:
    """Bill, experiments, models and doctor work on the first day, without inventing anything."""
    assert Decimal(_json("bill")["spend_usd"]) == 0
    assert _json("experiment", "list") == []
    assert [row["route"]["stage"] for row in _json("models", "routes")] == ["rented"]
    assert all(finding["ok"] for finding in _json("doctor"))


def test_a_file_of_sequences_becomes_a_model(folder: Path) -> None:
    """`train --sequences` tells each epoch's figure and writes weights that can be read again."""
    path, to = folder / "some.txt", folder / "model.safetensors"
    path.write_text(
        "".join(f"u{u} " + " ".join(str((u + i) % 9) for i in range(6)) + "\n" for u in range(30))
    )

    fit = _json("train", "--sequences", str(path), "--to", str(to), "--epochs", "2")

    assert len(fit["judged"]) == 2
    assert sorted(read_causal(to).item_ids) == [str(item) for item in range(9)]
    assert sorted(file.name for file in folder.glob("*.safetensors*")) == ["model.safetensors"]


def test_a_model_of_sequences_learns_what_items_are_about(folder: Path) -> None:
    """`--items` gives content to the items of the file, and a row to those that nobody had."""
    path, items, to = folder / "some.txt", folder / "posts.jsonl", folder / "model.safetensors"
    path.write_text("".join(f"u{u} a b c d\n" for u in range(30)))
    posts = [{"item_id": name, "creator_id": "ana", "title": f"about {name}"} for name in "abz"]
    items.write_text("".join(json.dumps(post) + "\n" for post in posts))

    words = ("--sequences", str(path), "--items", str(items), "--to", str(to), "--epochs", "1")
    _json("train", *words)

    weights = read_causal(to)
    assert sorted(weights.item_ids) == ["a", "b", "c", "d", "z"]
    assert not weights.id_part[weights.item_ids.index(ItemId("z"))].any()


def test_a_wrong_file_of_items_is_told_by_line(folder: Path) -> None:
    """Rows that are no items are named with their place, and nothing is trained."""
    path, items = folder / "some.txt", folder / "posts.jsonl"
    path.write_text("u1 a b c\n")
    items.write_text('{"item_id": "a", "creator_id": "ana", "vectors": {"image": ["x"]}}\n')
    words = ("train", "--sequences", str(path), "--items", str(items), "--to", str(folder / "m"))

    result = CliRunner().invoke(command_line(words[:1]), words)

    assert str(result.exception) == (
        "posts.jsonl line 1: vectors is {'image': ['x']}, expected an object of lists of numbers,"
        " by name"
    )


def test_a_model_of_sequences_needs_a_place(folder: Path) -> None:
    """Without `--to` nothing is trained, and the message says what lacks."""
    words = ("train", "--sequences", str(folder / "some.txt"))

    result = CliRunner().invoke(command_line(words[:1]), words)

    assert repr(result.exception) == repr(
        InputError("--sequences needs --to, the file that the model is written to")
    )


def test_training_on_nothing_publishes_nothing() -> None:
    """`train` says so and ends well; `models train` ends with 1, for there are no labels."""
    assert _json("train")["published"] is None
    assert "0 of 300" in _call("models", "train", "text_harm", code=1)


def test_an_experiment_is_started_read_and_stopped(folder: Path) -> None:
    """From a file; results on the first day say that there is not enough data."""
    path = folder / "experiment.json"
    arms = [{"key": "a"}, {"key": "b", "settings": {"diversity": 0.5}}]
    path.write_text(json.dumps({"key": "variety", "arms": arms}))
    _call("experiment", "start", str(path))
    results = _json("experiment", "results", "variety")
    _call("experiment", "stop", "variety")
    (stopped,) = _json("experiment", "list")

    assert results["calls"][0]["call"] == "not_enough_data"
    assert stopped["stopped_ms"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("experiment", "results", "ghost"), "experiment 'ghost' does not exist"),
        (("models", "list", "poetry"), "no task is called 'poetry'"),
        (("import", "reddit", "ghost.parquet"), "ghost.parquet"),
        (("keys", "create", "x", "--scope", "fly"), "scopes: got fly"),
    ],
)
def test_asking_wrongly_is_exit_code_two(words: tuple[str, ...], said: str) -> None:
    """The message is one line on standard error, without a traceback."""
    run = [sys.executable, "-m", "inhouse.cli.main", *words]
    found = subprocess.run(run, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("inhouse: ")
    assert said in found.stderr


def test_a_rule_is_made_listed_and_withdrawn(folder: Path) -> None:
    """From a file into force, on the list, and out of force; a wrong one is asked wrongly."""
    path = folder / "rule.json"
    path.write_text('{"action": "pin", "target": "item:a", "reason": "news", "position": 2}')
    said = _call("rules", "add", str(path))
    (made,) = _json("rules", "list")
    _call("rules", "withdraw", made["rule_id"])
    listed = _call("rules", "list")
    path.write_text('{"action": "pin", "target": "creator:a", "reason": "news"}')
    refused = CliRunner().invoke(command_line(["rules"]), ["rules", "add", str(path)])

    assert said.strip() == f"{made['rule_id']}: pin to place 3 item:a"
    assert (made["action"], made["position"], made["surfaces"]) == ("pin", 2, ["for_you"])
    assert "withdrawn" in listed
    assert "target: got 'creator:a', expected item:NAME" in str(refused.exception)
