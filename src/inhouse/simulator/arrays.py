"""Tables as frozen structs of arrays: growing them, and putting them into one file."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Table = TypeVar("Table")
Arrays = dict[str, NDArray[Any]]

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Times = NDArray[np.int64]
Flags = NDArray[np.bool_]


def joined(first: Table, second: Table) -> Table:
    """The rows of `first`, then those of `second`, of the same struct of arrays."""
    fields = dataclasses.fields(first)  # type: ignore[arg-type]  # both are dataclasses
    return type(first)(
        **{
            field.name: np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in fields
        }
    )


def columns(table: object, prefix: str) -> Arrays:
    """The arrays of a struct by `prefix.name`."""
    fields = dataclasses.fields(table)  # type: ignore[arg-type]  # a dataclass
    return {f"{prefix}.{field.name}": getattr(table, field.name) for field in fields}


def table_from(kind: type[Table], arrays: Mapping[str, NDArray[Any]], prefix: str) -> Table:
    """The reverse of `columns`."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # a dataclass
    return kind(**{field.name: arrays[f"{prefix}.{field.name}"] for field in fields})


def ragged_columns(sets: Sequence[set[int]], prefix: str) -> Arrays:
    """Sets of small integers as two arrays: all members (sorted within a set), and the lengths."""
    members = [member for group in sets for member in sorted(group)]
    return {
        f"{prefix}.members": np.asarray(members, np.int32),
        f"{prefix}.lengths": np.asarray([len(group) for group in sets], np.int32),
    }


def ragged_from(arrays: Mapping[str, NDArray[Any]], prefix: str) -> list[set[int]]:
    """The reverse of `ragged_columns`."""
    ends = np.cumsum(arrays[f"{prefix}.lengths"])
    parts = np.split(arrays[f"{prefix}.members"], ends[:-1])
    return [set(part.tolist()) for part in parts] if len(ends) else []
