"""Is the model trained here as good as the rented one? Yes, no, or what it takes to know.

Two references, on texts the model was not trained on:

people    settle the texts on which the two models differ: where they agree, neither is the better.
          Among what is harmful and among what is harmless, each, the owned model must not be right
          less often than the rented one by more than `margin` (stats.noninferiority, paired). A
          difference no person has judged counts against the owned model; if it would pass with all
          of them in its favour, the answer is how many differences people should judge.
teacher   else its kappa with the rented model must reach `least_agreement` (see `agreement`). A
          rented model that errs at random limits what any other can reach.

Where no rented model was asked at all, the reference is what people said, by kappa too. People
decide where they can, and alone where somebody signed the margin: kappa then lets nothing pass. A
single category with enough evidence may refuse; one without is listed with what it lacks, and does
not stand in the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from inhouse.models.harvest.labels import Example
from inhouse.models.parity.agreement import ANY, Agreement, agreement, flagged, flagged_too
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Scores
from inhouse.stats.drift import Population, population
from inhouse.stats.noninferiority import NonInferiority, paired_counts
from inhouse.stats.types import Interval, NotEnough

Verdict = Literal["pass", "fail", "not_enough"]
Reference = Literal["people_and_teacher", "people", "teacher"]
_LACKING: Final = "not enough evidence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One category held against one reference."""

    category: str  # or `any`
    reference: Reference
    question: str  # what was compared, in words
    verdict: Verdict
    n: int  # texts it rests on
    estimate: float | None  # of the difference or of kappa; None without texts
    low: float | None  # lower end of its 95% interval
    high: float | None
    bar: float  # what the interval must lie above
    more_needed: int | None  # further labels; 0 once settled, None where unknowable
    p_pass: float | None = None  # chance of an estimate so far above the bar, were it on the bar
    p_fail: float | None = None  # the same of one so far below


@dataclass(frozen=True, kw_only=True, slots=True)
class Parity:
    """The report, and what it amounts to."""

    verdict: Verdict
    reason: str  # in words
    held_out: int  # texts it rests on
    more_needed: int | None  # further labelled texts; 0 once settled, None where unknowable
    findings: tuple[Finding, ...]  # `any` first
    agreement: Agreement | None = None  # with the rented model on `any`; None if never asked
    population: Population | None = None  # the owned model's largest probabilities
    people: int = 0  # held-out texts that people judged
    made_ms: int | None = None  # when it was made; None of reports from before that was kept
    labels_to: int = 0  # it rests on the task's labels up to this place in their log

    @property
    def kappa(self) -> float | None:
        """Agreement with the rented model on whether anything was found; None if never asked."""
        for finding in self.findings:
            if finding.category == ANY and finding.reference == "teacher":
                return finding.estimate
        return None


def parity(
    held_out: Sequence[Example],
    student: Sequence[Scores],
    settings: ModelSettings,
    *,
    signed: bool = False,
) -> Parity:
    """Hold a student's scores against the labels of texts it has not seen, in the same order.

    signed: whether somebody answers for the margin; then people alone decide.
    """
    pairs = list(zip(held_out, student, strict=True))
    named = {name for example in held_out for name in (*example.teacher, *example.people)}
    findings = [
        finding
        for category in (ANY, *sorted(named))
        for finding in findings_of(category, pairs, settings, signed=signed)
    ]
    verdict, reason, more = _verdict(findings, signed=signed)
    return Parity(
        verdict=verdict,
        reason=reason,
        held_out=len(held_out),
        more_needed=more,
        findings=tuple(findings),
        agreement=_agreement(pairs, settings.flag_at),
        population=population([largest(scores) for scores in student]) if student else None,
        people=sum(bool(example.people) for example in held_out),
    )


def largest(scores: Scores) -> float:
    """The largest probability, 0 without any."""
    return max(scores.values(), default=0.0)


def verdict_of(interval: Interval | NotEnough, bar: float) -> Verdict:
    """Where an interval lies to the bar it must clear."""
    if isinstance(interval, NotEnough):
        return "not_enough"
    if interval.low >= bar:
        return "pass"
    return "fail" if interval.high < bar else "not_enough"


Pairs = Sequence[tuple[Example, Scores]]


def _agreement(pairs: Pairs, flag_at: float) -> Agreement | None:
    taught = [(example.teacher, scores) for example, scores in pairs if example.teacher]
    return agreement(ANY, taught, flag_at) if taught else None


def findings_of(
    category: str, pairs: Pairs, settings: ModelSettings, *, signed: bool
) -> list[Finding]:
    """Strongest reference first; a reference that said nothing is left out, but for people where
    they decide."""
    taught = [(e, s) for e, s in pairs if e.teacher]
    found: list[Finding] = []
    if (taught and signed) or any(example.people for example, _ in taught):
        split = _split(category, taught, settings.flag_at)
        found.extend(_by_people(category, split, settings.margin))
    if taught:
        judged = agreement(category, [(e.teacher, s) for e, s in taught], settings.flag_at)
        found.append(_agreeing(judged, "teacher", settings.least_agreement))
    elif pairs:
        judged = agreement(category, [(e.people, s) for e, s in pairs], settings.flag_at)
        found.append(_agreeing(judged, "people", settings.least_agreement))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Side:
    """Texts that are harmful, or harmless, by who got them right."""

    gained: int  # only the owned model, as people say
    lost: int  # only the rented model, as people say
    unjudged: int  # the models differ; only the rented one is right, unless people say otherwise
    same: int  # both right, or both wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class _Split:
    harmful: _Side
    harmless: _Side


