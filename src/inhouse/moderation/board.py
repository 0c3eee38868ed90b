"""Decisions for millions of items at once: arrays by item index, looked up in nanoseconds.

The numbers a policy may ask about are kept by item, so that another policy is a recalculation,
not a re-scan. Readers take no lock: they see the decisions from before or after a write.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from inhouse.moderation.decide import (
    NO_RULE,
    PAIRS,
    all_rules,
    person_decision,
    rule_decision,
)
from inhouse.moderation.policy.match import UNKNOWN, Number, numbers_of, rule_holds
from inhouse.moderation.policy.types import Policy, Rule
from inhouse.moderation.types import (
    ACTIONS,
    AWAITING,
    CODES,
    SHOWN,
    VIEWER_CLASSES,
    Decision,
    PersonCall,
    Surface,
    Verdict,
    Viewer,
    ViewerClass,
    viewer_class,
)

U = TypeVar("U", np.uint8, np.uint16, np.uint64)

_NO_RULE: Final = -1
_PERSON: Final = -2
_NOBODY: Final = -3
_PLACE: Final = {pair: i for i, pair in enumerate(PAIRS)}
_FIRST_CAPACITY: Final = 1_024
_MOST_IN_A_BYTE: Final = np.iinfo(np.int8).max  # rules


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    """The answers. The last column is never an item's and always awaiting."""

    rules: Sequence[Rule]  # the built-in ones, what is sealed first, and the policy's
    codes: npt.NDArray[np.uint8]  # [pairs, capacity + 1]
    deciders: npt.NDArray[np.signedinteger]  # [pairs, capacity + 1]: a rule's number, or as above


