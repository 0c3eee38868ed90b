"""The posts judged last, as a model is shown them."""

from typing import Final

from inhouse.app.build import Services
from inhouse.catalog.types import post_text
from inhouse.core.ids import ItemId
from inhouse.moderation.judging.scoring import shortened
from inhouse.moderation.verdicts.history import Window, read_history

_LATEST: Final = 5_000


def latest_posts(services: Services, *, undecided: bool = False) -> dict[ItemId, str]:
    """Those with words, in the order in which they were judged. undecided: without those on which
    a person has decided."""
    ids = [
        ItemId(item_id)
        for part in read_history(services.database, (), Window(newest=_LATEST))
        for item_id, call in zip(part.item_ids, part.calls, strict=True)
        if not (undecided and call)
    ]
    items = services.catalog.items(ids)
    most_chars = services.settings.moderation.most_chars
    return {
        item_id: shortened(text, most_chars)
        for item_id in ids
        if item_id in items
        for text in [post_text(items[item_id].title, items[item_id].text)]
        if text.strip()
    }