def _split(category: str, pairs: Pairs, flag_at: float) -> _Split:
    """Count every text by what the two models and, if anybody, people say of it. A text on which
    both models agree is what they say, unless people say otherwise."""
    counts: dict[tuple[bool, str], int] = {}
    for example, scores in pairs:
        teacher = flagged(category, example.teacher, flag_at)
        if teacher is None:
            continue
        student = flagged_too(category, example.teacher, scores, flag_at)
        truth = flagged(category, example.people, flag_at)
        if teacher == student:
            key = (teacher if truth is None else truth, "same")
        elif truth is None:
            key = (teacher, "unjudged")
        else:
            key = (truth, "gained" if student == truth else "lost")
        counts[key] = counts.get(key, 0) + 1
    sides = [
        _Side(
            gained=counts.get((harmful, "gained"), 0),
            lost=counts.get((harmful, "lost"), 0),
            unjudged=counts.get((harmful, "unjudged"), 0),
            same=counts.get((harmful, "same"), 0),
        )
        for harmful in (True, False)
    ]
    return _Split(harmful=sides[0], harmless=sides[1])


def _by_people(category: str, split: _Split, margin: float) -> list[Finding]:
    return [
        _non_inferior(category, word, side, margin)
        for word, side in (("harmful", split.harmful), ("harmless", split.harmless))
        if side.gained + side.lost + side.unjudged + side.same
    ]


def _non_inferior(category: str, word: str, side: _Side, margin: float) -> Finding:
    worst = _compared(side.gained, side.lost + side.unjudged, side, margin)
    best = _compared(side.gained, side.lost, side, margin)
    verdict: Verdict = "not_enough"
    more = worst.more_needed
    if worst.verdict == "non_inferior":
        verdict = "pass"
    elif best.verdict == "inferior":
        verdict, more = "fail", 0
    elif best.verdict == "non_inferior":
        more = side.unjudged
    difference = worst.difference
    return Finding(
        category=category,
        reference="people_and_teacher",
        question=f"right about what is {word}, compared with the rented model, "
        f"{side.unjudged} differences unjudged by people",
        verdict=verdict,
        n=worst.n,
        estimate=difference.estimate if difference else None,
        low=difference.low if difference else None,
        high=difference.high if difference else None,
        bar=-margin,
        more_needed=more,
        p_pass=worst.p_non_inferior,
        p_fail=best.p_inferior,
    )


def _compared(gained: int, lost: int, side: _Side, margin: float) -> NonInferiority:
    return paired_counts(gained, lost, gained + lost + side.same, margin)


def _agreeing(judged: Agreement, reference: Reference, bar: float) -> Finding:
    interval = judged.interval()
    told = interval if isinstance(interval, Interval) else None
    name = "people" if reference == "people" else "the rented model"
    return Finding(
        category=judged.category,
        reference=reference,
        question=f"agreement with {name} (kappa)",
        verdict=verdict_of(interval, bar),
        n=judged.pairs,
        estimate=judged.kappa,
        low=told.low if told else None,
        high=told.high if told else None,
        bar=bar,
        more_needed=judged.more_needed(bar),
        p_pass=judged.p_above(bar),
        p_fail=judged.p_below(bar),
    )


def _verdict(findings: Sequence[Finding], *, signed: bool) -> tuple[Verdict, str, int | None]:
    """The overall question decides; a single category may refuse."""
    overall = decisive([one for one in findings if one.category == ANY], signed=signed)
    if not overall:
        return "not_enough", f"{_LACKING}: no labelled text is held out", None
    refusing = [finding for finding in overall if finding.verdict == "fail"]
    for category in sorted({finding.category for finding in findings} - {ANY}):
        own = decisive([one for one in findings if one.category == category], signed=signed)
        refusing.extend(finding for finding in own if finding.verdict == "fail")
    if refusing:
        return "fail", f"{refusing[0].category}: {_told(refusing[0])}", 0
    open_ones = [finding for finding in overall if finding.verdict == "not_enough"]
    if not open_ones:
        return "pass", "; ".join(map(_told, overall)), 0
    needs = [finding.more_needed for finding in open_ones]
    known = [need for need in needs if need is not None]
    more = max(known) if len(known) == len(needs) else None
    count = "an unknown number of" if more is None else f"{more:,}"
    return (
        "not_enough",
        f"{_LACKING}, {count} more labels needed: {_told(open_ones[0])}",
        more,
    )


def decisive(findings: Sequence[Finding], *, signed: bool) -> list[Finding]:
    """People's findings where they settle the question or the margin is signed, else the rented
    model's, else people's."""
    people = [finding for finding in findings if finding.reference != "teacher"]
    teacher = [finding for finding in findings if finding.reference == "teacher"]
    refused = any(finding.verdict == "fail" for finding in people)
    passed = bool(people) and all(finding.verdict == "pass" for finding in people)
    if people and (signed or refused or passed):
        return people
    return teacher or people


def _told(finding: Finding) -> str:
    if finding.low is None or finding.high is None or finding.estimate is None:
        return f"{finding.question} is unknown after {finding.n} texts"
    return (
        f"{finding.question} is {finding.estimate:.3f} ({finding.low:.3f} to {finding.high:.3f}, "
        f"bar {finding.bar:.3f}) on {finding.n} texts"
    )
