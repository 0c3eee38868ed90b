"""Arrays come back from their bytes as they were."""

import ast
from pathlib import Path

import hypothesis.extra.numpy as arrays_of
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

import inhouse
from inhouse.core.tensors import tensor_bytes


@given(
    arrays_of.arrays(
        dtype=st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
        shape=arrays_of.array_shapes(min_dims=2, max_dims=3, max_side=5),
        elements=st.integers(0, 100),
    )
)
def test_an_array_comes_back_however_it_lies_in_memory(array: np.ndarray) -> None:
    """By rows, by columns, turned, every second row, some of the columns, backwards."""
    lying = {
        "rows": array,
        "columns": np.asfortranarray(array),
        "turned": array.T,
        "every second": array[::2],
        "some columns": array[:, list(range(array.shape[1]))],
        "backwards": array[:, ::-1],
    }
    found = load(tensor_bytes(lying))
    assert found.keys() == lying.keys()
    for name, expected in lying.items():
        assert found[name].dtype == expected.dtype, name
        assert np.array_equal(found[name], expected), name


def test_the_same_arrays_give_the_same_bytes() -> None:
    """However they lie: a digest of the bytes is one of the values."""
    array = np.arange(12.0).reshape(3, 4)
    facts = {"shape": "three by four"}
    assert tensor_bytes({"a": array}, facts) == tensor_bytes({"a": np.asfortranarray(array)}, facts)


def test_nothing_else_writes_tensors() -> None:
    """The library's own writer mixes up what does not lie row by row: only `core` calls it."""
    root = Path(inhouse.__file__).parent
    callers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module == "safetensors.numpy"
        and {alias.name for alias in node.names} & {"save", "save_file"}
    }
    assert callers == {"core/tensors.py"}
