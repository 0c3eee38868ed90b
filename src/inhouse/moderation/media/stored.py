"""What scanning learns of posts' media: what was read before, held against the banks of now."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.pdq import LEAST_QUALITY
from inhouse.moderation.media.records import media_of
from inhouse.moderation.media.types import MediaHashes, MediaRow
from inhouse.moderation.signals.read import UNREAD
from inhouse.moderation.types import MediaEvidence
from inhouse.store.database import Database

NOTHING_READ: Final = MediaEvidence(signals={UNREAD: 1})


class StoredMedia:
    """Media as the store knows it."""

    def __init__(
        self, database: Database, known: KnownHashes, is_wanted: Callable[[], bool]
    ) -> None:
        """is_wanted: whether media that nobody has read yet is to be."""
        self._database = database
        self._known = known
        self._is_wanted = is_wanted

    def look(self, items: Sequence[Item]) -> dict[ItemId, MediaEvidence | None]:
        """See `ports.MediaSource.look`."""
        with_media = [item for item in items if item.media_url is not None]
        if not with_media:
            return {}
        with self._database.read() as connection:
            rows = media_of(connection, [item.item_id for item in with_media])
        wanted = self._is_wanted()
        found: dict[ItemId, MediaEvidence | None] = {}
        for item in with_media:
            row = rows.get(item.item_id)
            if row is not None and row.url == item.media_url and row.state != "waiting":
                found[item.item_id] = evidence_of_row(row, self._known)
            elif wanted:
                found[item.item_id] = None
        return found


def evidence_of_row(row: MediaRow, known: KnownHashes) -> MediaEvidence:
    """What a row that waits no longer adds to the evidence on its post."""
    if row.hashes is None:
        return NOTHING_READ
    return dataclasses.replace(known.evidence(row.hashes), pictures=(_look(row.hashes),))


def _look(hashes: MediaHashes) -> str:
    """The same for files that look the same: of a picture its hash where it says enough."""
    first = next(iter(hashes.frames), None)
    says = hashes.kind == "picture" and first is not None and first.quality >= LEAST_QUALITY
    return first.pdq.hex() if says and first is not None else hashes.sha256.hex()
