"""Teaching a `Reader`: one network for each third of the texts left out, side by side.

What each network says of the third it never saw is an honest opinion on every text, and the
networks together are the reader: nothing is taught twice. torch is loaded in processes apart.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inhouse.engine.local import LocalExecutor
from inhouse.models.owned.hashing import Words, normalise
from inhouse.models.owned.promises import trust
from inhouse.models.owned.reader import Doubles, Matrix, Network, Reader
from inhouse.models.owned.text import batches
from inhouse.models.owned.tokens import Places, Tokens, places_in, tokens_of, vocabulary_of
from inhouse.models.owned.vectors import word_vectors

WIDTH: Final = 100  # of a word's vector
_TEACHER: Final = "inhouse.models.owned.reader_torch"  # never imported here: it loads torch
_UNREAD: Final = 0.1  # of the words, whatever they are
_PASSES: Final = 75_000  # texts read by a network in all, where that is 3 to 6 rounds
_ROUNDS: Final = (3, 6)

Placed = tuple[Places, npt.NDArray[np.int64]]  # words of texts one after the other, and [texts + 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """All that one network is taught."""

    places: Places  # [words], of all texts one after the other, by the vocabulary
    starts: npt.NDArray[np.int64]  # [texts + 1]
    targets: Matrix  # [texts, categories], NaN where nobody knows or nobody may tell
    vectors: Matrix  # [vocabulary + 1, WIDTH], to begin with
    unread: Matrix  # [vocabulary + 1], how often each word is read as unknown while learning
    rounds: int  # over the texts
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """A reader, and what it says of texts it was not taught on."""

    reader: Reader
    margins: Doubles  # [texts, categories], each by the one network that never saw the text


def teach_reader(
    texts: Sequence[str],
    targets: Matrix,
    fold_of: npt.NDArray[np.int64],
    seed: int,
    traffic: Sequence[str] = (),
) -> Taught:
    """Teach one network for each fold that it is not shown.

    targets: [texts, categories]; a text without any label still tells which words keep company.
    traffic: texts as the reader will be asked about; words that are commoner there than among
    `texts` are oftener read as unknown while it learns, or they would explain their texts alone.
    """
    told = [tokens_of(normalise(part)) for part in batches(texts)]
    vocabulary = vocabulary_of(told)
    places, starts = _placed(vocabulary, told)
    vectors = word_vectors(places, starts, len(vocabulary), WIDTH, seed)
    unread = unread_of(vocabulary, (places, starts), traffic)
    lessons = []
    for fold in range(int(fold_of.max()) + 1):
        shown = np.where((fold_of == fold)[:, None], np.float32(np.nan), targets)
        labelled = int((~np.isnan(shown).all(axis=1)).sum())
        rounds = int(np.clip(round(_PASSES / max(labelled, 1)), *_ROUNDS))
        lessons.append(
            Lesson(
                places=places,
                starts=starts,
                targets=shown,
                vectors=vectors,
                unread=unread,
                rounds=rounds,
                seed=seed + fold,
            )
        )
    networks = _taught(lessons)
    margins = np.empty(targets.shape)
    for fold, network in enumerate(networks):
        alone = Reader(vocabulary, [network])
        held = np.flatnonzero(fold_of == fold)
        parts = batches([texts[row] for row in held.tolist()])
        margins[held] = np.concatenate([alone.margins(normalise(part)) for part in parts])
    return Taught(reader=Reader(vocabulary, networks), margins=margins)


def unread_of(vocabulary: Words, taught: Placed, traffic: Sequence[str]) -> Matrix:
    """[vocabulary + 1]: how often each word is read as unknown while a network learns."""
    unread = np.full(len(vocabulary) + 1, _UNREAD, dtype=np.float32)
    if traffic:
        there = _placed(vocabulary, [tokens_of(normalise(part)) for part in batches(traffic)])
        held, said = (_held(len(vocabulary), *placed) for placed in (taught, there))
        unread[1:] = 1 - (1 - _UNREAD) * trust(held, len(taught[1]) - 1, said, len(traffic))[1:]
    return unread


def _placed(vocabulary: Words, told: Sequence[Tokens]) -> Placed:
    """Every word by its place in the vocabulary, and where the texts start."""
    places = np.concatenate([places_in(vocabulary, part.words) for part in told])
    lengths = np.concatenate([np.diff(part.starts) for part in told])
    return places, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _held(words: int, places: Places, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[words + 1]: texts with each word."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    once = np.unique(rows * (words + 1) + places) % (words + 1)
    return np.bincount(once, minlength=words + 1)


def _taught(lessons: list[Lesson]) -> list[Network]:
    executor = LocalExecutor(min(len(lessons), os.cpu_count() or 1))
    try:
        return list(executor.map(_apart, lessons))
    finally:
        executor.close()


def _apart(lesson: Lesson) -> Network:
    """Runs in a process of its own, the only one that loads torch."""
    taught: Network = importlib.import_module(_TEACHER).taught(lesson)
    return taught
