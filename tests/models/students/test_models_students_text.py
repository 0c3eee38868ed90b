"""Models that write, taught here: what is learned of a pair, and a version in the end."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tests.models.models_students import (
    NOW_MS,
    Kept,
    make_causal,
    talk,
    workplace,
    write_lines,
)
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from inhouse.core.errors import InputError, SettingError
from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.folders import checked_card
from inhouse.models.owned.hub import licence_of, load_causal, load_tokens
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.students.causal_torch import CausalLesson, padded
from inhouse.models.students.chat import PLAIN_TEMPLATE, ids_of, prompt_text, row_of, with_template
from inhouse.models.students.course import Course, parts_of, steps_of
from inhouse.models.students.pairs import FilePairs, Pair, read_pairs
from inhouse.models.students.text import split_of, train_text
from inhouse.models.students.workplace import Base
from inhouse.models.training.exporting import Wanted, export_model
from inhouse.models.types import HeldOut, Task
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database

NAMES = Task(name="names", kind="text", categories=(), instructions="")
QUICK = Course(rounds=6, rate=2e-2, keep_every_s=0.0, patience=5)
_HERE = Path(__file__).parents[1]


def test_only_the_answer_is_learned(tmp_path: Path) -> None:
    """The prompt's tokens are masked, the answer's and the end of its turn are not."""
    tokens = with_template(load_tokens(str(make_causal(tmp_path / "base"))))
    rows = [row_of(tokens, pair, 64) for pair in talk(2)]

    ids, wanted = padded([row for row in rows if row], tokens.pad_token_id)

    assert " ".join(tokens.convert_ids_to_tokens(ids[0].tolist())) == (
        "system : be brief </s> user : say red </s> assistant : red </s> <pad> <pad>"
    )
    learned = [tokens.convert_ids_to_tokens([n for n in row if n >= 0]) for row in wanted.tolist()]
    assert learned == [["red", "</s>"], ["green", "</s>"]]
    assert wanted[0].tolist()[:12] == [-100] * 12


def test_the_loss_is_that_of_the_answers_tokens(tmp_path: Path) -> None:
    """It equals the cross-entropy of each answer by itself, whatever stands beside it."""
    base = str(make_causal(tmp_path / "base"))
    tokens, model = with_template(load_tokens(base)), load_causal(base)
    rows = [row for pair in talk(9) if (row := row_of(tokens, pair, 64)) is not None]

    with torch.inference_mode():
        loss, units = CausalLesson(model, rows, [], 0).loss(range(9))
        alone = 0.0
        for row in rows:
            logits = model(input_ids=torch.tensor([row.ids])).logits[0].log_softmax(-1)
            alone -= sum(float(logits[n - 1, row.ids[n]]) for n in range(row.first, len(row.ids)))

    assert units == 18
    assert float(loss) == pytest.approx(alone, rel=1e-5)


def test_prompt_and_answer_meet_where_the_model_will_be_asked(tmp_path: Path) -> None:
    """What is read before an answer is token for token what a server gives the model."""
    tokens = with_template(load_tokens(str(make_causal(tmp_path / "base"))))
    (pair,) = talk(1)

    row = row_of(tokens, pair, 64)

    assert row is not None
    assert list(row.ids[: row.first]) == ids_of(tokens, prompt_text(tokens, pair.messages))
    assert row_of(tokens, pair, len(row.ids)) == row
    assert row_of(tokens, pair, len(row.ids) - 1) is None


def test_a_model_that_never_talked_gets_a_template(tmp_path: Path) -> None:
    """A plain one, and the answer still ends with the end of a turn."""
    tokens = with_template(load_tokens(str(make_causal(tmp_path / "base", template=None))))
    (pair,) = talk(1)

    row = row_of(tokens, pair, 64)

    assert tokens.chat_template == PLAIN_TEMPLATE
    assert prompt_text(tokens, pair.messages) == (
        "system:\nbe brief\n\nuser:\nsay red\n\nassistant:\n"
    )
    assert row is not None
    assert row.ids[-1] == tokens.eos_token_id


def test_a_template_without_system_tells_the_user(tmp_path: Path) -> None:
    """Where it refuses the role, its words stand before the user's; `developer` is a system too."""
    refusing = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    )
    tokens = load_tokens(str(make_causal(tmp_path / "base", template=refusing)))
    told = [Message(role="developer", content="be brief"), Message(role="user", content="say red")]

    assert prompt_text(tokens, told) == "user: be brief\n\nsay red\n"


