"""What moderation asks of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId
from inhouse.moderation.types import MediaEvidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """One text's scores."""

    p: Mapping[str, float]  # category -> probability; a category the model does not know is absent
    model_version: str | None  # the model that answered; None where there is none


class TextScorer(Protocol):
    """Scores texts; raises VendorError where none of them gets an answer."""

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> Sequence[Scores | None]:
        """One answer for each text, in order, None for a text that got none while others did.
        `refs` name what the texts belong to, each once."""


class PictureScorer(Protocol):
    """Scores pictures; raises VendorError where one of them gets no answer."""

    async def look(self, pictures: Sequence[str]) -> Sequence[Scores | None]:
        """One answer for each picture, given by address or as `data:`; None for one that was
        refused. None at all where nobody here scores pictures."""


class Reach(Protocol):
    """How many people a post has reached so far."""

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        """One number for each item, 0 for one nobody has seen or of which nothing is known."""


class NoReach:
    """Where impressions are not at hand: cases are ordered by probability and reports alone."""

    def views(self, item_ids: Sequence[ItemId]) -> Sequence[int]:
        return [0] * len(item_ids)


class MediaSource(Protocol):
    """What is known of the pictures and videos of posts."""

    def look(self, items: Sequence[Item]) -> Mapping[ItemId, MediaEvidence | None]:
        """Of each item whose media counts what it adds to the evidence, or None while it has to be
        read first."""


class NoMedia:
    """Where nothing is fetched: posts are judged by their words."""

    def look(self, items: Sequence[Item]) -> Mapping[ItemId, MediaEvidence | None]:
        return {}
