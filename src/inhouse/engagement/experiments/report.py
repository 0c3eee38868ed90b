"""What an experiment's results say, down to the sentence."""

from dataclasses import dataclass
from typing import Literal

from inhouse.engagement.experiments.types import Better
from inhouse.stats.srm import SrmCheck
from inhouse.stats.types import Interval, NotEnough

# better, worse: the interval excludes 0. not_settled: not yet. not_enough_data: there is none.
Answer = Literal["better", "worse", "not_settled", "not_enough_data"]
# safe: worse by less than the margin, if at all. breached: worse by more than the margin. worse:
# worse for certain, perhaps by more than the margin.
GuardrailState = Literal["safe", "worse", "breached", "not_settled", "not_enough_data"]
Call = Literal[
    "do_not_trust", "guardrail_breached", "better", "worse", "not_settled", "not_enough_data"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmPeople:
    """How many people an arm has."""

    arm: str  # its key
    people: int  # exposed to it and to no other arm
    share_planned: float  # of all people in the experiment


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmValue:
    """A measure in one arm."""

    arm: str  # its key
    people: int  # whose answer is known
    value: float | None  # in the measure's unit; None where nobody's answer is known


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One arm against the control; both intervals hold however often one looks."""

    arm: str  # the treatment's key
    difference: Interval | NotEnough  # treatment - control, in the measure's unit
    relative: Interval | NotEnough  # treatment / control - 1
    answer: Answer  # what the difference says


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricResult:
    """One measure in all arms."""

    metric: str  # its name
    unit: str  # what a value of 1 is
    better: Better  # which way people want it
    arms: tuple[ArmValue, ...]  # control first
    comparisons: tuple[Comparison, ...]  # one for each other arm


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardrailResult:
    """Whether one arm keeps one promise."""

    metric: str  # its name
    arm: str  # the treatment's key
    margin: float  # the loss that would be accepted, in the metric's unit
    difference: Interval | NotEnough  # treatment - control
    state: GuardrailState  # what follows


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmCall:
    """What to think of one arm, by the first metric, the guardrails and the checks."""

    arm: str  # the treatment's key
    call: Call  # in a word
    because: str  # in a sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """An experiment at one moment."""

    key: str  # which experiment
    question: str  # what it is to find out
    at_ms: int  # the moment asked about
    started_ms: int  # since when it runs
    stopped_ms: int | None  # when it was stopped
    log_offset: int  # of the last event counted
    arms: tuple[ArmPeople, ...]  # control first
    multi_exposed: int  # people seen in several arms: left out of everything else
    srm: SrmCheck | NotEnough  # whether the arms filled as planned
    metrics: tuple[MetricResult, ...]  # in the experiment's order; the first decides
    guardrails: tuple[GuardrailResult, ...]  # one for each guardrail and treatment
    calls: tuple[ArmCall, ...]  # one for each treatment