@pytest.mark.parametrize("full", [False, True])
def test_a_student_is_taught_judged_and_registered(
    database: Database, tmp_path: Path, full: bool
) -> None:
    """With few weights or all: it comes to say what its teacher said; card, terms, digests and the
    files of a whole model are there, and nothing unfinished is left."""
    base = Base(name=str(make_causal(tmp_path / "base")), terms="mit", full=full)
    place = workplace(database, tmp_path / "models")

    version = train_text(place, NAMES, base, Kept(talk(120)), replace(QUICK, rounds=30))

    assert isinstance(version, ModelVersion)
    card = version.card
    assert (card.student, card.method, card.base, card.trained_on, card.created_ms) == (
        "causal",
        "full" if full else "lora",
        base.name,
        96,
        NOW_MS,
    )
    assert (card.sources, card.bound_by) == ({"openai/openai/m": 96}, ("mit", "t-2026"))
    assert isinstance(card.held_out, HeldOut)
    assert (card.held_out.measure, card.held_out.pairs) == ("loss", 12)
    assert card.held_out.before is not None
    assert card.held_out.after < 0.5
    assert card.held_out.before > 2
    folder = place.registry.folder / version.version
    assert checked_card(folder) == card == place.registry.version(version.version).card
    assert "model.safetensors" in card.files
    left = {path for path in folder.parent.rglob("*") if path.is_file()}
    assert left == {folder / name for name in (*card.files, "card.json")}
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)
    asked = tokens(prompt_text(tokens, talk(7)[6].messages), return_tensors="pt")
    said = model.generate(input_ids=asked["input_ids"], max_new_tokens=4, do_sample=False)
    assert tokens.decode(said[0][asked["input_ids"].shape[1] :], skip_special_tokens=True) == "blue"


