"""Made-up posts with a known right answer."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tests.models.models_cards import blank_card

from inhouse.core.random import stream
from inhouse.models.owned.files import save_text_model, weights_of
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.hashing import VERSION
from inhouse.models.owned.registry import ModelVersion, Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.types import Deployment, Label, ProviderAnswer, Scores, Task, TaskInput

CATEGORIES = ("hate", "spam")
_PLAIN = [
    "garden",
    "bread",
    "morning",
    "river",
    "walk",
    "light",
    "photo",
    "table",
    "summer",
    "music",
    "window",
    "train",
    "coffee",
    "paper",
    "small",
    "garden",
    "evening",
    "friend",
    "market",
    "mountain",
    "winter",
    "road",
]
_BAD = {
    "hate": ("grobnik vermin", "those zarps must leave", "all zarps stink"),
    "spam": ("cheap pillz now", "win a gratis fone", "click myy link"),
}


def post(random: np.random.Generator, category: str | None) -> str:
    """A short post; a harmful one has a harmful phrase somewhere."""
    words = [str(word) for word in random.choice(_PLAIN, int(random.integers(4, 9)))]
    if category is not None:
        phrase = _BAD[category][int(random.integers(len(_BAD[category])))]
        words.insert(int(random.integers(len(words) + 1)), phrase)
    return " ".join(words)


def posts(count: int, seed: int = 0, harm: float = 0.15) -> tuple[list[str], np.ndarray]:
    """Texts and their truth, [count, categories]; `harm` of them in each category."""
    random = stream(seed, "posts")
    texts, truth = [], np.zeros((count, len(CATEGORIES)))
    for row in range(count):
        luck = random.random()
        place = int(luck / harm) if luck < harm * len(CATEGORIES) else None
        texts.append(post(random, None if place is None else CATEGORIES[place]))
        if place is not None:
            truth[row, place] = 1.0
    return texts, truth


def harvest(count: int, seed: int = 0) -> list[Label]:
    """A rented model's labels of made-up posts, in time order."""
    texts, truth = posts(count, seed)
    return [
        Label(
            task="text_harm",
            ref=f"{seed}-{n}",
            text=text,
            scores={name: 0.95 if yes else 0.02 for name, yes in zip(CATEGORIES, row, strict=True)},
            source="openai/openai/m",
            terms="t-2026",
            at_ms=n,
        )
        for n, (text, row) in enumerate(zip(texts, truth, strict=True))
    ]


def small_model() -> TextClassifier:
    """A model that knows both categories."""
    texts, truth = posts(400)
    model = fit_text(texts, truth, CATEGORIES, seed=1)
    assert isinstance(model, TextClassifier)
    return model


def truth_of(texts: Sequence[str], truth: np.ndarray) -> dict[str, Scores]:
    """What is so of each text."""
    return {
        text: {name: float(p) for name, p in zip(CATEGORIES, row, strict=True)}
        for text, row in zip(texts, truth.tolist(), strict=True)
    }


class Knowing:
    """A rented model that says what is so."""

    deployment = Deployment(name="teacher", host="openai", owner="openai", model="gpt-4o-mini")

    def __init__(self, known: Mapping[str, Scores]) -> None:
        self._known = known

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return [tuple(inputs)]

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        scores = tuple(self._known[given.text] for given in inputs)
        refs = tuple(given.ref for given in inputs)
        return [ProviderAnswer(refs=refs, scores=scores, outcome="ok", latency_ms=1.0)]

    async def close(self) -> None:
        """Nothing to close."""


def register(
    registry: Registry, model: TextClassifier, version: str, task: str = "text_harm"
) -> ModelVersion:
    """Put a model where a route can name it."""
    weights = weights_of(model)
    card = blank_card(
        version,
        task,
        categories=model.categories,
        trained_on=400,
        sha256=hashlib.sha256(weights).hexdigest(),
        features=VERSION,
    )
    save_text_model(Path(registry.folder) / version, weights, card)
    known = ModelVersion(version=version, task=task, created_ms=1, card=card, parity=None)
    registry.put(known)
    return known
