"""What this package asks of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inhouse.catalog.catalog import Catalog
from inhouse.core.ids import ItemId
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog


@dataclass(frozen=True, kw_only=True, slots=True)
class Logs:
    """Where a state comes from."""

    catalog: Catalog  # items, users and the news of their changes
    events: EventLog  # what people did
    pages: PageLog  # what was shown


class Listener(Protocol):
    """Whoever keeps something beside the item table, such as decisions of moderation."""

    def items_changed(self, rows: Sequence[int]) -> None:
        """These rows of the item table are new or differ."""

    def verdicts_changed(self, items: Sequence[ItemId]) -> None:
        """These items have a newer verdict."""


class Nobody:
    """Hears everything and does nothing."""

    def items_changed(self, rows: Sequence[int]) -> None:
        pass

    def verdicts_changed(self, items: Sequence[ItemId]) -> None:
        pass
