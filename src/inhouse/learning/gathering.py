"""Moments at which somebody wanted something, gathered one by one and encoded all at once.

Each comes out as `features.history.history_arrays` and `encoding.encode_history` give it for one
person, byte for byte; a test holds the two together. Encoding a stretch at once costs a fifth.
"""

from typing import Final

import numpy as np

from inhouse.features.people import Person
from inhouse.learning.encoding import age_codes, dwell_codes, empty_histories
from inhouse.learning.examples import NextItems


class Gathering:
    """The moments of one stretch of the log."""

    def __init__(self, length: int) -> None:
        self._length: Final = length
        self._targets: list[int] = []
        self._at_ms: list[int] = []
        self._offsets: list[int] = []
        self._counts: list[int] = []  # actions of each moment's history, which follow
        self._items: list[int] = []
        self._kinds: list[int] = []
        self._acted_ms: list[int] = []
        self._values: list[float] = []

    def add(self, person: Person, item: int, at_ms: int, offset: int) -> None:
        """The person wanted the item; their history is read now, without the item itself."""
        latest = list(person.recent)[-self._length :]
        actions = [action for action in latest if action.item != item]
        self._targets.append(item)
        self._at_ms.append(at_ms)
        self._offsets.append(offset)
        self._counts.append(len(actions))
        self._items.extend([action.item for action in actions])
        self._kinds.extend([action.kind for action in actions])
        self._acted_ms.extend([action.at_ms for action in actions])
        self._values.extend([action.value for action in actions])

    def examples(self) -> NextItems:
        """All of them, in order."""
        n, length = len(self._targets), self._length
        at_ms = np.array(self._at_ms, dtype=np.int64)
        counts = np.array(self._counts, dtype=np.int64)
        rows = np.repeat(np.arange(n), counts)  # [actions] whose it is
        ends = np.cumsum(counts)
        columns = np.arange(len(rows)) - ends[rows] + length  # [actions] newest in the last one
        ages_ms = np.maximum(at_ms[rows] - np.array(self._acted_ms, dtype=np.int64), 0)
        histories = empty_histories(n, length)
        histories.items[rows, columns] = self._items
        histories.kinds[rows, columns] = self._kinds
        histories.ages[rows, columns] = age_codes(ages_ms)
        histories.dwells[rows, columns] = dwell_codes(np.array(self._values, dtype=np.float32))
        return NextItems(
            histories=histories,
            targets=np.array(self._targets, dtype=np.int32),
            at_ms=at_ms,
            offsets=np.array(self._offsets, dtype=np.int64),
        )
