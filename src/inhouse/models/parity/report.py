"""Parity in full: the gate's answer, every slice of the traffic, and the cases to look at.

A slice is the texts that share a fact: a category, a language, how long their author had been
there, a week. Of each the questions of `gate` are asked. So many questions would be answered
wrongly now and then by chance, so their p-values are adjusted together (Holm 1979,
`stats.multiplicity`): with 95% certainty nothing is said of any slice that is not so. A slice that
needs several answers at once (harmful and harmless) passes where all do, the largest p-value
counting (intersection-union), and fails where any does, the smallest times their number. A slice
that fails refuses the version; one without enough evidence says how many labels it lacks, and does
not stand in the way.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from inhouse.models.harvest.labels import Example
from inhouse.models.parity.agreement import ANY, flagged
from inhouse.models.parity.beside import Beside
from inhouse.models.parity.gate import Finding, Parity, Verdict, decisive, findings_of, parity
from inhouse.models.parity.margins import Margin
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Scores
from inhouse.stats.intervals import z_value
from inhouse.stats.multiplicity import holm

CATEGORY: Final = "category"
WEEK: Final = "week"
UNKNOWN: Final = "unknown"
REST: Final = "the rest"
_MOST_VALUES: Final = 12  # of a fact; the rarer ones are taken together
_ALPHA: Final = 0.025  # of each side
_LEVEL: Final = 0.95
MOST_CASES: Final = 200


class Facts(Protocol):
    """What is known of what the texts belong to."""

    def of(self, refs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """By ref, the value of each fact; a ref nobody knows is absent."""


class NoFacts:
    """Where nothing is known but the texts."""

    def of(self, refs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """A part of the traffic, and how the models compare on it."""

    fact: str  # category, week, language, …
    value: str
    texts: int  # held out
    verdict: Verdict  # with the p-values of all slices adjusted together
    findings: tuple[Finding, ...]  # that decide it; each for itself
    p_pass: float  # adjusted
    p_fail: float  # adjusted
    more_needed: int | None  # further labels of this slice; 0 once settled, None where unknowable


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A text on which both models differ, and the category in which they do most."""

    ref: str  # of the text
    at_ms: int  # when it was first judged
    category: str  # that one of them finds
    p_teacher: float  # of that category, as the rented model says
    p_student: float  # as the owned one does
    teacher_flags: bool  # whether the rented model finds it
    student_flags: bool  # whether the owned one does
    people: bool | None  # whether people say it is there; None where they did not
    facts: Mapping[str, str]
    text: str | None = None  # only where the report was asked for with texts


@dataclass(frozen=True, kw_only=True, slots=True)
class ParityReport:
    """Whether a version may take over, with all that it rests on."""

    task: str
    version: str
    made_ms: int
    margin: float  # how much less often than the rented model it may be right
    signed: Margin | None  # whose word the margin is; None where it is the setting's
    overall: Parity  # as the gate reads it, with the slices
    slices: tuple[Slice, ...]
    differences: int  # held-out texts on which both models differ
    unjudged: int  # of which people have not judged
    cases: tuple[Case, ...]  # where they differ most, at most 200, the unjudged first
    beside: Beside | None = None  # the version in force, where this one is to replace it


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Held-out texts and what the version says of them."""

    held_out: Sequence[Example]
    student: Sequence[Scores]


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a report is of."""

    task: str
    version: str
    made_ms: int
    signed: Margin | None
    labels_to: int = 0  # up to where the task's labels were read
    with_texts: bool = False


def report_of(about: About, judged: Judged, facts: Facts, settings: ModelSettings) -> ParityReport:
    """The whole report. settings: with the margin that holds."""
    known = facts.of([example.ref for example in judged.held_out])
    signed = about.signed is not None
    overall = replace(
        parity(judged.held_out, judged.student, settings, signed=signed),
        made_ms=about.made_ms,
        labels_to=about.labels_to,
    )
    slices = _slices(judged, known, settings, signed=signed)
    cases = cases_of(judged, known, settings.flag_at)
    shown = [case if about.with_texts else replace(case, text=None) for case in cases]
    return ParityReport(
        task=about.task,
        version=about.version,
        made_ms=about.made_ms,
        margin=settings.margin,
        signed=about.signed,
        overall=_with_slices(overall, slices),
        slices=tuple(slices),
        differences=len(cases),
        unjudged=sum(case.people is None for case in cases),
        cases=tuple(shown[:MOST_CASES]),
    )


def cases_of(judged: Judged, known: Mapping[str, Mapping[str, str]], flag_at: float) -> list[Case]:
    """Every held-out text of which one model finds a category and the other does not, by the
    category in which they are widest apart: those that people have not judged first, and of each
    the widest apart first. People need judge no others: where both models say the same neither is
    the better."""
    found = [
        _case(example, scores, apart, known.get(example.ref, {}), flag_at)
        for example, scores in zip(judged.held_out, judged.student, strict=True)
        if (apart := _apart(example.teacher, scores, flag_at)) is not None
    ]
    return sorted(found, key=lambda c: (c.people is not None, -abs(c.p_teacher - c.p_student)))


def _apart(teacher: Scores, student: Scores, flag_at: float) -> str | None:
    """The category they are widest apart in, of those that one alone finds; None where there is
    none."""
    differing = [
        name for name, p in teacher.items() if (p >= flag_at) != (student.get(name, 0.0) >= flag_at)
    ]
    if not differing:
        return None
    return max(differing, key=lambda name: abs(teacher[name] - student.get(name, 0.0)))