class DecisionBoard:
    """What to do with every item, for all surfaces and classes of viewers."""

    def __init__(self, policy: Policy) -> None:
        self._gate = threading.Lock()
        self._policy = policy
        self._capacity = _FIRST_CAPACITY
        self._numbers: dict[Number, npt.NDArray[np.uint16]] = {}
        self._judged = _zeros(self._capacity, np.uint64)  # key of the text that was judged, or 0
        self._current = _zeros(self._capacity, np.uint64)  # key of the item's text now, or 0
        self._called = _zeros(self._capacity, np.uint8)  # code of a person's action + 1, or 0
        self._calls: dict[int, PersonCall] = {}
        self._decided = _nothing_decided(all_rules(policy), self._capacity)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    def actions(
        self, items: npt.NDArray[np.integer], surface: Surface, viewer: Viewer
    ) -> npt.NDArray[np.uint8]:
        """Codes of actions, uint8[n], for item indexes (int[n], none negative): places in
        `ACTIONS`, or AWAITING for an item without a verdict on its present text."""
        row = self._decided.codes[_PLACE[surface, viewer_class(viewer)]]
        codes: npt.NDArray[np.uint8] = row.take(items, mode="clip")
        return codes

    def shown(
        self, items: npt.NDArray[np.integer], surface: Surface, viewer: Viewer
    ) -> npt.NDArray[np.bool_]:
        """Whether each item may be shown there: bool[n]."""
        return _SHOWN_CODES[surface][self.actions(items, surface, viewer)]

    def decision(self, item: int, surface: Surface, viewer: Viewer) -> Decision | None:
        """One decision with its reason; None while the item awaits a verdict."""
        seen_by = viewer_class(viewer)
        decided, place = self._decided, _PLACE[surface, seen_by]
        decider = int(decided.deciders[place, min(item, decided.deciders.shape[1] - 1)])
        if decider == _NO_RULE:
            return NO_RULE
        if decider >= 0:
            rule = decided.rules[decider]
            action = ACTIONS[decided.codes[place, item]]
            return Decision(action=action, decided_by=f"rule:{rule.name}", category=rule.category)
        call = self._calls.get(item) if decider == _PERSON else None
        return None if call is None else person_decision(call, seen_by)

    def decided_by(self, item: int, surface: Surface, viewer: Viewer) -> str | None:
        """`rule:NAME`, `person:NAME` or `no rule`; None while the item awaits a verdict."""
        decision = self.decision(item, surface, viewer)
        return None if decision is None else decision.decided_by

    def update(self, items: Sequence[int], verdicts: Sequence[Verdict]) -> None:
        """Take in the latest verdicts of items, each index once."""
        rows = np.asarray(items, np.int64)
        with self._gate:
            self._make_room(rows)
            for number, column in self._numbers.items():
                column[rows] = UNKNOWN[number[0]]
            for item, verdict in zip(items, verdicts, strict=True):
                self._take_in(item, verdict)
            self._decide(self._decided, rows)

    def expect(self, items: Sequence[int], text_keys: Sequence[str]) -> None:
        """Tell which text items have now (`types.text_key`): one that differs from the text that
        was judged awaits its verdict."""
        rows = np.asarray(items, np.int64)
        with self._gate:
            self._make_room(rows)
            self._current[rows] = [int(key, 16) for key in text_keys]
            self._decide(self._decided, rows)

    def adopt(self, policy: Policy) -> None:
        """Decide everything anew by another policy."""
        with self._gate:
            decided = _nothing_decided(all_rules(policy), self._capacity)
            self._decide(decided, np.arange(self._capacity))
            self._policy, self._decided = policy, decided

    def _take_in(self, item: int, verdict: Verdict) -> None:
        self._judged[item] = int(verdict.text_key, 16)
        for number, value in numbers_of(verdict.evidence).items():
            if number not in self._numbers:
                self._numbers[number] = np.full(self._capacity, UNKNOWN[number[0]], np.uint16)
            self._numbers[number][item] = value
        call = verdict.evidence.person
        self._called[item] = 0 if call is None else 1 + CODES[call.action]
        if call is None:
            self._calls.pop(item, None)
        else:
            self._calls[item] = call

    def _decide(self, decided: _Decided, rows: npt.NDArray[np.int64]) -> None:
        """Write the decisions of some items: the same rules as `decide`, on arrays."""
        known = {number: column[rows] for number, column in self._numbers.items()}
        held = [_places(rule_holds(rule, known), rows) for rule in decided.rules]
        called, judged, current = self._called[rows], self._judged[rows], self._current[rows]
        awaiting = (judged == 0) | ((current != 0) & (current != judged))
        for place, (surface, viewer) in enumerate(PAIRS):
            codes = np.full(rows.shape, CODES[NO_RULE.action], np.uint8)
            deciders = np.full(rows.shape, _NO_RULE, np.int16)
            # From the last to the first, so that the first one has the last word.
            for number in range(len(decided.rules) - 1, -1, -1):
                action = decided.rules[number].action(surface, viewer)
                if action is not None and len(held[number]):
                    decision = rule_decision(decided.rules[number], action, viewer)
                    codes[held[number]] = CODES[decision.action]
                    deciders[held[number]] = number
            codes[called > 0] = _CALL_CODES[viewer][called[called > 0]]
            deciders[called > 0] = _PERSON
            # What is sealed: no person may say otherwise.
            codes[held[0]], deciders[held[0]] = CODES["remove"], 0
            codes[awaiting], deciders[awaiting] = AWAITING, _NOBODY
            decided.codes[place, rows] = codes
            decided.deciders[place, rows] = deciders

    def _make_room(self, rows: npt.NDArray[np.int64]) -> None:
        needed = int(rows.max()) + 1 if len(rows) else 0
        if needed <= self._capacity:
            return
        old, self._capacity = self._capacity, max(needed, 2 * self._capacity)
        self._judged = _longer(self._judged, self._capacity, 0)
        self._current = _longer(self._current, self._capacity, 0)
        self._called = _longer(self._called, self._capacity, 0)
        self._numbers = {
            number: _longer(column, self._capacity, UNKNOWN[number[0]])
            for number, column in self._numbers.items()
        }
        grown = _nothing_decided(self._decided.rules, self._capacity)
        grown.codes[:, :old] = self._decided.codes[:, :old]
        grown.deciders[:, :old] = self._decided.deciders[:, :old]
        self._decided = grown


def _shown_codes(surface: Surface) -> npt.NDArray[np.bool_]:
    return np.array([*(action in SHOWN[surface] for action in ACTIONS), False])


def _call_codes(viewer: ViewerClass) -> npt.NDArray[np.uint8]:
    calls = [PersonCall(action=action, category=None, name="") for action in ACTIONS]
    return np.array([0, *(CODES[person_decision(call, viewer).action] for call in calls)], np.uint8)


_SHOWN_CODES: Final = {surface: _shown_codes(surface) for surface in SHOWN}
_CALL_CODES: Final = {viewer: _call_codes(viewer) for viewer in VIEWER_CLASSES}


def _nothing_decided(rules: Sequence[Rule], capacity: int) -> _Decided:
    shape = (len(PAIRS), capacity + 1)
    return _Decided(
        rules=rules,
        codes=np.full(shape, AWAITING, np.uint8),
        deciders=np.full(shape, _NOBODY, np.int8 if len(rules) <= _MOST_IN_A_BYTE else np.int16),
    )


def _places(
    holds: bool | npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.intp]:
    return np.flatnonzero(np.broadcast_to(holds, rows.shape))


def _zeros(length: int, kind: type[U]) -> npt.NDArray[U]:
    return np.zeros(length, kind)


def _longer(array: npt.NDArray[U], length: int, fill: int) -> npt.NDArray[U]:
    longer = np.full(length, fill, array.dtype)
    longer[: len(array)] = array
    return longer
