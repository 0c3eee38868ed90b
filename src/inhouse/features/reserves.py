"""What the last pages left over, for pages that must cost little."""

from collections import OrderedDict
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace

from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.events.types import ServedPage
from inhouse.features.items import ItemTable
from inhouse.features.rows import Rows

KEPT_FOR: Final = 20_000  # people
_SURFACE: Final = "for_you"  # the one page that no list shared by all could stand in for
_MOST_LEVEL: Final = 1  # a page made of an earlier reserve leaves none of its own


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """What one page ranked and did not show."""

    page_id: PageId  # which page
    items: tuple[ItemId, ...]  # best first

    def rows(self, table: ItemTable) -> Rows:
        """int32[k]: those that there still are, best first. Looked up here, since most reserves
        are never asked for."""
        known = (table.index.get(item_id) for item_id in self.items)
        return np.array([row for row in known if row is not None], dtype=np.int32)


class Reserves:
    """Of each of the last 20,000 people the reserve of their latest ranked page.

    It is folded from the log of pages like all else, so other processes' pages count too; a
    checkpoint does not hold it.
    """

    def __init__(self, most: int = KEPT_FOR) -> None:
        self._most = most
        self._kept: OrderedDict[UserId, Reserve] = OrderedDict()

    def of(self, user_id: UserId) -> Reserve | None:
        """None where nothing is remembered."""
        return self._kept.get(user_id)

    def hear(self, page: ServedPage) -> None:
        """Remember what a page left over; whoever was served longest ago is let go."""
        if page.surface != _SURFACE or page.level > _MOST_LEVEL:
            return
        self._kept[page.user_id] = Reserve(page_id=page.page_id, items=page.reserve)
        self._kept.move_to_end(page.user_id)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def share(self, user_id: UserId, table: ItemTable) -> None:
        """Of a page that was read from its log: hold the names that the table holds already."""
        kept = self._kept.get(user_id)
        if kept is not None:
            rows = kept.rows(table).tolist()
            self._kept[user_id] = replace(kept, items=tuple(table.ids[row] for row in rows))

    def drop(self, user_id: UserId) -> None:
        """What was ranked for this person no longer is."""
        self._kept.pop(user_id, None)
