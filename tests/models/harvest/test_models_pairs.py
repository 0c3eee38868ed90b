"""Pairs: kept once, for a while, within a bound, and gone with whoever said them."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import structlog
from tests.models.models_vendor import NOW_MS, chat_reply, deployment

from inhouse.app.keys import Keys
from inhouse.catalog.catalog import tell
from inhouse.catalog.erasures import mark_of
from inhouse.core.clock import FollowingClock
from inhouse.models.harvest.calls import CallHarvest
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.pairs import (
    Pair,
    Pairs,
    add_pairs,
    erase_pairs,
    expire_pairs,
    forget_pairs_of,
    trim_pairs,
)
from inhouse.models.providers.passing import About, Passed, read_call
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Deployment
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import insert_new


def _pair(question: str, answer: str = "yes", **more: Any) -> Pair:
    values = {"task": "chat", "person": None, "ref": None, "call_id": "call_1", "key_id": "key_1"}
    named = {"deployment": "main", "source": "openai/openai/m", "terms": "mit", "at_ms": 1}
    messages = (Message(role="user", content=question),)
    return Pair(messages=messages, answer=answer, **{**values, **named, **more})


def _add(database: Database, *pairs: Pair) -> int:
    return database.write(lambda connection: add_pairs(connection, pairs))


def _left(database: Database, task: str = "chat") -> list[str]:
    return [pair.messages[0].content for pair in Pairs(database).latest(task, 100)]


def test_pairs_come_back_as_they_were(any_database: Database) -> None:
    """In order, by task, the newest where there are too many; asked again is nothing new."""
    pairs = [_pair(f"q{n} 🙂 \\ \" '", person=f"u{n}", ref="i", at_ms=n) for n in range(4)]
    other = _pair("q0", task="titles")

    assert _add(any_database, *pairs, other) == 5
    assert _add(any_database, replace(pairs[0], answer="no", at_ms=9)) == 0
    assert Pairs(any_database).latest("chat", 9) == pairs
    assert Pairs(any_database).latest("chat", 2) == pairs[2:]
    assert Pairs(any_database).counts() == {"chat": 4, "titles": 1}


def test_whoever_is_erased_takes_their_words_along(any_database: Database) -> None:
    """Those they said by id or its digest, about their posts, and any that name them; a name that
    is a part of a longer one, or too short to be told from a word, is left."""
    digest = hashlib.sha256(b"person-1").hexdigest()
    _add(
        any_database,
        _pair("said", person="person-1"),
        _pair("digest", person=digest),
        _pair("about", ref="post-1"),
        _pair("what does person-1 like?"),
        _pair("who?", answer="Surely person-1."),
        _pair("what does person-12 like?"),
        _pair("what does un like?", person="other"),
    )
    gone = any_database.write(lambda c: erase_pairs(c, ["person-1", "un"], ["post-1"]))

    assert gone == 5
    assert _left(any_database) == ["what does person-12 like?", "what does un like?"]


def test_pairs_go_when_their_time_is_over_or_there_is_no_room(any_database: Database) -> None:
    """By their time; and the oldest, until a sixteenth of the bound is free."""
    _add(any_database, *(_pair(f"question {n:03}", at_ms=n) for n in range(100)))
    assert any_database.write(lambda c: expire_pairs(c, 10)) == 10
    assert _left(any_database)[0] == "question 010"
    with any_database.read() as connection:
        size = connection.execute(sa.select(tables.pairs.c.size_bytes)).scalars().first()
    assert size is not None
    assert any_database.write(lambda c: trim_pairs(c, 90 * size)) == 0
    assert any_database.write(lambda c: trim_pairs(c, 64 * size)) == 30
    assert _left(any_database) == [f"question {n:03}" for n in range(40, 100)]


HELLO = b'{"model": "main", "user": "u1", "messages": [{"role": "user", "content": "mail %s"}]}'


_NOTHING_MORE = About()


def _call(question: str, about: About | None = _NOTHING_MORE) -> Passed:
    body = HELLO.replace(b"%s", question.encode())
    return replace(read_call("chat", body, "key_1"), about=about)


def _harvest(database: Database, redact: Callable[[str], str] | None = None) -> CallHarvest:
    """Of a community whose key `key_1` lets its calls be kept."""
    row = {
        "key_id": "key_1",
        "secret_hash": "0" * 64,
        "name": "app",
        "scopes": "models",
        "created_ms": 1,
        "keeps_calls": True,
    }
    database.write(lambda connection: insert_new(connection, tables.api_keys, [row]))
    changed = redact or (lambda text: text.replace("ann@example.com", "[email]"))
    return CallHarvest(database, changed, FollowingClock(NOW_MS), ModelSettings())


def _main(**more: Any) -> Deployment:
    return deployment("http://v", terms="mit", **{"keep_calls": True, **more})


def _hear(harvest: CallHarvest, call: Passed, answer: bytes, to: Deployment | None = None) -> bool:
    """Whether anybody listened."""
    hearing = harvest.listen(call, "call_7", to or _main())
    if hearing is not None:
        hearing.hear(answer)
        hearing.done()
    return hearing is not None


@contextmanager
def _captured() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, whatever a command that ran in this process said of levels."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        with structlog.testing.capture_logs() as logs:
            yield logs
    finally:
        structlog.configure(**before)


def test_a_call_is_kept_with_where_it_comes_from(any_database: Database) -> None:
    """Redacted, with deployment, source, terms, call and key; nearly the same again is not."""
    harvest = _harvest(any_database)
    question = "ann@example.com about the long walk that we took in the hills on Sunday"
    for asked in (question, question.upper().replace("ANN@EXAMPLE.COM", "ann@example.com")):
        assert _hear(harvest, _call(asked), chat_reply("write to ann@example.com").body)
    with _captured() as logs:
        harvest.close()

    assert Pairs(any_database).latest("chat", 9) == [
        Pair(
            task="chat",
            messages=(Message(role="user", content=f"mail [email]{question[15:]}"),),
            answer="write to [email]",
            person="u1",
            ref=None,
            call_id="call_7",
            key_id="key_1",
            deployment="main",
            source="openai/openai/gpt-4o-mini",
            terms="mit",
            at_ms=NOW_MS,
        )
    ]
    assert [(log["event"], log["nearly_the_same"]) for log in logs] == [("calls_not_kept", 1)]


def test_nothing_is_heard_without_leave(database: Database) -> None:
    """Of key and deployment both; embeddings hold no conversation."""
    harvest = _harvest(database)
    embedding = replace(read_call("embeddings", b'{"model": "m"}', "key_1"), about=About())

    assert not _hear(harvest, _call("x", about=None), chat_reply("hi").body)
    assert not _hear(harvest, _call("x"), chat_reply("hi").body, _main(keep_calls=False))
    assert not _hear(harvest, embedding, b"{}")
    harvest.close()
    assert Pairs(database).counts() == {}


def test_what_is_too_much_is_passed_over(database: Database) -> None:
    """An answer beyond a megabyte, and calls while the thread has enough to do; nobody waits."""
    going_on = threading.Event()

    def slow(text: str) -> str:
        assert going_on.wait(30)
        return text

    harvest = _harvest(database, slow)
    _hear(harvest, _call("huge"), chat_reply("x" * 1_000_001).body)
    for number in range(200):
        asked = hashlib.sha256(f"{number}".encode()).hexdigest()
        _hear(harvest, _call(asked), chat_reply(f"answer {number}").body)
    going_on.set()
    with _captured() as logs:
        harvest.close()

    kept = Pairs(database).counts()["chat"]
    assert 64 <= kept <= 64 + 16
    assert logs[0]["too_many_at_once"] == 200 - kept


def test_who_was_erased_in_the_meantime_is_not_kept(database: Database) -> None:
    """A call that began before is dropped when it comes to be written; a later one is a new
    person's."""
    going_on = threading.Event()

    def slow(text: str) -> str:
        assert going_on.wait(30)
        return text

    harvest = _harvest(database, slow)
    _hear(harvest, _call("before"), chat_reply("one").body)
    database.write(lambda connection: tell(connection, "erased", [mark_of("u1")]))
    going_on.set()
    harvest.close()
    assert Pairs(database).counts() == {}
    _hear(harvest, _call("after"), chat_reply("two").body)
    harvest.close()
    assert _left(database) == ["mail after"]


