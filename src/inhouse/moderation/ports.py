"""What moderation asks of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inhouse.core.ids import ItemId


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """One text's scores."""

    p: Mapping[str, float]  # category -> probability; a category the model does not know is absent
    model_version: str  # the model that answered


class TextScorer(Protocol):
    """Scores texts; raises VendorError where no model can be reached."""

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores]:
        """One answer for each text, in order. `refs` name what the texts belong to."""


class Reach(Protocol):
    """How many people a post has reached so far."""

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        """One number for each item, 0 for one nobody has seen or of which nothing is known."""


class NoReach:
    """Where impressions are not at hand: cases are ordered by probability and reports alone."""

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        return [0] * len(item_ids)
