"""Which rules hold: the conditions of all rules looked at together, for one post or thousands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.policy import kernels
from inhouse.moderation.types import P_SCALE, SEALED, Evidence

Kind = Literal["p", "count"]
Number = tuple[Kind, str]

# A value nobody knows. Every condition has an upper bound below it, so it never holds.
MISSING: Final = 65_535
UNKNOWN: Final[Mapping[Kind, int]] = MappingProxyType({"p": MISSING, "count": 0})


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """`low <= value < high`, on whole numbers: ten-thousandths of a probability, or a count."""

    kind: Kind  # a category's probability, or a signal
    name: str  # of the category or the signal
    low: int = 0
    high: int = MISSING
    negated: bool = False  # holds where the bounds do not, an unknown probability too

    @property
    def at_least(self) -> float:
        """The lower bound as written."""
        return self.low / P_SCALE if self.kind == "p" else self.low

    @property
    def below(self) -> float | None:
        """The upper bound as written, None where there is none."""
        if self.high == MISSING:
            return None
        return self.high / P_SCALE if self.kind == "p" else self.high


When = tuple[tuple[Condition, ...], ...]  # any of these groups, of each all conditions
Columns = Mapping[Number, NDArray[np.uint16]]  # a number of many posts, at their places


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


class Matcher:
    """Tells which of many rules hold. All their conditions lie in arrays, walked by compiled code:
    500 rules take a post microseconds."""

    def __init__(self, rules: Sequence[When]) -> None:
        """rules: what each asks; none may be empty, nor any group of one."""
        groups = [group for when in rules for group in when]
        if not all(rules) or not all(groups):
            raise ValueError("a rule or a group of its conditions asks for nothing")
        asked = dict.fromkeys((c.kind, c.name) for group in groups for c in group)
        self._place: dict[Number, int] = {number: place for place, number in enumerate(asked)}
        self._unknown = np.array([UNKNOWN[kind] for kind, _ in asked], np.uint16)
        self.numbers: tuple[Number, ...] = tuple(asked)  # that any rule asks for
        self.book = _book(rules, groups, self._place)

    def table_of_one(self, known: Mapping[Number, int]) -> NDArray[np.uint16]:
        """The numbers of one post as rules want them: uint16[1, numbers]."""
        values = self._unknown.copy()
        for number, value in known.items():
            place = self._place.get(number)
            if place is not None:
                values[place] = value
        return values[None]

    def table(self, columns: Columns, n: int) -> NDArray[np.uint16]:
        """The same of n posts, uint16[n, numbers], from columns of n; unknown where is none."""
        values = np.empty((n, len(self.numbers)), np.uint16)
        for place, number in enumerate(self.numbers):
            values[:, place] = columns.get(number, self._unknown[place])
        return values

    def held(self, table: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Whether each rule holds for each post: bool[rules, n]."""
        held: NDArray[np.bool_] = kernels.all_rules(self.book, table)
        return held


def _book(
    rules: Sequence[When], groups: Sequence[Sequence[Condition]], places: Mapping[Number, int]
) -> kernels.Rulebook:
    conditions = [condition for group in groups for condition in group]
    bounds = [(c.low, c.high) for c in conditions]
    return kernels.Rulebook(
        which=np.array([places[c.kind, c.name] for c in conditions], np.int32),
        bounds=np.array(bounds, np.uint16).reshape(-1, 2),
        negated=np.array([c.negated for c in conditions], np.bool_),
        groups=_starts(groups),
        rules=_starts(rules),
    )


def _starts(parts: Sequence[Sequence[object]]) -> NDArray[np.int32]:
    return np.cumsum([0, *map(len, parts)], dtype=np.int32)
