"""Scores that a client suggests for a text: labels that models learn from."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from inhouse.app.build import Services
from inhouse.catalog.types import words_ref
from inhouse.core.errors import InputError
from inhouse.models.harvest import add_labels, label_fault
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Label
from inhouse.moderation.rulings import TERMS

_CLIENT: Final = "client:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """What somebody says of a text."""

    text: str  # the words; never logged
    p: Mapping[str, float]  # by our categories; others are passed over
    by: str  # who says so


def keep_suggestion(use: Services, suggestion: Suggestion) -> "Future[int]":
    """Done once durable; tells how many labels were new. Raises InputError where it cannot be kept.

    It counts like a model's word, not like a reviewer's: nobody here has looked.
    """
    label = Label(
        task=TEXT_HARM.name,
        ref=words_ref(suggestion.text),
        text=suggestion.text,
        scores={name: p for name, p in suggestion.p.items() if name in TEXT_HARM.categories},
        source=f"{_CLIENT}{suggestion.by}",
        terms=TERMS,
        at_ms=use.clock.now_ms(),
    )
    fault = label_fault(label)
    if fault is not None:
        raise InputError(f"suggestion: {fault}", field=fault.field)
    labels = [label] if label.scores else []
    return use.database.submit(lambda connection: add_labels(connection, labels))
