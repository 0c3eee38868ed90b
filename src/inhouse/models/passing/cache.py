"""Answers kept for a while: the same call to the same deployment is answered from memory.

Only where its table in vendors.toml says so (`cache_s`), only whole answers (a stream is asked for
anew), and only what does not depend on chance: embeddings, and chats at temperature 0, or any where
`cache_any` says so. Kept by a digest of the call, in this process alone, in bounded memory. When
anybody is erased, all of it is dropped within two seconds, and nothing is answered from it before.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Final

import msgspec

from inhouse.catalog.erasures import News
from inhouse.models.bounds.known import Known
from inhouse.models.providers.passing import Passed
from inhouse.models.types import Deployment
from inhouse.store.database import Database

MB: Final = 1_000_000
_BESIDES: Final = 400  # bytes that an answer takes besides its own
_LARGEST: Final = 16  # no answer may take more than this part of the memory


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswer:
    """An answer, and what it cost when it was asked for."""

    body: bytes
    cost_usd: Decimal | None  # None where nobody knows
    until: float  # on the monotonic clock


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
        self._heard = 0  # of them, by what is held

    async def find(self, key: bytes) -> KeptAnswer | None:
        """The answer to that call, if it is there and young enough."""
        erased = await self._known.get()
        if erased != self._heard:
            self.clear()
            self._heard = erased
        found = self._held.get(key)
        if found is None:
            return None
        if found.until < monotonic():
            self._drop(key)
            return None
        self._held.move_to_end(key)
        return found

    def keep(self, key: bytes, body: bytes, cost_usd: Decimal | None, for_s: int) -> None:
        """Keep an answer; those used least go where there is no room."""
        size = len(body) + _BESIDES
        if size * _LARGEST > self._most_bytes:
            return
        self._drop(key)
        while self._bytes + size > self._most_bytes:
            self._drop(next(iter(self._held)))
        self._held[key] = KeptAnswer(body=body, cost_usd=cost_usd, until=monotonic() + for_s)
        self._bytes += size

    def clear(self) -> None:
        """Forget all of it."""
        self._held.clear()
        self._bytes = 0

    def _drop(self, key: bytes) -> None:
        gone = self._held.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.body) + _BESIDES

    def _hear(self) -> int:
        """How many erasures there were since it was first asked."""
        if self._news is None:
            self._news = News(self._database)
        self._erased += len(self._news.fresh())
        return self._erased


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
