"""The command line: what a person types, what comes back, and with which exit code."""

import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_program import Said, call, called, posts
from typer.testing import CliRunner

from inhouse.app.build import Services, open_services
from inhouse.catalog.types import Item
from inhouse.cli.main import COMMANDS, command_line
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import Event, EventKind, PageItem, ServedPage
from inhouse.learning.causal.serving import read_causal
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.pairs import Pair, Pairs, add_pairs


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of its own, and no settings file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """`--help` of each command ends well and says more than its name."""
    assert len(call(name, "--help").split()) > 10


def test_the_list_of_commands_imports_none_of_them() -> None:
    """`inhouse --help` is quick: neither torch nor the server's libraries are loaded."""
    code = (
        "import sys\nfrom inhouse.cli.main import command_line\ncommand_line([])\n"
        "print(sorted({'torch', 'nicegui', 'fastapi', 'polars'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_a_key_gets_a_budget_and_loses_it() -> None:
    """Set, shown, raised and ended by its id; what is no amount or period is refused."""
    made = called("keys", "create", "my app", "--scope", "models")
    call("keys", "budget", made["key_id"], "--usd", "20.50", "--every", "day")
    (shown,) = called("keys", "budgets")
    call("keys", "budget", made["key_id"], "--usd", "none")

    assert (shown["key_id"], Decimal(shown["limit_usd"])) == (made["key_id"], Decimal("20.50"))
    assert (shown["period"], Decimal(shown["spent_usd"])) == ("day", 0)
    assert called("keys", "budgets") == []


def test_a_key_lets_its_calls_be_kept_and_no_longer() -> None:
    """Off until a person says so; an unknown key is an error."""
    made = called("keys", "create", "my app", "--scope", "models")
    told = call("keys", "keep", made["key_id"])
    (kept,) = called("keys", "list")
    call("keys", "keep", made["key_id"], "--off")
    (after,) = called("keys", "list")

    assert "are kept for 30 days" in " ".join(told.split())
    assert (kept["keeps_calls"], after["keeps_calls"]) == (True, False)
    with pytest.raises(InputError, match="no key 'x'"), open_services() as services:
        services.keys.keep_calls("x", keep=True)


def test_all_that_hangs_on_a_key_ends_with_it() -> None:
    """Budget and limits; what was kept of its calls where that is said; of no other key."""
    ours, theirs = (called("keys", "create", name, "--scope", "models")["key_id"] for name in "ab")
    for key_id in (ours, theirs):
        call("keys", "keep", key_id)
        call("keys", "budget", key_id, "--usd", "5")
        call("keys", "limit", key_id, "--requests-a-minute", "6")
    with open_services() as services:
        pairs = [_keptcall(key_id) for key_id in (ours, theirs)]
        services.database.write(lambda connection: add_pairs(connection, pairs))
    kept = call("keys", "keep", ours, "--off")
    gone = call("keys", "revoke", ours, "--forget")
    with open_services() as services:
        left = [pair.key_id for pair in Pairs(services.database).latest("chat", 9)]

    assert "are not kept any more" in " ".join(kept.split())
    assert "is void, and 1 that were kept are gone" in " ".join(gone.split())
    assert left == [theirs]
    assert [b["key_id"] for b in called("keys", "budgets")] == [theirs]
    assert [one["key_id"] for one in called("keys", "limits")] == [theirs]
    assert "and 1 that were kept are gone" in " ".join(
        call("keys", "keep", theirs, "--off", "--forget").split()
    )
    for wrong, told in (
        (("keep", theirs, "--forget"), "--forget goes with --off"),
        (("revoke", "x", "--forget"), "no key 'x'"),
        (("keep", "x", "--off"), "no key 'x'"),
    ):
        result = CliRunner().invoke(command_line(["keys"]), ["keys", *wrong])
        assert told in str(result.exception)


def _keptcall(key_id: str) -> Pair:
    return Pair(
        task="chat",
        messages=(Message(role="user", content=f"asked with {key_id}"),),
        answer="yes",
        person=None,
        ref=None,
        call_id="call_1",
        key_id=key_id,
        deployment="main",
        source="openai/openai/gpt-4o-mini",
        terms="mit",
        at_ms=1,
    )


def test_a_key_gets_a_rate_limit_and_loses_it() -> None:
    """Calls, tokens or both; shown, changed and ended by its id."""
    made = called("keys", "create", "my app", "--scope", "models")["key_id"]
    said = call("keys", "limit", made, "--requests-a-minute", "600", "--tokens-a-minute", "9000")
    call("keys", "limit", made, "--tokens-a-minute", "5")
    shown = called("keys", "limits")
    call("keys", "limit", made, "--none")

    assert "may use 600 calls, 9,000 tokens a minute" in str(said)
    assert shown == [{"key_id": made, "requests": None, "tokens": 5, "place": 0}]
    assert called("keys", "limits") == []


def test_a_key_is_made_listed_and_revoked() -> None:
    """The secret is printed once; the list never has it; a revoked key says so."""
    made = called("keys", "create", "my app", "--scope", "events")
    listed = call("keys", "list", "--json")
    call("keys", "revoke", made["key_id"])
    (after,) = called("keys", "list")

    assert made["secret"].startswith("inh_")
    assert made["secret"] not in listed
    assert after["revoked_ms"] is not None


def test_an_import_counts_its_rows_and_names_the_bad_ones(folder: Path) -> None:
    """Three rows: two stored, one rejected by name; again, nothing new is stored."""
    words = ("import", "csv", str(posts(folder)), "--table", "items", "--map", "item_id=id")
    first = called(*words)
    again = called(*words)

    assert (first["counts"]["stored"], first["counts"]["rejected"]) == (2, 1)
    assert first["bad_rows"][0]["field"] == "item_id"
    assert again["counts"]["stored"] == 0


def test_posts_are_judged_and_the_queue_can_be_read(folder: Path) -> None:
    """After an import `moderate run` leaves nothing waiting."""
    call("import", "csv", str(posts(folder)), "--table", "items", "--map", "item_id=id")
    judged = called("moderate", "run")

    assert (judged["judged"], judged["awaiting"]) == (2, 0)
    assert called("review", "queue") == []


def test_the_shipped_policy_keeps_its_examples() -> None:
    """`moderate test` passes on what is shipped, `moderate policy` says it in words."""
    found = called("moderate", "test")

    assert found["examples"] > 10
    assert found["failures"] == []
    assert len(called("moderate", "policy")["sentences"]) > 5


def test_a_faulty_policy_is_shown_with_its_line(folder: Path) -> None:
    """Exit code 2, the file, the line and a hint, on standard error."""
    path = folder / "policy.yaml"
    path.write_text("name: mine\ncategories:\n  spam: unwanted\nrulez: []\n")
    run = [sys.executable, "-m", "inhouse.cli.main", "moderate", "policy", str(path)]
    found = subprocess.run(run, capture_output=True, text=True, check=False)

    assert found.returncode == 2
    assert f"{path}:4" in found.stderr.replace("\n", "")  # the screen breaks a long path
    assert "rulez" in found.stderr


@pytest.mark.parametrize("words", [("experiment", "start"), ("rules", "add")])
def test_a_file_that_is_not_there_is_named(folder: Path, words: tuple[str, ...]) -> None:
    """A wrong path is the caller's mistake, not ours."""
    with pytest.raises(InputError, match=r"^cannot read no\.json: No such file or directory; "):
        CliRunner().invoke(command_line(words[:1]), [*words, "no.json"], catch_exceptions=False)


def test_a_disk_that_is_full_is_told_in_one_line(folder: Path) -> None:
    """What the system refuses while something is written ends a command without a traceback."""
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "sys.argv = ['inhouse', 'keys', 'list']\n"
        "from inhouse.cli.main import run; run()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("inhouse: ")
    assert "Traceback" not in found.stderr


def test_an_empty_installation_answers_every_question() -> None:
    """Bill, experiments, models and doctor work on the first day, without inventing anything."""
    assert Decimal(called("bill")["spend_usd"]) == 0
    assert called("experiment", "list") == []
    assert [row["route"]["stage"] for row in called("models", "routes")] == ["rented"]
    assert all(finding["ok"] for finding in called("doctor"))


def test_a_file_of_sequences_becomes_a_model(folder: Path) -> None:
    """`train --sequences` tells each epoch's figure and writes weights that can be read again."""
    path, to = folder / "some.txt", folder / "model.safetensors"
    path.write_text(
        "".join(f"u{u} " + " ".join(str((u + i) % 9) for i in range(6)) + "\n" for u in range(30))
    )

    fit = called("train", "--sequences", str(path), "--to", str(to), "--epochs", "2")

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
    called("train", *words, "--hold-out")

    weights = read_causal(to)
    assert sorted(weights.item_ids) == ["a", "b", "c", "d", "z"]
    assert not weights.id_part[weights.item_ids.index(ItemId("z"))].any()
    judged = called("evaluate", "--sequences", str(path), "--model", str(to))
    assert judged["items"] == 5  # what nobody had competes too
    assert judged["standings"]["rows"][0]["n"] == 30


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


def test_what_was_served_is_judged_by_what_came_of_it() -> None:
    """Twice too much was promised to two people, of whom chance showed one place each."""
    with open_services() as services:
        _serve_and_click(services)
    report = called("evaluate")
    shown = call("evaluate")
    later = called("evaluate", "--days", "1")

    assert (report["pages"], report["judged"], report["left_out"]) == (40, 40, 0)
    every, chance = report["slices"][0], report["slices"][1]
    clicks = every["probabilities"][0]
    assert (every["n"], every["people"], chance["n"]) == (80, 2, 40)
    assert clicks["rate"]["value"] == 0.25
    assert clicks["ratio"]["value"] == pytest.approx(2.0)
    assert clicks["auc"]["value"] == 0.5
    assert chance["probabilities"][0]["ratio_weighted"]["value"] == pytest.approx(2.0)
    assert every["probabilities"][1]["ratio"]["value"]["reason"] == "it never happened"
    assert "2.000 (2.000 to 2.000)" not in shown  # two people who did the same have no range
    assert "40 for_you pages served, 40 judged" in shown
    assert "given by chance" in shown
    assert later["pages"] == 0


def test_before_anything_was_served_nothing_is_judged() -> None:
    """An empty installation is told so, and every figure in JSON says why it is not there."""
    report = called("evaluate")

    assert "nothing to judge yet" in call("evaluate")
    assert report["slices"][0]["probabilities"][0]["rate"]["value"] == {
        "reason": "no place was seen",
        "have": 0,
        "need": 1,
    }


def test_a_trained_model_is_judged_on_the_items_held_back(folder: Path) -> None:
    """Beside baselines; one that was trained on them too is refused."""
    path, clean, used = folder / "some.txt", folder / "clean", folder / "used"
    path.write_text(
        "".join(f"u{u} " + " ".join(str((u + i) % 9) for i in range(6)) + "\n" for u in range(30))
    )
    train = ("train", "--sequences", str(path), "--epochs", "1")
    call(*train, "--to", str(clean), "--hold-out")
    call(*train, "--to", str(used))
    asked = ("evaluate", "--sequences", str(path), "--model")
    report = called(*asked, str(clean))

    assert len(report["standings"]["rows"]) == 3
    refused = CliRunner().invoke(command_line(["evaluate"]), [*asked, str(used)])
    assert "has learned the answers too" in str(refused.exception)


def test_events_are_split_in_time(folder: Path) -> None:
    """What came before the split is learned, what came after is asked, popularity beside it."""
    path = folder / "events.csv"
    rows = [f"u{k % 20},i{(k % 20 + k // 20) % 9},{k * 1_000}" for k in range(140)]
    path.write_text("user,item,at_ms\n" + "\n".join(rows) + "\n")
    words = ("evaluate", "--events", str(path), "--split", "0.8", "--epochs", "1")
    report = called(*words)
    shown = call(*words, "--target", "successive")

    assert (report["learned"], report["later"], report["questions"]) == (112, 28, 20)
    assert "model minus item-item neighbours" in shown
    assert "28 of 28 questions" in shown


def _serve_and_click(services: Services) -> None:
    """40 pages of two places to two people; one place in four is clicked, a half is predicted."""
    services.catalog.put_items(
        [
            Item(item_id=ItemId(f"i{k}"), creator_id=UserId("c"), title=f"t{k}", created_ms=1)
            for k in range(2)
        ]
    )
    said = {"p_click": 0.5, "p_like": 0.1, "p_hide": 0.1, "dwell_ms": 10.0}
    for number in range(40):
        page_id, user_id, at_ms = PageId(f"p{number}"), UserId(f"u{number % 2}"), 1_000 * number
        places = tuple(
            PageItem(
                item_id=ItemId(f"i{place}"),
                position=place,
                source="taste",
                sources=("taste",),
                value=0.0,
                predicted=said,
                propensity=(1.0, 0.2)[place],
                explored=place == 1,
            )
            for place in range(2)
        )
        page = ServedPage(
            page_id=page_id,
            at_ms=at_ms,
            user_id=user_id,
            surface="for_you",
            items=places,
            log_offset=services.log.last_offset(),
        )
        services.pages.submit(page).result()
        did: list[tuple[EventKind, int]] = [("impression", 0), ("impression", 1)]
        if number // 2 % 2:
            did.append(("click", number // 4 % 2))
        services.log.append(
            [
                Event(
                    event_id=EventId(f"e{number}-{place}-{kind}"),
                    at_ms=at_ms,
                    kind=kind,
                    user_id=user_id,
                    item_id=ItemId(f"i{place}"),
                    page_id=page_id,
                )
                for kind, place in did
            ]
        )


def test_training_on_nothing_publishes_nothing() -> None:
    """`train` says so and ends well; `models train` ends with 1, for there are no labels."""
    assert called("train")["published"] is None
    assert "0 of 300" in call("models", "train", "text_harm", code=1)
    assert "train one first" in call("models", "cascade", "text_harm", code=1)


def test_an_experiment_is_started_read_and_stopped(folder: Path) -> None:
    """From a file; results on the first day say that there is not enough data."""
    path = folder / "experiment.json"
    arms = [{"key": "a"}, {"key": "b", "settings": {"diversity": 0.5}}]
    path.write_text(json.dumps({"key": "variety", "arms": arms}))
    call("experiment", "start", str(path))
    results = called("experiment", "results", "variety")
    call("experiment", "stop", "variety")
    (stopped,) = called("experiment", "list")

    assert results["calls"][0]["call"] == "not_enough_data"
    assert stopped["stopped_ms"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("experiment", "results", "ghost"), "experiment 'ghost' does not exist"),
        (("models", "list", "poetry"), "no task is called 'poetry'"),
        (("models", "cascade", "text_harm", "--recall", "1"), "recall is 1.0, expected more than"),
        (("models", "cascade", "text_harm", "--off"), "say who decides with --by"),
        (("import", "reddit", "ghost.parquet"), "ghost.parquet"),
        (("keys", "create", "x", "--scope", "fly"), "scopes: got fly"),
        (("keys", "budget", "k", "--usd", "much"), "usd: got 'much', expected an amount"),
        (("keys", "budget", "k", "--usd", "1", "--every", "hour"), "every: got 'hour'"),
        (("keys", "budget", "k", "--usd", "1"), "no key 'k'"),
        (("keys", "limit", "k"), "a limit needs requests a minute, tokens a minute, or both"),
        (("keys", "limit", "k", "--requests-a-minute", "0"), "requests a minute: got 0, expected"),
        (("keys", "limit", "k", "--requests-a-minute", "1"), "no key 'k'"),
        (("keys", "limit", "k", "--none"), "the key 'k' has no rate limit"),
        (("keys", "limit", "k", "--none", "--tokens-a-minute", "1"), "leave the numbers out"),
        (("evaluate", "--sequences", "x.txt"), "--sequences needs --model"),
        (("evaluate", "--sequences", "x", "--model", "y", "--events", "z"), "give one of them"),
        (("evaluate", "--events", "z", "--target", "all"), "expected one of last, random"),
        (("evaluate", "--events", "ghost.parquet"), "cannot read ghost.parquet"),
    ],
)
def test_asking_wrongly_is_exit_code_two(
    program: Callable[..., Said], words: tuple[str, ...], said: str
) -> None:
    """The message is one line on standard error, without a traceback."""
    found = program(*words)

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("inhouse: ")
    assert said in found.err


def test_a_rule_is_made_listed_and_withdrawn(folder: Path) -> None:
    """From a file into force, on the list, and out of force; a wrong one is asked wrongly."""
    path = folder / "rule.json"
    path.write_text('{"action": "pin", "target": "item:a", "reason": "news", "position": 2}')
    said = call("rules", "add", str(path))
    (made,) = called("rules", "list")
    call("rules", "withdraw", made["rule_id"])
    listed = call("rules", "list")
    path.write_text('{"action": "pin", "target": "creator:a", "reason": "news"}')
    refused = CliRunner().invoke(command_line(["rules"]), ["rules", "add", str(path)])

    assert said.strip() == f"{made['rule_id']}: pin to place 3 item:a"
    assert (made["action"], made["position"], made["surfaces"]) == ("pin", 2, ["for_you"])
    assert "withdrawn" in listed
    assert "target: got 'creator:a', expected item:NAME" in str(refused.exception)
