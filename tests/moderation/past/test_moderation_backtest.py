"""Back-tests and shadows: what a policy would have done, from the evidence that is stored."""

from dataclasses import replace

import numpy as np
import pytest
from moderation_worlds import POLICY, Community

from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId
from inhouse.moderation.past.backtest import Backtest, CreatorEffect, RuleEffect, backtest
from inhouse.moderation.past.effects import Move, Place, RuleLabels
from inhouse.moderation.past.shadow import DayCount, shadow_report
from inhouse.moderation.policy.compiled import PAIRS
from inhouse.moderation.policy.parse import read_policy
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.types import Evidence, Label, PersonCall, Verdict
from inhouse.moderation.verdicts import history
from inhouse.moderation.verdicts.decide import UNSCORED, decide
from inhouse.moderation.verdicts.history import Window, offset_before, read_history
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.stats.intervals import wilson
from inhouse.stats.types import NotEnough

STRICTER = POLICY.replace("{hate: 0.6}", "{hate: 0.4}").replace("rule: spam", "rule: adverts")
EVERYWHERE = tuple((surface, viewer) for surface, viewer in PAIRS)


def small() -> Policy:
    return read_policy("p.yaml", POLICY)


def stricter() -> Policy:
    return read_policy("p.yaml", STRICTER)


def evidence(hate: float, spam: float = 0.0, call: str | None = None, **signals: int) -> Evidence:
    labels = (
        Label(category="hate", p=hate, source="model:m"),
        Label(category="spam", p=spam, source="model:m"),
        Label(category="spam", p=spam / 2, source="terms:b"),
    )
    person = None if call is None else PersonCall(action=call, category=None, name="ada")  # type: ignore[arg-type]
    return Evidence(labels=labels, signals=signals, person=person)


def judged(community: Community, item_id: str, seen: Evidence, at_ms: int = 1_000) -> None:
    """An item with a verdict, as a scan would have left it."""
    if community.catalog.item(item_id) is None:
        community.post(**{item_id: item_id})
    row = Verdict(
        item_id=ItemId(item_id),
        at_ms=at_ms,
        text_key="1",
        evidence=seen,
        decided_by="",
        policy_version="p-0",
    )
    community.database.write(lambda connection: append_verdicts(connection, [row]))


def everywhere(items: int) -> tuple[Place, ...]:
    return tuple(Place(surface=s, viewer=v, items=items) for s, v in EVERYWHERE)


def test_a_backtest_says_what_would_change(any_community: Community) -> None:
    """From which action to which, by rule, against people's labels, and for how many creators."""
    for item_id, seen in {
        "calm": evidence(0.1),
        "edgy": evidence(0.5),
        "edgier": evidence(0.55),
        "hateful": evidence(0.95),
        "advert": evidence(0.0, spam=0.9),
        "wronged": evidence(0.7, call="allow"),
        "guilty": evidence(0.5, call="remove"),
    }.items():
        judged(any_community, item_id, seen)
    report = backtest(any_community.database, small(), stricter(), Window())
    assert (report.items, report.changed, report.called, report.creators) == (7, 2, 2, 2)
    assert report.moves == (
        Move(
            before="allow",
            after="review",
            items=2,
            places=everywhere(2),
            examples=("edgy", "edgier"),
        ),
    )
    assert report.most_affected == (
        CreatorEffect(creator_id="by_edgier", items=1),
        CreatorEffect(creator_id="by_edgy", items=1),
    )
    before, after = report.labels_before, report.labels_after
    assert (before.confirmed, before.contradicted, before.missed, before.passed) == (0, 1, 1, 0)
    assert (after.confirmed, after.contradicted, after.missed, after.passed) == (1, 1, 0, 0)
    assert (before.precision, after.precision) == (wilson(0, 1), wilson(1, 2))
    likely = next(rule for rule in report.rules if rule.rule == "hate_likely")
    assert likely == RuleEffect(
        rule="hate_likely",
        matches_before=2,
        matches_after=5,
        decides_before=0,
        decides_after=2,
        changes=2,
        labels=RuleLabels(confirmed=1, contradicted=1, precision=wilson(1, 2)),
    )
    renamed = {rule.rule: (rule.matches_before, rule.matches_after) for rule in report.rules}
    assert (renamed["spam"], renamed["adverts"]) == ((1, None), (None, 1))


def test_the_same_policy_changes_nothing(community: Community) -> None:
    """Also where it is judged on nothing at all."""
    assert backtest(community.database, small(), small(), Window()).moves == ()
    judged(community, "a", evidence(0.95))
    report = backtest(community.database, small(), read_policy("q.yaml", POLICY), Window())
    assert (report.items, report.changed, report.moves, report.creators) == (1, 0, (), 0)
    assert isinstance(report.labels_after.precision, NotEnough)


