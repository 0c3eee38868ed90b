"""Training on 50,000 texts, and the owned path end to end: normalise, banks, model, policy."""

import time

import numpy as np

from benchmarks.common import Report, quantiles_ms
from benchmarks.moderation_sets import SHARED, Labelled, joined, pooled, tweeteval
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.text import TextClassifier
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import shipped_banks

_TEXTS = 50_000
_ONE_BY_ONE = 2_000


def speed(quick: bool) -> Report:
    """One row for the training, one for batches, one for texts one by one."""
    report = Report("speed", ("what", "texts", "seconds", "texts/s", "p50_ms", "p95_ms", "p99_ms"))
    whole = _texts()
    whole = whole.part(np.arange(5_000 if quick else _TEXTS))
    started = time.perf_counter()
    model = fit_text(whole.texts, whole.targets, whole.categories, seed=1)
    train_s = time.perf_counter() - started
    assert isinstance(model, TextClassifier)
    report.add(what="training", texts=len(whole.texts), seconds=train_s)
    reader = SignalReader(shipped_banks())
    texts = whole.texts[: 2 * _ONE_BY_ONE]
    _path(reader, model, texts[:200])
    started = time.process_time()
    for start in range(0, len(texts), 200):
        _path(reader, model, texts[start : start + 200])
    spent = time.process_time() - started
    report.add(
        **{"what": "signals and model, batches of 200", "texts": len(texts), "seconds": spent},
        **{"texts/s": round(len(texts) / spent)},
    )
    times = []
    for text in texts[:_ONE_BY_ONE]:
        started = time.perf_counter()
        _path(reader, model, [text])
        times.append(time.perf_counter() - started)
    report.add(
        **{"what": "one by one", "texts": len(times), "seconds": sum(times)},
        **{"texts/s": round(len(times) / sum(times))},
        **quantiles_ms(times),
    )
    return report


def _path(reader: SignalReader, model: TextClassifier, texts: list[str]) -> None:
    """What a text costs: its signals, then the model on it and on its readings."""
    ways = [way for text in texts for way in (text, *reader.read(text).unmasked)]
    model.probabilities(ways)


def _texts() -> Labelled:
    if not SHARED.exists():
        raise SystemExit(f"{SHARED} is not there")
    sets = [pooled(), tweeteval("hate", "train"), tweeteval("offensive", "train")]
    return joined("everything", sets)
