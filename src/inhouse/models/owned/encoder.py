"""Texts to vectors by an encoder that others began, and what is made of them (extra `students`).

A vector is the mean of the encoder's last layer over the text's tokens. A text longer than the
encoder reads is read as far as it goes. Run on the processor by whoever asks, under a lock: one
text after the other is as fast there as several at once.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from inhouse.core.errors import SettingError, SnapshotError
from inhouse.core.files import write_atomically
from inhouse.core.tensors import tensor_bytes
from inhouse.models.owned.calibrate import Curve
from inhouse.models.owned.folders import checked_card
from inhouse.models.owned.head import Head
from inhouse.models.owned.hub import load_encoder, load_tokens, most_tokens_of
from inhouse.models.owned.text import Doubles
from inhouse.models.types import ModelCard, Scores

Matrix = npt.NDArray[np.float32]
MOST_TOKENS: Final = 512  # of a text
_AT_ONCE: Final = 16
HEAD: Final = "head.safetensors"
MAP: Final = "map.safetensors"


class Encoder:
    """An encoder and its tokenizer. Thread-safe."""

    def __init__(self, tokens: Any, model: Any) -> None:
        self.tokens, self.model = tokens, model
        self.most_tokens = most_tokens_of(model, tokens, MOST_TOKENS)
        self.width = int(model.config.hidden_size)
        self._gate = threading.Lock()

    @classmethod
    def load(cls, name: str) -> "Encoder":
        """From the hub or a folder. Raises SettingError."""
        return cls(load_tokens(name), load_encoder(name))

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """[texts, width], texts of like length worked on together."""
        import torch  # noqa: PLC0415

        found = np.zeros((len(texts), self.width), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        with self._gate, torch.inference_mode():
            for start in range(0, len(order), _AT_ONCE):
                places = order[start : start + _AT_ONCE]
                told = self.encoded([texts[place] for place in places])
                found[places] = told.float().cpu().numpy()
        return found

    def encoded(self, texts: Sequence[str]) -> Any:
        """The same as a tensor, [texts, width], for whoever teaches."""
        batch = self.tokens(
            list(texts),
            truncation=True,
            max_length=self.most_tokens,
            padding=True,
            return_tensors="pt",
        ).to(self.model.device)
        last = self.model(**batch).last_hidden_state  # [texts, tokens, width]
        told = batch["attention_mask"].unsqueeze(-1).to(last.dtype)
        return (last * told).sum(1) / told.sum(1).clamp(min=1.0)

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Of all texts, as far as they are read."""
        with self._gate:
            told = self.tokens(list(texts), truncation=True, max_length=self.most_tokens)
        return sum(map(len, told["input_ids"]))

    def save(self, folder: Path) -> None:
        """In the hub's own format."""
        self.model.save_pretrained(folder, max_shard_size="1000GB")
        self.tokens.save_pretrained(folder)


class EncoderClassifier:
    """Scores texts in the categories that its head learned. Never changes."""

    at_once_chars: Final = 0  # a network takes longer than a thread takes over

    def __init__(self, encoder: Encoder, head: Head) -> None:
        self._encoder, self._head = encoder, head
        self.categories = head.categories

    def probabilities(self, texts: Sequence[str]) -> Doubles:
        """Calibrated probabilities, [texts, categories]."""
        return self._head.probabilities(self._encoder.vectors(texts))

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """The same by name, for each text in order."""
        table = self.probabilities(texts).tolist()
        return [dict(zip(self.categories, row, strict=True)) for row in table]


class TextVectors:
    """Texts to vectors of length 1: the encoder's own, or mapped into the space of another's."""

    def __init__(self, encoder: Encoder, weights: Matrix | None, biases: Matrix | None) -> None:
        """weights: [width, dimensions]; None for the encoder's own space."""
        self.encoder, self._weights, self._biases = encoder, weights, biases

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """[texts, dimensions]."""
        found = self.encoder.vectors(texts)
        if self._weights is not None and self._biases is not None:
            found = found @ self._weights + self._biases
        return of_length_one(found)


def of_length_one(vectors: Matrix) -> Matrix:
    """Each row divided by its length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def save_head(folder: Path, head: Head) -> None:
    """Beside the encoder; the categories are on the card."""
    curves = np.array([[c.slope, c.offset, c.floor, c.ceiling] for c in head.curves])
    arrays = {"weights": head.weights, "biases": head.biases, "curves": curves}
    write_atomically(folder / HEAD, tensor_bytes(arrays))


def load_classifier(folder: Path) -> EncoderClassifier:
    """The model of a version. Raises SnapshotError where its files are not what the card says."""
    card, arrays = _opened(folder, HEAD)
    curves = tuple(
        Curve(slope=slope, offset=offset, floor=floor, ceiling=ceiling)
        for slope, offset, floor, ceiling in arrays["curves"].tolist()
    )
    head = Head(
        categories=card.categories,
        weights=arrays["weights"],
        biases=arrays["biases"],
        curves=curves,
    )
    return EncoderClassifier(_encoder(folder), head)


def load_vectors(folder: Path) -> TextVectors:
    """The same for a version that gives vectors."""
    _, arrays = _opened(folder, MAP) if (folder / MAP).exists() else (checked_card(folder), {})
    return TextVectors(_encoder(folder), arrays.get("weights"), arrays.get("biases"))


def _opened(folder: Path, name: str) -> tuple[ModelCard, Mapping[str, Any]]:
    card = checked_card(folder)
    try:
        return card, load_file(folder / name)
    except (OSError, SafetensorError) as error:
        raise SnapshotError(f"{folder / name} is damaged: {error}; train the task again") from None


def _encoder(folder: Path) -> Encoder:
    try:
        return Encoder.load(str(folder))
    except SettingError as error:
        raise SnapshotError(str(error)) from None