def test_calls_under_way_when_their_key_is_told_to_keep_none_are_not_kept(
    database: Database,
) -> None:
    """From that transaction on nothing of them is written, whoever passed them on; what was kept
    stays until it is forgotten, and other keys' always."""
    going_on = threading.Event()

    def slow(text: str) -> str:
        assert going_on.wait(30)
        return text

    harvest = _harvest(database, slow)
    theirs = replace(_pair("theirs"), key_id="key_2")
    database.write(lambda connection: add_pairs(connection, [_pair("early"), theirs]))
    _hear(harvest, _call("under way"), chat_reply("one").body)
    Keys(database).keep_calls("key_1", keep=False)
    going_on.set()
    harvest.close()
    assert _left(database) == ["early", "theirs"]
    assert database.write(lambda connection: forget_pairs_of(connection, "key_1")) == 1
    assert _left(database) == ["theirs"]


def test_a_fault_of_one_call_stops_nobody(database: Database) -> None:
    """What makes no conversation is counted, and the next call is kept."""
    harvest = _harvest(database)
    _hear(harvest, _call("one"), b"nonsense")
    _hear(harvest, _call("two"), chat_reply("hi\0there").body)
    with _captured() as logs:
        harvest.close()

    assert [pair.answer for pair in Pairs(database).latest("chat", 9)] == ["hithere"]
    assert logs[0]["not_understood"] == 1
