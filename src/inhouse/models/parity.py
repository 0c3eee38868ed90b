"""Is the model trained here as good as the rented one? Yes, no, or how many labels it still takes.

Two references, on texts the model was not trained on:

people    where enough texts carry a person's label and the rented model's answer, the owned model
          must not be right less often than the rented one by more than `margin`, on what people
          call harmful and on what they call harmless, each (stats.noninferiority, paired).
          Where no rented model was asked, it must agree with people instead.
teacher   else its balanced agreement with the rented model must reach `least_agreement`.

People decide where they can. Any single category with enough evidence may still refuse; one without
is named with what it lacks, and does not stand in the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from inhouse.models.agreement import ANY, Agreement, agreement, flagged
from inhouse.models.harvest import Example
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Scores
from inhouse.stats.noninferiority import NonInferiority, paired
from inhouse.stats.types import Interval, NotEnough

Verdict = Literal["pass", "fail", "not_enough"]
Reference = Literal["people_and_teacher", "people", "teacher"]
LATER_SHARE: Final = 0.3  # of the labels, the latest, held out


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One category held against one reference."""

    category: str  # or `any`
    reference: Reference
    question: str  # what was compared, in words
    verdict: Verdict
    n: int  # texts it rests on
    estimate: float | None  # of the difference or of the agreement; None without texts
    low: float | None  # lower end of its 95% interval
    high: float | None
    bar: float  # what the interval must lie above
    more_needed: int | None  # further labels; 0 once settled, None where unknowable


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """The report, and what it amounts to."""

    verdict: Verdict
    reason: str  # in words
    held_out: int  # texts it rests on
    more_needed: int | None  # further labelled texts; 0 once settled, None where unknowable
    findings: tuple[Finding, ...]  # `any` first


def parity(
    held_out: Sequence[Example], student: Sequence[Scores], settings: ModelSettings
) -> Parity:
    """Hold a student's scores against the labels of texts it has not seen, in the same order."""
    pairs = list(zip(held_out, student, strict=True))
    named = {name for example in held_out for name in (*example.teacher, *example.people)}
    findings = [
        finding
        for category in (ANY, *sorted(named))
        for finding in _findings(category, pairs, settings)
    ]
    verdict, reason, more = _verdict(findings)
    return Parity(
        verdict=verdict,
        reason=reason,
        held_out=len(held_out),
        more_needed=more,
        findings=tuple(findings),
    )


_Pairs = Sequence[tuple[Example, Scores]]


def _findings(category: str, pairs: _Pairs, settings: ModelSettings) -> list[Finding]:
    """Strongest reference first; a reference without any text is left out."""
    both = [(e, s) for e, s in pairs if e.people and e.teacher]
    alone = [(e, s) for e, s in pairs if e.people and not e.teacher]
    taught = [(e, s) for e, s in pairs if e.teacher]
    found: list[Finding] = []
    if both:
        found.extend(_against_both(category, both, settings))
    if alone and not taught:
        judged = agreement(category, [(e.people, s) for e, s in alone], settings.flag_at)
        found.append(_agreeing(judged, "people", settings.least_agreement))
    if taught:
        judged = agreement(category, [(e.teacher, s) for e, s in taught], settings.flag_at)
        found.append(_agreeing(judged, "teacher", settings.least_agreement))
    return found


def _against_both(category: str, pairs: _Pairs, settings: ModelSettings) -> list[Finding]:
    """Non-inferiority on what people call harmful, and on what they call harmless."""
    right: dict[bool, tuple[list[bool], list[bool]]] = {True: ([], []), False: ([], [])}
    for example, scores in pairs:
        truth = flagged(category, example.people, settings.flag_at)
        teacher = flagged(category, example.teacher, settings.flag_at)
        if truth is None or teacher is None:
            continue
        new, old = right[truth]
        new.append(bool(flagged(category, scores, settings.flag_at)) == truth)
        old.append(teacher == truth)
    found = []
    for truth, word in ((True, "harmful"), (False, "harmless")):
        new, old = right[truth]
        if new:
            answer = paired(new, old, settings.margin)
            found.append(_non_inferior(category, word, answer))
    return found


