"""What a language model keeps of the tokens it has read, of several texts side by side.

Rows end at the same place: what is shorter is filled up on the left, and a mask tells what is
filling. So rows of any length are read on together, one joins between two tokens, and one that has
ended leaves its place.
"""

from collections.abc import Sequence
from inspect import signature
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from inhouse.models.owned.hub import transformers_here

_CACHES: Final = ("cache", "past_key_values", "cache_params")  # what kinds of models call it
_NEAR: Final = 1e-3  # what adding up in another order may change of a logit


class Kept:
    """Of a batch of texts. Its rows are as long as the longest of them: never longer."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cache = transformers_here().DynamicCache(config=model.config)
        self._named = frozenset(signature(model.forward).parameters)
        self._by = next((name for name in _CACHES if name in self._named), _CACHES[0])
        self.lengths: list[int] = []  # of the rows, in tokens

    @property
    def longest(self) -> int:
        """Of its rows, in tokens."""
        return max(self.lengths, default=0)

    @property
    def size_bytes(self) -> int:
        """That the keys and values of its tokens take."""
        return sum(
            part.numel() * part.element_size()
            for layer in self._layers()
            for part in (layer.keys, layer.values)
        )

    def read(self, given: Sequence[Sequence[int]]) -> Tensor:
        """Read on, and tell what comes next. given: a row's next tokens; as many in each row, but
        for the first time. Returns logits, [rows, vocabulary]."""
        width = max(map(len, given))
        total = self.longest + width
        had = self.lengths or [0] * len(given)
        lengths = [have + len(row) for have, row in zip(had, given, strict=True)]
        filled = [[*[0] * (width - len(row)), *row] for row in given]
        device = self._model.device
        ends = torch.tensor(lengths, device=device)[:, None]
        mask = (torch.arange(total, device=device) >= total - ends).long()  # [rows, total]
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, -width:]  # [rows, width]
        told = self._model(
            input_ids=torch.tensor(filled, device=device),
            use_cache=True,
            # Models that keep sums would take a mask of all they have read for one of what is new.
            **self._known(
                attention_mask=None if min(lengths) == total else mask,
                position_ids=places,
                logits_to_keep=1,
            ),
            **{self._by: self._cache},
        )
        self.lengths = lengths
        return told.logits[:, -1].float()  # type: ignore[no-any-return]

    def join(self, other: "Kept") -> None:
        """Take in another's rows, behind one's own."""
        longest = max(self.longest, other.longest)
        for layer, added in zip(self._layers(), other._layers(), strict=True):
            width = _width(layer, longest)
            layer.keys = torch.cat([_filled(one.keys, width) for one in (layer, added)])
            layer.values = torch.cat([_filled(one.values, width) for one in (layer, added)])
            _tell_length(layer, longest)
        self.lengths += other.lengths

    def keep(self, places: Sequence[int]) -> None:
        """Let go of all rows but these, and of filling that no row needs any more."""
        self.lengths = [self.lengths[place] for place in places]
        rows = torch.tensor(places, device=self._model.device)
        for layer in self._layers():
            first = layer.keys.shape[2] - _width(layer, self.longest)
            layer.keys = layer.keys[rows, :, first:]
            layer.values = layer.values[rows, :, first:]
            _tell_length(layer, self.longest)

    def is_plain(self) -> bool:
        """Whether all it keeps is keys and values of tokens, the latest ones at the end."""
        return {type(layer).__name__ for layer in self._cache.layers} <= {
            "DynamicLayer",
            "DynamicSlidingWindowLayer",
        }

    def _layers(self) -> list[Any]:
        """Those that keep keys and values: some models let layers share them, or keep sums."""
        return [one for one in self._cache.layers if getattr(one, "keys", None) is not None]

    def _known(self, **given: Any) -> dict[str, Any]:
        """What this kind of model wants to be told."""
        return {name: value for name, value in given.items() if name in self._named}


def token_bytes(model: Any) -> int:
    """What is kept of a token."""
    kept = Kept(model)
    kept.read([[0]])
    before = kept.size_bytes
    kept.read([[0]])
    return max(1, kept.size_bytes - before)


def reads_on(model: Any) -> bool:
    """Whether what comes next is the same where a text is read on token by token, and where all of
    it is read anew."""
    text = [2, 1, 3, 2, 1, 3]
    found = _read_all(model, [[text], [[2]], [[3]]], [[1]])
    wanted = model(input_ids=torch.tensor([[*text, 2, 3, 1]], device=model.device), use_cache=False)
    return torch.allclose(found, wanted.logits[:, -1].float(), rtol=_NEAR, atol=_NEAR)


def reads_together(model: Any) -> bool:
    """Whether what comes next in a text is the same whoever is read beside it, and read in parts:
    tried out, for there are kinds of models that count places from the filling, or keep sums."""
    short, long = [1, 2, 3], [2, 1, 3, 2, 1, 1, 3]
    try:
        alone = [_read_all(model, [[one]], [[1]]) for one in (short, long)]
        together = _read_all(model, [[short, long]], [[1], [1]])
        in_parts = _read_all(model, [[long[:4]], [long[4:]]], [[1]])
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
        return False
    found, wanted = torch.cat([together, in_parts]), torch.cat([*alone, alone[1]])
    return Kept(model).is_plain() and torch.allclose(found, wanted, rtol=_NEAR, atol=_NEAR)


def _read_all(
    model: Any, parts: Sequence[Sequence[Sequence[int]]], then: list[list[int]]
) -> Tensor:
    """[texts, vocabulary]"""
    kept = Kept(model)
    for part in parts:
        kept.read(part)
    return kept.read(then)


def _width(layer: Any, longest: int) -> int:
    """How many of the latest tokens a layer keeps: all, or as many as it looks back."""
    window = getattr(layer, "sliding_window", None)
    return longest if window is None else min(longest, window - 1)


def _filled(part: Tensor, width: int) -> Tensor:
    """[rows, heads, width, size]"""
    return functional.pad(part, (0, 0, width - part.shape[2], 0))


def _tell_length(layer: Any, longest: int) -> None:
    if hasattr(layer, "cumulative_length"):
        layer.cumulative_length = longest
