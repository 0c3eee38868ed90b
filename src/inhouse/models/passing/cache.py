"""Answers kept for a while: the same call to the same deployment is answered from memory.

Only where its table in vendors.toml says so (`cache_s`), only whole answers (a stream is asked for
anew), and only what does not depend on chance: embeddings, and chats at temperature 0, or any where
`cache_any` says so. Kept by a digest of the call, in this process alone, in bounded memory. When
anybody is erased, all of it is dropped within two seconds, and nothing is answered from it before.
What a key asked that is void by now goes within two seconds, too.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Final

import msgspec
import sqlalchemy as sa

from inhouse.catalog.erasures import News
from inhouse.models.bounds.known import Known
from inhouse.models.providers.passing import Passed
from inhouse.models.types import Deployment
from inhouse.store import tables
from inhouse.store.database import Database

MB: Final = 1_000_000
_BESIDES: Final = 400  # bytes that an answer takes besides its own
_LARGEST: Final = 16  # no answer may take more than this part of the memory


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswer:
    """An answer, and what it cost when it was asked for."""

    body: bytes
    key_id: str  # whose call it was; others are answered with it too
    cost_usd: Decimal | None  # None where nobody knows
    until: float  # on the monotonic clock


@dataclass(frozen=True, kw_only=True, slots=True)
class _News:
    """What makes answers go."""

    erased: int  # erasures since it was first asked
    void: frozenset[str]  # keys


class AnswerCache:
    """The answers of one community in one process. For one loop."""

    def __init__(self, database: Database, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held: OrderedDict[bytes, KeptAnswer] = OrderedDict()  # least used first
        self._bytes = 0
        self._database = database
        self._news: News | None = None
        self._erased = 0  # erasures heard of
        self._known = Known(self._hear)
        self._heard = _News(erased=0, void=frozenset())  # by what is held

    async def find(self, key: bytes) -> KeptAnswer | None:
        """The answer to that call, if it is there and young enough."""
        self._heed(await self._known.get())
        found = self._held.get(key)
        if found is None:
            return None
        # What was under way when its key became void may have come since.
        if found.until < monotonic() or found.key_id in self._heard.void:
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return found

    def keep(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep an answer; those used least go where there is no room."""
        size = len(answer.body) + _BESIDES
        if size * _LARGEST > self._most_bytes:
            return
        self._drop(key)
        while self._bytes + size > self._most_bytes:
            self._drop(next(iter(self._held)))
        self._held[key] = answer
        self._bytes += size

    def clear(self) -> None:
        """Forget all of it."""
        self._held.clear()
        self._bytes = 0

    def _drop(self, key: bytes) -> None:
        gone = self._held.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.body) + _BESIDES

    def _heed(self, news: _News) -> None:
        heard, self._heard = self._heard, news
        if news.erased != heard.erased:
            self.clear()
        elif news.void != heard.void:
            for key in [key for key, kept in self._held.items() if kept.key_id in news.void]:
                self._drop(key)

    def _hear(self) -> _News:
        if self._news is None:
            self._news = News(self._database)
        self._erased += len(self._news.fresh())
        keys = tables.api_keys.c
        query = sa.select(keys.key_id).where(keys.revoked_ms.is_not(None))
        with self._database.read() as connection:
            void = frozenset(connection.execute(query).scalars())
        return _News(erased=self._erased, void=void)


def cache_key(deployment: Deployment, call: Passed) -> bytes | None:
    """What a call is kept by; None where its answer must not be kept.

    Names in another order, or other spaces, are the same call; any other word in it is another one.
    """
    settled = call.service == "embeddings" or call.temperature == 0
    if not deployment.cache_s or call.stream or not (settled or deployment.cache_any):
        return None
    body = {name: msgspec.json.decode(raw) for name, raw in call.fields.items() if name != "model"}
    head = "\0".join((call.service, deployment.name, deployment.model)).encode()
    return hashlib.sha256(head + b"\0" + msgspec.json.encode(body, order="sorted")).digest()
