"""What nearly the same texts on both sides of a split come to, and what keeping calls costs.

    python -m benchmarks.harvest --labelled ../shared/data/moderation/labelled.parquet

The texts of the file in a random order stand for time: a flood, a quotation or a copied joke comes
back whenever it likes. Of keeping a call, what the loop pays (listening to its pieces) and what the
thread beside it pays (reading, redacting, comparing) are told apart, in processor time.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl

from benchmarks.moderation_sets import SHARED
from inhouse.core.clock import SystemClock
from inhouse.core.random import stream
from inhouse.models.harvest.calls import CallHarvest
from inhouse.models.harvest.conversations import read_conversation
from inhouse.models.harvest.dataset import examples_data, normal_text
from inhouse.models.harvest.labels import Example
from inhouse.models.harvest.near import Recent
from inhouse.models.providers.passing import About, read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Deployment
from inhouse.moderation.signals.redact import redact
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

_ROUNDS = 200
_WORDS = 200  # of an answer, each in a piece of its own


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--labelled", type=Path, default=SHARED / "labelled.parquet")
    parser.add_argument("--folder", type=Path, required=True, help="an empty one, for a database")
    given = parser.parse_args()
    if given.labelled.exists():
        _print_leak(pl.read_parquet(given.labelled)["text"].drop_nulls().to_list())
    _print_costs(given.folder)


def _print_leak(texts: list[str]) -> None:
    order = stream(1, "leak").permutation(len(texts))
    found = [
        Example(
            ref=str(place),
            text=texts[row],
            at_ms=place,
            teacher={},
            people={},
            sources=("s",),
            terms=("own",),
        )
        for place, row in enumerate(order)
    ]
    cut = round(0.7 * len(found))
    earlier = {normal_text(example.text) for example in found[:cut]}
    copied = sum(normal_text(example.text) in earlier for example in found[cut:])
    started = time.process_time()
    facts = examples_data(found).facts
    took_s = time.process_time() - started
    later = facts.validation + facts.test + facts.seen_before
    print(
        f"{len(found):,} texts, {facts.copies:,} of them copies; {took_s:.1f} s of processor time"
    )
    print(f"a plain cut by time: {copied / (len(found) - cut):.2%} of the later are copies")
    print(f"without copies: {facts.seen_before / later:.2%} of the later are nearly an earlier one")


def _print_costs(folder: Path) -> None:
    question = "Please say in one word what this post is about: " + "tea and bread " * 60
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": question}]}).encode()
    call = replace(read_call("chat", body, "key_1"), about=About(), stream=True)
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    chunks = [{"choices": [{"index": 0, "delta": {"content": f"w{n} "}}]} for n in range(_WORDS)]
    pieces = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (*chunks, end)]
    database = open_database(StoreSettings(folder=str(folder)))
    migrate(database)
    harvest = CallHarvest(database, redact, SystemClock(), ModelSettings())
    main_one = Deployment(name="main", host="h", owner="o", model="m", keep_calls=True)

    def listened(keep: bool) -> None:
        hearing = harvest.listen(call if keep else replace(call, about=None), "c", main_one)
        if hearing is not None:
            for piece in pieces:
                hearing.hear(piece)

    said = read_conversation(call.fields, About(), pieces, streamed=True)
    recent = Recent(4_000, 0.95)
    print(f"a call of {len(body):,} bytes, answered in {len(pieces)} pieces; microseconds:")
    _print("the loop, where it may not be kept", lambda: listened(False))
    _print("the loop, where it may", lambda: listened(True))
    _print(
        "the thread: reading it",
        lambda: read_conversation(call.fields, About(), pieces, streamed=True),
    )
    _print("the thread: redacting it", lambda: said.map(redact))
    _print("the thread: is it nearly the same", lambda: recent.is_new(said.gist()))
    harvest.close()
    database.close()


def _print(what: str, do: Callable[[], object]) -> None:
    do()
    started = time.process_time()
    for _ in range(_ROUNDS):
        do()
    print(f"  {what}: {(time.process_time() - started) / _ROUNDS * 1e6:,.0f}")


if __name__ == "__main__":
    main()
