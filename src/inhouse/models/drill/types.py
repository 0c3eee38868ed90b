"""The nouns of drills: what is cut off, what was seen meanwhile, what it amounts to."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

from inhouse.models.parity import Parity
from inhouse.models.providers.faults import Cut, Fault
from inhouse.models.types import Layer

How = Literal["copy", "shadow", "live"]
HOWS: Final[tuple[How, ...]] = get_args(How)
Grade = Literal["A", "B", "C", "D", "E", "F"]
GRADES: Final[tuple[Grade, ...]] = get_args(Grade)
PASSED: Final[frozenset[Grade]] = frozenset(("A", "B"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Drill:
    """A vendor that is, or was, cut off. Times are the system's, whatever the community's are."""

    drill_id: str
    vendor: str
    layer: Layer
    fault: Fault
    how: How
    share: float  # of the texts judged, those that a shadow drill asks again
    started_by: str  # who consented, in a live one; else who asked for it
    started_ms: int
    until_ms: int  # ends here at the latest
    ended_ms: int | None = None  # None while it goes on
    why_ended: str | None = None
    most_waiting: int | None = None  # posts without a verdict at the worst moment; None unknown

    def cut(self) -> Cut:
        """What its lines do."""
        return Cut(vendor=self.vendor, layer=self.layer, fault=self.fault, until_ms=self.until_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """One call in the time of a drill. Counts alone: whose words they were is not kept."""

    at_ms: int  # when it ended
    process: str  # which process made it
    task: str  # or the service, where it was passed on
    asked: int  # inputs
    answered: int  # of them
    by_vendor: int  # of those, by the vendor that is cut off
    failed: int  # requests to that vendor whose answer could not be used
    latency_ms: float  # of the whole call
    served_ms: float | None = None  # in a shadow drill, of the call that served
    cost_usd: Decimal | None = None  # of the answers; None where it cannot be known
    both: int = 0  # in a shadow drill: texts that the vendor and the survivors flag
    missed: int = 0  # that the vendor alone flags
    extra: int = 0  # that the survivors alone flag
    neither: int = 0

    @property
    def begun_ms(self) -> float:
        """When the call began."""
        return self.at_ms - self.latency_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """How long calls took, in milliseconds. None where there were none."""

    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskResult:
    """What a drill did to one task."""

    task: str  # or the service, where calls were passed on
    weight: float  # how much a call of it counts (see grading.CRITICALITY)
    traffic: int  # inputs of the week before, as the ledger has them
    calls: int  # while the vendor was away
    asked: int  # inputs of them
    answered: int
    by_others: int  # of those answered, by whoever is left: decisions of another model
    coverage: float | None  # answered of asked; None where nothing was asked
    quality: Parity | None  # of the survivors, by what the vendor had said; None where not compared
    before: Times
    during: Times
    added_ms: float | None  # at the median
    noticed_ms: float | None  # first failure to the first call that does without the vendor
    recovered_ms: float | None  # end of the fault to the first answer of the vendor
    cost_usd: Decimal | None  # of the answers meanwhile; None where it cannot be known
    grade: Grade
    reasons: tuple[str, ...]  # what keeps it from a better grade; empty for A

    @property
    def lost(self) -> int:
        """Inputs that nobody answered."""
        return self.asked - self.answered


@dataclass(frozen=True, kw_only=True, slots=True)
class DrillResult:
    """What came of a drill."""

    drill: Drill
    tasks: tuple[TaskResult, ...]  # worst first
    grade: Grade | None  # of the worst task; None where nothing was asked
    coverage: float | None  # over all tasks, by traffic and weight
    survivable: float | None  # the same of what was answered at the parity bar; None unknown
    weaker: Mapping[str, int]  # decisions of another model than usual, by task


def passed(result: TaskResult) -> bool:
    """Whether the task can do without the vendor."""
    return result.grade in PASSED
