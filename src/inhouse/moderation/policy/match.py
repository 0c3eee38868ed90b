"""Whether a rule holds: one path for the numbers of one post and for arrays of millions."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.policy.types import MISSING, Condition, Kind, Rule
from inhouse.moderation.types import P_SCALE, SEALED, Evidence

Number = tuple[Kind, str]
UNKNOWN: Final[Mapping[Kind, int]] = MappingProxyType({"p": MISSING, "count": 0})


Bits = NDArray[np.bool_]


@overload
def rule_holds(rule: Rule, known: Mapping[Number, int]) -> bool: ...


@overload
def rule_holds(rule: Rule, known: Mapping[Number, NDArray[np.uint16]]) -> bool | Bits: ...


def rule_holds(rule: Rule, known: Mapping[Number, Any]) -> bool | Bits:
    """Whether any group of conditions holds. Where the numbers are arrays (uint16[n]), so is the
    answer (bool[n]), or one answer for all where the rule asks for nothing that is known."""
    holds: bool | Bits = False
    for group in rule.when:
        holds = holds | _group_holds(group, known)
        if holds is True:
            break
    return holds


def _group_holds(group: Sequence[Condition], known: Mapping[Number, Any]) -> bool | Bits:
    held: bool | Bits = True
    for condition in group:
        number = known.get((condition.kind, condition.name), UNKNOWN[condition.kind])
        held = held & (condition.low <= number) & (number < condition.high)
        if held is False:
            break
    return held


def numbers_of(evidence: Evidence) -> dict[Number, int]:
    """What conditions look at, as whole numbers: what the surest source says, and counts."""
    known: dict[Number, int] = {}
    for name, count in evidence.signals.items():
        known["count", name] = min(count, MISSING - 1)
    for label in evidence.labels:
        scaled = round(label.p * P_SCALE)
        if label.is_seal:
            known["count", SEALED] = 1
        known["p", label.category] = max(scaled, known.get(("p", label.category), 0))
    return known
