"""Where id parts start: a spectral factorisation of which items follow each other closely.

    m_ij = sum over places k = 1..5 apart, either way, of 0.8^(k - 1)
    p_ij = max(0, log(m_ij m / (m_i m_j)))          positive pointwise mutual information
    p ~ U S V',   rows U sqrt(S), scaled to one spread

(Levy and Goldberg, NeurIPS 2014, sections 3 and 5: what skip-gram embeddings factorise.) On data
with few events an item, a model that starts here ends higher, not only sooner: see docs/lab.md.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from inhouse.core.random import stream
from inhouse.learning.sequences.flat import Sequences

Floats = NDArray[np.float32]

_REACH: Final = 5
_FADE: Final = 0.8


def item_factors(sequences: Sequences, item_count: int, dims: int, seed: int = 0) -> Floats:
    """float32[item_count, dims] of spread 1 over all numbers; a rank beyond the data is 0.

    Deterministic for a seed.
    """
    near = _near(sequences, item_count)
    rank = min(dims, item_count - 1)
    found = np.zeros((item_count, dims), dtype=np.float32)
    if rank < 1 or near.nnz == 0:
        return found
    first = stream(seed, "factors").normal(size=item_count)
    left, strengths, _ = svds(_surprise(near), k=rank, v0=first)
    found[:, :rank] = left * np.sqrt(np.maximum(strengths, 0))
    return found / max(float(found.std()), 1e-12)


def _near(sequences: Sequences, item_count: int) -> sparse.csr_array:
    """[items, items] weighted counts of standing close to each other, symmetric."""
    person = np.repeat(np.arange(len(sequences)), sequences.lengths)
    total = sparse.csr_array((item_count, item_count), dtype=np.float64)
    for apart in range(1, _REACH + 1):
        same = person[:-apart] == person[apart:]
        before, after = sequences.items[:-apart][same], sequences.items[apart:][same]
        weights = np.full(len(before), _FADE ** (apart - 1))
        total += sparse.coo_array((weights, (before, after)), shape=total.shape).tocsr()
    return (total + total.T).tocsr()


def _surprise(near: sparse.csr_array) -> sparse.csr_array:
    found = near.tocoo()
    sums = near.sum(axis=1)
    expected = sums[found.row] * sums[found.col] / sums.sum()
    values = np.maximum(np.log(found.data / expected), 0.0)
    return sparse.coo_array((values, (found.row, found.col)), shape=near.shape).tocsr()
