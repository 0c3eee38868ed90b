"""What does content tell of a post that nobody has seen? On sets with a split and vectors.

`--interactions FILE` with columns user, item, split (trn, val, tst); `--content NPY …` with a row
of numbers for each item, one file a kind of content (picture, sound). Two models are trained,
on ids alone and with content: on the split as it is, and with a tenth of the items cut out of
training and validation, which are then asked for. Single popular posts weigh much among those, so
that is done for several cuts. Every item is ranked, what the person had does not compete, ties
stand against the model. "Among the cut" ranks the cut items among themselves: what is known of a
new post, apart from how seldom an average one is wanted. Chance is what ids alone give there, with
ties broken by lot; beside the models stands how near posts are to what the person had, by content
and nothing learned. Ranges of single cuts resample questions; of all cuts together, t over cuts.
The file tells no order, so histories stand in one of chance.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, console
from benchmarks.sequence_peers import Limits, Peer, Split, neighbours, popular
from inhouse.catalog.types import Item
from inhouse.core.allocator import keep_freed_memory
from inhouse.core.ids import ItemId, UserId
from inhouse.core.random import stream
from inhouse.features.content import CONTENT_DIMS, content_vector
from inhouse.learning.causal.fit import Fitting, fit_sequences, training_for
from inhouse.learning.measuring.history_model import scores_of
from inhouse.learning.sequences.flat import Catalogue, Longs, Sequences, from_lists
from inhouse.learning.sequences.holdout import Scores
from inhouse.stats.intervals import bootstrap, mean_interval
from inhouse.stats.types import Interval

K: Final = 20
CUT: Final = 10  # one item in so many
DRAWS: Final = 500
_AT_ONCE: Final = 256
Floats = NDArray[np.float32]
Pairs = NDArray[np.int64]  # [n, 2] user and item


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """A split file and what is known of its items."""

    learned: Pairs
    judged: Pairs  # when training stops
    asked: Pairs
    people: int
    content: Floats  # [items, 64]

    def without(self, cut: NDArray[np.bool_]) -> "Data":
        """The same with some items cut out of all but the questions."""
        return Data(
            learned=self.learned[~cut[self.learned[:, 1]]],
            judged=self.judged[~cut[self.judged[:, 1]]],
            asked=self.asked,
            people=self.people,
            content=self.content,
        )

    def histories(self, seed: int) -> list[list[int]]:
        """What each person had, in an order of chance."""
        found: list[list[int]] = [[] for _ in range(self.people)]
        for user, item in stream(seed, "cold", "order").permutation(self.learned).tolist():
            found[user].append(item)
        return found


def data_of(interactions: Path, content: list[Path]) -> Data:
    """Read the files. Each item is a post with one vector for each file of content."""
    frame = pl.read_csv(interactions)
    parts = {
        split: frame.filter(pl.col("split") == split).select("user", "item").to_numpy()
        for split in ("trn", "val", "tst")
    }
    items = int(frame.select(pl.col("item").max()).item()) + 1
    vectors = {path.stem[:32]: np.load(path, allow_pickle=False)[:items] for path in content}
    table = np.zeros((items, CONTENT_DIMS), dtype=np.float32)
    for item in range(items):
        table[item] = content_vector(
            Item(
                item_id=ItemId(str(item)),
                creator_id=UserId(f"of {item}"),
                vectors={name: tuple(part[item].tolist()) for name, part in vectors.items()},
            )
        )
    return Data(
        learned=parts["trn"].astype(np.int64),
        judged=parts["val"].astype(np.int64),
        asked=parts["tst"].astype(np.int64),
        people=int(frame.select(pl.col("user").max()).item()) + 1,
        content=table,
    )


def ours(data: Data, histories: list[list[int]], limits: Limits, *, told: bool) -> Scores:
    """The causal model; told: whether it knows content."""
    names = tuple(ItemId(str(item)) for item in range(len(data.content)))
    content = data.content if told else np.zeros_like(data.content)
    sequences = from_lists(histories)
    questions = from_lists(
        [*histories[user], item] for user, item in data.judged.tolist() if histories[user]
    )
    end = time.monotonic() + limits.seconds
    fitting = Fitting(
        most_epochs=limits.epochs,
        patience=limits.patience,
        enough=lambda: time.monotonic() > end,
        asked=questions,
    )
    training = training_for(sequences, len(names), limits.seed)
    weights, fit = fit_sequences(
        sequences, Catalogue(item_ids=names, content=content), training, fitting
    )
    console.print(f"{'content and ids' if told else 'ids alone'}: best epoch {fit.best_epoch}")
    return scores_of(weights, content)


def baseline(peer: Peer, data: Data, histories: list[list[int]], limits: Limits) -> Scores:
    """A baseline of `benchmarks.sequence`, which learns all but the last two of each person."""
    padded = from_lists([*history, 0, 0] for history in histories)
    items = tuple(str(item) for item in range(len(data.content)))
    return peer(Split(whole=padded, items=items), limits).scores


def nearness(data: Data) -> Scores:
    """By how near each item is to what the person had, in content alone."""
    content = data.content

    def scores(histories: Sequences) -> Floats:
        people = [content[histories.of(row)].sum(axis=0) for row in range(len(histories))]
        table: Floats = np.stack(people) @ content.T  # [n, 64] @ [64, items]
        return table

    return scores


def ranks(
    scores: Scores, pairs: Pairs, histories: list[list[int]], among: NDArray[np.bool_]
) -> Longs:
    """int64[n]: place of each asked item among those that compete, 1 for the best."""
    found = np.empty(len(pairs), dtype=np.int64)
    for start in range(0, len(pairs), _AT_ONCE):
        part = pairs[start : start + _AT_ONCE]
        table = scores(from_lists(histories[user] for user in part[:, 0].tolist()))
        for row, (user, item) in enumerate(part.tolist()):
            competing = among.copy()
            competing[histories[user]] = False
            found[start + row] = np.count_nonzero(table[row][competing] >= table[row, item])
    return found


def figures(places: Longs, seed: int) -> dict[str, Any]:
    """Recall@20 and NDCG@20 over questions, with intervals."""
    hits = (places <= K).astype(np.float64)
    gains = np.where(places <= K, 1 / np.log2(places + 1), 0.0)
    row: dict[str, Any] = {"questions": len(places)}
    for name, values in (("Recall@20", hits), ("NDCG@20", gains)):
        between = bootstrap(values, lambda drawn: float(np.mean(drawn)), seed, draws=DRAWS)
        row[name] = float(values.mean()) if len(values) else None
        row[f"{name} range"] = _told(between)
    return row


def over_cuts(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each contestant and question: the means of its cuts, with ranges over them."""
    for what in dict.fromkeys(row["what"] for row in rows):
        found = [row for row in rows if row["what"] == what]
        told: dict[str, Any] = {"asked": "mean of the cuts, among the cut", "what": what}
        for name in ("Recall@20", "NDCG@20"):
            values = np.array([row[name] for row in found], dtype=np.float64)
            told[name] = float(values.mean())
            told[f"{name} range"] = _told(mean_interval(values))
        yield told