def test_a_backtest_agrees_with_deciding_one_by_one(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a few hundred posts of every sort, in parts, every count is that of a plain loop."""
    monkeypatch.setattr(history, "_AT_ONCE", 64)
    random = np.random.default_rng(7)
    calls = (None, None, None, "allow", "limit")
    seen = {
        f"i{i}": evidence(
            round(float(random.random()), 4),
            round(float(random.random()), 4),
            calls[random.integers(5)],
            **({UNSCORED: 1} if random.random() < 0.05 else {}),
        )
        for i in range(300)
    }
    for item_id, one in seen.items():
        judged(community, item_id, one)
    report = backtest(community.database, small(), stricter(), Window())
    moves: dict[tuple[str, str, str, str], int] = {}
    for one in seen.values():
        for surface, viewer in PAIRS:
            actions = [decide(one, p, surface, viewer).action for p in (small(), stricter())]
            if actions[0] != actions[1]:
                key = (*actions, surface, viewer)
                moves[key] = moves.get(key, 0) + 1
    told = {
        (move.before, move.after, place.surface, place.viewer): place.items
        for move in report.moves
        for place in move.places
    }
    assert told == moves
    assert sum(move.items for move in report.moves) == report.changed


def test_the_latest_verdict_counts_and_what_is_gone_does_not(community: Community) -> None:
    """An item judged twice is one post; one that the catalog lost is none."""
    judged(community, "a", evidence(0.95))
    judged(community, "a", evidence(0.5))
    judged(community, "gone", evidence(0.5))
    community.database.write(lambda c: c.exec_driver_sql("DELETE FROM items WHERE item_id='gone'"))
    report = backtest(community.database, small(), stricter(), Window())
    assert (report.items, [move.examples for move in report.moves]) == (1, [("a",)])


def test_a_window_is_of_time_or_of_the_newest(any_community: Community) -> None:
    """Posts judged since a moment, and the last so many, are those looked at."""
    for day in range(10):
        judged(any_community, f"d{day}", evidence(0.5), at_ms=day * DAY_MS)

    def read(window: Window) -> list[str]:
        parts = read_history(any_community.database, (), window)
        return [item_id for posts in parts for item_id in posts.item_ids]

    assert read(Window(since_ms=7 * DAY_MS)) == ["d7", "d8", "d9"]
    assert read(Window(since_ms=7 * DAY_MS - 1)) == ["d7", "d8", "d9"]
    assert read(Window(since_ms=99 * DAY_MS)) == []
    assert read(Window(newest=2)) == ["d8", "d9"]
    assert read(Window(newest=50)) == [f"d{day}" for day in range(10)]
    with any_community.database.read() as connection:
        offsets = [offset_before(connection, day * DAY_MS) for day in range(10)]
    assert offsets == list(range(10))


SHADOW = POLICY.replace(
    "  - rule: hate_likely",
    "  - rule: watched\n    category: hate\n    mode: shadow\n    when: {hate: 0.5}\n"
    "    actions: {feed: limit}\n  - rule: hate_likely",
)


def test_a_shadow_says_what_it_would_have_done(any_community: Community) -> None:
    """Matches by day, what would change were it live in its place, and what people said of them."""
    for day, (item_id, seen) in enumerate(
        {
            "calm": evidence(0.1),
            "edgy": evidence(0.55),
            "likely": evidence(0.7),
            "hateful": evidence(0.95),
            "wronged": evidence(0.6, call="allow"),
            "guilty": evidence(0.6, call="remove"),
        }.items()
    ):
        judged(any_community, item_id, seen, at_ms=day // 3 * DAY_MS)
    report = shadow_report(any_community.database, read_policy("p.yaml", SHADOW), Window())
    (watched,) = report.rules
    assert (report.items, watched.rule, watched.matches, watched.would_change) == (
        6,
        "watched",
        5,
        2,
    )
    on_feed = tuple(Place(surface="feed", viewer=v, items=1) for v in ("adult", "minor"))
    assert watched.moves == (
        Move(before="allow", after="limit", items=1, places=on_feed, examples=("edgy",)),
        Move(before="review", after="limit", items=1, places=on_feed, examples=("likely",)),
    )
    said = RuleLabels(confirmed=1, contradicted=1, precision=wilson(1, 2))
    assert watched.labels == said
    days = (DayCount(day="1970-01-01", matches=2), DayCount(day="1970-01-02", matches=3))
    assert watched.days == days
    assert watched.examples == ("edgy", "likely", "hateful", "wronged", "guilty")


def test_a_shadow_says_what_it_does_once_it_is_live(community: Community) -> None:
    """The back-test of the same rule made live finds the same moves."""
    for i in range(40):
        judged(community, f"i{i}", evidence(round(0.3 + i / 60, 4)))
    watched = read_policy("p.yaml", SHADOW)
    live = replace(watched, rules=tuple(replace(rule, shadow=False) for rule in watched.rules))
    tested: Backtest = backtest(community.database, watched, live, Window())
    (seen,) = shadow_report(community.database, watched, Window()).rules
    assert (seen.moves, seen.would_change) == (tested.moves, tested.changed)
    assert seen.would_change > 0


def test_a_policy_without_shadows_reads_nothing(community: Community) -> None:
    """The report is empty at once, however much is stored."""
    judged(community, "a", evidence(0.5))
    report = shadow_report(community.database, small(), Window())
    assert (report.items, report.rules) == (0, ())
