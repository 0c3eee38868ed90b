"""A policy made ready to decide: which rules hold, and what each says where to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.policy.kernels import first_rules
from inhouse.moderation.policy.match import Columns, Matcher, Number
from inhouse.moderation.policy.types import Rule
from inhouse.moderation.types import CODES, SURFACES, VIEWER_CLASSES, Action, Surface, ViewerClass

PAIRS: Final = tuple((surface, viewer) for surface in SURFACES for viewer in VIEWER_CLASSES)
PLACE: Final = {pair: i for i, pair in enumerate(PAIRS)}
NO_RULE_HOLDS: Final = -1  # stands for the rule where none decides
_SILENT: Final = -1  # stands for the action of a rule that does not speak there
_ALLOW: Final = CODES["allow"]
_ALL_PAIRS: Final = np.arange(len(PAIRS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What rules decide for n posts, before any person's call."""

    deciders: NDArray[np.int16]  # [pairs, n] place of the rule, or NO_RULE_HOLDS
    codes: NDArray[np.uint8]  # [pairs, n] of the action


class Compiled:
    """Rules in order. For each surface and viewer the first that holds and speaks decides; one in
    shadow decides nothing."""

    def __init__(self, rules: Sequence[Rule], built_in: int, softened_by: Number) -> None:
        """built_in: so many rules at the beginning are not the policy's. softened_by: a count; of a
        post that has it the policy's rules ask for a review where they would remove it."""
        self.rules = tuple(rules)
        self.shadows = tuple(place for place, rule in enumerate(rules) if rule.shadow)
        self.matcher = Matcher([rule.when for rule in rules])
        self._softened_by = softened_by
        self.asked = frozenset((*self.matcher.numbers, softened_by))  # numbers that matter
        codes = [[_code(rule, *pair) for rule in rules] for pair in PAIRS]
        # [pairs, rules]; one column more, which numpy takes for NO_RULE_HOLDS.
        self._says = np.array([[*row, _ALLOW] for row in codes], np.int8)
        self._decides = self._says[:, :-1] != _SILENT
        self._decides[:, list(self.shadows)] = False
        self._says_softly = self._says.copy()
        softened = self._says_softly[:, built_in:]
        softened[softened == CODES["remove"]] = CODES["review"]

    def decide(self, known: Mapping[Number, int], pair: int) -> tuple[int, int]:
        """For one post and place in PAIRS: the place of the rule, and the code of its action."""
        rule = int(
            self._first(self._decides[pair : pair + 1], self.matcher.table_of_one(known))[0, 0]
        )
        return rule, int(self._codes(known)[pair, rule])

    def decide_pairs(self, known: Mapping[Number, int]) -> list[tuple[int, int]]:
        """The same for all of PAIRS."""
        rules = self._first(self._decides, self.matcher.table_of_one(known))[:, 0]
        codes = self._codes(known)[_ALL_PAIRS, rules]
        return list(zip(rules.tolist(), codes.tolist(), strict=True))

    def decide_many(self, columns: Columns, n: int, live: int | None = None) -> Decided:
        """The same for n posts, given by the numbers of each. `live` is a rule in shadow that for
        once decides."""
        decides = self._decides
        if live is not None:
            decides = decides.copy()
            decides[:, live] = self._says[:, live] != _SILENT
        rules = self._first(decides, self.matcher.table(columns, n))
        codes = self._says[_ALL_PAIRS[:, None], rules]
        softened = columns.get(self._softened_by)
        if softened is not None and softened.any():
            softly = self._says_softly[_ALL_PAIRS[:, None], rules]
            np.copyto(codes, softly, where=softened > 0)
        return Decided(deciders=rules, codes=codes.astype(np.uint8))

    def held(self, columns: Columns, n: int) -> NDArray[np.bool_]:
        """Whether each rule, those in shadow too, holds for each of n posts: bool[rules, n]."""
        return self.matcher.held(self.matcher.table(columns, n))

    def _first(self, decides: NDArray[np.bool_], table: NDArray[np.uint16]) -> NDArray[np.int16]:
        first: NDArray[np.int16] = first_rules(self.matcher.book, decides, table, NO_RULE_HOLDS)
        return first

    def _codes(self, known: Mapping[Number, int]) -> NDArray[np.int8]:
        return self._says_softly if known.get(self._softened_by) else self._says


def _code(rule: Rule, surface: Surface, viewer: ViewerClass) -> int:
    """The code of what a rule says there, or _SILENT."""
    action = rule.action(surface, viewer)
    return _SILENT if action is None else CODES[gated(action, viewer)]


def gated(action: Action, viewer: ViewerClass) -> Action:
    """An age gate does not open for a minor."""
    return "remove" if action == "age_gate" and viewer == "minor" else action
