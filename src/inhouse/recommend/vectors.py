"""Vectors of length one."""

import numpy as np

from inhouse.recommend.types import Floats


def unit(vectors: Floats) -> Floats:
    """float32[n, d], each row scaled to length one; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, np.float32(1e-9))
    return scaled
