"""What another decision would mean, added up over posts: moves, people's labels, examples."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.policy.compiled import PAIRS, Decided
from inhouse.moderation.types import ACTIONS, CODES, Action, Surface, ViewerClass
from inhouse.stats.intervals import wilson
from inhouse.stats.types import Interval, NotEnough

MOST_EXAMPLES: Final = 5
_N: Final = len(ACTIONS)
_ALLOW: Final = CODES["allow"]
_ADULTS: Final = np.array([viewer == "adult" for _, viewer in PAIRS])


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """So many posts on one surface, for one class of viewers."""

    surface: Surface
    viewer: ViewerClass
    items: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """Posts that would go from one action to another."""

    before: Action
    after: Action
    items: int  # for which it happens anywhere
    places: tuple[Place, ...]  # where it happens
    examples: tuple[str, ...]  # ids of some of the items


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """How rules come out on posts that people have decided on. A person's call is in force there,
    whatever rules say; here they are compared."""

    confirmed: int  # the rules act, and people found a violation
    contradicted: int  # the rules act, and people allowed the post
    missed: int  # the rules let it pass, and people found a violation
    passed: int  # the rules let it pass, and people allowed it
    precision: Interval | NotEnough  # of posts that rules act on, the share people confirm, 95%
    recall: Interval | NotEnough  # of posts with a violation, the share rules act on, 95%


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleLabels:
    """What people decided on posts that one rule holds for."""

    confirmed: int  # found in violation
    contradicted: int  # allowed
    precision: Interval | NotEnough  # the share found in violation, 95%


def acts(decided: Decided) -> NDArray[np.bool_]:
    """Whether rules do anything to each post for adults anywhere: bool[n]."""
    acting: NDArray[np.bool_] = (decided.codes[_ADULTS] != _ALLOW).any(0)
    return acting


class MoveTally:
    """Adds up moves."""

    def __init__(self) -> None:
        self._places = np.zeros((len(PAIRS), _N, _N), np.int64)
        self._items: Counter[tuple[int, int]] = Counter()
        self._examples: dict[tuple[int, int], list[str]] = {}

    def add(
        self, before: Decided, after: Decided, free: NDArray[np.bool_], item_ids: list[str]
    ) -> NDArray[np.bool_]:
        """Take in n posts; returns which of them move anywhere, bool[n]. free: bool[n], whether
        rules decide on it, and no person."""
        moves = (before.codes != after.codes) & free
        both = before.codes.astype(np.int64) * _N + after.codes
        for pair in range(len(PAIRS)):
            found = np.bincount(both[pair, moves[pair]], minlength=_N * _N)
            self._places[pair] += found.reshape(_N, _N)
        moved: NDArray[np.bool_] = moves.any(0)
        for kind in np.unique(both[moves]).tolist():
            key = divmod(kind, _N)
            there = np.flatnonzero(((both == kind) & moves).any(0))
            self._items[key] += len(there)
            examples = self._examples.setdefault(key, [])
            examples += [item_ids[i] for i in there[: MOST_EXAMPLES - len(examples)].tolist()]
        return moved

    def moves(self) -> tuple[Move, ...]:
        """The commonest first."""
        return tuple(
            Move(
                before=ACTIONS[before],
                after=ACTIONS[after],
                items=items,
                places=self._places_of(before, after),
                examples=tuple(self._examples[before, after]),
            )
            for (before, after), items in sorted(self._items.items(), key=lambda x: (-x[1], x[0]))
        )

    def _places_of(self, before: int, after: int) -> tuple[Place, ...]:
        counts = self._places[:, before, after].tolist()
        return tuple(
            Place(surface=surface, viewer=viewer, items=items)
            for (surface, viewer), items in zip(PAIRS, counts, strict=True)
            if items
        )


class LabelTally:
    """Adds up how rules come out against people."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, 2), np.int64)  # [the rules act, people found a violation]

    def add(self, acting: NDArray[np.bool_], calls: NDArray[np.uint8]) -> None:
        """Take in n posts. acting: bool[n]. calls: code of a person's action + 1, or 0."""
        called = calls > 0
        violating = calls[called] != _ALLOW + 1
        cells = np.bincount(2 * acting[called] + violating, minlength=4)
        self._counts += cells.reshape(2, 2)

    def of_rule(self) -> RuleLabels:
        """What came of it where only posts were taken in that one rule holds for."""
        contradicted, confirmed = self._counts[1].tolist()
        return RuleLabels(
            confirmed=confirmed,
            contradicted=contradicted,
            precision=wilson(confirmed, confirmed + contradicted),
        )

    def labels(self) -> Labels:
        """What came of it."""
        (passed, missed), (contradicted, confirmed) = self._counts.tolist()
        return Labels(
            confirmed=confirmed,
            contradicted=contradicted,
            missed=missed,
            passed=passed,
            precision=wilson(confirmed, confirmed + contradicted),
            recall=wilson(confirmed, confirmed + missed),
        )
