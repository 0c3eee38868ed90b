"""A small community to moderate."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import VendorError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.judging.scan import Moderator, ScanReport
from inhouse.moderation.policy.parse import read_policy
from inhouse.moderation.ports import Scores
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import read_bank
from inhouse.moderation.tools import Rules, Tools
from inhouse.moderation.types import Verdict
from inhouse.moderation.verdicts.rows import Verdicts
from inhouse.store.database import Database

POLICY = """\
policy: test
categories: {hate: attacks, spam: advertising, privacy: personal data}
rules:
  - rule: hate_clear
    category: hate
    when: {hate: 0.9}
    actions: remove
  - rule: hate_likely
    category: hate
    when: {hate: 0.6}
    actions: review
  - rule: spam
    category: spam
    when: {spam: 0.8}
    actions: limit
"""
BANK = "category: spam\np: 0.85\nzorgle blat\n"


@dataclass
class FakeScorer:
    """A model that finds a category where the text names it with a figure: `hate=0.95`."""

    down: bool = False  # nobody answers
    refuses: str = "poison"  # a text with this word makes its whole request fail
    partial: bool = False  # a refused text leaves its neighbours answered
    version: str = "fake-1"
    asked: list[list[str]] = field(default_factory=list)  # the texts of every request
    refs: list[list[str]] = field(default_factory=list)

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        self.asked.append(list(texts))
        self.refs.append(list(refs))
        bad = [self.refuses in text for text in texts]
        if self.down or all(bad) or (any(bad) and not self.partial):
            raise VendorError("the vendor failed")
        return [
            None if refused else Scores(p=scores_in(text), model_version=self.version)
            for text, refused in zip(texts, bad, strict=True)
        ]


def scores_in(text: str) -> Mapping[str, float]:
    pairs = [word.partition("=") for word in text.split() if "=" in word]
    return {"hate": 0.01, "spam": 0.02} | {name: float(p) for name, _, p in pairs}


def tools(policy: str = POLICY, **settings: int) -> Tools:
    reader = SignalReader([read_bank("bank", "bank.txt", BANK)])
    return Tools(
        rules=Rules(policy=read_policy("test.yaml", policy), reader=reader),
        settings=ModerationSettings(**settings),
    )


@dataclass
class Community:
    """Items, a clock that stands still until told, and everything that moderates."""

    database: Database
    clock: FollowingClock
    catalog: Catalog
    scorer: FakeScorer
    tools: Tools
    moderator: Moderator

    def scan(self, limit: int = 100) -> ScanReport:
        return asyncio.run(self.moderator.scan(limit))

    def post(self, **texts: str) -> None:
        """Create or edit items by id."""
        self.catalog.put_items(
            [
                Item(item_id=ItemId(item_id), creator_id=UserId(f"by_{item_id}"), text=text)
                for item_id, text in texts.items()
            ]
        )

    def latest(self, item_id: str) -> Verdict | None:
        return Verdicts(self.database).latest([item_id]).get(ItemId(item_id))

    def history(self, item_id: str) -> list[Verdict]:
        return Verdicts(self.database).history(item_id)

    def wait(self, ms: int) -> None:
        self.clock.advance(self.clock.now_ms() + ms)


def make_community(database: Database, used: Tools | None = None) -> Community:
    clock, scorer, used = FollowingClock(1_000), FakeScorer(), used or tools()
    return Community(
        database=database,
        clock=clock,
        catalog=Catalog(database),
        scorer=scorer,
        tools=used,
        moderator=Moderator(database, clock, scorer, used),
    )
