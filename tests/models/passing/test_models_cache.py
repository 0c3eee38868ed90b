"""Answers kept for the same call: which calls are the same, for how long, and who forgets them."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
from tests.models.models_vendor import QUICK, Reply, Vendor, chat_reply, deployment, error_reply

from inhouse.app.keys import Keys
from inhouse.catalog.erasures import ERASED, mark_of
from inhouse.core.clock import FollowingClock
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger
from inhouse.models.passing.cache import AnswerCache, KeptAnswer, cache_key
from inhouse.models.passing.passer import Passer
from inhouse.models.providers.passing import read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import Deployment, Service
from inhouse.store import tables
from inhouse.store.database import Database

ASKED = b'{"model": "main", "messages": [{"role": "user", "content": "hello"}], "temperature": 0}'


def _key(body: bytes, service: Service = "chat", **more: Any) -> bytes | None:
    given = deployment("http://v", **{"cache_s": 9, **more})
    return cache_key(given, read_call(service, body, "key_1"))


@pytest.mark.parametrize(
    "same",
    [
        b'{"temperature":0.0,"messages":[{"content":"hello","role":"user"}],"model":"gpt-4o-mini"}',
        ASKED.replace(b"hello", b"\\u0068ello"),
        ASKED.replace(b": 0}", b': 0, "stream": false}').replace(b', "stream": false', b""),
    ],
)
def test_the_same_call_however_it_is_written(same: bytes) -> None:
    """Order of names, spaces, escapes, and which of its names the model is called by."""
    assert _key(same.replace(b"0.0", b"0")) == _key(ASKED) is not None


@pytest.mark.parametrize(
    "other",
    [
        _key(ASKED.replace(b"hello", b"Hello")),
        _key(ASKED[:-1] + b', "seed": 1}'),
        _key(ASKED[:-1] + b', "user": "u1"}'),
        _key(ASKED, model="gpt-4o"),
        _key(ASKED, name="other"),
        _key(ASKED, "embeddings"),
    ],
)
def test_any_difference_is_another_call(other: bytes | None) -> None:
    """Another word, parameter, person, model, deployment or service."""
    assert other not in (None, _key(ASKED))


def test_what_is_kept() -> None:
    """Nothing where the table does not say so; no streams; what depends on chance only where it
    says that too."""
    warm = ASKED.replace(b": 0}", b": 0.7}")
    silent = ASKED.replace(b', "temperature": 0', b"")
    stream = ASKED[:-1] + b', "stream": true}'

    assert [_key(ASKED, cache_s=0), _key(warm), _key(silent), _key(stream)] == [None] * 4
    assert _key(warm, cache_any=True) is not None
    assert _key(silent, cache_any=True) is not None
    assert _key(stream, cache_any=True) is None
    assert _key(silent, "embeddings") is not None


def _kept(body: bytes, key_id: str = "key_1") -> KeptAnswer:
    return KeptAnswer(body=body, key_id=key_id, cost_usd=None, until=monotonic() + 60)


def test_answers_of_a_void_key_are_given_to_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were there, and one that was under way meanwhile; other keys' stay."""
    monkeypatch.setattr("inhouse.models.bounds.known._OLD_S", 0.0)
    keys = Keys(database)
    leaving, staying = (keys.create(name, ["models"])[0].key_id for name in ("a", "b"))

    async def play() -> tuple[list[bool], int]:
        cache = AnswerCache(database, 160_000)
        for n, key_id in enumerate((leaving, staying)):
            cache.keep(b"%d" % n, _kept(b"x", key_id))
        before = [await cache.find(b"%d" % n) is not None for n in range(2)]
        await asyncio.to_thread(keys.revoke, leaving)
        after = [await cache.find(b"%d" % n) is not None for n in range(2)]
        held = len(cache._held)
        cache.keep(b"late", _kept(b"x", leaving))
        return [*before, *after, await cache.find(b"late") is not None], held

    assert asyncio.run(play()) == ([True, True, False, True, False], 1)


