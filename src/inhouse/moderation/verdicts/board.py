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

from inhouse.moderation.policy.compiled import NO_RULE_HOLDS, PAIRS, PLACE, Compiled
from inhouse.moderation.policy.match import UNKNOWN, Number, numbers_of
from inhouse.moderation.policy.types import Policy
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
from inhouse.moderation.verdicts.decide import SEALED_PLACE, compiled, decision_of, person_decision

U = TypeVar("U", np.uint8, np.uint16, np.uint64)

# Beside NO_RULE_HOLDS and the places of rules:
_PERSON: Final = -2
_NOBODY: Final = -3
_FIRST_CAPACITY: Final = 1_024
_AT_ONCE: Final = 20_000  # items decided anew while a writer waits
_MOST_IN_A_BYTE: Final = np.iinfo(np.int8).max  # rules


@dataclass(frozen=True, kw_only=True, slots=True)
class _Decided:
    """The answers. The last column is never an item's and always awaiting."""

    ready: Compiled  # the policy they follow from
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
        self._decided = _nothing_decided(compiled(policy), self._capacity)
        self._next: _Decided | None = None  # by the policy that is being adopted
        self._adopting = threading.Lock()

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._policy

    def actions(
        self, items: npt.NDArray[np.integer], surface: Surface, viewer: Viewer
    ) -> npt.NDArray[np.uint8]:
        """Codes of actions, uint8[n], for item indexes (int[n], none negative): places in
        `ACTIONS`, or AWAITING for an item without a verdict on its present text."""
        codes: npt.NDArray[np.uint8] = self.column(surface, viewer).take(items, mode="clip")
        return codes

    def column(self, surface: Surface, viewer: Viewer) -> npt.NDArray[np.uint8]:
        """The same for all items by index, the last for every later one; not to be written to."""
        codes: npt.NDArray[np.uint8] = self._decided.codes[PLACE[surface, viewer_class(viewer)]]
        return codes

    def shown(
        self, items: npt.NDArray[np.integer], surface: Surface, viewer: Viewer
    ) -> npt.NDArray[np.bool_]:
        """Whether each item may be shown there: bool[n]."""
        return _SHOWN_CODES[surface][self.actions(items, surface, viewer)]

    def decision(self, item: int, surface: Surface, viewer: Viewer) -> Decision | None:
        """One decision with its reason; None while the item awaits a verdict."""
        seen_by = viewer_class(viewer)
        decided, place = self._decided, PLACE[surface, seen_by]
        decider = int(decided.deciders[place, min(item, decided.deciders.shape[1] - 1)])
        if decider >= NO_RULE_HOLDS:
            code = int(decided.codes[place, min(item, decided.codes.shape[1] - 1)])
            return decision_of(decided.ready, decider, code)
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
            self._decide_all(rows)

    def expect(self, items: Sequence[int], text_keys: Sequence[str]) -> None:
        """Tell which text items have now (`types.text_key`): one that differs from the text that
        was judged awaits its verdict."""
        rows = np.asarray(items, np.int64)
        with self._gate:
            self._make_room(rows)
            self._current[rows] = [int(key, 16) for key in text_keys]
            self._decide_all(rows)

    def adopt(self, policy: Policy) -> None:
        """Decide everything anew by another policy. Readers go on by the one before until all is
        decided, and writers wait for a part of the items at most."""
        ready = compiled(policy)
        with self._adopting:
            with self._gate:
                self._next = _nothing_decided(ready, self._capacity)
            begin = 0
            while begin < self._capacity:
                with self._gate:
                    end = min(begin + _AT_ONCE, self._capacity)
                    self._decide(self._next, np.arange(begin, end))
                begin = end
            with self._gate:
                self._policy, self._decided, self._next = policy, self._next, None

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

    def _decide_all(self, rows: npt.NDArray[np.int64]) -> None:
        """By the policy in force, and by the one that is about to be."""
        self._decide(self._decided, rows)
        if self._next is not None:
            self._decide(self._next, rows)

    def _decide(self, decided: _Decided, rows: npt.NDArray[np.int64]) -> None:
        """Write the decisions of some items: the same rules as `decide`, on arrays."""
        asked = (number for number in decided.ready.asked if number in self._numbers)
        known = {number: self._numbers[number][rows] for number in asked}
        found = decided.ready.decide_many(known, len(rows))
        called, judged, current = self._called[rows], self._judged[rows], self._current[rows]
        awaiting = (judged == 0) | ((current != 0) & (current != judged))
        for place, (_, viewer) in enumerate(PAIRS):
            codes, deciders = found.codes[place], found.deciders[place]
            free = (called > 0) & (deciders != SEALED_PLACE)
            codes[free] = _CALL_CODES[viewer][called[free]]
            deciders[free] = _PERSON
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
        self._decided = _grown(self._decided, old, self._capacity)
        if self._next is not None:
            self._next = _grown(self._next, old, self._capacity)


def _shown_codes(surface: Surface) -> npt.NDArray[np.bool_]:
    return np.array([*(action in SHOWN[surface] for action in ACTIONS), False])


def _call_codes(viewer: ViewerClass) -> npt.NDArray[np.uint8]:
    calls = [PersonCall(action=action, category=None, name="") for action in ACTIONS]
    return np.array([0, *(CODES[person_decision(call, viewer).action] for call in calls)], np.uint8)


_SHOWN_CODES: Final = {surface: _shown_codes(surface) for surface in SHOWN}
_CALL_CODES: Final = {viewer: _call_codes(viewer) for viewer in VIEWER_CLASSES}


def _nothing_decided(ready: Compiled, capacity: int) -> _Decided:
    shape = (len(PAIRS), capacity + 1)
    return _Decided(
        ready=ready,
        codes=np.full(shape, AWAITING, np.uint8),
        deciders=np.full(
            shape, _NOBODY, np.int8 if len(ready.rules) <= _MOST_IN_A_BYTE else np.int16
        ),
    )


def _grown(decided: _Decided, old: int, capacity: int) -> _Decided:
    grown = _nothing_decided(decided.ready, capacity)
    grown.codes[:, :old] = decided.codes[:, :old]
    grown.deciders[:, :old] = decided.deciders[:, :old]
    return grown


def _zeros(length: int, kind: type[U]) -> npt.NDArray[U]:
    return np.zeros(length, kind)


def _longer(array: npt.NDArray[U], length: int, fill: int) -> npt.NDArray[U]:
    longer = np.full(length, fill, array.dtype)
    longer[: len(array)] = array
    return longer
