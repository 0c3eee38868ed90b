"""Decisions: what beats what, and the board that must say the same for millions."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.ids import ItemId
from inhouse.moderation.policy.compiled import PAIRS
from inhouse.moderation.policy.match import MISSING, Condition, Matcher
from inhouse.moderation.policy.parse import load_policy, read_policy
from inhouse.moderation.policy.types import Policy, Rule
from inhouse.moderation.types import (
    ACTIONS,
    AWAITING,
    CODES,
    SHOWN,
    SURFACES,
    VIEWER_CLASSES,
    Action,
    Decision,
    Evidence,
    Label,
    PersonCall,
    Surface,
    Verdict,
    Viewer,
    ViewerClass,
)
from inhouse.moderation.verdicts import board as board_module
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.moderation.verdicts.decide import (
    HELD_BACK,
    NO_RULE,
    decide,
    decide_all,
    strictest,
    waiting_for_person,
)

CATEGORIES = ("hate", "spam")
COUNTS = ("links", "cards", "terms.spam")
POLICY = """\
policy: test
categories: {hate: attacks, spam: advertising}
rules:
  - rule: hate_clear
    category: hate
    when: {hate: 0.9}
    actions: {feed: remove, search: review}
  - rule: hate_some
    category: hate
    when: {hate: {at_least: 0.5, below: 0.95}}
    actions: age_gate
  - rule: links
    category: spam
    when: [{links: 3}, {spam: 0.7, links: 1}]
    actions: limit
    minors: {profile: remove}
