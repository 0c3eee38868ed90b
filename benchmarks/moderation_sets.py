"""Labelled texts of the moderation benchmark: the public sets, or a file of one's own."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Targets = NDArray[np.float64]
SHARED: Final = Path("../shared/data/moderation")
_HARMLESS: Final = ("none", "neither", "normal", "clean", "ham", "noHate", "0", "false", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Texts and what is known of them."""

    name: str  # of the set
    texts: list[str]
    targets: Targets  # [texts, categories], 0, 1 or NaN where nobody said
    categories: tuple[str, ...]

    def part(self, rows: NDArray[np.int64]) -> "Labelled":
        """Some of the texts."""
        return Labelled(
            name=self.name,
            texts=[self.texts[row] for row in rows],
            targets=self.targets[rows],
            categories=self.categories,
        )

    def without(self, texts: Set[str]) -> "Labelled":
        """All but those texts: what a split holds back may stand in another set too."""
        kept = [row for row, text in enumerate(self.texts) if text not in texts]
        return self.part(np.array(kept, dtype=np.int64))


def joined(name: str, sets: Sequence[Labelled]) -> Labelled:
    """Sets one after the other; what a set does not speak of is unknown there."""
    categories = tuple(dict.fromkeys(c for one in sets for c in one.categories))
    tables = []
    for one in sets:
        table = np.full((len(one.texts), len(categories)), np.nan)
        table[:, [categories.index(c) for c in one.categories]] = one.targets
        tables.append(table)
    texts = [text for one in sets for text in one.texts]
    return Labelled(name=name, texts=texts, targets=np.concatenate(tables), categories=categories)


def read_labelled(path: Path, text: str, label: str) -> Labelled:
    """A file of one label a text: each value but the harmless ones is a category."""
    table = pl.read_parquet(path, columns=[text, label]).drop_nulls().unique(maintain_order=True)
    labels = table[label].cast(pl.String).to_list()
    categories = tuple(sorted(set(labels) - set(_HARMLESS))) or ("harm",)
    targets = np.array([[one == category for category in categories] for one in labels])
    return Labelled(
        name=path.stem,
        texts=table[text].to_list(),
        targets=targets.astype(np.float64),
        categories=categories,
    )


def tweeteval(what: str, split: str) -> Labelled:
    """An official split of TweetEval; what: hate or offensive; split: train, val or test."""
    table = _shared().filter((pl.col("source") == f"tweeteval_{what}") & (pl.col("split") == split))
    return _one(f"tweeteval {what} {split}", table, what, (what,))


def pooled() -> Labelled:
    """Davidson, Stormfront and ETHOS. Davidson's hate is offensive too; ETHOS' texts all are hate;
    whether those of Stormfront and ETHOS are offensive nobody said."""
    table = _shared()
    davidson = table.filter(pl.col("source") == "davidson")
    offensive = _one("davidson", davidson, "offensive", ("offensive", "hate"))
    hate = _one("davidson", davidson, "hate", ("hate",))
    both = Labelled(
        name="davidson",
        texts=hate.texts,
        targets=np.concatenate([hate.targets, offensive.targets], axis=1),
        categories=("hate", "offensive"),
    )
    stormfront = _one(
        "stormfront", table.filter(pl.col("source") == "stormfront"), "hate", ("hate",)
    )
    comments = pl.read_csv(SHARED / "ethos_multilabel.csv", separator=";")["comment"].to_list()
    ethos = Labelled(
        name="ethos",
        texts=comments,
        targets=np.ones((len(comments), 1)),
        categories=("hate",),
    )
    return _without_twins(joined("davidson + stormfront + ethos", [both, stormfront, ethos]))


def _shared() -> pl.DataFrame:
    return pl.read_parquet(SHARED / "labelled.parquet")


def _one(name: str, table: pl.DataFrame, category: str, yes: tuple[str, ...]) -> Labelled:
    targets = table["label"].is_in(list(yes)).to_numpy().astype(np.float64)[:, None]
    return Labelled(
        name=name, texts=table["text"].to_list(), targets=targets, categories=(category,)
    )


def _without_twins(whole: Labelled) -> Labelled:
    """Each text once: a twin on the other side of a split would be known by heart."""
    first = {text: row for row, text in reversed(list(enumerate(whole.texts)))}
    return whole.part(np.array(sorted(first.values()), dtype=np.int64))
