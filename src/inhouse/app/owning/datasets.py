"""Data sets of a task for people who train elsewhere, or want to see what a model learns from."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from inhouse.app.build import Services
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.files import write_atomically
from inhouse.core.ids import ItemId
from inhouse.models.harvest.dataset import SIDES, DataSet, Sample, Side, examples_data, pairs_data
from inhouse.models.harvest.labels import Example, without_terms
from inhouse.models.harvest.pairs import Pair, Pairs
from inhouse.models.settings import names_in
from inhouse.models.tasks import TASKS
from inhouse.models.training.train import task_examples
from inhouse.moderation.signals.language import language_of

ENDINGS: Final = (".parquet", ".jsonl")
Row = dict[str, object]


def data_of(use: Services, task: str, most: int | None = None) -> DataSet[Example] | DataSet[Pair]:
    """The labelled texts of a task of ours, or the pairs of a task of the app's.

    most: texts at most; None for all. Raises UnknownError where nothing of that name is kept.
    """
    settings = use.settings.models
    if task in TASKS:
        found = task_examples(use.database, task, settings)
        return examples_data(found, languages=_languages(use, found), most=most)
    pairs = Pairs(use.database)
    counts = pairs.counts()
    if task not in counts:
        known = ", ".join((*TASKS, *counts))
        raise UnknownError(f"nothing is kept for the task {task[:80]!r}; known are {known}")
    kept = without_terms(pairs.latest(task, settings.most_labels), names_in(settings.without_terms))
    told = {pair.call_id: language_of(pair.gist()) for pair in kept}
    languages = {call_id: language for call_id, language in told.items() if language}
    return pairs_data(kept, languages=languages, most=most)


def write_data(data: DataSet[Example] | DataSet[Pair], path: Path) -> int:
    """Write every row with its side, by the file's ending; returns how many. A pair's person stays
    here. Raises InputError for another ending."""
    if path.suffix not in ENDINGS:
        raise InputError(f"{path}: expected a name that ends in {' or '.join(ENDINGS)}", field="to")
    rows = [
        _label_row(side, sample, sample.row)
        if isinstance(sample.row, Example)
        else _pair_row(side, sample, sample.row)
        for side in SIDES
        for sample in data.sides[side]
    ]
    write_atomically(path, _parquet(rows) if path.suffix == ENDINGS[0] else _lines(rows))
    return len(rows)


def _languages(use: Services, found: Sequence[Example]) -> dict[str, str]:
    """By ref: as the app named it, else as found in the text."""
    items = use.catalog.items([ItemId(example.ref) for example in found])
    told = {
        example.ref: (item.language if (item := items.get(ItemId(example.ref))) else None)
        or language_of(example.text)
        for example in found
    }
    return {ref: language for ref, language in told.items() if language}


def _label_row(side: Side, sample: Sample[Example], example: Example) -> Row:
    categories = sorted({name for task in TASKS.values() for name in task.categories})
    return {
        "side": side,
        "ref": example.ref,
        "text": example.text,
        "at_ms": example.at_ms,
        "language": sample.stratum.language,
        "sources": list(example.sources),
        "terms": list(example.terms),
        **{f"p_{name}": example.target(name) for name in categories},
    }


def _pair_row(side: Side, sample: Sample[Pair], pair: Pair) -> Row:
    return {
        "side": side,
        "messages": [{"role": one.role, "content": one.content} for one in pair.messages],
        "answer": pair.answer,
        "at_ms": pair.at_ms,
        "language": sample.stratum.language,
        "source": pair.source,
        "terms": pair.terms,
        "call_id": pair.call_id,
    }


def _parquet(rows: Sequence[Row]) -> bytes:
    written = BytesIO()
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(written)
    return written.getvalue()


def _lines(rows: Sequence[Row]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
