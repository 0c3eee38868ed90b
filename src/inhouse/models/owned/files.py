"""A trained text model on disk: `model.safetensors` and `card.json`, nothing that runs code."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from inhouse.core.errors import InputError, SnapshotError
from inhouse.core.files import sha256_of, write_atomically
from inhouse.core.tensors import tensor_bytes
from inhouse.models.owned.calibrate import Curve
from inhouse.models.owned.hashing import VERSION
from inhouse.models.owned.reader import Network, Reader
from inhouse.models.owned.text import Linear, Reading, TextClassifier
from inhouse.models.types import ModelCard

Array = npt.NDArray[Any]
WEIGHTS: Final = "model.safetensors"
CARD: Final = "card.json"


def weights_of(model: TextClassifier) -> bytes:
    """The model as the bytes of its weights file; the same model gives the same bytes."""
    curves = np.array([[c.slope, c.offset, c.floor, c.ceiling] for c in model.curves])
    arrays: dict[str, Array] = {
        "weights": model.weights,
        "biases": model.biases,
        "curves": curves,
        "rarity": model.rarity,
    }
    return tensor_bytes({**arrays, **_reading_arrays(model.reading)})


def save_text_model(folder: Path, weights: bytes, card: ModelCard) -> None:
    """Write both files; the card comes last, so that a folder with a card is whole."""
    write_atomically(folder / WEIGHTS, weights)
    write_atomically(folder / CARD, msgspec.json.format(msgspec.json.encode(card), indent=2))


def load_card(folder: Path) -> ModelCard:
    """The card alone. Raises SnapshotError where it is missing or damaged."""
    path = folder / CARD
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error.strerror}; train the task again") from None
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"{path} is damaged: {error}; train the task again") from None


def load_text_model(folder: Path) -> tuple[TextClassifier, ModelCard]:
    """Model and card. Raises SnapshotError where the weights are missing, torn, or made for other
    features than this program's."""
    card, path = load_card(folder), folder / WEIGHTS
    if card.features != VERSION:
        raise SnapshotError(
            f"{path} needs version {card.features} of the features, this program has {VERSION}; "
            "train the task again"
        )
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error.strerror}; train the task again") from None
    if digest != card.sha256:
        raise SnapshotError(
            f"{path} has the checksum {digest[:12]}, its card says {card.sha256[:12]}; "
            "train the task again"
        )
    return _model_of(path, card), card


def _model_of(path: Path, card: ModelCard) -> TextClassifier:
    try:
        arrays = load_arrays(path.read_bytes())
        curves = tuple(
            Curve(slope=slope, offset=offset, floor=floor, ceiling=ceiling)
            for slope, offset, floor, ceiling in arrays["curves"].tolist()
        )
        parts = Linear(weights=arrays["weights"], biases=arrays["biases"], curves=curves)
        return TextClassifier(card.categories, arrays["rarity"], parts, _reading_of(arrays))
    except (SafetensorError, KeyError, ValueError, InputError) as error:
        raise SnapshotError(f"{path} is damaged: {error}; train the task again") from None


def _reading_arrays(reading: Reading | None) -> dict[str, Array]:
    """The reader's arrays by name; those of each network bear its number."""
    if reading is None:
        return {}
    arrays: dict[str, Array] = {
        "reader.vocabulary": reading.reader.vocabulary,
        "reader.shares": reading.shares,
    }
    for place, network in enumerate(reading.reader.networks):
        for field in fields(network):
            arrays[f"reader.{place}.{field.name}"] = getattr(network, field.name)
    return arrays


def _reading_of(arrays: Mapping[str, Array]) -> Reading | None:
    if "reader.vocabulary" not in arrays:
        return None
    names = [field.name for field in fields(Network)]
    networks: list[Network] = []
    while f"reader.{len(networks)}.{names[0]}" in arrays:
        place = len(networks)
        networks.append(Network(**{name: arrays[f"reader.{place}.{name}"] for name in names}))
    reader = Reader(arrays["reader.vocabulary"], networks)
    return Reading(reader=reader, shares=arrays["reader.shares"])
