"""Vectors of words from their company, without any label.

Two words that stand near the same words get like vectors: the matrix of positive pointwise mutual
information of words at most five apart (nearer ones count more, and the context's share is
flattened to the power 0.75: Levy, Goldberg & Dagan 2015, TACL 3:211), brought down to a few columns
by its leading eigenvectors (randomised subspace iteration: Halko, Martinsson & Tropp 2011, SIAM
Review 53:217, algorithm 4.4), each row of length `LENGTH`.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from inhouse.core.random import stream
from inhouse.models.owned.hashing import Ints
from inhouse.models.owned.tokens import Places

Matrix = npt.NDArray[np.float32]
_WINDOW: Final = 5
_FLATTENED: Final = 0.75
_SPARE: Final = 12  # columns more than wanted, for precision
_ROUNDS: Final = 4
LENGTH: Final = 0.8
_TINY: Final = 1e-9


def word_vectors(places: Places, starts: Ints, words: int, width: int, seed: int) -> Matrix:
    """[words + 1, width]: a vector for each place of the vocabulary, row 0 for unknown words.

    places: the words of all texts, one text after the other. starts: where each text begins.
    Words that never had company get a vector of zeros.
    """
    counts = _company(places, starts, words + 1)
    information = _positive_information(counts)
    return _leading(information, min(width, words), width, seed)


def _company(places: Places, starts: Ints, size: int) -> "sparse.csr_matrix":
    """How often two words stand near each other, divided by how far apart."""
    text_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    total = sparse.csr_matrix((size, size), dtype=np.float64)
    for apart in range(1, _WINDOW + 1):
        same = text_of[apart:] == text_of[:-apart]
        left, right = places[:-apart][same], places[apart:][same]
        near = np.full(len(left), 1.0 / apart)
        found = sparse.coo_matrix((near, (left, right)), shape=(size, size)).tocsr()
        total = total + found + found.T
    return total


def _positive_information(counts: "sparse.csr_matrix") -> "sparse.csr_matrix":
    """max(0, ln p(word, context) / (p(word) p(context))), nothing for the unknown word."""
    often = np.asarray(counts.sum(axis=1)).ravel()
    context = often**_FLATTENED
    context /= max(context.sum(), _TINY)
    cells = counts.tocoo()
    told = (cells.row > 0) & (cells.col > 0)
    row, column, near = cells.row[told], cells.col[told], cells.data[told]
    information = np.log(near / (often[row] * context[column]))
    kept = information > 0
    return sparse.csr_matrix(
        (information[kept].astype(np.float32), (row[kept], column[kept])), shape=counts.shape
    )


def _leading(table: "sparse.csr_matrix", rank: int, width: int, seed: int) -> Matrix:
    random = stream(seed, "word vectors")
    tried = min(rank + _SPARE, table.shape[0])
    basis = random.standard_normal((table.shape[0], tried)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(table @ basis)[0]
    left, strength, _ = np.linalg.svd(table @ basis, full_matrices=False)
    vectors = np.zeros((table.shape[0], width), dtype=np.float32)
    vectors[:, :rank] = left[:, :rank] * np.sqrt(strength[:rank])
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return np.where(lengths > 1e-6, vectors * (LENGTH / np.maximum(lengths, _TINY)), 0).astype(
        np.float32
    )
