"""What the moderation page shows: one case with all a person needs to decide it."""

from collections.abc import Mapping
from dataclasses import dataclass

from inhouse.app.build import Services
from inhouse.catalog.types import Item, User
from inhouse.console.moments import community_now
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.reviewing.context import CaseContext
from inhouse.moderation.transparency.plain import rule_in_words
from inhouse.moderation.types import Case, Decision, Verdict
from inhouse.moderation.verdicts.decide import decide


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFacts:
    """One case on the table."""

    now_ms: int
    around: CaseContext
    decision: Decision | None  # what holds at the moment in feeds for adults
    poster: User | None  # None where nothing but an id is known
    asks_two: bool  # whether a decision waits for another person
    lock_ms: int  # how long a case of this queue stays on a table
    rules: tuple[str, ...]  # the policy's rules on this category, in words
    thresholds: Mapping[str, float]  # category -> the lowest p any rule asks for
    categories: Mapping[str, str]  # name -> what it means

    @property
    def case(self) -> Case:
        """The case itself."""
        return self.around.case

    @property
    def item(self) -> Item | None:
        """The post; None where it was deleted meanwhile."""
        return self.around.item

    @property
    def verdict(self) -> Verdict | None:
        """What is known of the post; None where nothing judged it yet."""
        return self.around.verdict


def gather_case(services: Services, case: Case) -> CaseFacts:
    """Everything about one case."""
    policy = services.policy
    around = services.around(case)
    queue = services.queues.get(case.queue)
    return CaseFacts(
        now_ms=community_now(services),
        around=around,
        decision=decide(around.verdict.evidence, policy, "feed", "adult")
        if around.verdict
        else None,
        poster=services.catalog.user(around.item.creator_id) if around.item else None,
        asks_two=queue.asks_two,
        lock_ms=queue.lock_ms or services.settings.moderation.lock_ms,
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