def _told(between: object) -> str | None:
    return f"{between.low:.4f} to {between.high:.4f}" if isinstance(between, Interval) else None


def contestants(
    data: Data, histories: list[list[int]], limits: Limits
) -> Iterator[tuple[str, Scores]]:
    """Everybody, trained."""
    yield "popular", baseline(popular, data, histories, limits)
    yield "item-item neighbours", baseline(neighbours, data, histories, limits)
    yield "nearness by content", nearness(data)
    yield "ids alone", ours(data, histories, limits, told=False)
    yield "content and ids", ours(data, histories, limits, told=True)


def chance(count: int) -> dict[str, Any]:
    """What no knowledge gives among so many."""
    k = min(K, count)
    gain = float((1 / np.log2(np.arange(2, k + 2))).sum())
    return {"what": "chance", "Recall@20": k / count, "NDCG@20": gain / count}


def main() -> None:
    """Measure on the whole split, and on items that were cut out."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--interactions", type=Path, required=True, help="user,item,split")
        parser.add_argument("--content", type=Path, nargs="+", required=True, help=".npy files")
        parser.add_argument("--epochs", type=int, default=60, help="at most, of each model")
        parser.add_argument("--seconds", type=float, default=600, help="at most, of each model")
        parser.add_argument("--cuts", type=int, default=5, help="so many, one after the other")
        parser.add_argument("--cuts-from", type=int, default=0, help="seed of the first")
        parser.add_argument("--seed", type=int, default=0)

    options = arguments(__doc__ or "", extra)
    keep_freed_memory()
    limits = Limits(
        epochs=2 if options.quick else options.epochs,
        seconds=options.seconds,
        patience=5,
        seed=options.seed,
    )
    data = data_of(options.interactions, options.content)
    report = Report("cold", ("asked", "what", "Recall@20", "Recall@20 range", "NDCG@20"))
    _uncut(report, data, limits)
    among = []
    for seed in range(
        options.cuts_from, options.cuts_from + (1 if options.quick else options.cuts)
    ):
        among += _cut_out(report, data, limits, seed)
    for row in over_cuts(among):
        report.add(**row)
    report.add(asked="mean of the cuts, among the cut", **chance(len(data.content) // CUT))
    report.finish(options)


def _uncut(report: Report, data: Data, limits: Limits) -> None:
    histories = data.histories(limits.seed)
    every = np.ones(len(data.content), dtype=np.bool_)
    for name, scores in contestants(data, histories, limits):
        places = ranks(scores, data.asked, histories, every)
        report.add(asked="all, nothing cut", what=name, **figures(places, limits.seed))


def _cut_out(report: Report, data: Data, limits: Limits, seed: int) -> list[dict[str, Any]]:
    """Everybody without a tenth of the items; the rows that rank those among themselves."""
    items = len(data.content)
    every, cut = np.ones(items, dtype=np.bool_), np.zeros(items, dtype=np.bool_)
    cut[stream(seed, "cold", "cut").choice(items, items // CUT, replace=False)] = True
    held = data.without(cut)
    histories = held.histories(seed)
    cold, warm = data.asked[cut[data.asked[:, 1]]], data.asked[~cut[data.asked[:, 1]]]
    found = []
    for name, scores in contestants(held, histories, replace(limits, seed=seed)):
        for asked, pairs, among in (
            ("not cut", warm, every),
            ("cut", cold, every),
            ("cut, among the cut", cold, cut),
        ):
            told = figures(ranks(scores, pairs, histories, among), seed)
            found.append({"asked": f"{asked}, {seed}", "what": name, **told})
            report.add(**found[-1])
    return [row for row in found if row["asked"] == f"cut, among the cut, {seed}"]


if __name__ == "__main__":
    main()