def _non_inferior(category: str, word: str, answer: NonInferiority) -> Finding:
    verdicts: dict[str, Verdict] = {
        "non_inferior": "pass",
        "inferior": "fail",
        "not_enough": "not_enough",
    }
    difference = answer.difference
    return Finding(
        category=category,
        reference="people_and_teacher",
        question=f"right about what people call {word}, against the rented model",
        verdict=verdicts[answer.verdict],
        n=answer.n,
        estimate=difference.estimate if difference else None,
        low=difference.low if difference else None,
        high=difference.high if difference else None,
        bar=-answer.margin,
        more_needed=answer.more_needed,
    )


def _agreeing(judged: Agreement, reference: Reference, bar: float) -> Finding:
    interval = judged.interval()
    told = interval if isinstance(interval, Interval) else None
    return Finding(
        category=judged.category,
        reference=reference,
        question=f"balanced agreement with {_NAMES[reference]}",
        verdict=verdict_of(interval, bar),
        n=judged.pairs,
        estimate=judged.balanced,
        low=told.low if told else None,
        high=told.high if told else None,
        bar=bar,
        more_needed=judged.more_needed(bar, interval),
    )


_NAMES: Final = {
    "people": "people",
    "teacher": "the rented model",
    "people_and_teacher": "people, against the rented model",
}


def verdict_of(interval: Interval | NotEnough, bar: float) -> Verdict:
    """Where an interval lies to the bar it must clear."""
    if isinstance(interval, NotEnough):
        return "not_enough"
    if interval.low >= bar:
        return "pass"
    return "fail" if interval.high < bar else "not_enough"


def _verdict(findings: Sequence[Finding]) -> tuple[Verdict, str, int | None]:
    """The overall question decides; a single category may refuse."""
    overall = _decisive([finding for finding in findings if finding.category == ANY])
    if not overall:
        return "not_enough", "no labelled text is held out", None
    refusing = [finding for finding in overall if finding.verdict == "fail"]
    for category in sorted({finding.category for finding in findings} - {ANY}):
        own = _decisive([finding for finding in findings if finding.category == category])
        refusing.extend(finding for finding in own if finding.verdict == "fail")
    if refusing:
        worst = refusing[0]
        return "fail", f"{worst.category}: {worst.question} is {_told(worst)}", 0
    open_ones = [finding for finding in overall if finding.verdict == "not_enough"]
    if open_ones:
        needs = [finding.more_needed for finding in open_ones]
        more = None if None in needs else max(need for need in needs if need is not None)
        count = "an unknown number of" if more is None else f"{more:,}"
        asked = open_ones[0]
        return (
            "not_enough",
            f"not enough evidence, {count} more labels needed: {asked.question} is {_told(asked)}",
            more,
        )
    return "pass", f"{overall[0].question} is {_told(overall[0])}", 0


def _decisive(findings: Sequence[Finding]) -> list[Finding]:
    """People's findings where they settle the question, else the teacher's, else people's."""
    people = [finding for finding in findings if finding.reference != "teacher"]
    teacher = [finding for finding in findings if finding.reference == "teacher"]
    if any(finding.verdict == "fail" for finding in people):
        return people
    settled = len(people) > 1 or (people and people[0].reference == "people")
    if settled and all(finding.verdict == "pass" for finding in people):
        return people
    return teacher or people


def _told(finding: Finding) -> str:
    if finding.low is None or finding.high is None or finding.estimate is None:
        return f"unknown after {finding.n} texts"
    return (
        f"{finding.estimate:.3f} ({finding.low:.3f} to {finding.high:.3f}, "
        f"must be above {finding.bar:.3f}) on {finding.n} texts"
    )
