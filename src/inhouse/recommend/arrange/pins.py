"""Places that an operator's rule has given away."""

from dataclasses import replace

from inhouse.recommend.arrange.base import Allowed, Choice
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates


class Pins:
    """Puts pinned posts at their places; until then nobody else may place them.

    One whose place is beyond the page's end waits for no place and competes like all others; two
    for one place stand one after the other.
    """

    def __init__(self, moment: Moment, ranked: Candidates, length: int) -> None:
        rows = {int(item): row for row, item in enumerate(ranked.items)}
        self._waiting = [
            (place, rows[item], rule.rule_id)
            for place, item, rule in moment.orders.pins
            if item in rows and place < length
        ]

    def choose(self, place: int, allowed: Allowed) -> Choice | None:
        """The first that waits for this place or an earlier one, or where nobody else is left."""
        if not self._waiting:
            return None
        due, row, rule_id = self._waiting[0]
        if due > place and allowed.mask.any():
            return None
        return Choice(row=row, note=f"pinned:{rule_id}")

    def reserve(self, allowed: Allowed) -> Allowed:
        """The same without those that wait."""
        if not self._waiting:
            return allowed
        mask = allowed.mask.copy()
        mask[[row for _, row, _ in self._waiting]] = False
        return replace(allowed, mask=mask)

    def take(self, row: int) -> None:
        """Remember who was placed."""
        self._waiting = [pin for pin in self._waiting if pin[1] != row]
