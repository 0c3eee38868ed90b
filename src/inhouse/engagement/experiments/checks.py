"""Whether an experiment can be run; every fault is found at once."""

import math
from collections.abc import Iterator
from typing import Final

from inhouse.core.errors import Fault
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.engagement.experiments.measures import MEASURES
from inhouse.engagement.experiments.types import Arm, Experiment, Filter
from inhouse.recommend.tuning import KNOBS, faults_in

MOST_ARMS: Final = 20
MOST_KEY_CHARS: Final = 64


def faults_of(experiment: Experiment) -> list[Fault]:
    """Everything that is wrong with an experiment before it starts."""
    return [
        *_shape_faults(experiment),
        *(fault for i, arm in enumerate(experiment.arms) for fault in _arm_faults(i, arm)),
        *(fault for i, one in enumerate(experiment.filters) for fault in _filter_faults(i, one)),
        *_measure_faults(experiment),
    ]


def _fault(field: str, value: object, expected: str) -> Fault:
    return Fault(field=field, value=repr(value)[:80], expected=expected)


def _key_fault(field: str, key: str) -> Iterator[Fault]:
    if not is_valid_id(key) or len(key) > MOST_KEY_CHARS:
        yield _fault(field, key, f"{ID_RULE}, at most {MOST_KEY_CHARS}")


def _shape_faults(experiment: Experiment) -> Iterator[Fault]:
    yield from _key_fault("key", experiment.key)
    keys = [arm.key for arm in experiment.arms]
    if not 2 <= len(keys) <= MOST_ARMS:
        yield _fault("arms", len(keys), f"2 to {MOST_ARMS} arms, the control first")
    if len(set(keys)) < len(keys):
        yield _fault("arms", keys, "a different key for each arm")
    if not 0 < experiment.coverage <= 1:
        yield _fault("coverage", experiment.coverage, "more than 0 and at most 1")
    if experiment.hash_version not in (1, 2):
        yield _fault("hash_version", experiment.hash_version, "1 or 2; 2 for anything new")


def _arm_faults(index: int, arm: Arm) -> Iterator[Fault]:
    yield from _key_fault(f"arms[{index}].key", arm.key)
    if not (math.isfinite(arm.weight) and arm.weight > 0):
        yield _fault(f"arms[{index}].weight", arm.weight, "more than 0")
    for name, value in arm.settings.items():
        if name not in KNOBS:
            expected = "a knob of the feed: " + ", ".join(KNOBS)
            yield _fault(f"arms[{index}].settings.{name}", value, expected)
    for fault in faults_in(arm.settings):
        yield Fault(
            field=f"arms[{index}].settings.{fault.field}",
            value=fault.value,
            expected=fault.expected,
        )


def _filter_faults(index: int, one: Filter) -> Iterator[Fault]:
    field = f"filters[{index}]"
    if not one.seed:
        yield _fault(f"{field}.seed", one.seed, "a name that experiments of one layer share")
    if one.hash_version not in (1, 2):
        yield _fault(f"{field}.hash_version", one.hash_version, "1 or 2")
    if not one.ranges or any(not 0 <= start < end <= 1 for start, end in one.ranges):
        yield _fault(f"{field}.ranges", one.ranges, "one or more [start, end) within 0 to 1")


def _measure_faults(experiment: Experiment) -> Iterator[Fault]:
    names = ", ".join(MEASURES)
    if not experiment.metrics:
        yield _fault("metrics", [], f"at least one of {names}")
    for index, name in enumerate(experiment.metrics):
        if name not in MEASURES:
            yield _fault(f"metrics[{index}]", name, f"one of {names}")
    for index, guardrail in enumerate(experiment.guardrails):
        if guardrail.metric not in MEASURES:
            yield _fault(f"guardrails[{index}].metric", guardrail.metric, f"one of {names}")
        if not (math.isfinite(guardrail.margin) and guardrail.margin > 0):
            yield _fault(f"guardrails[{index}].margin", guardrail.margin, "more than 0")


def clash(first: Experiment, second: Experiment) -> str | None:
    """A setting that both would vary for the same person, or None where they can run together."""
    shared = _varied(first) & _varied(second)
    if not shared or _never_meet(first, second):
        return None
    return min(shared)


def _varied(experiment: Experiment) -> set[str]:
    return {name for arm in experiment.arms for name in arm.settings}


def _never_meet(first: Experiment, second: Experiment) -> bool:
    """Whether filters on one seed keep the two apart."""
    return any(
        a.seed == b.seed and a.hash_version == b.hash_version and not _overlap(a, b)
        for a in first.filters
        for b in second.filters
    )


def _overlap(first: Filter, second: Filter) -> bool:
    return any(a[0] < b[1] and b[0] < a[1] for a in first.ranges for b in second.ranges)