def _case(
    example: Example, scores: Scores, category: str, facts: Mapping[str, str], flag_at: float
) -> Case:
    p_teacher, p_student = example.teacher[category], scores.get(category, 0.0)
    return Case(
        ref=example.ref,
        at_ms=example.at_ms,
        category=category,
        p_teacher=p_teacher,
        p_student=p_student,
        teacher_flags=p_teacher >= flag_at,
        student_flags=p_student >= flag_at,
        people=flagged(category, example.people, flag_at),
        facts=facts,
        text=example.text,
    )


def week_of(at_ms: int) -> str:
    """The ISO week a moment falls into.

    >>> week_of(1_767_225_600_000)
    '2026-W01'
    """
    year, week, _ = datetime.fromtimestamp(at_ms / 1_000, UTC).isocalendar()
    return f"{year}-W{week:02d}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Texts of one slice."""

    fact: str
    value: str
    about: str  # which question is asked: `any`, or a category
    places: tuple[int, ...]  # among the held-out texts


def _slices(
    judged: Judged,
    known: Mapping[str, Mapping[str, str]],
    settings: ModelSettings,
    *,
    signed: bool,
) -> list[Slice]:
    parts = _parts(judged, known)
    found = []
    for part in parts:
        pairs = [(judged.held_out[place], judged.student[place]) for place in part.places]
        found.append(
            decisive(findings_of(part.about, pairs, settings, signed=signed), signed=signed)
        )
    passes = holm([_all_of(findings) for findings in found])
    fails = holm([_any_of(findings) for findings in found])
    return [
        _slice(part, findings, (p_pass, p_fail), len(parts))
        for part, findings, p_pass, p_fail in zip(parts, found, passes, fails, strict=True)
    ]


def _slice(
    part: _Part, findings: Sequence[Finding], p: tuple[float, float], questions: int
) -> Slice:
    verdict: Verdict = "not_enough"
    if p[0] <= _ALPHA:
        verdict = "pass"
    elif p[1] <= _ALPHA:
        verdict = "fail"
    return Slice(
        fact=part.fact,
        value=part.value,
        texts=len(part.places),
        verdict=verdict,
        findings=tuple(findings),
        p_pass=p[0],
        p_fail=p[1],
        more_needed=0 if verdict != "not_enough" else _more(findings, questions),
    )


def _parts(judged: Judged, known: Mapping[str, Mapping[str, str]]) -> list[_Part]:
    """Categories, then facts and weeks, by their names."""
    examples = judged.held_out
    everything = tuple(range(len(examples)))
    named = {name for one in examples for name in (*one.teacher, *one.people)}
    parts = [
        _Part(fact=CATEGORY, value=name, about=name, places=everything) for name in sorted(named)
    ]
    facts = sorted({fact for one in known.values() for fact in one})
    by_fact: dict[str, list[str]] = {
        fact: [known.get(one.ref, {}).get(fact, UNKNOWN) for one in examples] for fact in facts
    }
    by_fact[WEEK] = [week_of(one.at_ms) for one in examples]
    for fact, values in by_fact.items():
        common = {value for value, _ in Counter(values).most_common(_MOST_VALUES)}
        grouped: dict[str, list[int]] = {}
        for place, value in enumerate(values):
            grouped.setdefault(value if value in common else REST, []).append(place)
        if len(grouped) > 1:  # one value alone is the whole
            parts += [
                _Part(fact=fact, value=value, about=ANY, places=tuple(grouped[value]))
                for value in sorted(grouped)
            ]
    return parts


def _all_of(findings: Sequence[Finding]) -> float:
    """p-value of passing them all."""
    return max((1.0 if one.p_pass is None else one.p_pass for one in findings), default=1.0)


def _any_of(findings: Sequence[Finding]) -> float:
    """p-value of failing any."""
    least = min((1.0 if one.p_fail is None else one.p_fail for one in findings), default=1.0)
    return min(1.0, least * max(1, len(findings)))


def _more(findings: Sequence[Finding], questions: int) -> int | None:
    """Further labels: what the open questions lack for themselves, times what asking so many at
    once takes, the squared ratio of the normal quantiles."""
    strict = _ALPHA / questions
    open_ones = [one for one in findings if one.p_pass is None or one.p_pass > strict]
    needs = [_scaled(one, questions) for one in open_ones]
    known = [need for need in needs if need is not None]
    return max(known) if known and len(known) == len(needs) else None


def _scaled(finding: Finding, questions: int) -> int | None:
    if finding.more_needed is None:
        return None
    factor = (z_value(1 - (1 - _LEVEL) / questions) / z_value(_LEVEL)) ** 2
    return max(1, math.ceil((finding.n + finding.more_needed) * factor) - finding.n)


def _with_slices(overall: Parity, slices: Sequence[Slice]) -> Parity:
    """A slice that fails refuses."""
    refusing = next((one for one in slices if one.verdict == "fail"), None)
    if refusing is None or overall.verdict == "fail":
        return overall
    return replace(
        overall,
        verdict="fail",
        reason=f"{refusing.fact} {refusing.value}: worse than the rented model, p = "
        f"{refusing.p_fail:.4f} with all {len(slices)} slices adjusted for",
        more_needed=0,
    )
