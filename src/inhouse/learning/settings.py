"""Settings of learning."""

from dataclasses import dataclass

from inhouse.core.settings import setting


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
        help="wanted posts that make a round of learning due; earlier while there are few",
        least=50,
        most=1_000_000,
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
    threads: int = setting(
        1, unit="threads", help="threads of one training process", least=1, most=256
    )
    snapshots_kept: int = setting(
        5, unit="snapshots", help="newest snapshots kept on disk", least=2, most=1_000
    )
    seed: int = setting(0, unit="number", help="of everything random in training")
