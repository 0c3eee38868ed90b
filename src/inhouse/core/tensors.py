"""Arrays as bytes that hold nothing which could run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save


def tensor_bytes(
    arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, str] | None = None
) -> bytes:
    """The arrays in the safetensors format, with `facts` in its header.

    The library writes memory as it lies: an array of columns, or a part of another, would come back
    with its values in other places and without a word. So each is laid out row by row first.
    """
    rows = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(rows, None if facts is None else dict(facts))
