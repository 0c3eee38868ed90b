"""What a drill amounts to."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

from inhouse.models.drill.types import Drill
from inhouse.models.parity.gate import Parity

Grade = Literal["A", "B", "C", "D", "E", "F"]
GRADES: Final[tuple[Grade, ...]] = get_args(Grade)
PASSED: Final[frozenset[Grade]] = frozenset(("A", "B"))


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
