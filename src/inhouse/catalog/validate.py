"""Whether an item or a user makes sense: every rule that their types do not say."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from inhouse.catalog.types import Item, User
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import Fault
from inhouse.core.ids import ID_RULE, is_valid_id

MOST_TITLE_CHARS: Final = 500
MOST_TEXT_CHARS: Final = 50_000
MOST_TOPICS: Final = 20
MOST_TOPIC_CHARS: Final = 64
MOST_CODE_CHARS: Final = 16
MOST_URL_CHARS: Final = 2_000
MOST_NAME_CHARS: Final = 200
MOST_VECTORS: Final = 4
VECTOR_SIZES: Final = (2, 2_048)
LARGEST_NUMBER: Final = 60_000.0  # half precision ends at 65,504
_VECTOR_NAME: Final = re.compile(r"[a-z0-9_]{1,32}")


def item_fault(item: Item) -> Fault | None:
    """The first thing wrong with an item, or None."""
    return (
        _id_fault("item_id", item.item_id)
        or _id_fault("creator_id", item.creator_id)
        or _length_fault("title", item.title, MOST_TITLE_CHARS)
        or _length_fault("text", item.text, MOST_TEXT_CHARS)
        or _topics_fault(item.topics)
        or _code_fault("language", item.language)
        or _code_fault("region", item.region)
        or _url_fault(item.media_url)
        or _range_fault("duration_ms", item.duration_ms, 0, DAY_MS)
        or _range_fault("created_ms", item.created_ms, 0, 1 << 53)
        or _range_fault("expires_ms", item.expires_ms, 0, 1 << 53)
        or _vectors_fault(item.vectors)
        or _reply_fault(item)
    )


def user_fault(user: User) -> Fault | None:
    """The first thing wrong with a user, or None."""
    return (
        _id_fault("user_id", user.user_id)
        or _length_fault("name", user.name or "", MOST_NAME_CHARS)
        or _topics_fault(user.topics)
        or _code_fault("language", user.language)
        or _code_fault("region", user.region)
        or _range_fault("created_ms", user.created_ms, 0, 1 << 53)
        or _range_fault("birth_year", user.birth_year, 1900, 2100)
    )


def _fault(field: str, value: object, expected: str) -> Fault:
    return Fault(field=field, value=repr(value)[:80], expected=expected)


def _id_fault(field: str, value: str) -> Fault | None:
    return None if is_valid_id(value) else _fault(field, value, ID_RULE)


def _reply_fault(item: Item) -> Fault | None:
    if item.reply_to == item.item_id:
        return _fault("reply_to", item.reply_to, "the id of another item")
    return None if item.reply_to is None else _id_fault("reply_to", item.reply_to)


def _length_fault(field: str, value: str, most: int) -> Fault | None:
    if len(value) > most:
        return Fault(
            field=field, value=f"{len(value)} characters", expected=f"0 to {most} characters"
        )
    if "\x00" in value:
        return Fault(field=field, value="a NUL character", expected="text without NUL characters")
    return None


def _topics_fault(topics: Sequence[str]) -> Fault | None:
    if len(topics) > MOST_TOPICS:
        return _fault("topics", f"{len(topics)} topics", f"0 to {MOST_TOPICS} topics")
    for topic in topics:
        if not 0 < len(topic) <= MOST_TOPIC_CHARS or topic != topic.lower() or "\x00" in topic:
            return _fault(
                "topics", topic, f"lower-case names of 1 to {MOST_TOPIC_CHARS} characters"
            )
    return None


def _vectors_fault(vectors: Mapping[str, Sequence[float]]) -> Fault | None:
    if len(vectors) > MOST_VECTORS:
        return _fault("vectors", f"{len(vectors)} vectors", f"0 to {MOST_VECTORS} vectors")
    least, most = VECTOR_SIZES
    for name, vector in vectors.items():
        if not _VECTOR_NAME.fullmatch(name):
            return _fault("vectors", name, "names of 1 to 32 of a-z, 0-9 and _")
        if not least <= len(vector) <= most:
            return _fault(f"vectors.{name}", f"{len(vector)} numbers", f"{least} to {most} numbers")
        for number in vector:
            if not abs(number) <= LARGEST_NUMBER:  # so that what is not a number fails too
                expected = f"numbers from {-LARGEST_NUMBER:g} to {LARGEST_NUMBER:g}"
                return _fault(f"vectors.{name}", number, expected)
    return None


def _code_fault(field: str, value: str | None) -> Fault | None:
    if value is None or (
        0 < len(value) <= MOST_CODE_CHARS and value.isascii() and "\x00" not in value
    ):
        return None
    return _fault(field, value, f"a code of 1 to {MOST_CODE_CHARS} ASCII characters")


def _url_fault(url: str | None) -> Fault | None:
    if url is None:
        return None
    expected = f"an http or https URL of at most {MOST_URL_CHARS} characters"
    if len(url) > MOST_URL_CHARS or not url.isprintable():
        return _fault("media_url", url, expected)
    try:
        parts = urlsplit(url)
    except ValueError:
        return _fault("media_url", url, expected)
    right = parts.scheme in ("http", "https") and bool(parts.netloc)
    return None if right else _fault("media_url", url, expected)


def _range_fault(field: str, value: int | None, least: int, most: int) -> Fault | None:
    if value is None or least <= value <= most:
        return None
    return _fault(field, value, f"{least} to {most}")
