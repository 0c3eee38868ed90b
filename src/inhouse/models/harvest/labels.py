"""Labels: what rented models, people and term banks said of texts, with their source and terms."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import Fault, InputError
from inhouse.models.harvest.terms import full_name, hint, terms_of
from inhouse.models.types import Label
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import delete_in, insert_new

PERSON: Final = "person"  # the source of a person's label, or its beginning: person:NAME
_BY: Final = f"{PERSON}:"
BANK: Final = "bank:"  # begins the source of a label that a term bank gave: bank:NAME
_MOST_CHARS: Final = 100_000  # of a labelled text
_MOST_NAME_CHARS: Final = 128  # of a ref, and of a source
_MOST_TERMS_CHARS: Final = 64
_JOINT: Final = "\x1f"


class _UnderTerms(Protocol):
    @property
    def terms(self) -> str: ...


L = TypeVar("L", bound=_UnderTerms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A text and all that is known of it."""

    ref: str  # what the text belongs to
    text: str
    at_ms: int  # when it was first judged
    teacher: Mapping[str, float]  # latest probability by category; empty where none was asked
    people: Mapping[str, float]  # 0 or 1 by category; empty where nobody looked
    sources: tuple[str, ...]  # who said so
    terms: tuple[str, ...]  # under which terms, source by source
    banks: Mapping[str, float] = field(default_factory=dict)  # of term banks, by category

    def truth(self, category: str) -> float | None:
        """What to judge a model by: a person's word before a model's; None where neither spoke."""
        return self.people.get(category, self.teacher.get(category))

    def target(self, category: str) -> float | None:
        """What to learn: the truth, or where there is none a term bank's word: a bank teaches, but
        nobody is judged by it."""
        truth = self.truth(category)
        return self.banks.get(category) if truth is None else truth


def is_person(source: str) -> bool:
    """Whether a label comes from a person."""
    return source == PERSON or source.startswith(_BY)


def source_of(host: str, owner: str, model: str) -> str:
    """How labels and comparisons name a rented model."""
    return f"{host}/{owner}/{model}"[:128]


def label_fault(label: Label) -> Fault | None:
    """What cannot be kept of a label; the text itself is not repeated."""
    if len(label.text) > _MOST_CHARS:
        expected = f"at most {_MOST_CHARS:,} characters"
        return Fault(field="text", value=f"{len(label.text):,} characters", expected=expected)
    for place, value, most in (
        ("ref", label.ref, _MOST_NAME_CHARS),
        ("labelled_by", label.source.removeprefix(_BY), _MOST_NAME_CHARS - len(_BY)),
        ("terms", label.terms, _MOST_TERMS_CHARS),
    ):
        if len(value) > most:
            return Fault(field=place, value=repr(value)[:80], expected=f"at most {most} characters")
    return None


def add_labels(connection: Connection, labels: Sequence[Label]) -> int:
    """Keep labels in the caller's transaction; returns how many were new.

    A model asked twice about the same text says nothing new. A person who decides again does, and
    a person's label without any scores takes back what people said of the text before.
    """
    rows = [
        {
            "label_id": _label_id(label),
            "task": label.task,
            "ref": label.ref,
            "input_text": label.text,
            "answer": json.dumps(dict(label.scores), sort_keys=True),
            "source": label.source,
            "terms": label.terms,
            "at_ms": label.at_ms,
        }
        for label in labels
    ]
    return insert_new(connection, tables.labels, rows)


def erase_labels(connection: Connection, refs: Sequence[str]) -> int:
    """Remove what was said of these texts, with the texts, in the caller's transaction."""
    return sum(
        delete_in(connection, table.c.ref, refs) for table in (tables.labels, tables.comparisons)
    )


def expire_labels(connection: Connection, until_ms: int) -> int:
    """Remove labels that are older, with their texts, in the caller's transaction; one without a
    time counts as old. Returns how many went."""
    table = tables.labels
    return connection.execute(table.delete().where(table.c.at_ms < until_ms)).rowcount


