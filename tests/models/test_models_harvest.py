"""Labels: kept once, merged by text, people before models."""

from collections.abc import Mapping
from typing import Any

import pytest

from inhouse.models.harvest import (
    Example,
    Labels,
    by_source,
    examples,
    is_person,
    provenance,
    split_by_time,
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


def _examples(count: int) -> list[Example]:
    labels = [label({"hate": 0.0}, ref=str(n), at_ms=count - n) for n in range(count)]
    return examples(labels)


@pytest.mark.parametrize(("count", "later"), [(0, 0), (1, 0), (10, 3), (100, 30)])
def test_the_later_ones_are_held_out(count: int, later: int) -> None:
    """Everything held out is younger than everything trained on; none is lost."""
    found = _examples(count)
    train, held = split_by_time(found, 0.3)
    assert (found, later) == (train + held, len(held))
    assert all(a.at_ms < b.at_ms for a in train[-1:] for b in held[:1])


def test_provenance_counts_sources_and_terms() -> None:
    """What a model was taught by, and under which terms."""
    found = examples(
        [
            label({"hate": 0.25}),
            label({"hate": 1.0}, "person:ann", terms="own"),
            label({"hate": 0.5}, ref="b"),
        ]
    )
    assert provenance(found) == ({TEACHER: 2, "person:ann": 1}, {"own": 1, "t": 2})
    assert {
        source: [example.ref for example in some] for source, some in by_source(found).items()
    } == {TEACHER: ["a", "b"], "person:ann": ["a"]}
