"""What the catalog knows of posts that parity is told by: language, how new the author was."""

from collections.abc import Mapping, Sequence
from typing import Final

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId

_AGES: Final = ((7, "under a week"), (30, "under a month"), (365, "under a year"))
_LONG: Final = "a year or more"
_AT_ONCE: Final = 500


class CatalogFacts:
    """Facts of posts by their ids; other refs are not known."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def of(self, refs: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for start in range(0, len(refs), _AT_ONCE):
            items = self._catalog.items([ItemId(ref) for ref in refs[start : start + _AT_ONCE]])
            users = self._catalog.users(list({item.creator_id for item in items.values()}))
            for item_id, item in items.items():
                found[item_id] = _facts(item, users.get(item.creator_id))
        return found


def age_name(days: float) -> str:
    """How long an author had been there.

    >>> age_name(0.5), age_name(29), age_name(400)
    ('under a week', 'under a month', 'a year or more')
    """
    return next((name for most, name in _AGES if days < most), _LONG)


def _facts(item: Item, user: User | None) -> dict[str, str]:
    facts = {}
    if item.language:
        facts["language"] = item.language
    if user is not None and user.created_ms and item.created_ms >= user.created_ms:
        facts["creator age"] = age_name((item.created_ms - user.created_ms) / DAY_MS)
    return facts
