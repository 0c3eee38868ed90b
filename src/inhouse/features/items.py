"""Every item as columns: the index of an item is a small number, the order of its arrival."""

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.catalog.types import Item, text_key
from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.ids import ItemId
from inhouse.features.content import CONTENT_DIMS, all_words, content_vector, word_hash
from inhouse.features.rows import Ragged, Rows, longer

TOPICS_KEPT: Final = 4
NEVER_MS: Final = np.iinfo(np.int64).max
HEAT_HALF_LIFE_MS: Final = 12 * HOUR_MS
SLOW_HALF_LIFE_MS: Final = 7 * DAY_MS
GONE: Final = "erased#"  # and a number: no id from outside can be written like this
_KINDS: Final = {"text": 0, "picture": 1, "video": 2}
# A block is one array of rows, so that what a request asks of an item lies side by side in memory:
# the facts of an item and its counters are a cache line each. name -> what numpy calls its dtype.
# A row in which no item stands yet is zero and never touched, so it takes no memory.
_Column = Any
_FACTS: Final[dict[str, _Column]] = {
    "created_ms": np.int64,
    "expires_ms": np.int64,
    "heat_ms": np.int64,
    "text_key": np.int64,
    "topics": (np.int16, (TOPICS_KEPT,)),
    "creator": np.int32,
    "duration_ms": np.int32,
    "language": np.int16,
    "region": np.int16,
    "kind": np.int8,
    "hidden": np.bool_,
    "is_reply": np.bool_,
}
_COUNTERS: Final[dict[str, _Column]] = {
    "impressions": np.float64,
    "clicks": np.float64,
    "likes": np.float64,
    "hides": np.float64,
    "reports": np.float64,
    "dwell_ms_sum": np.float64,
    "heat": np.float64,
    "heat_slow": np.float64,
}
_CONTENT: Final[dict[str, _Column]] = {"content": (np.float32, (CONTENT_DIMS,))}
_BLOCKS: Final = (_FACTS, _COUNTERS, _CONTENT)
_LINE_BYTES: Final = 64
COLUMNS: Final[dict[str, _Column]] = {**_FACTS, **_COUNTERS, **_CONTENT}


class Names:
    """Names and their small numbers, in order of first use."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """The number of a name, a new one if need be."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code

    def find(self, name: str | None) -> int:
        """The number of a name, -1 where it is unknown or None."""
        return -1 if name is None else self._codes.get(name, -1)

    def forget(self, name: str) -> None:
        """Let a name's number stand for nobody; the same name later gets a new one."""
        code = self._codes.pop(name)
        self.names[code] = f"{GONE}{code}"
        self._codes[self.names[code]] = code

    def __len__(self) -> int:
        return len(self.names)


