"""Data sets: no copies, nothing seen on two sides, every stratum counted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.models.harvest.dataset import SIDES, DataSet, Shares, examples_data
from inhouse.models.harvest.labels import Example, examples
from inhouse.models.harvest.near import groups_of
from inhouse.models.types import DataFacts, Label, StratumCount, Teacher

_WORDS = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in ("rn", "st", "lk", "mp")]
RENTED = "openai/openai/m"


def _text(seed: int) -> str:
    return " ".join(stream(seed, "data text").choice(_WORDS, 12))


def _example(place: int, text: str, p: float = 0.0, source: str = RENTED) -> Example:
    people = {"hate": p} if source.startswith("person") else {}
    return Example(
        ref=f"r{place}",
        text=text,
        at_ms=place,
        teacher={} if people else {"hate": p},
        people=people,
        sources=(source,),
        terms=("openai-2026-01-01",) if not people else ("own",),
    )


def _texts(data: DataSet[Example]) -> Mapping[str, list[str]]:
    return {side: [sample.text for sample in data.sides[side]] for side in SIDES}


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["", "!", " ok", "UP"])), max_size=40))
@settings(max_examples=80, deadline=None)
def test_nearly_the_same_never_stands_on_two_sides(drawn: list[tuple[int, str]]) -> None:
    """However often and in whatever dress texts come back, and no text is lost without a count."""
    found = [
        _example(place, _text(seed).upper() if dress == "UP" else _text(seed) + dress)
        for place, (seed, dress) in enumerate(drawn)
    ]
    data = examples_data(found)
    rows = [(side, sample) for side in SIDES for sample in data.sides[side]]
    groups = groups_of([sample.text for _, sample in rows]).tolist()

    sides: dict[int, set[str]] = {}
    for group, (side, _) in zip(groups, rows, strict=True):
        sides.setdefault(group, set()).add(side)
    assert all(len(where) == 1 for where in sides.values())
    times = [sample.at_ms for _, sample in rows]
    assert times == sorted(times)
    facts = data.facts
    assert len(rows) == facts.train + facts.validation + facts.test
    assert len(rows) + facts.copies + facts.seen_before == len(found)


def test_the_latest_are_held_out() -> None:
    """Seven tenths, a tenth and two tenths in the order of time."""
    found = [_example(place, _text(place)) for place in range(100)]
    data = examples_data(found)

    assert [len(data.sides[side]) for side in SIDES] == [70, 10, 20]
    assert data.rows("train", "validation", "test") == found
    assert examples_data(found[:1]).facts.train == 1
    assert examples_data([]).facts == DataFacts(
        train=0,
        validation=0,
        test=0,
        copies=0,
        seen_before=0,
        from_ms=0,
        until_ms=0,
        teachers=(),
        strata=(),
        sha256=examples_data([]).facts.sha256,
    )


def test_copies_become_one_with_all_that_was_said() -> None:
    """A person's word on one copy holds for all; who said so is kept of each."""
    labels = [
        Label(
            task="text_harm",
            ref=ref,
            text=text,
            scores={"hate": p},
            source=source,
            terms=terms,
            at_ms=at_ms,
        )
        for ref, text, p, source, terms, at_ms in (
            ("a", "Same words", 0.1, RENTED, "openai-2026-01-01", 1),
            ("b", "same  WORDS", 1.0, "person:ann", "own", 2),
            ("c", "other ones", 0.0, "person:ann", "own", 3),
        )
    ]
    data = examples_data(examples(labels), Shares(validation=0, test=0))
    first, other = data.rows("train")

    assert (first.ref, first.text, first.target("hate")) == ("a", "Same words", 1.0)
    assert (first.sources, first.terms) == (
        (RENTED, "person:ann"),
        ("openai-2026-01-01", "own"),
    )
    assert other.ref == "c"
    assert data.facts.copies == 1
    assert data.facts.teachers == (
        Teacher(source=RENTED, terms="openai-2026-01-01", labels=1),
        Teacher(source="person:ann", terms="own", labels=2),
    )
    assert data.facts.strata == (
        StratumCount(
            label="hate", language="unknown", source="person", train=1, validation=0, test=0
        ),
        StratumCount(
            label="none", language="unknown", source="person", train=1, validation=0, test=0
        ),
    )


def _of_strata(sizes: Sequence[int]) -> list[Example]:
    sources = [f"h/o/m{number}" for number, size in enumerate(sizes) for _ in range(size)]
    return [_example(place, _text(place), source=source) for place, source in enumerate(sources)]


def test_of_too_many_rare_strata_stay_whole() -> None:
    """Strata give in turns: the small one all it has, the two others as much as each other; the
    same again every time, and their order in time stays."""
    found = _of_strata([200, 100, 10])
    data = examples_data(found, most=60)
    chosen = data.rows(*SIDES)
    counts = [sum(one.sources == (f"h/o/m{n}",) for one in chosen) for n in range(3)]

    assert counts == [25, 25, 10]
    assert chosen == examples_data(found, most=60).rows(*SIDES)
    assert chosen == sorted(chosen, key=lambda one: one.at_ms)
    with pytest.raises(InputError, match="most is 0, expected 1 or more"):
        examples_data(found, most=0)


def test_languages_are_strata() -> None:
    """Where they are known, by what a text belongs to."""
    found = [_example(place, _text(place), p=place % 2) for place in range(4)]
    data = examples_data(found, Shares(validation=0, test=0.5), languages={"r0": "de", "r3": "en"})

    assert [(s.label, s.language, s.train, s.test) for s in data.facts.strata] == [
        ("hate", "en", 0, 1),
        ("hate", "unknown", 1, 0),
        ("none", "de", 1, 0),
        ("none", "unknown", 0, 1),
    ]


def test_the_digest_is_of_what_is_learned() -> None:
    """Another label on a text to train on is another data set; one to judge by is not."""
    found = [_example(place, _text(place)) for place in range(10)]

    def digest(place: int) -> str:
        changed = [
            replace(one, teacher={"hate": 0.9}) if one.at_ms == place else one for one in found
        ]
        return examples_data(changed).facts.sha256

    assert digest(9) == examples_data(found).facts.sha256
    assert digest(0) != examples_data(found).facts.sha256


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.2), (0.5, 0.5), (0.1, -1.0)])
def test_shares_leave_something_to_train_on(validation: float, test: float) -> None:
    """Or they are refused."""
    with pytest.raises(InputError, match="expected 0 or more each, together below 1"):
        Shares(validation=validation, test=test)
