"""Scores that a client suggests for a text: labels that models learn from."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from inhouse.app.build import Services
from inhouse.catalog.types import words_ref
from inhouse.core.errors import Fault, InputError
from inhouse.models.harvest.labels import PERSON, add_labels, label_fault
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Label, Task
from inhouse.moderation.recording.rulings import TERMS

_CLIENT: Final = "client:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """What somebody says of a text."""

    text: str  # the words; never logged
    p: Mapping[str, float]  # by our categories; others are passed over
    by: str  # who says so


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a person, or a program of the operator's, says of a text by one of the tasks."""

    task: Task
    text: str  # the words; never logged
    scores: Mapping[str, float]  # by category; those not there are unknown
    by: str  # who says so
    is_person: bool  # a person's word counts before a model's
    ref: str | None = None  # of what it belongs to; else made of the words


def keep_judged(use: Services, judged: Sequence[Judged]) -> "Future[int]":
    """Done once durable; tells how many labels were new. Raises InputError, naming the first label
    that cannot be kept, and keeps none."""
    labels = []
    for place, one in enumerate(judged):
        label = Label(
            task=one.task.name,
            ref=one.ref or words_ref(one.text),
            text=one.text,
            scores=dict(one.scores),
            source=f"{PERSON}:{one.by}" if one.is_person else f"{_CLIENT}{one.by}",
            terms=TERMS,
            at_ms=use.clock.now_ms(),
        )
        fault = label_fault(label) or _score_fault(one)
        if fault is not None:
            raise InputError(f"labels[{place}].{fault}", field=f"labels[{place}].{fault.field}")
        labels.append(label)
    return use.database.submit(lambda connection: add_labels(connection, labels))


def _score_fault(one: Judged) -> Fault | None:
    for name, p in one.scores.items():
        if name not in one.task.categories:
            expected = f"one of {', '.join(one.task.categories)}"
            return Fault(field="scores", value=repr(name)[:80], expected=expected)
        if not 0 <= p <= 1:
            return Fault(field=f"scores.{name}", value=repr(p)[:80], expected="0 to 1")
    if not one.scores and not one.is_person:
        return Fault(field="scores", value="nothing", expected="a score for a category at least")
    return None


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
