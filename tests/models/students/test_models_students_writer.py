"""Writing: a token of each answer in turn, its end, its chance, and whoever leaves."""

import queue
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.models_students import make_causal

from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.folders import publish
from inhouse.models.students.writer_torch import Piece, Wanted, Writer, _safe_length, chosen
from inhouse.models.types import ModelCard

CALM = Wanted(ids=(4, 7, 9), most_tokens=6, temperature=0.0, top_p=1.0, stop=(), seed=1)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    """Of a model that knows nothing, and so says many things."""
    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(
        version="",
        task="names",
        created_ms=1,
        categories=(),
        trained_on=1,
        positives={},
        negatives={},
        sources={},
        terms={},
        metrics={},
        sha256="",
        features=0,
        student="causal",
    )
    version = publish(make_causal(folder / "made"), folder, card).version
    opened = Writer(folder / version)
    yield opened
    opened.close()


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
    assert len(leaving.ids) < 50


def test_what_cannot_be_written_ends_alone(writer: Writer) -> None:
    """A token that the model does not have fails that answer; the writer lives on."""
    failed, fine = _written(writer, replace(CALM, ids=(999,)), CALM)

    assert failed == [Piece(text="", tokens=0, ending="failed")]
    assert fine == _written(writer, CALM)[0]


def test_a_prompt_is_what_was_taught(writer: Writer) -> None:
    """By the model's own template, up to where the answer begins."""
    ids = writer.prompt([Message(role="user", content="say red")])

    assert writer.tokens.decode(ids) == "user : say red </s> assistant :"


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
    size = _safe_length(text, stop)

    held = text[size:]
    assert 0 <= size <= len(text)
    assert not held or any(one.startswith(held) for one in stop)
    assert _safe_length(text, []) == len(text)
    assert _safe_length("caf\ufffd", []) == 3
