"""What training goes on from, as arrays: modules with their optimiser, and generators."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Arrays = Mapping[str, NDArray[Any]]


def module_arrays(module: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, NDArray[Any]]:
    """Each parameter, and what Adam remembers of it once it was moved."""
    found: dict[str, NDArray[Any]] = {}
    for name, parameter in module.named_parameters():
        found[name] = parameter.detach().numpy().copy()
        for part, value in optimiser.state.get(parameter, {}).items():
            found[f"{name}:{part}"] = value.numpy().copy()
    return found


def restore_module(module: nn.Module, optimiser: torch.optim.Optimizer, arrays: Arrays) -> None:
    """Take over what `module_arrays` gave. Raises KeyError or RuntimeError where it differs."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))
            moved = {
                part.removeprefix(f"{name}:"): torch.from_numpy(value.copy())
                for part, value in arrays.items()
                if part.startswith(f"{name}:")
            }
            if moved:
                optimiser.state[parameter] = moved


def numbers_array(numbers: np.random.Generator) -> NDArray[np.uint8]:
    """Where a generator stands, as the bytes of its own description."""
    told = json.dumps(numbers.bit_generator.state)
    return np.frombuffer(told.encode(), dtype=np.uint8).copy()


def restore_numbers(numbers: np.random.Generator, array: NDArray[np.uint8]) -> None:
    """Stand where `numbers_array` was taken. Raises ValueError where that was another kind."""
    numbers.bit_generator.state = json.loads(array.tobytes())


def under(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The same arrays with a name before theirs."""
    return {f"{name}/{own}": array for own, array in arrays.items()}


def below(name: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Those of the arrays that `under` named so, by their own names."""
    start = f"{name}/"
    return {own.removeprefix(start): part for own, part in arrays.items() if own.startswith(start)}
