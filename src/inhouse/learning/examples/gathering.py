"""Moments at which somebody wanted something, gathered one by one and encoded all at once.

Each comes out as `features.history.history_arrays` and `encoding.encode_history` give it for one
person, byte for byte; a test holds the two together. Encoding a stretch at once costs a fifth.
"""

from typing import Final

import numpy as np

from inhouse.features.people import Person
from inhouse.features.rows import Actions
from inhouse.learning.encoding import age_codes, dwell_codes, empty_histories
from inhouse.learning.examples.types import NextItems


class Gathering:
    """The moments of one stretch of the log."""

    def __init__(self, length: int) -> None:
        self._length: Final = length
        self._targets: list[int] = []
        self._at_ms: list[int] = []
        self._offsets: list[int] = []
        self._counts: list[int] = []  # actions of each moment's history, which follow
        self._actions: list[Actions] = []

    def add(self, person: Person, item: int, at_ms: int, offset: int) -> None:
        """The person wanted the item; their history is read now, without the item itself."""
        latest = person.recent.latest(self._length)
        kept = latest.items != item
        if not kept.all():
            latest = Actions(
                items=latest.items[kept],
                kinds=latest.kinds[kept],
                at_ms=latest.at_ms[kept],
                values=latest.values[kept],
            )
        self._targets.append(item)
        self._at_ms.append(at_ms)
        self._offsets.append(offset)
        self._counts.append(len(latest.items))
        self._actions.append(latest)

    def examples(self) -> NextItems:
        """All of them, in order."""
        n, length = len(self._targets), self._length
        at_ms = np.array(self._at_ms, dtype=np.int64)
        counts = np.array(self._counts, dtype=np.int64)
        rows = np.repeat(np.arange(n), counts)  # [actions] whose it is
        ends = np.cumsum(counts)
        columns = np.arange(len(rows)) - ends[rows] + length  # [actions] newest in the last one
        histories = empty_histories(n, length)
        if n:
            acted_ms = np.concatenate([actions.at_ms for actions in self._actions])
            values = np.concatenate([actions.values for actions in self._actions])
            histories.items[rows, columns] = np.concatenate([a.items for a in self._actions])
            histories.kinds[rows, columns] = np.concatenate([a.kinds for a in self._actions])
            histories.ages[rows, columns] = age_codes(np.maximum(at_ms[rows] - acted_ms, 0))
            histories.dwells[rows, columns] = dwell_codes(values)
        return NextItems(
            histories=histories,
            targets=np.array(self._targets, dtype=np.int32),
            at_ms=at_ms,
            offsets=np.array(self._offsets, dtype=np.int64),
        )