def _label_id(label: Label) -> str:
    told = (label.task, label.ref, label.source, label.text)
    again = (str(label.at_ms), json.dumps(dict(label.scores), sort_keys=True))
    whole = _JOINT.join((*told, *again) if is_person(label.source) else told)
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


class Labels:
    """Reads of the labels of one community."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, labels: Sequence[Label]) -> int:
        """Keep labels; returns how many were new."""
        return self._database.write(lambda connection: add_labels(connection, labels))

    def latest(self, task: str, limit: int) -> list[Label]:
        """The newest `limit` labels of a task, oldest first."""
        table = tables.labels
        query = (
            sa.select(table)
            .where(table.c.task == task)
            .order_by(table.c.log_offset.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [_label(row) for row in reversed(rows)]

    def counts(self, task: str) -> dict[str, int]:
        """Labels by source."""
        table = tables.labels
        query = (
            sa.select(table.c.source, sa.func.count().label("labels"))
            .where(table.c.task == task)
            .group_by(table.c.source)
            .order_by(table.c.source)
        )
        with self._database.read() as connection:
            return {row.source: row.labels for row in connection.execute(query)}

    def last_offset(self, task: str) -> int:
        """The place of the latest label of a task in their log; 0 without any."""
        c = tables.labels.c
        query = sa.select(sa.func.max(c.log_offset)).where(c.task == task)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def of_people_after(self, task: str, offset: int) -> int:
        """How many labels of people came after a place in the log."""
        c = tables.labels.c
        by_people = sa.or_(c.source == PERSON, c.source.startswith(_BY, autoescape=True))
        query = sa.select(sa.func.count()).where(c.log_offset > offset, c.task == task, by_people)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())


def _label(row: Any) -> Label:
    return Label(
        task=row["task"],
        ref=row["ref"],
        text=row["input_text"],
        scores=json.loads(row["answer"]),
        source=row["source"],
        terms=row["terms"],
        at_ms=row["at_ms"],
    )


def without_terms(found: Sequence[L], names: Sequence[str]) -> list[L]:
    """What came under other terms than these. Raises InputError for a name that the table of terms
    does not have."""
    refused = {full_name(name) for name in names}
    if None in refused:
        wrong = next(name for name in names if full_name(name) is None)
        raise InputError(f"no terms are called {wrong[:40]!r}; expected {hint(wrong)}")
    return [one for one in found if terms_of(one.terms).name not in refused]


def examples(labels: Sequence[Label]) -> list[Example]:
    """Labels (oldest first) as one example a text, in the order they were first judged.

    A ref whose text was changed gives an example for each text. Of several labels of the same
    kind the later one counts, category by category.
    """
    together: dict[tuple[str, str], list[Label]] = {}
    for label in labels:
        together.setdefault((label.ref, label.text), []).append(label)
    found = [_example(same) for same in together.values()]
    return sorted(found, key=lambda example: example.at_ms)


def _example(labels: Sequence[Label]) -> Example:
    teacher: dict[str, float] = {}
    people: dict[str, float] = {}
    banks: dict[str, float] = {}
    terms: dict[str, str] = {}
    for label in labels:
        if is_person(label.source) and not label.scores:
            people.clear()
        if label.source.startswith(BANK):
            banks.update(label.scores)
        else:
            (people if is_person(label.source) else teacher).update(label.scores)
        terms[label.source] = label.terms
    return Example(
        ref=labels[0].ref,
        text=labels[0].text,
        at_ms=min(label.at_ms for label in labels),
        teacher=teacher,
        people=people,
        sources=tuple(terms),
        terms=tuple(terms.values()),
        banks=banks,
    )


def by_source(found: Sequence[Example]) -> dict[str, list[Example]]:
    """The examples each source spoke of."""
    split: dict[str, list[Example]] = {}
    for example in found:
        for source in example.sources:
            split.setdefault(source, []).append(example)
    return split
