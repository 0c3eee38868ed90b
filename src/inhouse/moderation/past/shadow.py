"""Rules in shadow: what each would have done, had it been live in its place.

Nothing is counted on the side. What a rule in shadow would do follows from the evidence, so it is
known for posts that were judged before the rule was written too.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS
from inhouse.moderation.past.effects import MOST_EXAMPLES, LabelTally, Move, MoveTally, RuleLabels
from inhouse.moderation.policy.compiled import Compiled, Decided
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.verdicts.decide import compiled
from inhouse.moderation.verdicts.history import Posts, Window, read_history
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """One day."""

    day: str  # UTC, as 2026-11-27
    matches: int  # posts judged that day that the rule holds for


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowEffect:
    """What one rule in shadow would have done."""

    rule: str
    matches: int  # posts it holds for
    would_change: int  # posts whose action would be another somewhere, were it live
    moves: tuple[Move, ...]  # from which action to which
    labels: RuleLabels  # what people decided on posts it holds for
    days: tuple[DayCount, ...]  # in order, days without a match left out
    examples: tuple[str, ...]  # ids of some posts it holds for


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowReport:
    """All rules in shadow of the policy in force."""

    policy_version: str
    items: int  # posts looked at
    rules: tuple[ShadowEffect, ...]  # in the policy's order


@dataclass
class _Watched:
    place: int  # of the rule
    matches: int = 0
    would_change: int = 0
    moves: MoveTally = field(default_factory=MoveTally)
    people: LabelTally = field(default_factory=LabelTally)
    days: Counter[int] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, ready: Compiled, posts: Posts, now: Decided, held: NDArray[np.bool_]) -> None:
        there = np.flatnonzero(held)
        if not len(there):
            return
        live = ready.decide_many(posts.columns, len(posts), live=self.place)
        moved = self.moves.add(now, live, posts.calls == 0, list(posts.item_ids))
        self.matches += len(there)
        self.would_change += int(moved.sum())
        self.people.add(held[there], posts.calls[there])
        self.days.update((posts.at_ms[there] // DAY_MS).tolist())
        room = MOST_EXAMPLES - len(self.examples)
        self.examples += [posts.item_ids[i] for i in there[:room].tolist()]

    def effect(self, ready: Compiled) -> ShadowEffect:
        return ShadowEffect(
            rule=ready.rules[self.place].name,
            matches=self.matches,
            would_change=self.would_change,
            moves=self.moves.moves(),
            labels=self.people.of_rule(),
            days=tuple(DayCount(day=_day(d), matches=n) for d, n in sorted(self.days.items())),
            examples=tuple(self.examples),
        )


def shadow_report(database: Database, policy: Policy, window: Window) -> ShadowReport:
    """What each rule in shadow would have done with the posts of a window."""
    ready = compiled(policy)
    watched = [_Watched(place) for place in ready.shadows]
    items = 0
    for posts in read_history(database, ready.asked, window) if watched else ():
        items += len(posts)
        now, held = (
            ready.decide_many(posts.columns, len(posts)),
            ready.held(posts.columns, len(posts)),
        )
        for one in watched:
            one.add(ready, posts, now, held[one.place])
    return ShadowReport(
        policy_version=policy.version,
        items=items,
        rules=tuple(one.effect(ready) for one in watched),
    )


def _day(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1_000, UTC).date().isoformat()
