"""How often the same comes again: by creator, link, text and picture, in windows of time.

Counted in memory and rebuilt from the store after a restart. Keys are 64 bits that name nobody:
they are made with a secret of the process, and what is older than a day is forgotten. A post's own
time counts, not when it was judged: what is imported or judged late is no flood.
"""

import hashlib
import re
import secrets
import unicodedata
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.moderation.signals.counted import HASH_1H, LINK_1H, POSTS_1D, POSTS_1H, TEXT_1H

_SECRET: Final = secrets.token_bytes(16)
_MOST: Final = 200_000  # entries a window holds, about 40 MB; the oldest go first
_MOST_OF_ONE: Final = 10_000  # of one key; no policy asks for more
_LEAST_CHARS: Final = 12  # letters and figures: greetings are no campaign
_NOT_WORDS: Final = re.compile(r"[\W_]+")
_SCHEME: Final = re.compile(r"^(?:[a-z]+://)?(?:www\.)?")
_BEHIND_PATH: Final = re.compile(r"[?#].*$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """A post as far as others may be like it."""

    item_id: str
    creator_id: str
    at_ms: int  # when it was posted
    text: str  # its words; kept nowhere
    links: tuple[str, ...] = ()  # as written
    hashes: tuple[str, ...] = ()  # of its pictures


class Window:
    """Counts of keys within a stretch of time, of a bounded number of entries."""

    def __init__(self, window_ms: int, most: int = _MOST) -> None:
        self._window_ms, self._most = window_ms, most
        self._times: dict[int, list[tuple[int, int]]] = {}  # by key, sorted: when, which post
        self._entries: deque[tuple[int, tuple[int, int]]] = deque()  # as they came
        self._latest_ms = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, key: int, at_ms: int, post: int) -> None:
        """Take in a post, once however often it is told."""
        times, entry = self._times.setdefault(key, []), (at_ms, post)
        place = bisect_left(times, entry)
        if place < len(times) and times[place] == entry:
            return
        insort(times, entry)
        self._entries.append((key, entry))
        if len(times) > _MOST_OF_ONE:
            del times[0]
        self._latest_ms = max(self._latest_ms, at_ms)
        while self._entries and self._is_over(self._entries[0][1][0]):
            self._forget(*self._entries.popleft())

    def count(self, key: int, at_ms: int, within_ms: int) -> int:
        """Entries of a key in (at_ms - within_ms, at_ms]."""
        times = self._times.get(key, ())
        first = bisect_right(times, at_ms - within_ms, key=_when)
        return bisect_right(times, at_ms, key=_when) - first

    def _is_over(self, at_ms: int) -> bool:
        return len(self._entries) > self._most or at_ms <= self._latest_ms - self._window_ms

    def _forget(self, key: int, entry: tuple[int, int]) -> None:
        times = self._times.get(key, [])
        place = bisect_left(times, entry)
        if place < len(times) and times[place] == entry:
            del times[place]
        if not times:
            self._times.pop(key, None)


class Velocity:
    """The windows of one community."""

    def __init__(self, most: int = _MOST) -> None:
        self._creators = Window(DAY_MS, most)
        self._links = Window(HOUR_MS, most)
        self._texts = Window(HOUR_MS, most)
        self._hashes = Window(HOUR_MS, most)

    def add(self, post: Post) -> Mapping[str, int]:
        """Take in a post and count those like it, the post itself too; nothing where it is alone.

        Of several links or pictures the commonest counts.
        """
        at_ms, own = post.at_ms, key_of(post.item_id)
        creator = key_of(post.creator_id)
        self._creators.add(creator, at_ms, own)
        counts = {
            POSTS_1H: self._creators.count(creator, at_ms, HOUR_MS),
            POSTS_1D: self._creators.count(creator, at_ms, DAY_MS),
            LINK_1H: _commonest(self._links, [link_key(link) for link in post.links], post),
            TEXT_1H: _commonest(self._texts, text_keys(post.text), post),
            HASH_1H: _commonest(self._hashes, [key_of(h) for h in post.hashes], post),
        }
        return {name: count for name, count in counts.items() if count > 1}


def _commonest(window: Window, keys: Sequence[int], post: Post) -> int:
    own, most = key_of(post.item_id), 0
    for key in keys:
        window.add(key, post.at_ms, own)
        most = max(most, window.count(key, post.at_ms, HOUR_MS))
    return most


def text_keys(text: str) -> list[int]:
    """The key of a text whatever its case, signs and spaces; none where it is too short to tell.

    >>> text_keys("Buy FOLLOWERS, now!!") == text_keys("buy followers now")
    True
    """
    plain = _NOT_WORDS.sub("", unicodedata.normalize("NFKC", text).casefold())
    return [key_of(plain)] if len(plain) >= _LEAST_CHARS else []


def link_key(link: str) -> int:
    """The key of a link: its site and path, without what differs from post to post.

    >>> link_key("https://www.Shop.example/x/?ref=1") == link_key("shop.example/x")
    True
    """
    bare = _BEHIND_PATH.sub("", _SCHEME.sub("", link.casefold()))
    return key_of(bare.rstrip("/"))


def key_of(name: str) -> int:
    """64 bits that tell names apart and name nobody."""
    told = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, key=_SECRET, digest_size=8).digest(), "big")


def _when(entry: tuple[int, int]) -> int:
    return entry[0]
