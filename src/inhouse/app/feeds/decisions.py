"""Keeps the board of moderation's decisions beside the item table of a state."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from inhouse.core.ids import ItemId
from inhouse.features.items import ItemTable
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.moderation.verdicts.rows import Verdicts

T = TypeVar("T")
_AT_ONCE: Final = 20_000


class BoardKeeper:
    """Listens to the follower of a state: a changed text awaits its verdict, a verdict counts."""

    def __init__(self, board: DecisionBoard, items: ItemTable, verdicts: Verdicts) -> None:
        self._board = board
        self._items = items
        self._verdicts = verdicts

    def items_changed(self, rows: Sequence[int]) -> None:
        """Tell the board which text each of these items has now."""
        for part in _parts(rows):
            self._board.expect(part, [f"{self._items.text_key[row]:015x}" for row in part])

    def verdicts_changed(self, items: Sequence[ItemId]) -> None:
        """Take in the latest verdicts of those items that the table knows."""
        for part in _parts(items):
            latest = self._verdicts.latest(part)
            known = [item for item in latest if item in self._items.index]
            if known:
                rows = [self._items.index[item] for item in known]
                self._board.update(rows, [latest[item] for item in known])


def _parts(whole: Sequence[T]) -> Iterator[Sequence[T]]:
    """So few at once that a start with a million items needs little memory for their verdicts."""
    return (whole[start : start + _AT_ONCE] for start in range(0, len(whole), _AT_ONCE))
