"""The nouns of drills: what is cut off, and what is seen meanwhile. They are light, for every
process that passes calls on loads them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

from inhouse.models.providers.faults import Cut, Fault
from inhouse.models.types import Layer

How = Literal["copy", "shadow", "live"]
HOWS: Final[tuple[How, ...]] = get_args(How)


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
