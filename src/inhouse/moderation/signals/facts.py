"""What a post is: its kind and its language, as signals that are there or not."""

import re
from collections.abc import Mapping
from typing import Final, get_args

from inhouse.catalog.types import Item, ItemKind, post_text
from inhouse.moderation.signals.language import language_of

KIND: Final = "kind."
LANGUAGE: Final = "language."
KINDS: Final[tuple[ItemKind, ...]] = get_args(ItemKind)
# A post of this kind has no signal: it is what the others are not.
PLAIN: Final[ItemKind] = "text"
LANGUAGE_TAG: Final = re.compile(r"[a-z]{2,3}")


def facts_of(item: Item) -> Mapping[str, int]:
    """The signals `kind.KIND` and `language.TAG`, by the first part of the tag that the app gave;
    where it gave none, by what the text looks like.

    >>> from inhouse.core.ids import ItemId, UserId
    >>> facts_of(Item(item_id=ItemId("i"), creator_id=UserId("u"), kind="video", language="de-AT"))
    {'kind.video': 1, 'language.de': 1}
    """
    facts = {} if item.kind == PLAIN else {f"{KIND}{item.kind}": 1}
    said = item.language or language_of(post_text(item.title, item.text)) or ""
    tag = said.partition("-")[0].lower()
    if LANGUAGE_TAG.fullmatch(tag):
        facts[f"{LANGUAGE}{tag}"] = 1
    return facts


def is_fact(signal: str) -> bool:
    """Whether a signal is of this module."""
    return signal.startswith((KIND, LANGUAGE))
