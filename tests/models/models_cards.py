"""Cards of models that nobody trained."""

from typing import Any

from inhouse.models.types import ModelCard


def blank_card(version: str, task: str = "text_harm", **known: Any) -> ModelCard:
    """A card that says nothing but what is known."""
    facts: dict[str, Any] = {
        "created_ms": 1,
        "categories": (),
        "trained_on": 1,
        "positives": {},
        "negatives": {},
        "sources": {},
        "terms": {},
        "metrics": {},
        "sha256": "",
        "features": 1,
    }
    return ModelCard(version=version, task=task, **{**facts, **known})
