"""Erasing on both databases, and what a late start or a second try finds."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.app.build import Services
from inhouse.app.people.erasure import Eraser
from inhouse.app.people.export import export_lines
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item, User
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.events.types import Event, ServedPage
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.pairs import Pair, Pairs, add_pairs
from inhouse.moderation.measuring.sampling import Draw, draw_sample
from inhouse.moderation.media.records import due, enrol, save_hashes
from inhouse.moderation.media.types import Frame, MediaHashes
from inhouse.moderation.reviewing.queues import QueueSettings
from inhouse.moderation.reviewing.search import CaseFilter
from inhouse.moderation.types import Evidence, Verdict
from inhouse.moderation.types import Label as HarmLabel
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store import tables
from inhouse.store.database import StoreSettings

WHO = "person-zebra-4711"


@pytest.fixture
def services(store_settings: StoreSettings, tmp_path: Path) -> Iterator[Services]:
    """Of a community with one post by somebody else and one by the person."""
    given = load_settings({"INHOUSE_APP_CLOCK": "log"}, tmp_path / "none.toml")
    store = dataclasses.replace(store_settings, folder=str(tmp_path / "data"))
    built = Services(dataclasses.replace(given, store=store))
    built.catalog.put_users([User(user_id=UserId(WHO), name="Zoe")])
    built.catalog.put_items(
        [
            Item(item_id=ItemId("i"), creator_id=UserId("c"), text="a post", created_ms=1),
            Item(item_id=ItemId("mine"), creator_id=UserId(WHO), text="my post", created_ms=1),
        ]
    )
    _act(built, WHO, "other")
    yield built
    built.close()


def _act(services: Services, *people: str, first: int = 0) -> None:
    services.log.append(
        [
            Event(
                event_id=EventId(f"{name}-{number}"),
                at_ms=1_000 + number,
                kind="click",
                user_id=UserId(name),
                item_id=ItemId("i"),
            )
            for number in range(first, first + 5)
            for name in people
        ]
    )
    for name in people:
        page = ServedPage(
            page_id=PageId(f"page-{name}-{first}"),
            at_ms=2_000,
            user_id=UserId(name),
            surface="for_you",
            items=(),
        )
        services.pages.submit(page).result()


def _tables_with(services: Services, name: str) -> list[str]:
    with services.database.read() as connection:
        return [
            table.name
            for table in tables.metadata.sorted_tables
            if any(
                name in str(value) for row in connection.execute(sa.select(table)) for value in row
            )
        ]


def test_no_table_tells_of_who_was_erased(services: Services) -> None:
    """On either database, and a state built anew never heard of them."""
    before = set(_tables_with(services, WHO))
    eraser = Eraser(services)
    receipt = eraser.finish(eraser.wipe(WHO))
    services.feeds.start()

    assert before == {"events", "served_pages", "items", "users", "changes"}
    assert _tables_with(services, WHO) == []
    assert (receipt.counts["events"], receipt.counts["served_pages"]) == (5, 1)
    assert set(services.state.people) == {"other"}
    assert list(services.state.items.index) == ["i"]


def test_words_of_calls_go_with_whoever_said_them(services: Services) -> None:
    """What they said to a model, by id or its digest, what was said about their posts or names
    them; and what they said, and what is about their posts, is in the export before, once each."""
    given: dict[str, Any] = {"task": "chat", "answer": "yes", "call_id": "c", "key_id": "k"}
    given |= {"deployment": "d", "source": "s", "terms": "mit", "at_ms": 1}

    def pair(question: str, person: str | None = None, ref: str | None = None) -> Pair:
        messages = (Message(role="user", content=question),)
        return Pair(messages=messages, person=person, ref=ref, **given)

    pairs = [
        pair("by id", WHO),
        pair("by digest", hashlib.sha256(WHO.encode()).hexdigest()),
        pair("about it", "somebody", "mine"),
        pair("both", WHO, "mine"),
        pair(f"who is {WHO}?"),
        pair("by another", "other", "i"),
    ]
    services.database.write(lambda connection: add_pairs(connection, pairs))
    exported = [msgspec.json.decode(line) for line in export_lines(services, UserId(WHO))]
    eraser = Eraser(services)
    receipt = eraser.finish(eraser.wipe(WHO))

    told = [json.loads(row["row"]["messages"]) for row in exported if row["kind"] == "pair"]
    assert sorted(messages[0]["content"] for messages in told) == [
        "about it",
        "both",
        "by digest",
        "by id",
    ]
    assert receipt.counts["pairs"] == 5
    assert [one.person for one in Pairs(services.database).latest("chat", 9)] == ["other"]
    assert _tables_with(services, WHO) == []


def test_what_was_read_of_their_pictures_goes(services: Services) -> None:
    """The address they were fetched from, and how they look; and it is in the export before."""
    frame = Frame(place=0, pdq=bytes(32), quality=90)
    file = MediaHashes(kind="picture", md5=bytes(16), sha256=bytes(32), frames=(frame,))
    url = f"https://a.example/{WHO}.png"
    item = dataclasses.replace(services.catalog.items(["mine"])[ItemId("mine")], media_url=url)
    services.catalog.put_items([item])

    def read(connection: Connection) -> None:
        enrol(connection, [item])
        save_hashes(connection, due(connection, 1 << 50, 1)[0], file)

    services.database.write(read)
    exported = [msgspec.json.decode(line) for line in export_lines(services, UserId(WHO))]
    eraser = Eraser(services)
    receipt = eraser.finish(eraser.wipe(WHO))

    assert [row["row"]["item_id"] for row in exported if row["kind"] == "media_hash"] == ["mine"]
    assert [row["row"]["url"] for row in exported if row["kind"] == "media"] == [url]
    assert receipt.counts["media"] == 1
    assert (_tables_with(services, WHO), _tables_with(services, "mine")) == ([], ["changes"])


def test_a_sample_outlives_whoever_is_named_like_a_part_of_it(services: Services) -> None:
    """It names posts alone: erasing somebody whose id stands in its row by chance leaves it whole,
    and a sampled post of theirs drops out."""
    labels = (HarmLabel(category="spam", p=0.1, source="model:m"),)
    verdicts = [
        Verdict(
            item_id=ItemId(name),
            at_ms=1,
            text_key="",
            evidence=Evidence(labels=labels),
            decided_by="",
            policy_version="p",
        )
        for name in ("i", "mine")
    ]
    services.database.write(lambda connection: append_verdicts(connection, verdicts))
    draw = Draw(per_category=20, days=30, flag_at=0.5, seed=1)
    draw_sample(services.database, services.clock, services.policy, draw)
    eraser = Eraser(services)
    for user_id in ("seed", WHO):
        eraser.finish(eraser.wipe(user_id))
    (spam,) = services.prevalence().categories
    assert (spam.category, spam.sampled, spam.waiting, spam.gone) == ("spam", 2, 1, 1)


def test_what_reviewers_did_with_their_posts_stays_without_them(services: Services) -> None:
    """Notes, known answers and bulks of a person's posts tell of nobody afterwards; that somebody
    decided stays."""
    use = services
    secret = f"{WHO} wrote this"
    report = use.reports.file("mine", "other", "spam")
    case_id = str(report.case_id)
    use.review.remark(case_id, "ada", secret)
    use.review.skip(use.review.take(case_id, "ada").case_id, "ada", secret)
    ruling = use.review.checked("remove", "spam", "ada", secret)
    use.bulks.run(use.bulks.preview(CaseFilter(creator_id=WHO, text="my"), ruling).bulk_id)
    use.gold.add(case_id, "ada", "remove", "spam")
    use.queues.put(QueueSettings(name="spam", gold_share=0.5))
    use.reports.file("i", "other", "spam")
    use.review.chance = lambda: 0.0
    known = use.review.next("ben")
    assert known is not None
    use.review.decide(known.case_id, "ben", "allow", None, secret)
    before = set(_tables_with(use, WHO))
    eraser = Eraser(use)
    eraser.finish(eraser.wipe(WHO))

    assert known.item_id == "mine"
    assert {"review_notes", "review_bulks", "review_opinions", "review_decisions"} <= before
    assert _tables_with(use, WHO) == []
    assert use.gold.list() == []
    (bulk,) = use.bulks.list()
    assert (bulk.which, bulk.decided) == (CaseFilter(creator_id="erased"), 1)


def test_what_is_logged_while_an_erasure_runs_goes_too(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that came after the log was read are found under the lock of the writer."""
    eraser = Eraser(services)
    gathered = eraser._gathered

    def slowly(whom: object) -> object:
        found = gathered(whom)  # type: ignore[arg-type]
        _act(services, WHO, first=100)
        return found

    monkeypatch.setattr(eraser, "_gathered", slowly)
    receipt = eraser.finish(eraser.wipe(WHO))

    assert receipt.counts["events"] == 10
    assert _tables_with(services, WHO) == []
    assert services.log.last_offset() == 15


def test_an_erasure_that_runs_is_the_same_when_asked_again(services: Services) -> None:
    """Two requests for one person are one job, and whoever is second finds it done."""
    first, second = Eraser(services), Eraser(services)
    erasure_id = first.wipe(WHO)
    again = second.wipe(WHO)
    done = first.finish(erasure_id)

    assert again == erasure_id
    assert second.finish(again) == done
