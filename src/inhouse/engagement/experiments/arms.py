"""Which arm of an experiment a person belongs to."""

from inhouse.engagement.experiments.assignment import (
    bucket_ranges,
    choose_variation,
    hash_value,
    in_range,
)
from inhouse.engagement.experiments.types import Experiment, Filter


def arm_of(experiment: Experiment, user_id: str) -> str | None:
    """The person's arm, or None where they take no part. The same for ever, on every machine.

    In the order of the specification: stopped, no id, filters, assignment.
    """
    if not experiment.active or not user_id:
        return None
    if any(not _passes(user_id, one) for one in experiment.filters):
        return None
    n = hash_value(experiment.seed or experiment.key, user_id, experiment.hash_version)
    if n is None:
        return None
    chosen = choose_variation(n, _ranges(experiment))
    return experiment.arms[chosen].key if chosen >= 0 else None


def _passes(user_id: str, one: Filter) -> bool:
    n = hash_value(one.seed, user_id, one.hash_version)
    return n is not None and any(in_range(n, bounds) for bounds in one.ranges)


def _ranges(experiment: Experiment) -> list[tuple[float, float]]:
    total = sum(arm.weight for arm in experiment.arms)
    shares = [arm.weight / total for arm in experiment.arms]
    return bucket_ranges(len(experiment.arms), experiment.coverage, shares)
