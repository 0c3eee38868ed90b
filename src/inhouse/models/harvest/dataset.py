"""Data sets: what there is to learn from, without copies, split by time, counted by stratum.

    1. copies (the same in normal form) become one, with all that was said of any of them
    2. where fewer are wanted than there are, strata give in turns, so that rare ones stay whole
    3. the earliest are to train on, then those to choose by, and the latest are to judge by
    4. a later text that is nearly the same as one on an earlier side is left out: who has seen the
       answer shows nothing by knowing it

Training and `inhouse models data` read the same sides. Pure.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, TypeVar, get_args

import msgspec
import numpy as np

from inhouse.core.errors import InputError
from inhouse.models.harvest.labels import BANK, Example, is_person
from inhouse.models.harvest.near import groups_of
from inhouse.models.harvest.pairs import Pair
from inhouse.models.harvest.terms import UNKNOWN
from inhouse.models.owned.hashing import normal_parts
from inhouse.models.types import DataFacts, StratumCount, Teacher

Side = Literal["train", "validation", "test"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
UNKNOWN_LANGUAGE: Final = "unknown"
NOTHING_FOUND: Final = "none"
ANSWERED: Final = "text"  # what is found in a pair: an answer
FOUND_AT: Final = 0.5  # probability from which on a category counts as found
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """How much of the texts is kept from training, the latest of them."""

    validation: float = 0.1
    test: float = 0.2

    @property
    def train(self) -> float:
        """How much is left to train on, the earliest."""
        return 1 - self.validation - self.test

    def __post_init__(self) -> None:
        if min(self.validation, self.test) < 0 or self.validation + self.test >= 1:
            raise InputError(
                f"shares of {self.validation:g} to choose by and {self.test:g} to judge by; "
                "expected 0 or more each, together below 1"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """What kind of sample something is."""

    label: str  # what was found
    language: str
    source: str  # the strongest word on it


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample(Generic[R]):
    """One thing to learn from."""

    text: str  # by which it is told whether others are the same, or nearly
    at_ms: int
    stratum: Stratum
    teachers: tuple[tuple[str, str], ...]  # who said so, under which terms
    row: R


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet(Generic[R]):
    """Samples by side, each side in the order of time, and their facts."""

    sides: Mapping[Side, tuple[Sample[R], ...]]
    facts: DataFacts

    def rows(self, *sides: Side) -> list[R]:
        """What there is to learn on those sides, in the order of time."""
        return [sample.row for side in sides for sample in self.sides[side]]


def examples_data(
    found: Sequence[Example],
    shares: Shares | None = None,
    *,
    languages: Mapping[str, str] | None = None,
    most: int | None = None,
) -> DataSet[Example]:
    """The data set of labelled texts, which come in the order of time.

    languages: by ref, where known. most: texts at most; None for all.
    """
    merged = [_merged(same) for same in _same_texts(found)]
    merged.sort(key=lambda example: example.at_ms)
    samples = [_sample(example, languages or {}) for example in merged]
    return split(samples, shares or Shares(), most=most, copies=len(found) - len(merged))


def pairs_data(
    pairs: Sequence[Pair],
    shares: Shares | None = None,
    *,
    languages: Mapping[str, str] | None = None,
    most: int | None = None,
) -> DataSet[Pair]:
    """The data set of questions and answers, which come in the order of time. Who is alike is told
    by the last question and the answer. languages: by call, where known."""
    firsts: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda one: one.at_ms):
        firsts.setdefault(normal_text(pair.gist()), pair)
    samples = [
        Sample(
            text=pair.gist(),
            at_ms=pair.at_ms,
            stratum=Stratum(
                label=ANSWERED,
                language=(languages or {}).get(pair.call_id, UNKNOWN_LANGUAGE),
                source=pair.source,
            ),
            teachers=((pair.source, pair.terms),),
            row=pair,
        )
        for pair in firsts.values()
    ]
    return split(samples, shares or Shares(), most=most, copies=len(pairs) - len(samples))


def split(
    samples: Sequence[Sample[R]], shares: Shares, *, most: int | None = None, copies: int = 0
) -> DataSet[R]:
    """Samples in the order of time on three sides; copies: how many were merged before."""
    chosen = list(samples) if most is None else _chosen(samples, most)
    cuts = [round(len(chosen) * (1 - shares.validation - shares.test))]
    cuts.append(max(cuts[0], round(len(chosen) * (1 - shares.test))))
    place = np.searchsorted(cuts, np.arange(len(chosen)), side="right")
    groups = groups_of([sample.text for sample in chosen])
    # The first of a group is its earliest member, so it stands on the earliest side of all.
    is_fresh = place == place[groups] if len(chosen) else np.zeros(0, dtype=np.bool_)
    sides: dict[Side, tuple[Sample[R], ...]] = {
        side: tuple(chosen[n] for n in np.flatnonzero(is_fresh & (place == number)))
        for number, side in enumerate(SIDES)
    }
    facts = _facts(sides, copies, int((~is_fresh).sum()))
    return DataSet(sides=sides, facts=facts)


def stratum_key(stratum: Stratum) -> tuple[str, str, str]:
    """In which order strata are told."""
    return stratum.label, stratum.language, stratum.source


def _same_texts(found: Sequence[Example]) -> list[list[Example]]:
    together: dict[str, list[Example]] = {}
    for example in found:
        together.setdefault(normal_text(example.text), []).append(example)
    return list(together.values())


def normal_text(text: str) -> str:
    """By which copies are known: letters as `owned.hashing` reads them, one space between words.

    >>> normal_text(" Café\\n AU lait ")
    'cafe au lait'
    """
    return " ".join("".join(normal_parts(text)).split())


def _merged(same: Sequence[Example]) -> Example:
    """Copies as one, by the name of the first; of what was said the later word counts."""
    first = same[0]
    if len(same) == 1:
        return first
    said = {pair: None for one in same for pair in zip(one.sources, one.terms, strict=True)}
    return replace(
        first,
        teacher={name: p for one in same for name, p in one.teacher.items()},
        people={name: p for one in same for name, p in one.people.items()},
        banks={name: p for one in same for name, p in one.banks.items()},
        sources=tuple(source for source, _ in said),
        terms=tuple(terms for _, terms in said),
    )


def _sample(example: Example, languages: Mapping[str, str]) -> Sample[Example]:
    names = {*example.teacher, *example.people, *example.banks}
    yes = sorted(name for name in names if (example.target(name) or 0.0) >= FOUND_AT)
    return Sample(
        text=example.text,
        at_ms=example.at_ms,
        stratum=Stratum(
            label="+".join(yes) or NOTHING_FOUND,
            language=languages.get(example.ref, UNKNOWN_LANGUAGE),
            source=_strongest(example.sources),
        ),
        teachers=tuple(zip(example.sources, example.terms, strict=True)),
        row=example,
    )


def _strongest(sources: Sequence[str]) -> str:
    if any(map(is_person, sources)):
        return "person"
    models = [source for source in sources if not source.startswith(BANK)]
    return (models or list(sources) or [""])[-1]


def _chosen(samples: Sequence[Sample[R]], most: int) -> list[Sample[R]]:
    """At most so many, in their order. Strata give one after the other, each the ones whose digest
    is least, so that the choice is random and the same every time."""
    if most < 1:
        raise InputError(f"most is {most}, expected 1 or more", field="most")
    turns: Counter[tuple[str, str, str]] = Counter()
    rank: list[tuple[int, bytes, int]] = []
    digests = [_digest(sample.text) for sample in samples]
    for place in sorted(range(len(samples)), key=lambda n: digests[n]):
        key = stratum_key(samples[place].stratum)
        rank.append((turns[key], digests[place], place))
        turns[key] += 1
    return [samples[place] for place in sorted(place for _, _, place in sorted(rank)[:most])]


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _facts(sides: Mapping[Side, Sequence[Sample[R]]], copies: int, seen_before: int) -> DataFacts:
    every = [sample for side in SIDES for sample in sides[side]]
    times = [sample.at_ms for sample in every]
    return DataFacts(
        train=len(sides["train"]),
        validation=len(sides["validation"]),
        test=len(sides["test"]),
        copies=copies,
        seen_before=seen_before,
        from_ms=min(times, default=0),
        until_ms=max(times, default=0),
        teachers=teachers_of(every),
        strata=_strata(sides),
        sha256=_sha256(sides["train"]),
    )


def teachers_of(samples: Sequence[Sample[R]]) -> tuple[Teacher, ...]:
    """Who said what there is to learn, under which terms, and how often."""
    said = Counter(
        (source, terms or UNKNOWN.name) for sample in samples for source, terms in sample.teachers
    )
    return tuple(
        Teacher(source=source, terms=terms, labels=count)
        for (source, terms), count in sorted(said.items())
    )


def _strata(sides: Mapping[Side, Sequence[Sample[R]]]) -> tuple[StratumCount, ...]:
    counts = {side: Counter(stratum_key(one.stratum) for one in sides[side]) for side in SIDES}
    return tuple(
        StratumCount(
            label=key[0],
            language=key[1],
            source=key[2],
            train=counts["train"][key],
            validation=counts["validation"][key],
            test=counts["test"][key],
        )
        for key in sorted({key for counter in counts.values() for key in counter})
    )


def _sha256(samples: Sequence[Sample[R]]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(msgspec.json.encode((_digest(sample.text), sample.row), order="sorted"))
    return digest.hexdigest()