class ItemTable:
    """Columns over all items. Arrays are longer than `count`: use `[: table.count]`."""

    creator: NDArray[np.int32]
    created_ms: NDArray[np.int64]
    expires_ms: NDArray[np.int64]
    kind: NDArray[np.int8]
    duration_ms: NDArray[np.int32]
    language: NDArray[np.int16]
    region: NDArray[np.int16]
    hidden: NDArray[np.bool_]
    is_reply: NDArray[np.bool_]
    text_key: NDArray[np.int64]
    topics: NDArray[np.int16]
    content: NDArray[np.float32]
    impressions: NDArray[np.float64]
    clicks: NDArray[np.float64]
    likes: NDArray[np.float64]
    hides: NDArray[np.float64]
    reports: NDArray[np.float64]
    dwell_ms_sum: NDArray[np.float64]
    heat: NDArray[np.float64]
    heat_slow: NDArray[np.float64]
    heat_ms: NDArray[np.int64]

    def __init__(self, capacity: int = 1024) -> None:
        self.count = 0
        self.version = 0  # rises with every change of an item's own facts
        self.ids: list[ItemId] = []
        self.index: dict[ItemId, int] = {}
        self.creators = Names()
        self.topic_names = Names()
        self.languages = Names()
        self.regions = Names()
        self._words = Ragged(np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int32))
        self._posts = (np.zeros(0, dtype=np.int32), 0, 0)  # rows, how many of them, looked up to
        self._blocks = [_untouched(columns, capacity) for columns in _BLOCKS]
        self._show()

    @property
    def posts(self) -> Rows:
        """int32[k], ascending: the items that answer nothing. Replies have rows too, since people
        like and report them, but no feed offers them."""
        rows, count, looked = self._posts
        if looked < self.count:
            newer = np.flatnonzero(~self.is_reply[looked : self.count]) + looked
            rows = longer(rows, count + len(newer), 0)
            rows[count : count + len(newer)] = newer
            count += len(newer)
            self._posts = (rows, count, self.count)
        return rows[:count]

    def upsert(self, item: Item) -> int:
        """Take an item in, or take its newer form over; its counters stay."""
        i, is_reply = self.index.get(item.item_id), item.reply_to is not None
        if i is None:
            i = self._new_row(item.item_id)
        elif self.is_reply[i] != is_reply:
            self._posts = (np.zeros(0, dtype=np.int32), 0, 0)
        self.creator[i] = self.creators.code(item.creator_id)
        self.created_ms[i] = item.created_ms
        self.expires_ms[i] = NEVER_MS if item.expires_ms is None else item.expires_ms
        self.kind[i] = _KINDS[item.kind]
        self.duration_ms[i] = min(item.duration_ms or 0, np.iinfo(np.int32).max)
        self.language[i] = -1 if item.language is None else self.languages.code(item.language)
        self.region[i] = -1 if item.region is None else self.regions.code(item.region)
        self.hidden[i] = item.hidden
        self.is_reply[i] = is_reply
        self.text_key[i] = int(text_key(item.title, item.text, item.media_url), 16)
        self.topics[i] = -1
        for k, topic in enumerate(item.topics[:TOPICS_KEPT]):
            self.topics[i, k] = self.topic_names.code(topic)
        self.content[i] = content_vector(item)
        words = {word_hash(word) for word in all_words(item.title) | all_words(item.text)}
        self._words.put(i, np.fromiter(sorted(words), dtype=np.uint32, count=len(words)))
        self.version += 1
        return i

    def withdraw(self, item_id: ItemId) -> None:
        """Hide an item that was deleted; its row stays, since histories point to it."""
        i = self.index.get(item_id)
        if i is not None:
            self.hidden[i] = True
            self._words.put(i, np.empty(0, dtype=np.uint32))
            self.version += 1

    def has_any_word(
        self, items: NDArray[np.int32], hashes: NDArray[np.uint32]
    ) -> NDArray[np.bool_]:
        """bool[n]: which of the items hold one of the words (`content.word_hash`)."""
        words, owners = self._words.of(items)
        found = np.isin(words, hashes)
        return np.bincount(owners[found], minlength=len(items)) > 0

    def words(self) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """The sorted hashes of each item's words one after the other, and how many each has."""
        return self._words.all(self.count)

    def restore(
        self, ids: list[ItemId], words: tuple[NDArray[np.uint32], NDArray[np.int32]]
    ) -> None:
        """Take over the rows of an earlier table; their columns are set by the caller."""
        self.ids = ids
        self.index = {item_id: i for i, item_id in enumerate(ids)}
        self.count = len(ids)
        self._words = Ragged(*words)
        self._posts = (np.zeros(0, dtype=np.int32), 0, 0)

    def warm(self, i: int, at_ms: int, weight: float) -> None:
        """Add to an item's heat what one wanted event is worth."""
        elapsed = max(0, at_ms - int(self.heat_ms[i]))
        self.heat[i] = self.heat[i] * 0.5 ** (elapsed / HEAT_HALF_LIFE_MS) + weight
        self.heat_slow[i] = self.heat_slow[i] * 0.5 ** (elapsed / SLOW_HALF_LIFE_MS) + weight
        self.heat_ms[i] = max(at_ms, int(self.heat_ms[i]))

    def heat_at(self, now_ms: int, items: NDArray[np.int32] | None = None) -> NDArray[np.float32]:
        """float32[n]: wanted events, each halved for every 12 h since."""
        return self._decayed(self.heat, HEAT_HALF_LIFE_MS, now_ms, items)

    def slow_heat_at(
        self, now_ms: int, items: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """float32[n]: wanted events, each halved for every 7 days since."""
        return self._decayed(self.heat_slow, SLOW_HALF_LIFE_MS, now_ms, items)

    def _decayed(
        self,
        heat: NDArray[np.float64],
        half_life_ms: int,
        now_ms: int,
        items: NDArray[np.int32] | None,
    ) -> NDArray[np.float32]:
        rows = np.arange(self.count, dtype=np.int32) if items is None else items
        return _halved(heat, self.heat_ms, rows, now_ms, half_life_ms)

    def _new_row(self, item_id: ItemId) -> int:
        i = self.count
        if i == len(self.creator):
            self._grow()
        self.ids.append(item_id)
        self.index[item_id] = i
        self.count += 1
        return i

    def _grow(self) -> None:
        for place, columns in enumerate(_BLOCKS):
            old = self._blocks[place]
            self._blocks[place] = grown = _untouched(columns, 2 * len(old))
            grown[: len(old)] = old
        self._show()

    def _show(self) -> None:
        """Let each column be an attribute: a view into its block."""
        for block, columns in zip(self._blocks, _BLOCKS, strict=True):
            for name in columns:
                setattr(self, name, block[name])


@njit(cache=True)
def _halved(
    heat: NDArray[np.float64],
    heat_ms: NDArray[np.int64],
    rows: NDArray[np.int32],
    now_ms: int,
    half_life_ms: int,
) -> NDArray[np.float32]:
    """float32[n]: the heat of these rows, halved for every half-life since it was told."""
    found = np.empty(len(rows), dtype=np.float32)
    for i in range(len(rows)):
        elapsed = max(now_ms - heat_ms[rows[i]], 0)
        found[i] = heat[rows[i]] * 2.0 ** (-elapsed / half_life_ms)
    return found


def _untouched(columns: dict[str, _Column], rows: int) -> NDArray[Any]:
    """A block of rows; a row is a whole number of cache lines long."""
    fields = list(columns.items())
    rest = -np.dtype(fields).itemsize % _LINE_BYTES
    return np.zeros(rows, dtype=np.dtype([*fields, ("rest", np.void, rest)]))
