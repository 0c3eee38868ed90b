"""Writing: answers together, their ends, their chance, whoever leaves, and how much is taken on."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_cards import blank_card
from tests.models.models_students import (
    make_causal,
    make_causal_of,
)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from inhouse.core.errors import BusyError, SettingError
from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.folders import publish
from inhouse.models.students.kept_torch import Kept, reads_on, reads_together, token_bytes
from inhouse.models.students.saying import Saying, safe_length
from inhouse.models.students.writer_torch import Piece, Room, Wanted, Writer, chosen

CALM = Wanted(ids=(4, 7, 9), most_tokens=6, temperature=0.0, top_p=1.0, stop=(), seed=1)
AMPLE = Room(at_once=16, waiting=64, kept_bytes=100_000_000)
CARD = blank_card("", "names", features=0, student="causal")


def _published(made: Path) -> Path:
    return made.parent / publish(made, made.parent, CARD).version


@contextmanager
def _opened(folder: Path, room: Room = AMPLE) -> Iterator[Writer]:
    writer = Writer(folder, room)
    try:
        yield writer
    finally:
        writer.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that knows nothing, and so says many things."""
    return _published(make_causal(tmp_path_factory.mktemp("models") / "made"))


@pytest.fixture(scope="module")
def writer(folder: Path) -> Iterator[Writer]:
    """With more room than any test needs."""
    with _opened(folder) as writer:
        yield writer


def _written(writer: Writer, *wanted: Wanted) -> list[list[Piece]]:
    heard: list[queue.Queue[Piece]] = [queue.Queue() for _ in wanted]
    for one, into in zip(wanted, heard, strict=True):
        writer.write(one, into.put)
    found = []
    for each in heard:
        pieces = [each.get(timeout=60)]
        while pieces[-1].ending is None:
            pieces.append(each.get(timeout=60))
        found.append(pieces)
    return found


