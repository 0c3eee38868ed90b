"""Tokens a second that a model trained here writes, by how many ask at once.

A language model of some 33 million weights is made here (what it says is noise, what it costs is
not) and asked by 1, 4 and 16 at once: by the writer of the role `students`, which reads a token of
every answer in one pass over the weights, and in turn, a token of each in a pass of its own, as it
was done before. Everything is measured in turn in one run; `of_turns` is what to compare.
"""

import argparse
import queue
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from benchmarks.common import Report, arguments
from inhouse.models.owned.folders import publish
from inhouse.models.owned.hub import transformers_here
from inhouse.models.students.kept_torch import Kept
from inhouse.models.students.writer_torch import Piece, Room, Wanted, Writer
from inhouse.models.types import ModelCard

_WORDS: Final = 8_000
_PROMPT: Final = 32  # tokens
_ROOM: Final = Room(at_once=16, waiting=64, kept_bytes=1 << 30)
_TOGETHER: Final = "together"
_IN_TURN: Final = "a token of each in turn"


def _made(folder: Path, options: argparse.Namespace) -> Path:
    """A version as it is registered."""
    made, library = folder / "made", transformers_here()
    words = {word: place for place, word in enumerate(["<pad>", "</s>", *map(str, range(_WORDS))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(made)
    torch.manual_seed(1)
    config = library.LlamaConfig(
        vocab_size=len(words),
        hidden_size=options.width,
        intermediate_size=options.width * 3,
        num_hidden_layers=options.layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=1_024,
        initializer_range=0.05,
        eos_token_id=1,
        pad_token_id=0,
    )
    library.LlamaForCausalLM(config).save_pretrained(made)
    card = ModelCard(
        version="",
        task="writing",
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
    return folder / publish(made, folder, card).version


def _asked(count: int, tokens: int, seed: int) -> list[Wanted]:
    dice = torch.Generator().manual_seed(seed)
    return [
        Wanted(
            ids=torch.randint(2, _WORDS, (_PROMPT,), generator=dice).tolist(),
            most_tokens=tokens,
            temperature=0.0,
            top_p=1.0,
            stop=(),
            seed=place,
        )
        for place in range(count)
    ]


def _together(writer: Writer, asked: Sequence[Wanted]) -> list[tuple[int, float, float]]:
    """Each answer's tokens, and when its first piece and its end came."""
    heard: list[queue.Queue[tuple[float, Piece]]] = [queue.Queue() for _ in asked]
    started = time.perf_counter()
    for wanted, into in zip(asked, heard, strict=True):
        writer.write(wanted, lambda piece, to=into: to.put((time.perf_counter(), piece)))  # type: ignore[misc]
    found = []
    for each in heard:
        first_s, last = each.get()
        at_s = first_s
        while last.ending is None:
            at_s, last = each.get()
        found.append((last.tokens, first_s - started, at_s - started))
    return found


def _in_turn(writer: Writer, asked: Sequence[Wanted]) -> list[tuple[int, float, float]]:
    """The same by passes of their own, all of an answer turned into text each time."""
    started = time.perf_counter()
    waiting = deque((wanted, Kept(writer._model), list[int](), list[float]()) for wanted in asked)
    found = []
    while waiting:
        wanted, kept, ids, times = waiting.popleft()
        with torch.inference_mode():
            told = kept.read([ids[-1:] or wanted.ids])
        ids.append(int(told.argmax()))
        writer.tokens.decode(ids, skip_special_tokens=True)
        times.append(time.perf_counter() - started)
        if len(ids) < wanted.most_tokens and ids[-1] not in writer._ends:
            waiting.append((wanted, kept, ids, times))
        else:
            found.append((len(ids), times[0], times[-1]))
    return found


def _rows(writer: Writer, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    tokens = 24 if options.quick else options.tokens
    repeats = 1 if options.quick else options.repeats
    ways = {_TOGETHER: _together, _IN_TURN: _in_turn}
    for way in ways.values():
        way(writer, _asked(2, 4, seed=0))
    for callers in options.callers:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for repeat in range(repeats):
            for name, way in ways.items():
                told = way(writer, _asked(callers, tokens, seed=repeat))
                speed = sum(count for count, _, _ in told) / max(end for _, _, end in told)
                found[name].append((speed, statistics.median(first for _, first, _ in told)))
        plain = statistics.median(speed for speed, _ in found[_IN_TURN])
        for name, some in found.items():
            speed = statistics.median(one for one, _ in some)
            yield {
                "what": name,
                "callers": callers,
                "tokens_per_s": speed,
                "of_turns": speed / plain,
                "first_token_ms": statistics.median(first for _, first in some) * 1_000,
            }


def _extra(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--tokens", type=int, default=64, help="of each answer")
    parser.add_argument("--repeats", type=int, default=3, help="whose medians are told")
    parser.add_argument("--width", type=int, default=512, help="of the model")
    parser.add_argument("--layers", type=int, default=8, help="of the model")
    parser.add_argument("--threads", type=int, default=1, help="of torch")


def main() -> None:
    """Measure both ways in turn."""
    options = arguments(__doc__ or "", _extra)
    torch.set_num_threads(options.threads)
    report = Report("writing", ("what", "callers", "tokens_per_s", "of_turns", "first_token_ms"))
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
        writer = Writer(_made(Path(folder), options), _ROOM)
        for row in _rows(writer, options):
            report.add(**row)
        writer.close()
    report.finish(options)


if __name__ == "__main__":
    main()
