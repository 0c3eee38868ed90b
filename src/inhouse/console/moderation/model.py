"""What the moderation page shows: the queue, and one case with all a person needs to decide it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.catalog.types import Item, User
from inhouse.console.moments import community_now
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.decide import decide
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.transparency import rule_in_words
from inhouse.moderation.types import Case, Decision, Verdict
from inhouse.store import tables
from inhouse.store.database import Database

POSTS_LOOKED_AT: Final = 300
REPORTS_SHOWN: Final = 8
DECISIONS_SHOWN: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """How many cases wait in one queue."""

    name: str  # a category, or `unscored`
    open: int
    locked: int  # of them, on somebody's table at the moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """A report, for the case's side column."""

    at_ms: int
    category: str
    note: str | None
    reporter_id: UserId


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """A decision somebody took on this post before."""

    at_ms: int
    reviewer: str
    action: str
    category: str | None
    note: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatorFacts:
    """What is known of whoever posted it."""

    user_id: UserId
    user: User | None
    posts: int  # looked at: the latest 300 at most
    decisions: Mapping[str, int]  # action in feeds for adults -> other posts
    awaiting: int  # other posts without a verdict
    reports: int  # on other posts


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFacts:
    """One case on the table."""

    now_ms: int
    case: Case
    item: Item | None  # None where it was deleted meanwhile
    verdict: Verdict | None  # None where nothing judged it yet
    decision: Decision | None  # what holds at the moment in feeds for adults
    reports: tuple[Complaint, ...]  # newest first
    earlier: tuple[Earlier, ...]  # newest first
    creator: CreatorFacts | None
    rules: tuple[str, ...]  # the policy's rules on this category, in words
    thresholds: Mapping[str, float]  # category -> the lowest p any rule asks for
    categories: Mapping[str, str]  # name -> what it means


def queues(database: Database, now_ms: int) -> list[Queue]:
    """Open cases by queue, the fullest first."""
    c = tables.review_cases.c
    locked = sa.case((c.locked_until_ms > now_ms, 1), else_=0)
    query = (
        sa.select(c.queue, sa.func.count(), sa.func.sum(locked))
        .where(c.state == "open")
        .group_by(c.queue)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    found = [Queue(name=row[0], open=row[1], locked=int(row[2])) for row in rows]
    return sorted(found, key=lambda queue: (-queue.open, queue.name))


def gather_case(services: Services, case: Case) -> CaseFacts:
    """Everything about one case."""
    policy = services.policy
    item = services.catalog.item(case.item_id)
    verdict = services.verdicts.latest([case.item_id]).get(case.item_id)
    return CaseFacts(
        now_ms=community_now(services),
        case=case,
        item=item,
        verdict=verdict,
        decision=decide(verdict.evidence, policy, "feed", "adult") if verdict else None,
        reports=tuple(_reports(services.database, case.item_id)),
        earlier=tuple(_earlier(services.database, case.item_id)),
        creator=_creator(services, item) if item else None,
        rules=rules_on(policy, case.queue),
        thresholds=thresholds(policy),
        categories=policy.categories,
    )


def rules_on(policy: Policy, category: str) -> tuple[str, ...]:
    """The rules about a category, in the order they are asked, in words."""
    found = [rule for rule in policy.rules if rule.category == category]
    return tuple(_without_meaning(rule_in_words(rule, policy), rule.name) for rule in found)


def _without_meaning(sentence: str, name: str) -> str:
    """The page says what the category means once, above the rules."""
    return f"{sentence.partition('. This is about')[0]} (rule {name})."


def thresholds(policy: Policy) -> dict[str, float]:
    """For each category the lowest probability at which any rule begins to hold."""
    lowest: dict[str, float] = {}
    for rule in policy.rules:
        for condition in (condition for group in rule.when for condition in group):
            if condition.kind == "p" and condition.low > 0:
                known = lowest.get(condition.name, 1.0)
                lowest[condition.name] = min(known, condition.at_least)
    return lowest


def _reports(database: Database, item_id: ItemId) -> list[Complaint]:
    c = tables.reports.c
    query = (
        sa.select(c.at_ms, c.category, c.note, c.reporter_id)
        .where(c.item_id == item_id)
        .order_by(c.log_offset.desc())
        .limit(REPORTS_SHOWN)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [Complaint(at_ms=r[0], category=r[1], note=r[2], reporter_id=r[3]) for r in rows]


def _earlier(database: Database, item_id: ItemId) -> list[Earlier]:
    c = tables.review_decisions.c
    query = (
        sa.select(c.at_ms, c.reviewer, c.action, c.category, c.note)
        .where(c.item_id == item_id)
        .order_by(c.log_offset.desc())
        .limit(DECISIONS_SHOWN)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [Earlier(at_ms=r[0], reviewer=r[1], action=r[2], category=r[3], note=r[4]) for r in rows]


def _creator(services: Services, item: Item) -> CreatorFacts:
    others = _other_posts(services.database, item)
    verdicts = services.verdicts.latest(others)
    actions = Counter(
        decide(verdict.evidence, services.policy, "feed", "adult").action
        for verdict in verdicts.values()
    )
    return CreatorFacts(
        user_id=item.creator_id,
        user=services.catalog.user(item.creator_id),
        posts=len(others) + 1,
        decisions=dict(actions.items()),
        awaiting=len(others) - len(verdicts),
        reports=_reports_on(services.database, others),
    )


def _other_posts(database: Database, item: Item) -> list[ItemId]:
    c = tables.items.c
    query = (
        sa.select(c.item_id)
        .where(c.creator_id == item.creator_id, c.item_id != item.item_id)
        .order_by(c.created_ms.desc())
        .limit(POSTS_LOOKED_AT)
    )
    with database.read() as connection:
        return [ItemId(row) for row in connection.execute(query).scalars()]


def _reports_on(database: Database, items: Sequence[ItemId]) -> int:
    c = tables.reports.c
    query = sa.select(sa.func.count()).where(c.item_id.in_(items))
    with database.read() as connection:
        return connection.execute(query).scalar_one()