def _text(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_each_token_follows_from_all_before_it(writer: Writer) -> None:
    """What is remembered between tokens gives the same as reading all of it anew each time."""
    ((*_, last),) = found = _written(writer, CALM)
    ids = list(CALM.ids)
    with torch.inference_mode():
        for _ in range(last.tokens):
            ids.append(int(writer._model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))

    assert _text(found[0]) == writer.tokens.decode(ids[3:], skip_special_tokens=True)
    assert last.ending in ("stop", "length")


def test_answers_written_together_are_those_written_alone(writer: Writer) -> None:
    """Each has its own chance: who else is written for changes nothing."""
    wild = [replace(CALM, temperature=1.5, seed=seed, most_tokens=9) for seed in range(6)]

    together = [_text(pieces) for pieces in _written(writer, *wild)]

    assert together == [_text(_written(writer, one)[0]) for one in wild]
    assert len(set(together)) > 1


def test_a_stop_ends_it_and_is_not_said(writer: Writer) -> None:
    """Nothing of it goes out, not even its beginning."""
    (whole,) = _written(writer, CALM)
    words = _text(whole).split()
    assert len(words) > 1

    (cut,) = _written(writer, replace(CALM, stop=(words[1],)))

    assert _text(cut) == _text(whole)[: _text(whole).index(words[1])]
    assert cut[-1].ending == "stop"


def test_whoever_leaves_is_written_for_no_more(writer: Writer) -> None:
    """The others go on."""
    heard: queue.Queue[Piece] = queue.Queue()
    leaving = writer.write(replace(CALM, most_tokens=50, temperature=2.0), heard.put)
    heard.get(timeout=60)
    leaving.leave()

    _written(writer, CALM)
    until_s = time.monotonic() + 60
    while writer.busy and time.monotonic() < until_s:
        time.sleep(0.01)

    assert writer.busy == 0
    assert leaving.saying.count < 50


def test_what_cannot_be_written_ends_alone(writer: Writer) -> None:
    """A token that the model does not have fails that answer; the writer lives on."""
    failed, fine = _written(writer, replace(CALM, ids=(999,)), CALM)

    assert failed == [Piece(text="", tokens=0, ending="failed")]
    assert fine == _written(writer, CALM)[0]


def test_a_prompt_is_what_was_taught(writer: Writer) -> None:
    """By the model's own template, up to where the answer begins."""
    ids = writer.prompt([Message(role="user", content="say red")])

    assert writer.tokens.decode(ids) == "user : say red </s> assistant :"


def _questions(count: int) -> list[Wanted]:
    """Of all lengths."""
    dice = torch.Generator().manual_seed(5)
    return [
        Wanted(
            ids=tuple(torch.randint(4, 15, (1 + n * 7 % 23,), generator=dice).tolist()),
            most_tokens=3 + n % 9,
            temperature=0.0,
            top_p=1.0,
            stop=(),
            seed=n,
        )
        for n in range(count)
    ]


def _said_alone(folder: Path, questions: Sequence[Wanted], ends: frozenset[int]) -> list[list[int]]:
    """By the library alone, reading all of it anew for each token."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
    found = []
    for wanted in questions:
        ids = list(wanted.ids)
        with torch.inference_mode():
            while len(ids) < wanted.most_kept:
                told = model(input_ids=torch.tensor([ids]), use_cache=False)
                token = int(told.logits[0, -1].argmax())
                if token in ends:
                    break
                ids.append(token)
        found.append(ids[len(wanted.ids) :])
    return found


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {"intermediate_size": 32}),
        ("gpt2", {}),
        ("mistral", {"intermediate_size": 32, "num_key_value_heads": 1, "sliding_window": 5}),
        ("bloom", {}),
        ("mamba", {}),
    ],
)
def test_who_is_written_beside_it_changes_nothing(
    tmp_path: Path, kind: str, more: dict[str, object]
) -> None:
    """Forty answers of all lengths, four at once, which join and leave while others go on, their
    longer prompts read in parts: each is what the library says alone, whatever it counts by."""
    folder = _published(make_causal_of(tmp_path / "made", kind, **more))
    questions = _questions(40)
    with _opened(folder, replace(AMPLE, at_once=4)) as writer:
        writer._read_at_once = 9
        found = _written(writer, *questions)
        alone = _said_alone(folder, questions, writer._ends)
        assert writer._together == (kind != "mamba")

    assert [_text(pieces) for pieces in found] == [
        writer.tokens.decode(ids, skip_special_tokens=True) for ids in alone
    ]
    assert [pieces[-1].tokens for pieces in found] == [len(ids) for ids in alone]


class _Miscounting(torch.nn.Module):
    """A model that takes filling for words."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner, self.config, self.device = inner, inner.config, inner.device

    def forward(self, input_ids: Tensor, use_cache: bool, cache: Any = None) -> Any:
        """Without a mask."""
        return self.inner(input_ids=input_ids, use_cache=use_cache, cache=cache)


class _Forgetting(_Miscounting):
    """A model that keeps what it has read in another way than it is told."""

    def forward(self, input_ids: Tensor, use_cache: bool, cache: Any = None) -> Any:
        """Without what was read before."""
        return self.inner(input_ids=input_ids)


def test_a_model_that_miscounts_is_found_out(folder: Path) -> None:
    """It is tried before anybody is written for, and then writes one by one."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    with torch.inference_mode():
        assert (reads_on(model), reads_together(model)) == (True, True)
        assert (reads_on(_Miscounting(model)), reads_together(_Miscounting(model))) == (True, False)
        assert not reads_on(_Forgetting(model))


def test_a_model_that_forgets_is_not_written_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what it says would be made up: it is refused when it is loaded."""
    monkeypatch.setattr(
        "inhouse.models.students.writer_torch.load_causal",
        lambda name: _Forgetting(AutoModelForCausalLM.from_pretrained(name).eval()),
    )

    with pytest.raises(SettingError, match="does not read on where it left off; serve its folder"):
        Writer(folder, AMPLE)


def _heard(writer: Writer, wanted: Wanted) -> tuple[Any, "queue.Queue[Piece]"]:
    heard: queue.Queue[Piece] = queue.Queue()
    return writer.write(wanted, heard.put), heard


def _hold(monkeypatch: pytest.MonkeyPatch, hear: Callable[[Kept], None]) -> None:
    """Hear of all that is kept before more is read."""
    read = Kept.read

    def heard(self: Kept, given: Sequence[Sequence[int]]) -> Tensor:
        hear(self)
        return read(self, given)

    monkeypatch.setattr(Kept, "read", heard)


def test_what_is_kept_stays_within_its_bounds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask and however long their texts: rows, filled up to the longest, times what a
    token takes. A model reads no more than that either."""
    size = token_bytes(AutoModelForCausalLM.from_pretrained(folder))
    sizes: list[int] = []
    questions = _questions(30)
    longest = max(one.most_kept for one in questions)
    with _opened(folder, replace(AMPLE, kept_bytes=size * 2 * longest)) as writer:
        _hold(monkeypatch, lambda kept: sizes.append(kept.size_bytes))
        _written(writer, *questions)
        assert writer.most_tokens == min(64, 2 * longest)
    with _opened(folder, replace(AMPLE, kept_bytes=size * 20)) as small:
        assert small.most_tokens == 20

    assert size * longest < max(sizes) <= size * 2 * longest


def test_more_than_may_wait_are_sent_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in line are written when it is their turn; whoever leaves the line makes room in it."""
    gate = queue.Queue[None]()
    with _opened(folder, Room(at_once=1, waiting=2, kept_bytes=1_000_000)) as writer:
        _hold(monkeypatch, lambda _: gate.get(timeout=60))
        _, first = _heard(writer, CALM)
        waiting = [_heard(writer, CALM) for _ in range(2)]
        with pytest.raises(BusyError, match="1 answers are written at once and 2 wait; ask again"):
            writer.write(CALM, lambda _: None)
        waiting[0][0].leave()
        for _ in range(2):
            gate.put(None)
        until_s = time.monotonic() + 60
        while writer.busy > 2 and time.monotonic() < until_s:
            time.sleep(0.01)
        _, last = _heard(writer, CALM)
        for _ in range(100):
            gate.put(None)
        told = [_whole(one) for one in (first, waiting[1][1], last)]

    assert told[0] == told[1] == told[2]
    assert waiting[0][1].empty()


def _whole(heard: "queue.Queue[Piece]") -> str:
    said = ""
    while True:
        piece = heard.get(timeout=60)
        said += piece.text
        if piece.ending is not None:
            return f"{said} ({piece.ending})"


def test_what_fails_between_tokens_ends_those_it_was_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told; whoever asks next is answered. After its end a writer takes nobody."""
    with _opened(folder) as writer:
        (fine,) = _written(writer, CALM)
        with monkeypatch.context() as broken:
            broken.setattr(Kept, "keep", lambda *_: 1 / 0)
            ends = [pieces[-1].ending for pieces in _written(writer, *_questions(5))]
        assert "failed" in ends
        assert _written(writer, CALM) == [fine]
        writer.close()
        with pytest.raises(BusyError, match="just let go of to make room; ask again"):
            writer.write(CALM, lambda _: None)


@given(
    logits=st.lists(st.floats(-9, 9), min_size=2, max_size=9),
    top_p=st.floats(0.01, 1.0),
    seed=st.integers(0, 99),
)
def test_only_the_likeliest_are_chosen(logits: list[float], top_p: float, seed: int) -> None:
    """Whoever is chosen, those likelier than it have less than the share; with temperature 0 it is
    the likeliest, and the same seed chooses the same."""
    told = torch.tensor(logits, dtype=torch.float32)
    wanted = replace(CALM, temperature=1.0, top_p=top_p)

    token = chosen(told, wanted, torch.Generator().manual_seed(seed))

    p = torch.softmax(told, 0)
    assert float(p[p > p[token]].sum()) < top_p + 1e-6
    assert token == chosen(told, wanted, torch.Generator().manual_seed(seed))
    assert chosen(told, CALM, torch.Generator()) == int(told.argmax())


@given(text=st.text("abc"), stop=st.lists(st.text("abc", min_size=1, max_size=3), max_size=3))
def test_what_may_become_a_stop_is_held_back(text: str, stop: list[str]) -> None:
    """What may go out does not end with the beginning of a stop; without stops all of it may."""
    size = safe_length(text, stop)

    held = text[size:]
    assert 0 <= size <= len(text)
    assert not held or any(one.startswith(held) for one in stop)
    assert safe_length(text, []) == len(text)
    assert safe_length("caf\ufffd", []) == 3


def _bytes_tokens() -> PreTrainedTokenizerFast:
    """A token for each byte, and for some words with the space before them."""
    signs = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {sign: place for place, sign in enumerate([*signs, "Ġthe", "ing", "Ġ5"])}
    tokenizer = Tokenizer(models.BPE(words, [], unk_token=None))
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


BYTES = _bytes_tokens()


@given(ids=st.lists(st.integers(0, len(BYTES) - 1), max_size=60))
def test_pieces_of_a_text_are_the_text(ids: list[int]) -> None:
    """Whatever the tokens: characters of several bytes, bytes that are no character, marks that are
    not said."""
    saying = Saying(BYTES, ())
    told = ""
    for token in ids:
        saying.add(token)
        told += saying.more(last=False)
    told += saying.more(last=True)

    assert told == BYTES.decode(ids, skip_special_tokens=True)
    assert saying.count == len(ids)


@given(text=st.text("ab", min_size=1, max_size=30), stop=st.text("ab", min_size=1, max_size=3))
def test_a_text_ends_before_its_stop(text: str, stop: str) -> None:
    """Wherever tokens are cut, and nothing of it was told before."""
    saying = Saying(BYTES, (stop,))
    told = ""
    for letter in text:
        saying.add(int(BYTES.convert_tokens_to_ids(letter)))
        told += saying.more(last=False)
        if saying.stopped:
            break
    told += saying.more(last=True)

    assert told == text.split(stop, maxsplit=1)[0]
    assert saying.stopped == (stop in text)
