"""The nouns of the catalog."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from inhouse.core.ids import ItemId, UserId

ItemKind = Literal["text", "picture", "video"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A post."""

    item_id: ItemId  # chosen by the app
    creator_id: UserId  # who posted it
    kind: ItemKind = "text"  # what it mainly is
    title: str = ""  # headline, may be empty
    text: str = ""  # body or caption, may be empty
    topics: tuple[str, ...] = ()  # the app's own tags, lower case
    language: str | None = None  # BCP 47, `en`
    region: str | None = None  # ISO 3166, `DE`
    media_url: str | None = None  # picture or video, fetched by clients, never trusted
    duration_ms: int | None = None  # of a video
    created_ms: int = 0  # when it was posted
    expires_ms: int | None = None  # from then on it is not shown
    hidden: bool = False  # withdrawn by the app
    vectors: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # by name: image, sound
    reply_to: ItemId | None = None  # the item it answers, which may arrive later; None for a post


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person. Someone only seen in events exists too, with nothing but an id."""

    user_id: UserId  # opaque, chosen by the app
    name: str | None = None  # as shown to others; needed for creators only
    created_ms: int = 0  # when they joined
    topics: tuple[str, ...] = ()  # chosen at sign-up, lower case
    language: str | None = None  # BCP 47
    region: str | None = None  # ISO 3166
    birth_year: int | None = None  # for age-gated content; unknown counts as under age
    is_creator: bool = False  # whether they post


@dataclass(frozen=True, kw_only=True, slots=True)
class Put:
    """What became of a batch."""

    created: int  # ids that were new
    updated: int  # ids that were known and differ now
    unchanged: int  # ids that were known and equal


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """What became of a batch of items, for whoever keeps them in memory."""

    put: Put
    changed: tuple[Item, ...]  # those that are new or differ now, as they are stored
    last_change: int  # offset of the news of the last of them, each before it one less; 0 for none


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Something that other processes must hear of."""

    log_offset: int  # place in the log of changes
    entity: Literal["item", "user", "verdict", "erased"]  # which table; erased: nobody's row
    entity_id: str  # which row; of somebody erased their mark (catalog.erasures)


def post_text(title: str, text: str) -> str:
    """The text that is judged and that spans point into: the title, a blank line, the body."""
    return f"{title}\n\n{text}" if title and text else title or text


def text_key(title: str, text: str, media_url: str | None = None) -> str:
    """Names a text and the media beside it, all that is judged of a post: 15 hex digits, so that it
    fits a signed 64-bit integer too."""
    whole = post_text(title, text) + ("" if media_url is None else f"\0{media_url}")
    digest = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=8)
    return digest.hexdigest()[:15]


def key_of(item: Item) -> str:
    """The key of all that is judged of a post, as it is now."""
    return text_key(item.title, item.text, item.media_url)


def texts_of(item: Item) -> tuple[str, ...]:
    """The ways in which an item's words are sent to be judged: whole, and each part alone."""
    return post_text(item.title, item.text), item.title, item.text


def words_ref(text: str) -> str:
    """How a text that came without an id is called: the same words, the same name. So what is kept
    of it is found again when whoever posted these words is erased.

    >>> words_ref("tea") == f"text:{text_key('', 'tea')}"
    True
    """
    return f"text:{text_key('', text)}"
