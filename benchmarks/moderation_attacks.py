"""What disguises hide: recall on flagged texts, each written anew as those do who mean to evade.

The threshold is that of 1% false positives on held-out texts; of the harmful ones it finds, half
of the words of three letters or more are disguised.
Every attacked text goes the moderator's way: as it stands and in its readings without disguise,
the highest probability counts.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from benchmarks.common import Report
from benchmarks.moderation_models import owned, tfidf, unmasking
from benchmarks.moderation_sets import Labelled, pooled
from inhouse.core.random import stream
from inhouse.stats.classification import recall_at_fpr
from inhouse.stats.types import NotEnough

Attack = Callable[[str, np.random.Generator], str]  # a word and luck -> the word in disguise
_LEET: Final = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})
_TWINS: Final = str.maketrans(
    {
        "a": "\u0430",
        "e": "\u0435",
        "o": "\u043e",
        "p": "\u0440",
        "c": "\u0441",
        "x": "\u0445",
        "i": "\u0456",
        "y": "\u0443",
    }
)
_INVISIBLE: Final = "\u200b"
_SHARE: Final = 0.5  # of the words
_LEAST: Final = 3  # letters of a word worth disguising


def leet(word: str, random: np.random.Generator) -> str:
    """h4t3: figures for letters, all or the first two of them."""
    changed = word.lower().translate(_LEET)
    if random.random() < 0.5:
        return changed
    kept, left = [], 2
    for old, new in zip(word, changed, strict=True):
        left -= old.lower() != new
        kept.append(new if left >= 0 else old)
    return "".join(kept)


def homoglyph(word: str, random: np.random.Generator) -> str:
    """Cyrillic twins for Latin letters."""
    return word.translate(_TWINS)


def zero_width(word: str, random: np.random.Generator) -> str:
    """An invisible character somewhere inside."""
    place = int(random.integers(1, len(word)))
    return word[:place] + _INVISIBLE + word[place:]


def spacing(word: str, random: np.random.Generator) -> str:
    """s.p.a.m, s-p-a-m, or s p a m with a wider gap around it, or nobody could tell its ends."""
    separator = str(random.choice([" ", ".", "-"]))
    spaced = separator.join(word)
    return f" {spaced} " if separator == " " else spaced


ATTACKS: Final[dict[str, Attack]] = {
    "leet": leet,
    "homoglyph": homoglyph,
    "zero-width": zero_width,
    "spacing": spacing,
}


def disguised(text: str, attack: Attack, random: np.random.Generator) -> str:
    """The text with half of its longer words in disguise."""
    words = text.split(" ")
    chosen = [
        place
        for place, word in enumerate(words)
        if len(word) >= _LEAST and word.isalpha() and word.isascii()
    ]
    random.shuffle(chosen)
    for place in chosen[: max(1, round(len(chosen) * _SHARE))]:
        words[place] = attack(words[place], random)
    return " ".join(words)


def attacks(quick: bool) -> Report:
    """Recall before and after each attack, with and without the readings."""
    report = Report("attacks", ("model", "category", "attack", "flagged", "recall", "falls by"))
    train, held = _split(pooled(), 8_000 if quick else None)
    plain_owned = owned(train)
    for name, score in (
        ("owned, as the moderator asks", unmasking(plain_owned)),
        ("owned, as it stands", plain_owned),
        ("tf-idf + logistic regression", tfidf(train)),
    ):
        before = score(held.texts)
        for place, category in enumerate(held.categories):
            known = np.flatnonzero(~np.isnan(held.targets[:, place]))
            truth = held.targets[known, place] >= 0.5
            point = recall_at_fpr(truth, before[known, place], 0.01)
            assert not isinstance(point, NotEnough)
            flagged = known[truth & (before[known, place] >= point.threshold)]
            texts = [held.texts[row] for row in flagged]
            for attack in ATTACKS:
                again = score(_attacked(texts, attack))[:, place] >= point.threshold
                report.add(
                    **{"model": name, "category": category, "attack": attack},
                    **{"flagged": len(flagged), "recall": point.recall * float(again.mean())},
                    **{"falls by": point.recall * float(1 - again.mean())},
                )
    return report


def _attacked(texts: Sequence[str], attack: str) -> list[str]:
    random = stream(1, f"attack {attack}")
    return [disguised(text, ATTACKS[attack], random) for text in texts]


def _split(whole: Labelled, most: int | None) -> tuple[Labelled, Labelled]:
    order = stream(1, "attacked").permutation(len(whole.texts))[:most]
    cut = len(order) * 3 // 4
    return whole.part(order[:cut]), whole.part(order[cut:])
