"""How much rests on whom, and how ready each task is to leave. Pure.

Two layers: who runs a model and who made it. Four measures: money, answers, tokens, and decisions
that restricted somebody's post, which are the ones that hurt when they are wrong or missing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from inhouse.core.clock import DAY_MS
from inhouse.models.ledger.bill import Bill
from inhouse.models.parity.gate import Verdict
from inhouse.models.types import INHOUSE, LOCAL, Deployment, Layer, Stage

SOON_DAYS: Final = 60  # vendors give at least so much notice (Azure, of models generally available)
DRILL_HOLDS_DAYS: Final = 90
LAYERS: Final[tuple[Layer, ...]] = ("host", "owner")
LEVELS: Final = (
    "prompt only",
    "labels kept",
    "student trained",
    "parity shown",
    "ramp passed",
    "drill passed",
)
_NEXT: Final = (
    "keep the rented model's answers as labels (`harvest` in vendors.toml)",
    "train a model of your own: `inhouse models train`",
    "get parity: settle the cases on which both models differ",
    "it takes over by itself as evidence allows; `inhouse models routes` says what it waits for",
    "rehearse the vendor's absence; a drill counts for 90 days",
    "keep it so: drill again before 90 days are over",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorShare:
    """How much goes to one vendor, 0 to 1; None where there is nothing to divide."""

    layer: Layer  # host: who runs the model; owner: who made it
    vendor: str
    spend: float | None  # of all money spent
    calls: float | None  # of all inputs answered, the owned ones included
    tokens: float | None  # of all tokens sent to and got from vendors
    critical: float | None  # of all restrictions by programs, the owned models' included


@dataclass(frozen=True, kw_only=True, slots=True)
class Concentrated:
    """Herfindahl-Hirschman index among vendors, to 10,000; None where there is nothing of it."""

    layer: Layer
    spend: float | None
    calls: float | None
    tokens: float | None
    critical: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Critical:
    """Restrictions of posts that a program decided on, and whose scores it had before it."""

    restrictions: int  # in all
    by_host: Mapping[str, int]  # of them by models that are not our own; the rest is ours
    by_owner: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExitFacts:
    """What is known of a task's way out."""

    task: str
    labels: int  # kept of it
    trained: bool  # whether there is a model of one's own
    parity: Verdict | None  # of its newest report; None without one
    stage: Stage  # of its route
    drilled_ms: int | None  # when the last drill was, if it was passed; None where it was not


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """How ready a task is to leave its vendor, 0 to 5."""

    task: str
    level: int
    name: str  # of the level
    next: str  # what brings it one further


@dataclass(frozen=True, kw_only=True, slots=True)
class Retirement:
    """When a vendor stops offering a deployment's model."""

    deployment: str
    model: str
    retires: str  # last day, 2026-12-31
    days_left: int  # negative once it is over

    @property
    def soon(self) -> bool:
        """Whether somebody has to do something now."""
        return self.days_left <= SOON_DAYS


def readiness(facts: ExitFacts, now_ms: int) -> Readiness:
    """How far a task has come. Each level needs those below it; a person's word for a version
    counts as parity, for its route has then left the first stage."""
    steps = (
        facts.labels > 0,
        facts.trained,
        facts.parity == "pass" or facts.stage != "rented",
        facts.stage == "owned",
        facts.drilled_ms is not None and now_ms - facts.drilled_ms <= DRILL_HOLDS_DAYS * DAY_MS,
    )
    level = next((place for place, passed in enumerate(steps) if not passed), len(steps))
    return Readiness(task=facts.task, level=level, name=LEVELS[level], next=_NEXT[level])


def shares(told: Bill, critical: Critical) -> tuple[VendorShare, ...]:
    """Every vendor's shares in both layers."""
    found = {(share.layer, share.vendor): share for share in told.shares}
    counts = {"host": critical.by_host, "owner": critical.by_owner}
    names = {*found, *((layer, vendor) for layer in LAYERS for vendor in counts[layer])}
    rows = []
    for layer, vendor in sorted(names):
        share = found.get((layer, vendor))
        restricted = counts[layer].get(vendor, 0)
        whole = critical.restrictions
        rows.append(
            VendorShare(
                layer=layer,
                vendor=vendor,
                spend=share.spend if share else None,
                calls=share.calls if share else None,
                tokens=share.tokens if share else None,
                critical=restricted / whole if whole else None,
            )
        )
    return tuple(rows)


def concentration(told: Bill, critical: Critical) -> tuple[Concentrated, ...]:
    """How concentrated each measure is, in both layers."""
    counts = {"host": critical.by_host, "owner": critical.by_owner}
    return tuple(
        Concentrated(
            layer=one.layer,
            spend=one.spend,
            calls=one.calls,
            tokens=one.tokens,
            critical=index(counts[one.layer].values()),
        )
        for one in told.concentration
    )


def index(parts: Iterable[int]) -> float | None:
    """10,000 x the sum of squared shares; None of nothing.

    >>> index([5, 5]), index([7]), index([])
    (5000.0, 10000.0, None)
    """
    amounts = list(parts)
    whole = sum(amounts)
    return 10_000 * sum((part / whole) ** 2 for part in amounts) if whole else None


def critical_of(by_model: Mapping[str | None, int], owners: Mapping[str, str]) -> Critical:
    """Restrictions by vendor.

    by_model: restrictions by `host/model`, None where no model had scored the post. owners: who
    made the model of a `host/model`, as the ledger knows.
    """
    hosts: dict[str, int] = defaultdict(int)
    made: dict[str, int] = defaultdict(int)
    for model, count in by_model.items():
        host = (model or INHOUSE).partition("/")[0]
        owner = owners.get(model or "", host)
        if host not in (INHOUSE, LOCAL):
            hosts[host] += count
        if owner not in (INHOUSE, LOCAL):
            made[owner] += count
    return Critical(restrictions=sum(by_model.values()), by_host=dict(hosts), by_owner=dict(made))


def retirements(deployments: Sequence[Deployment], now_ms: int) -> tuple[Retirement, ...]:
    """Of the deployments whose end is known, the next one first."""
    today = datetime.fromtimestamp(now_ms / 1_000, UTC).date()
    found = [
        Retirement(
            deployment=one.name,
            model=one.model,
            retires=one.retires.isoformat(),
            days_left=(one.retires - today).days,
        )
        for one in deployments
        if one.retires is not None
    ]
    return tuple(sorted(found, key=lambda one: (one.days_left, one.deployment)))


def retirement_in_words(one: Retirement) -> str:
    """For people.

    >>> retirement_in_words(
    ...     Retirement(deployment="main", model="gpt-4o", retires="2026-12-31", days_left=34)
    ... )
    'main (gpt-4o) ends on 2026-12-31, in 34 days'
    """
    when = f"in {one.days_left} days" if one.days_left >= 0 else f"{-one.days_left} days ago"
    return f"{one.deployment} ({one.model}) ends on {one.retires}, {when}"
