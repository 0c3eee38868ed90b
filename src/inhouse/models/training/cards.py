"""What a model's card says, in words: what it is made of, and what the terms of its teachers allow.

Pure. What the terms allow is as we read them, and no legal advice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from inhouse.models.harvest.terms import StudentKind, Terms, terms_of
from inhouse.models.types import DataFacts, ModelCard, Teacher

# What weights are taken out for: machines of one's own, or anybody else's.
Purpose = Literal["own use", "others"]
ADVICE: Final = (
    "What terms allow is told here as we read them. It is no legal advice: ask a lawyer before "
    "weights leave."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """Terms that do not allow what is wanted, and the labels that came under them."""

    terms: Terms
    teachers: tuple[Teacher, ...]  # whose labels these are, by source

    @property
    def labels(self) -> int:
        return sum(teacher.labels for teacher in self.teachers)

    def in_words(self) -> str:
        """Which teacher, how many labels, which clause, and why."""
        said = ", ".join(
            f"{one.labels:,} of {one.source}" if one.labels else one.source for one in self.teachers
        )
        what = f"{self.labels:,} labels ({said})" if self.labels else said
        names = sorted({one.terms for one in self.teachers} - {self.terms.name})
        named = f" (named {', '.join(map(repr, names))})" if names else ""
        return (
            f"{what} came under {self.terms.name}{named}: "
            f"{self.terms.title}, {self.terms.clause}: {self.terms.why}"
        )


def teachers_on(card: ModelCard) -> tuple[Teacher, ...]:
    """Who taught the model, and last the model that it began as: its licence binds the weights too.
    Cards from before teachers were noted say under which terms how many labels came, and from whom
    in all."""
    taught = card.teachers
    if not taught and card.terms:
        anybody = " or ".join(card.sources)
        taught = tuple(
            Teacher(source=anybody, terms=terms, labels=labels)
            for terms, labels in card.terms.items()
        )
    if not card.base:
        return taught
    begun = Teacher(source=f"the weights of {card.base}", terms=card.base_terms, labels=0)
    return (*taught, begun)


def kind_of(card: ModelCard) -> StudentKind:
    """What terms call such a model."""
    return "text" if card.student == "causal" else "classifier"


def bounds(
    teachers: Sequence[Teacher], purpose: Purpose, kind: StudentKind = "classifier"
) -> list[Bound]:
    """The terms that forbid a model so taught for a purpose; none where it is allowed."""
    found: dict[str, list[Teacher]] = {}
    for teacher in teachers:
        terms = terms_of(teacher.terms)
        if not terms.may_train(kind) or (purpose == "others" and not terms.leaves):
            found.setdefault(terms.name, []).append(teacher)
    return [
        Bound(terms=terms_of(name), teachers=tuple(some)) for name, some in sorted(found.items())
    ]


def refusal(card: ModelCard, purpose: Purpose, found: Sequence[Bound]) -> str:
    """Why weights are not taken out, and what to do."""
    without = " ".join(f"--without {bound.terms.name}" for bound in found)
    told = "; ".join(bound.in_words() for bound in found)
    wanted = "given to others" if purpose == "others" else "trained from such labels"
    remedy = f"train it without them, `inhouse models train {card.task} {without}`"
    if purpose == "others" and not bounds(teachers_on(card), "own use", kind_of(card)):
        remedy += ", or take it out for your own machines alone, with --own-use"
    return f"{card.version} may not be {wanted}: {told}; {remedy}"


def card_in_words(card: ModelCard) -> str:
    """The card as Markdown."""
    made = datetime.fromtimestamp(card.created_ms / 1_000, UTC).strftime("%Y-%m-%d")
    lines = [
        f"# {card.version}",
        "",
        f"Task {card.task}, made {made} from {card.trained_on:,} texts. It knows "
        f"{', '.join(card.categories) or 'nothing'}.",
        "",
        "## What it may be used for",
        "",
        *_use_lines(card),
        "",
        "## Who taught it",
        "",
        *_teacher_lines(card),
        "",
        "## How good it is, on later texts that it had not seen",
        "",
        *_metric_lines(card),
    ]
    if card.data is not None:
        lines += ["", "## What it learned from", "", *_data_lines(card.data)]
    return "\n".join((*lines, ""))


def _use_lines(card: ModelCard) -> list[str]:
    teachers = teachers_on(card)
    asked: tuple[tuple[Purpose, str], ...] = (
        ("own use", "To be trained, and used on machines of your own"),
        ("others", "To be given to others"),
    )
    lines = []
    for purpose, words in asked:
        found = bounds(teachers, purpose, kind_of(card))
        lines.append(f"- {words}: {'not allowed' if found else 'allowed'}.")
        lines += [f"  - {bound.in_words()}." for bound in found]
    names = dict.fromkeys(teacher.terms for teacher in teachers)
    duties = {terms_of(name).name: terms_of(name).duty for name in names if terms_of(name).duty}
    lines += [f"- {name}: {duty}." for name, duty in duties.items()]
    return [*lines, "", ADVICE]


def _teacher_lines(card: ModelCard) -> list[str]:
    lines = ["| source | labels | terms | where they are written |", "| --- | --- | --- | --- |"]
    for one in teachers_on(card):
        source = terms_of(one.terms).source or "nowhere"
        lines.append(f"| {_cell(one.source)} | {one.labels:,} | {_cell(one.terms)} | {source} |")
    return lines


def _metric_lines(card: ModelCard) -> list[str]:
    lines = [
        "| category | AUPRC | recall at 1% false | calibration error | yes | no |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for category, found in card.metrics.items():
        values = (found.auprc, found.recall_at_1pct_fpr, found.ece)
        told = " | ".join("unknown" if value is None else f"{value:.3f}" for value in values)
        lines.append(f"| {category} | {told} | {found.positives:,} | {found.negatives:,} |")
    return lines


def _data_lines(data: DataFacts) -> list[str]:
    first, last = (
        datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%d")
        for ms in (data.from_ms, data.until_ms)
    )
    lines = [
        f"{data.train:,} texts to train on, {data.validation:,} to choose by and {data.test:,} to "
        f"judge by, from {first} to {last}, the latest last. {data.copies:,} copies were made one, "
        f"{data.seen_before:,} later texts left out that are nearly the same as earlier ones.",
        "",
        "| found | language | strongest word | train | validation | test |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {_cell(one.label)} | {one.language} | {_cell(one.source)} | {one.train:,} | "
        f"{one.validation:,} | {one.test:,} |"
        for one in data.strata
    ]
    return [*lines, "", f"SHA-256 of what is learned: `{data.sha256}`"]


def _cell(text: str) -> str:
    """As it may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")