"""


def policy() -> Policy:
    return read_policy("t.yaml", POLICY)


def evidence(person: PersonCall | None = None, **numbers: float) -> Evidence:
    labels = tuple(
        Label(category=name, p=p, source="model:m")
        for name, p in numbers.items()
        if name in CATEGORIES
    )
    signals = {name: int(n) for name, n in numbers.items() if name not in CATEGORIES}
    return Evidence(labels=labels, signals=signals, person=person)


def by_rule(action: str, rule: str, category: str) -> Decision:
    assert action in ACTIONS
    return Decision(action=action, decided_by=f"rule:{rule}", category=category)  # type: ignore[arg-type]


def test_the_first_rule_that_matches_and_speaks_decides() -> None:
    """A rule that is silent on a surface leaves it to the next one."""
    seen = evidence(hate=0.92)
    assert decide(seen, policy(), "feed", "adult") == by_rule("remove", "hate_clear", "hate")
    assert decide(seen, policy(), "search", "adult") == by_rule("review", "hate_clear", "hate")
    assert decide(seen, policy(), "profile", "adult") == by_rule("age_gate", "hate_some", "hate")
    assert decide(evidence(hate=0.97), policy(), "profile", "adult") == NO_RULE


def test_bounds_are_exact() -> None:
    """0.9 reaches a bound of 0.9, the next smaller figure does not; `below` excludes its bound."""
    assert decide(evidence(hate=0.9), policy(), "feed", "adult").action == "remove"
    assert decide(evidence(hate=0.8999), policy(), "feed", "adult").action == "age_gate"
    assert decide(evidence(hate=0.95), policy(), "profile", "adult") == NO_RULE


def test_the_surest_source_counts() -> None:
    """Of several labels of a category the largest probability is looked at."""
    labels = tuple(Label(category="hate", p=p, source=s) for p, s in ((0.2, "a"), (0.93, "b")))
    assert decide(Evidence(labels=labels), policy(), "feed", "adult").action == "remove"


def test_an_unknown_category_fits_no_condition() -> None:
    """Where nobody spoke of a category, neither `at_least` nor `below` holds."""
    below = read_policy("t.yaml", POLICY.replace("{hate: 0.9}", "{hate: {below: 0.5}}"))
    assert decide(evidence(), below, "feed", "adult") == NO_RULE
    assert decide(evidence(hate=0.0), below, "feed", "adult").action == "remove"


def test_people_of_unknown_age_are_minors_and_no_gate_opens_for_them() -> None:
    """An age gate is a removal for a minor, and unknown is a minor."""
    seen = evidence(hate=0.6)
    viewers: tuple[Viewer, ...] = ("adult", "minor", "unknown")
    assert [decide(seen, policy(), "feed", viewer).action for viewer in viewers] == [
        "age_gate",
        "remove",
        "remove",
    ]
    linked = evidence(links=3)
    assert [decide(linked, policy(), "profile", viewer).action for viewer in viewers] == [
        "limit",
        "remove",
        "remove",
    ]


@pytest.mark.parametrize("action", ["allow", "warn", "remove"])
def test_a_persons_decision_beats_everything(action: str) -> None:
    """Whatever models, terms and rules say, the call of a person stands, everywhere."""
    call = PersonCall(action=action, category="hate", name="ada")  # type: ignore[arg-type]
    seen = evidence(call, hate=1.0, links=9, unscored=1)
    expected = Decision(action=action, decided_by="person:ada", category="hate")  # type: ignore[arg-type]
    assert {decide(seen, policy(), *pair) for pair in PAIRS} == {expected}


def test_a_text_that_no_model_could_score_waits_for_a_person() -> None:
    """Never silently allowed, whatever the rules say."""
    decisions = decide_all(evidence(unscored=1), policy())
    assert set(decisions.values()) == {by_rule("review", "unscored", "unscored")}


def test_a_verdict_is_filed_under_its_strictest_decision_and_review_asks_for_a_person() -> None:
    """The most severe action names the verdict; any surface under review opens a case."""
    decisions = list(decide_all(evidence(hate=0.92), policy()).values())
    assert strictest(decisions) == by_rule("remove", "hate_clear", "hate")
    assert waiting_for_person(decisions) == by_rule("review", "hate_clear", "hate")
    assert waiting_for_person(decide_all(evidence(), policy()).values()) is None


def test_labels_are_probabilities_to_four_decimals() -> None:
    """What is stored is what is compared; anything but a probability is refused."""
    assert Label(category="hate", p=0.123449, source="m").p == 0.1234
    with pytest.raises(ValueError, match="p of hate is nan"):
        Label(category="hate", p=float("nan"), source="m")


# -- the board -------------------------------------------------------------------------------------

P = st.integers(0, 10_000)
ACTION = st.sampled_from(ACTIONS)
CALLS = st.one_of(
    st.none(),
    st.builds(PersonCall, action=ACTION, category=st.just("hate"), name=st.sampled_from("ab")),
)
LABELS = st.lists(
    st.builds(
        Label,
        category=st.sampled_from((*CATEGORIES, "other")),
        p=P.map(lambda n: n / 10_000),
        source=st.just("m"),
    ),
    max_size=4,
).map(tuple)
SIGNALS = st.dictionaries(
    st.sampled_from((*COUNTS, "unscored", HELD_BACK)),
    st.sampled_from((1, 2, 3, 4, 5, 70_000)),
    max_size=3,
)
EVIDENCE = st.builds(Evidence, labels=LABELS, signals=SIGNALS, person=CALLS)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    negated = draw(st.booleans())
    if draw(st.booleans()):
        name, low, high = draw(st.sampled_from(CATEGORIES)), draw(P), draw(P | st.just(MISSING))
        return Condition(kind="p", name=name, low=low, high=high, negated=negated)
    name, low = draw(st.sampled_from(COUNTS)), draw(st.integers(0, 4))
    high = draw(st.integers(1, 6) | st.just(MISSING))
    return Condition(kind="count", name=name, low=low, high=high, negated=negated)


WHEN = st.lists(
    st.lists(conditions(), min_size=1, max_size=2).map(tuple), min_size=1, max_size=2
).map(tuple)
SPOKEN = st.dictionaries(st.sampled_from(SURFACES), ACTION, max_size=5)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    rules = tuple(
        Rule(
            name=f"r{i}",
            category=draw(st.sampled_from(CATEGORIES)),
            when=draw(WHEN),
            adult=draw(SPOKEN),
            minor=draw(SPOKEN),
            shadow=draw(st.sampled_from((False, False, True))),
        )
        for i in range(draw(st.integers(0, 4)))
    )
    return Policy(name="p", categories={}, rules=rules, version="p-1")


def plainly(seen: Evidence, rules: Policy, surface: Surface, viewer: ViewerClass) -> Decision:
    """What a policy says, by its definition: rule after rule, condition after condition."""
    if seen.person is not None:
        return _told(seen.person.action, viewer, f"person:{seen.person.name}", seen.person.category)
    if seen.signals.get("unscored"):
        return by_rule("review", "unscored", "unscored")
    for rule in rules.rules:
        action = rule.action(surface, viewer)
        if rule.shadow or action is None:
            continue
        if any(all(_is_met(c, seen) for c in group) for group in rule.when):
            told = _told(action, viewer, f"rule:{rule.name}", rule.category)
            held_back = told.action == "remove" and seen.signals.get(HELD_BACK)
            return replace(told, action="review") if held_back else told
    return NO_RULE


def _told(action: Action, viewer: ViewerClass, by: str, category: str | None) -> Decision:
    shut = action == "age_gate" and viewer == "minor"
    return Decision(action="remove" if shut else action, decided_by=by, category=category)


def _is_met(condition: Condition, seen: Evidence) -> bool:
    if condition.kind == "count":
        value = min(seen.signals.get(condition.name, 0), MISSING - 1)
    else:
        said = [round(x.p * 10_000) for x in seen.labels if x.category == condition.name]
        value = max(said, default=MISSING)
    return (condition.low <= value < condition.high) is not condition.negated


@given(policies(), EVIDENCE)
def test_the_compiled_policy_says_what_its_rules_say_one_by_one(
    rules: Policy, seen: Evidence
) -> None:
    """For any policy, with negations and shadows, and any evidence, on every surface."""
    wanted = {pair: plainly(seen, rules, *pair) for pair in PAIRS}
    assert decide_all(seen, rules) == wanted
    assert {pair: decide(seen, rules, *pair) for pair in PAIRS} == wanted


def test_a_rule_in_shadow_decides_nothing_and_the_next_one_does() -> None:
    """Neither on one surface, nor on all, nor for many at once."""
    clear, some, links = policy().rules
    watched = replace(policy(), rules=(replace(clear, shadow=True), some, links))
    assert decide(evidence(hate=0.92), watched, "feed", "adult").decided_by == "rule:hate_some"
    board = DecisionBoard(watched)
    board.update([1], [verdict(evidence(hate=0.92))])
    assert board.decided_by(1, "feed", "adult") == "rule:hate_some"


def test_what_was_held_back_goes_to_a_person_where_a_rule_would_remove_it() -> None:
    """Only removals are softened; a person's removal is none of a rule's."""
    seen = evidence(hate=0.92, **{HELD_BACK: 1})
    assert decide(seen, policy(), "feed", "adult") == by_rule("review", "hate_clear", "hate")
    assert decide(seen, policy(), "profile", "adult") == by_rule("age_gate", "hate_some", "hate")
    call = PersonCall(action="remove", category="hate", name="ada")
    assert decide(replace(seen, person=call), policy(), "feed", "adult").action == "remove"


def test_a_rule_that_asks_for_nothing_is_refused() -> None:
    """It would hold for everything or for nothing, and nobody can know what was meant."""
    for when in ((), ((),)):
        with pytest.raises(ValueError, match="asks for nothing"):
            Matcher([when])


def verdict(seen: Evidence, key: str = "1") -> Verdict:
    return Verdict(
        item_id=ItemId("i"),
        at_ms=1,
        text_key=key,
        evidence=seen,
        decided_by="no rule",
        policy_version="p-1",
    )


def assert_board_says(board: DecisionBoard, expected: dict[int, Evidence], rules: Policy) -> None:
    """Codes and reasons of the board are those of `decide`, for every item, surface and viewer."""
    items = np.array(sorted(expected), np.int32)
    for surface in SURFACES:
        for viewer in ("adult", "minor", "unknown"):
            wanted = [decide(expected[i], rules, surface, viewer) for i in items.tolist()]
            codes = board.actions(items, surface, viewer)
            assert codes.tolist() == [CODES[decision.action] for decision in wanted]
            assert [board.decision(i, surface, viewer) for i in items.tolist()] == wanted
            shown = [decision.action in SHOWN[surface] for decision in wanted]
            assert board.shown(items, surface, viewer).tolist() == shown


@given(
    policies(), policies(), st.dictionaries(st.integers(0, 3_000), EVIDENCE, max_size=8), EVIDENCE
)
def test_the_board_says_what_decide_says(
    first: Policy, second: Policy, seen: dict[int, Evidence], later: Evidence
) -> None:
    """For any policies and evidence, written in bulk, over again, and under another policy."""
    board = DecisionBoard(first)
    board.update(list(seen), [verdict(e) for e in seen.values()])
    assert_board_says(board, seen, first)
    if seen:
        item = next(iter(seen))
        board.update([item], [verdict(later)])
        seen = {**seen, item: later}
        assert_board_says(board, seen, first)
    board.adopt(second)
    assert board.policy is second
    assert_board_says(board, seen, second)


@pytest.mark.parametrize("count", [125, 126, 127, 128, 400])
def test_a_policy_may_have_more_rules_than_a_byte_can_name(count: int) -> None:
    """Whichever of them decides, the last too, also where the board has grown."""
    never = Condition(kind="count", name="links", low=50, high=MISSING)
    at_five = Condition(kind="count", name="links", low=5, high=MISSING)
    rules = tuple(
        Rule(
            name=f"r{i}",
            category="spam",
            when=((at_five if i == count - 1 else never,),),
            adult={"feed": "remove"},
            minor={"feed": "remove"},
        )
        for i in range(count)
    )
    many = Policy(name="p", categories={}, rules=rules, version="p-1")
    board = DecisionBoard(many)
    seen = {1: evidence(links=5), 5_000: evidence(links=0), 9_000: evidence(links=7)}
    for item, found in seen.items():
        board.update([item], [verdict(found)])
    assert_board_says(board, seen, many)
    assert board.decided_by(9_000, "feed", "adult") == f"rule:r{count - 1}"


def test_items_without_a_verdict_are_awaiting() -> None:
    """An index never heard of, however large, is awaiting: not shown and decided by nobody."""
    board = DecisionBoard(policy())
    board.update([5], [verdict(evidence())])
    others = np.array([i for i in range(10_000) if i != 5])
    assert set(board.actions(others, "feed", "adult").tolist()) == {AWAITING}
    items = np.array([0, 5, 6, 5_000_000])
    codes = board.actions(items, "feed", "adult").tolist()
    assert codes == [AWAITING, CODES["allow"], AWAITING, AWAITING]
    assert board.shown(items, "feed", "adult").tolist() == [False, True, False, False]
    assert [board.decided_by(i, "feed", "adult") for i in items.tolist()] == [
        None,
        "no rule",
        None,
        None,
    ]


def test_another_text_awaits_its_verdict() -> None:
    """When an item's text changes its old verdict says nothing; the new one's verdict counts."""
    board = DecisionBoard(policy())
    items = np.array([0])
    board.expect([0], ["a"])
    board.update([0], [verdict(evidence(), "a")])
    board.expect([0], ["b"])
    assert board.actions(items, "feed", "adult").tolist() == [AWAITING]
    board.update([0], [verdict(evidence(hate=1.0), "b")])
    assert board.actions(items, "feed", "adult").tolist() == [CODES["remove"]]
    board.expect([0], ["b"])
    assert board.decided_by(0, "feed", "adult") == "rule:hate_clear"


def test_growing_keeps_what_was_decided() -> None:
    """Room for more items leaves the decisions on the first ones in place."""
    board = DecisionBoard(policy())
    board.update([1, 2], [verdict(evidence(links=3)), verdict(evidence(hate=0.6))])
    board.update([9_000], [verdict(evidence(hate=0.99))])
    codes = board.actions(np.array([1, 2, 9_000]), "feed", "adult").tolist()
    assert codes == [CODES["limit"], CODES["age_gate"], CODES["remove"]]
    assert [board.decided_by(i, "feed", "adult") for i in (1, 2, 9_000)] == [
        "rule:links",
        "rule:hate_some",
        "rule:hate_clear",
    ]
    board.adopt(policy())
    assert board.decided_by(2, "profile", "minor") == "rule:hate_some"


def test_verdicts_that_come_while_another_policy_is_adopted_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However writers and the adoption take turns: in the end all is as the new policy says, for
    new items and changed texts too."""
    monkeypatch.setattr(board_module, "_AT_ONCE", 3)
    first, second = policy(), read_policy("p", POLICY.replace("hate: 0.9", "hate: 0.3"))
    board = DecisionBoard(first)
    levels = (0.2, 0.4, 0.97)
    seen = {i: evidence(hate=levels[i % 3]) for i in range(0, 900, 3)}
    board.update(list(seen), [verdict(e) for e in seen.values()])
    adopting = threading.Thread(target=board.adopt, args=(second,))
    adopting.start()
    for number in range(300):
        item = 17 * number % 2_500
        seen[item] = evidence(hate=levels[(number + 1) % 3])
        board.update([item], [verdict(seen[item])])
    board.expect([0, 2_499], ["b", "b"])
    adopting.join()
    assert board.policy is second
    assert board.decided_by(0, "feed", "adult") is None
    del seen[0]
    seen.pop(2_499, None)
    assert_board_says(board, seen, second)


def test_where_a_post_is_shown_follows_from_its_action() -> None:
    """Limited posts are left out of recommendations only; review and remove are shown nowhere."""
    assert [s for s in SURFACES if "limit" in SHOWN[s]] == ["following", "search", "profile"]
    assert not any({"review", "remove"} & SHOWN[surface] for surface in SURFACES)
    assert VIEWER_CLASSES == ("adult", "minor")


def test_the_shipped_policy_holds_spam_back_and_lets_everyday_posts_through() -> None:
    """The default rules do what their names say."""
    shipped = load_policy()
    assert decide(evidence(spam=0.96), shipped, "feed", "adult").decided_by == "rule:spam_clear"
    assert decide(evidence(spam=0.1, hate=0.1), shipped, "feed", "minor") == NO_RULE