def test_whoever_is_killed_goes_on_to_the_same_weights(database: Database, tmp_path: Path) -> None:
    """Killed in the middle of the second round and run again, it takes only the steps that are left
    and writes the version that it would have written unharmed; before, there is none."""
    base = Base(name=str(make_causal(tmp_path / "base")), terms="mit")
    course = replace(QUICK, rounds=3)
    folder = tmp_path / "killed"
    told = (sys.executable, _HERE / "students_killed.py", base.name, folder, "9")
    killed = subprocess.run(list(map(str, told)), capture_output=True, check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert not list(folder.glob("names-*"))
    steps: list[int] = []

    def tell(_what: str, done: int, _total: int) -> None:
        steps.append(done)

    resumed = train_text(
        replace(workplace(database, folder), tell=tell), NAMES, base, Kept(talk(120)), course
    )
    assert steps == list(range(10, 19))
    whole = train_text(
        replace(workplace(database, tmp_path / "whole"), tell=tell),
        NAMES,
        base,
        Kept(talk(120)),
        course,
    )

    assert steps[9:] == list(range(1, 19))
    assert isinstance(resumed, ModelVersion)
    assert isinstance(whole, ModelVersion)
    assert resumed.version == whole.version
    weights = [
        load_file(place / whole.version / "model.safetensors")
        for place in (folder, tmp_path / "whole")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(one, weights[1][name]) for name, one in weights[0].items())


def test_too_little_is_an_answer(database: Database, tmp_path: Path) -> None:
    """Too few pairs, pairs too long, or nothing gained: nothing is registered."""
    base = Base(name=str(make_causal(tmp_path / "base")), terms="mit")
    place = workplace(database, tmp_path / "models")

    few = train_text(place, NAMES, base, Kept(talk(19)), QUICK)
    short = replace(place, settings=replace(place.settings, student_tokens=8))
    long = train_text(short, NAMES, base, Kept(talk(20)), QUICK)
    idle = train_text(place, NAMES, base, Kept(talk(20)), replace(QUICK, rounds=1, rate=0.0))

    assert few == NotEnough(reason="too few prompts with answers", have=19, need=20)
    assert long == NotEnough(reason="20 of 20 pairs are longer than 8 tokens", have=0)
    assert idle == NotEnough(reason="what was taught made it no better on later pairs", have=20)
    assert place.registry.versions("names") == []


def test_later_pairs_judge_and_nothing_stands_on_two_sides() -> None:
    """In the order of time, eight to one to one; what came again stays where it came first."""
    pairs = talk(20)

    split = split_of([*pairs, *pairs[:5]])

    assert [list(part) for part in (split.teach, split.stop, split.judge)] == [
        pairs[:16],
        pairs[16:18],
        pairs[18:],
    ]


def test_every_row_has_its_turn_within_bounds() -> None:
    """Whatever the lengths, a round has each row once, and no part is larger than memory allows
    unless it is one row."""
    lengths = [(n * 37) % 50 + 1 for n in range(200)]

    steps = steps_of(lengths, 64, 1, 3)

    assert sorted(n for step in steps for part in step for n in part) == list(range(200))
    for part in (part for step in steps for part in step):
        assert len(part) == 1 or max(lengths[n] for n in part) * len(part) <= 64
    assert steps == steps_of(lengths, 64, 1, 3) != steps_of(lengths, 64, 1, 4)
    assert parts_of([], [], 64) == []


def test_pairs_are_read_from_a_file(tmp_path: Path) -> None:
    """In both formats, sorted by time when they are taught; empty lines are passed over."""
    user = {"role": "user", "content": "say red"}
    path = write_lines(
        tmp_path / "pairs.jsonl",
        {"messages": [user], "answer": "red", "at_ms": 7, "source": "a/b/c", "terms": "t"},
        {"messages": [user, {"role": "assistant", "content": "blue"}]},
    )
    path.write_text(path.read_text() + "\n")
    asked = (Message(role="user", content="say red"),)
    late = Pair(messages=asked, answer="red", at_ms=7, source="a/b/c", terms="t")
    early = Pair(messages=asked, answer="blue", at_ms=0, source="file:pairs.jsonl", terms="")

    assert read_pairs(path) == [late, early]
    assert FilePairs(path).pairs("names", 10) == [early, late]
    assert FilePairs(path).pairs("names", 1) == [late]


def test_faulty_lines_are_named_without_their_words(tmp_path: Path) -> None:
    """Each with what was expected; a file that is not there too."""
    user = {"role": "user", "content": "secret"}
    path = write_lines(
        tmp_path / "pairs.jsonl",
        {"messages": [user]},
        {"messages": [{"role": "wizard", "content": "secret"}], "answer": "a"},
        {"messages": [user], "answer": "a", "terms": "t" * 200},
        {"messages": [], "answer": "a"},
    )
    torn = write_lines(tmp_path / "torn.jsonl", {"messages": "secret"}, {"messages": [user]})

    with pytest.raises(InputError) as caught:
        read_pairs(path)
    with pytest.raises(InputError, match=r"cannot read .*: No such file.*; name a file of lines"):
        read_pairs(tmp_path / "none.jsonl")
    with pytest.raises(InputError) as unread:
        read_pairs(torn)

    no_answer = "got no answer, expected messages, and an answer or an assistant's last message"
    assert str(caught.value) == "\n  ".join(
        (
            f"4 line(s) of {path} cannot be used",
            f"line 1: {no_answer}",
            "line 2.role: got 'wizard', expected one of system, developer, user, assistant",
            "line 3: got a long source or terms, expected at most 128 characters each",
            f"line 4: {no_answer}",
        )
    )
    assert str(unread.value) == (
        f"1 line(s) of {torn} cannot be used\n  line 1: got another thing, expected JSON of the "
        "form that is documented (Expected `array`, got `str` - at `$.messages`)"
    )


def test_a_licence_is_read_from_the_readme(tmp_path: Path) -> None:
    """From its head alone; where it says nothing there is none."""
    folder = make_causal(tmp_path / "base", licence="apache-2.0")

    assert licence_of(str(folder)) == "apache-2.0"
    (folder / "README.md").write_text("# It\nlicense: mit\n")
    assert licence_of(str(folder)) is None
    (folder / "README.md").unlink()
    assert licence_of(str(folder)) is None


def test_what_runs_code_or_is_not_there_is_refused(tmp_path: Path) -> None:
    """A pickle is no weights, and the message names the model."""
    folder = make_causal(tmp_path / "base")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")

    with pytest.raises(SettingError, match="cannot load "):
        load_causal(str(folder))
    with pytest.raises(SettingError, match="cannot load "):
        load_tokens(str(tmp_path / "none"))


# peft asks the library by a name that its next version drops.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize("full", [False, True])
def test_what_is_taken_out_any_server_reads(database: Database, tmp_path: Path, full: bool) -> None:
    """Without anything of ours: a whole model under the base's own names, no adapter beside it, its
    template, and the tokens that end an answer. The base had no template, so it got ours."""
    base = Base(name=str(make_causal(tmp_path / "base", template=None)), terms="mit", full=full)
    place = workplace(database, tmp_path / "models")
    version = train_text(place, NAMES, base, Kept(talk(120, terms="mit")), QUICK)
    assert isinstance(version, ModelVersion)
    out = tmp_path / "out"
    wanted = Wanted(version=version.version, folder=out, purpose="own use", by="ann", at_ms=NOW_MS)

    names = export_model(database, place.registry, wanted)

    assert set(names) >= {
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert not [name for name in names if name.startswith(("adapter", "pytorch_model"))]
    config = AutoConfig.from_pretrained(out)
    assert (config.architectures, config.max_position_embeddings) == (["LlamaForCausalLM"], 64)
    was, taught = load_file(f"{base.name}/model.safetensors"), load_file(out / "model.safetensors")
    assert {n: (t.shape, t.dtype) for n, t in taught.items()} == {
        n: (t.shape, t.dtype) for n, t in was.items()
    }
    tokens = AutoTokenizer.from_pretrained(out)
    asked = [{"role": "user", "content": "say red"}]
    assert tokens.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) == (
        "user:\nsay red\n\nassistant:\n"
    )
    model = AutoModelForCausalLM.from_pretrained(out)
    assert (model.generation_config.eos_token_id, tokens.eos_token) == (3, "</s>")
    adapter = LoraConfig(
        target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
    )
    again = get_peft_model(model, adapter)
    again.save_pretrained(tmp_path / "adapter")
    on_top = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(out), tmp_path / "adapter"
    )
    again.eval(), on_top.eval()
    with torch.inference_mode():
        ids = torch.tensor([[4, 7, 9]])
        assert torch.equal(on_top(input_ids=ids).logits, again(input_ids=ids).logits)