def test_memory_is_bounded(database: Database) -> None:
    """The least used go first, and what is larger than a sixteenth is never kept."""

    async def play() -> list[bool]:
        cache = AnswerCache(database, 16_000)
        for n in range(20):
            cache.keep(b"%d" % n, _kept(b"x" * 500))
            await cache.find(b"0")
        cache.keep(b"large", _kept(b"x" * 1_000))
        assert cache._bytes == 900 * len(cache._held) <= 16_000
        return [await cache.find(b"%d" % n) is not None for n in range(20)] + [
            await cache.find(b"large") is not None
        ]

    assert asyncio.run(play()) == [True, *[False] * 3, *[True] * 16, False]


def _play(
    database: Database,
    play: Callable[[Passer, Vendor], Coroutine[Any, Any, None]],
    *replies: Reply,
    settings: ModelSettings | None = None,
    **more: Any,
) -> None:
    async def whole() -> None:
        async with Vendor(*replies) as vendor:
            main = deployment(
                vendor.url, serves=("chat",), stand_ins=("other",), **{"cache_s": 60, **more}
            )
            other = deployment(vendor.url, "other", serves=("chat",), cache_s=60)
            stores = Stores(database=database, keeper=Keeper(database))
            models: list[Deployment] = [main, other]
            clock = FollowingClock(1_767_225_600_000)
            passer = Passer(models, stores, clock, settings or ModelSettings(), QUICK)
            await play(passer, vendor)
            await passer.close()

    asyncio.run(whole())


CALL = read_call("chat", ASKED, "key_1")


def test_a_kept_answer_is_a_row_of_its_own(database: Database) -> None:
    """It costs nothing, no vendor told of tokens, and what it would have cost is known."""

    async def play(passer: Passer, vendor: Vendor) -> None:
        first, second = await passer.ask(CALL), await passer.ask(CALL)
        assert (first.cached, second.cached, first.body) == (False, True, second.body)

    _play(database, play, chat_reply("hi"))
    database.write(lambda _: None)
    rows = [row for _, row in Ledger(database).read()]
    told = [(row.outcome, row.cost_usd, row.price_version == "cache", row.usage) for row in rows]
    assert told[1] == ("ok", Decimal(0), True, None)
    assert rows[0].cost_usd == rows[1].saved_usd == Decimal("0.000165")
    assert rows[0].saved_usd is None


def test_only_good_answers_of_who_was_asked_first_are_kept(database: Database) -> None:
    """A refusal, and what a stand-in said, are asked for anew."""

    async def play(passer: Passer, vendor: Vendor) -> None:
        found = [await passer.ask(CALL) for _ in range(3)]
        assert [one.deployment for one in found] == ["main", "other", "other"]
        assert len(vendor.asked) == 5

    refused, elsewhere = error_reply(400), error_reply(401)
    _play(database, play, refused, elsewhere, chat_reply("b"), elsewhere, chat_reply("c"))


def test_answers_grow_old(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `cache_s` a call is asked for anew."""
    late = 0.0

    async def play(passer: Passer, vendor: Vendor) -> None:
        nonlocal late
        for seconds in (0.0, 59.0, 2.0):
            late += seconds
            await passer.ask(CALL)
        assert len(vendor.asked) == 2

    monkeypatch.setattr("inhouse.models.passing.cache.monotonic", lambda: monotonic() + late)
    _play(database, play, chat_reply("a"), chat_reply("b"))


def test_the_operator_may_forbid_it_all(database: Database) -> None:
    """With `cache_mb` 0 nothing is kept, whatever the deployments say."""

    async def play(passer: Passer, vendor: Vendor) -> None:
        await passer.ask(CALL)
        await passer.ask(CALL)
        assert (len(vendor.asked), passer._cache._bytes) == (2, 0)

    _play(database, play, chat_reply("a"), chat_reply("b"), settings=ModelSettings(cache_mb=0))


def test_an_erasure_forgets_every_answer(database: Database) -> None:
    """Whatever they told of the person: within two seconds none is answered from, though the
    process follows no log."""

    async def play(passer: Passer, vendor: Vendor) -> None:
        await passer.ask(CALL)
        row = {"entity": ERASED, "entity_id": mark_of("somebody")}
        database.write(lambda connection: connection.execute(tables.changes.insert(), row))
        await asyncio.sleep(2.1)
        found = await passer.ask(CALL)
        assert (found.cached, len(vendor.asked)) == (False, 2)
        assert (await passer.ask(CALL)).cached

    _play(database, play, chat_reply("a"), chat_reply("b"))
