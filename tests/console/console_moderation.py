"""What moderation's pages show beside the desk: appeals, a policy of one's own, banks, a seal."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.media.types import BankSpec
from inhouse.moderation.types import Appeal
from inhouse.store import tables

WORDS: Final = "It was a <b>quote</b> from a film.\n\u202eand turned around & more"
WATCHED: Final = """\
policy: tea_room
categories: {harassment: attacks, hate: attacks on groups, spam: adverts, violence: threats}
rules:
  - rule: links_watched
    category: spam
    mode: shadow
    when: {links: 2}
    actions: review
  - rule: harassment_possible
    category: harassment
    when: {harassment: 0.7}
    actions: review
"""
LAXER: Final = WATCHED.replace("harassment: 0.7", "harassment: 0.9")
REPORT: Final = "report-1"  # of those that the community begins with
HASHES: Final = "\n".join(f"{i:064x},from list {i}" for i in range(25))


def appeal_decided_by(services: Services, reviewer: str) -> Appeal:
    """Somebody removed a post, and its author objects. Another one than `appeal_of_reporter`'s."""
    reported, _ = _reported(services)
    waiting = next(one for one in services.review.queue() if one.item_id != reported)
    case = services.review.take(waiting.case_id, reviewer)
    services.review.decide(case.case_id, reviewer, "remove", "harassment", "an insult")
    item = services.catalog.item(case.item_id)
    assert item is not None
    return services.appeals.open(item.item_id, item.creator_id, WORDS)


def appeal_of_reporter(services: Services, reviewer: str) -> Appeal:
    """Somebody allowed a post that was reported, and the reporter objects."""
    item_id, reporter = _reported(services)
    (case,) = [one for one in services.review.queue() if one.item_id == item_id]
    services.review.take(case.case_id, reviewer)
    services.review.decide(case.case_id, reviewer, "allow", None, None)
    return services.appeals.open(item_id, reporter, "Look again, please.", REPORT)


def _reported(services: Services) -> tuple[str, str]:
    """The post of the report, and who wrote that."""
    reports = tables.reports.c
    query = sa.select(reports.item_id, reports.reporter_id).where(reports.report_id == REPORT)
    with services.database.read() as connection:
        item_id, reporter = connection.execute(query).one()
    return item_id, reporter


def thread(services: Services) -> None:
    """The most harmful case stands deep in a thread, with a removed post and a gap above it."""
    case = services.review.queue()[0]
    item = services.catalog.item(case.item_id)
    assert item is not None
    words = {"t1": WORDS, "t2": "A long one. " * 60, "t3": "Third.", "t4": "Fourth.", "t5": "Last."}
    above = ["never-came", *words]
    posts = [
        Item(
            item_id=ItemId(name),
            creator_id=UserId("thread-writer"),
            text=text,
            created_ms=item.created_ms - 60_000 * (9 - place),
            hidden=name == "t3",
            reply_to=ItemId(above[place]),
        )
        for place, (name, text) in enumerate(words.items())
    ]
    beside = [
        replace(posts[-1], item_id=ItemId(f"beside-{place}"), created_ms=item.created_ms + place)
        for place in (-2, -1, 1, 2, 3, 4, 5)
    ]
    beside = [replace(one, reply_to=ItemId("t5"), text=WORDS) for one in beside]
    services.catalog.put_items([*posts, *beside, replace(item, reply_to=ItemId("t5"))])


def banks(services: Services) -> None:
    """One that is tried out, and one of what must not match."""
    made = services.hash_banks
    made.create(BankSpec(name="war-footage", category="violence", share=10), 5)
    made.create(BankSpec(name="our-own", category=None), 5)
    made.add("war-footage", HASHES, 5)


def policy_file(folder: Path) -> Path:
    """A policy in force, and another beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "next.yaml").write_text(LAXER)
    file = folder / "policy.yaml"
    file.write_text(WATCHED)
    return file
