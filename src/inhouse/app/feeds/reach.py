"""How many people a post has reached, read from the state in memory."""

from collections.abc import Sequence

from inhouse.core.ids import ItemId
from inhouse.features.state import LiveState


class StateReach:
    """Impressions of items, 0 for one the state does not know."""

    def __init__(self, state: LiveState) -> None:
        self._state = state

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        """One number for each item."""
        items = self._state.items
        rows = [items.index.get(item_id) for item_id in item_ids]
        return [0 if row is None else int(items.impressions[row]) for row in rows]
