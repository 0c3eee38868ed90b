"""Labels: kept once, merged by text, people before models."""

from collections.abc import Mapping
from typing import Any

import pytest

from inhouse.core.errors import InputError
from inhouse.models.harvest.labels import (
    Labels,
    by_source,
    examples,
    is_person,
    without_terms,
)
from inhouse.models.types import Label
from inhouse.store.database import Database

TEACHER = "openai/openai/m"


def label(scores: Mapping[str, float], source: str = TEACHER, **more: Any) -> Label:
    """Somebody's word on post `a`."""
    values = {"task": "text_harm", "ref": "a", "text": "words", "terms": "t", "at_ms": 1}
    return Label(scores=scores, source=source, **{**values, **more})


def test_labels_come_back_as_they_were(any_database: Database) -> None:
    """In the order they were added, the newest ones where there are too many, on both databases."""
    labels = [label({"hate": 0.25}, ref=f"r{n}", at_ms=n) for n in range(5)]
    store = Labels(any_database)
    assert store.add(labels) == 5
    assert labels == store.latest("text_harm", 10)
    assert labels[3:] == store.latest("text_harm", 2)
    assert store.latest("another", 10) == []
    assert store.counts("text_harm") == {TEACHER: 5}


def test_a_model_that_repeats_itself_says_nothing_new(database: Database) -> None:
    """Same text, same source: the first answer stays; another source or text is news."""
    store = Labels(database)
    first = label({"hate": 0.25})
    assert store.add([first]) == 1
    assert store.add([label({"hate": 0.75}, at_ms=9)]) == 0
    assert store.add([label({"hate": 0.5}, source="x/y/z"), label({"hate": 0.5}, text="new")]) == 2
    assert first == store.latest("text_harm", 10)[0]


def test_a_person_may_decide_again(database: Database) -> None:
    """Each decision is a label; the same one twice is not."""
    store = Labels(database)
    calls = [
        label({"hate": 1.0}, "person:ann", at_ms=1),
        label({"hate": 0.0}, "person:ann", at_ms=2),
        label({"hate": 1.0}, "person:ann", at_ms=3),
    ]
    assert (store.add(calls), store.add(calls)) == (3, 0)
    (example,) = examples(store.latest("text_harm", 10))
    assert example.people == {"hate": 1.0}


@pytest.mark.parametrize(
    ("source", "expected"),
    [("person", True), ("person:ann", True), ("personal/x/y", False), (TEACHER, False)],
)
def test_who_is_a_person(source: str, expected: bool) -> None:
    """By the name of the source."""
    assert expected == is_person(source)


def test_people_beat_models_category_by_category() -> None:
    """What a person said counts, the model's word stands for the rest, unknown stays unknown."""
    (example,) = examples(
        [
            label({"hate": 0.25, "spam": 0.75}),
            label({"hate": 1.0}, "person:ann", at_ms=2),
            label({"spam": 0.5}, "x/y/z", at_ms=3),
        ]
    )
    told = [example.target(name) for name in ("hate", "spam", "violence")]
    assert told == [1.0, 0.5, None]
    assert (example.at_ms, example.sources) == (1, (TEACHER, "person:ann", "x/y/z"))


def test_a_bank_teaches_where_nobody_else_spoke() -> None:
    """A term bank's label never stands above a model's or a person's, however late it came, and
    nobody is judged by it."""
    (example,) = examples(
        [
            label({"hate": 0.1}),
            label({"sexual": 0.0}, "person:ann"),
            label({"hate": 1.0, "sexual": 1.0, "spam": 0.9}, "bank:scams"),
        ]
    )
    assert [example.target(name) for name in ("hate", "sexual", "spam", "violence")] == [
        0.1,
        0.0,
        0.9,
        None,
    ]
    assert [example.truth(name) for name in ("hate", "sexual", "spam")] == [0.1, 0.0, None]
    assert example.sources == (TEACHER, "person:ann", "bank:scams")


def test_an_empty_word_takes_back_what_people_said() -> None:
    """An undone decision teaches nothing; the model's label is there again."""
    (example,) = examples(
        [
            label({"hate": 0.25}),
            label({"hate": 1.0}, "person:ann", at_ms=2),
            label({}, "person:ann", at_ms=3),
        ]
    )
    assert (example.people, example.target("hate")) == ({}, 0.25)


def test_a_changed_text_is_another_example() -> None:
    """Labels belong to the words they were given for."""
    found = examples([label({"hate": 1.0}), label({"hate": 0.0}, text="other words", at_ms=5)])
    assert [(e.text, e.target("hate")) for e in found] == [("words", 1.0), ("other words", 0.0)]


def test_each_source_has_its_examples() -> None:
    """A text two sources spoke of belongs to both."""
    found = examples(
        [
            label({"hate": 0.25}),
            label({"hate": 1.0}, "person:ann", terms="own"),
            label({"hate": 0.5}, ref="b"),
        ]
    )
    assert {
        source: [example.ref for example in some] for source, some in by_source(found).items()
    } == {TEACHER: ["a", "b"], "person:ann": ["a"]}


def test_labels_under_some_terms_are_left_out() -> None:
    """By the name with or without its version; terms nobody has named are the unknown ones."""
    labels = [
        label({"hate": 0.25}, terms=terms)
        for terms in ("openai-2026-01-01", "own", "enterprise", "", "mit")
    ]
    left = [one.terms for one in without_terms(labels, ["openai", "unknown"])]
    assert left == ["own", "mit"]
    assert without_terms(labels, []) == labels
    with pytest.raises(InputError, match="no terms are called 'opanai'; expected a name of"):
        without_terms(labels, ["opanai"])
