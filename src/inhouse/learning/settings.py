"""Settings of learning."""

from dataclasses import dataclass
from typing import Final

from inhouse.core.settings import setting

CONSUMER: Final = "learner"  # the name under which it keeps its place in the log


@dataclass(frozen=True, kw_only=True)
class LearningSettings:
    """When to learn, how much, and when to publish."""

    first_positives: int = setting(
        300,
        unit="events",
        help="wanted posts needed before the first snapshot",
        least=50,
        most=1_000_000,
    )
    every_positives: int = setting(
        2_000,
        unit="events",
        help="wanted posts learned before a new snapshot is due; fewer while few are known",
        least=50,
        most=1_000_000,
    )
    snapshot_every_ms: int = setting(
        180_000,
        unit="ms",
        help="least time between two snapshots: all weights, and what the gate compares with",
        least=0,
        most=86_400_000,
    )
    delta_every_ms: int = setting(
        1_000,
        unit="ms",
        help="least time between two deltas: the rows that changed since the last one",
        least=0,
        most=86_400_000,
    )
    outcome_wait_ms: int = setting(
        600_000,
        unit="ms of event time",
        help="how long a served page waits for what comes of it before it is learned from",
        least=1_000,
        most=86_400_000,
    )
    gate_margin: float = setting(
        0.02,
        unit="share of the loss",
        help="how much worse than the serving model a new one may be on data neither has seen",
        least=0,
        most=1,
    )
    memory: int = setting(
        200_000,
        unit="examples",
        help="latest examples kept for rehearsal; about 0.6 kB of memory each",
        least=1_000,
        most=10_000_000,
    )
    table_mb: int = setting(
        1_024,
        unit="MB",
        help="most memory of the table of items' id parts; the longest unused rows make room",
        least=1,
        most=1_000_000,
    )
    admit_after: int = setting(
        2,
        unit="times",
        help="how often a post is wanted before it gets a row of a table that is half full",
        least=1,
        most=255,
    )
    row_unused_days: int = setting(
        90,
        unit="days",
        help="a post that nobody wanted for so long loses its row",
        least=1,
        most=36_500,
    )
    threads: int = setting(
        1, unit="threads", help="threads of one training process", least=1, most=256
    )
    snapshots_kept: int = setting(
        5, unit="snapshots", help="newest snapshots kept on disk", least=2, most=1_000
    )
    seed: int = setting(0, unit="number", help="of everything random in training")
