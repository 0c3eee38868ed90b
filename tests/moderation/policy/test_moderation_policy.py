"""The policy file: what it may say, every fault in it, its version, examples and words."""

from dataclasses import replace
from pathlib import Path

import pytest

from inhouse.core.errors import SettingError
from inhouse.moderation.policy.examples import load_examples, read_examples, run_examples
from inhouse.moderation.policy.match import Condition, When
from inhouse.moderation.policy.parse import check_policy, load_policy, read_policy
from inhouse.moderation.policy.types import DEFAULT_BREAKER, BreakerLimit
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import read_bank, shipped_banks
from inhouse.moderation.transparency.plain import policy_in_words, rule_in_words

SMALL = """\
policy: small
categories:
  hate: attacks on people
  spam: advertising
rules:
  - rule: hate_clear
    category: hate
    when: {hate: 0.9}
    actions: remove
  - rule: many_links
    category: spam
    when:
      - {links: 3, spam: {at_least: 0.2, below: 0.8}}
      - {terms.spam: 2}
    actions: {everywhere: limit, profile: allow}
    minors: {search: remove}
    why: Too many links.
"""


def faults(text: str) -> str:
    """Everything the checker says."""
    with pytest.raises(SettingError) as caught:
        read_policy("p.yaml", text)
    return str(caught.value)


def test_a_sound_policy_is_read_as_written() -> None:
    """Conditions become whole numbers, `everywhere` is spelled out, minors differ where told."""
    policy = read_policy("p.yaml", SMALL)
    clear, links = policy.rules
    assert [(Condition(kind="p", name="hate", low=9_000),)] == list(clear.when)
    assert links.when == (
        (
            Condition(kind="count", name="links", low=3),
            Condition(kind="p", name="spam", low=2_000, high=8_000),
        ),
        (Condition(kind="count", name="terms.spam", low=2),),
    )
    assert dict(links.adult) == {
        "feed": "limit",
        "following": "limit",
        "search": "limit",
        "profile": "allow",
        "notification": "limit",
    }
    assert dict(links.minor) == {**links.adult, "search": "remove"}
    assert (links.why, clear.why) == ("Too many links.", None)


def test_a_rule_may_be_silent_on_a_surface() -> None:
    """Without `everywhere` only the named surfaces have an action."""
    text = SMALL.replace("everywhere: limit, profile: allow", "feed: limit").replace(
        "    minors: {search: remove}\n", ""
    )
    rule = read_policy("p.yaml", text).rules[1]
    assert (rule.action("feed", "minor"), rule.action("search", "adult")) == ("limit", None)


def test_the_version_follows_the_content_and_nothing_else() -> None:
    """Remarks and the order of keys do not matter; any bound, action or order of rules does."""
    version = read_policy("p.yaml", SMALL).version
    assert version.startswith("small-")
    remark = "# a remark\n" + SMALL.replace("{search: remove}", "{ search: remove }")
    assert version == read_policy("other.yaml", remark).version
    for before, after in (
        ("0.9", "0.8"),
        ("actions: remove", "actions: review"),
        ("search: remove", "search: review"),
        ("hate_clear", "hate_sure"),
        ("Too many", "Many"),
        ("attacks on", "attacks against"),
    ):
        assert version != read_policy("p.yaml", SMALL.replace(before, after)).version


def test_every_fault_is_shown_at_once_with_line_caret_and_hint() -> None:
    """A policy with many mistakes answers with all of them, in the order of the lines."""
    text = """\
policy: Small One
catgories: {}
categories:
  hate: attacks on people
  links: many links
  spam:
rules:
  - rule: hate_clear
    category: hat
    when: {hate: 90}
    actions: removed
  - rule: hate_clear
    category: hate
    when: {hate: {at_least: 0.8, below: 0.5}, linkz: 2}
    actions: {fede: limit}
  - category: hate
    when: []
    action: limit
"""
    assert faults(text) == (
        "14 faults in the policy p.yaml\n"
        "\n"
        "p.yaml:1:9: the policy's name is `Small One`\n"
        "  1 | policy: Small One\n"
        "    |         ^\n"
        "    = expected 1 to 48 of a-z 0-9 _, a letter first\n"
        "\n"
        "p.yaml:2:1: unknown field `catgories` in the policy\n"
        "  2 | catgories: {}\n"
        "    | ^\n"
        "    = did you mean `categories`?\n"
        "\n"
        "p.yaml:5:3: the category `links` has a signal's name\n"
        "  5 |   links: many links\n"
        "    |   ^\n"
        "    = choose another name\n"
        "\n"
        "p.yaml:6:8: the meaning of `spam` is empty\n"
        "  6 |   spam:\n"
        "    |        ^\n"
        "    = expected a text\n"
        "\n"
        "p.yaml:9:15: unknown category `hat`\n"
        "  9 |     category: hat\n"
        "    |               ^\n"
        "    = did you mean `hate`?\n"
        "\n"
        "p.yaml:10:18: the bound of `hate` is `90`\n"
        "  10 |     when: {hate: 90}\n"
        "     |                  ^\n"
        "     = expected a probability above 0 and at most 1, to four decimals\n"
        "\n"
        "p.yaml:11:14: unknown action `removed`\n"
        "  11 |     actions: removed\n"
        "     |              ^\n"
        "     = did you mean `remove`?\n"
        "\n"
        "p.yaml:14:18: `hate` can never hold\n"
        "  14 |     when: {hate: {at_least: 0.8, below: 0.5}, linkz: 2}\n"
        "     |                  ^\n"
        "     = at_least must be smaller than below\n"
        "\n"
        "p.yaml:14:47: unknown category or signal `linkz`\n"
        "  14 |     when: {hate: {at_least: 0.8, below: 0.5}, linkz: 2}\n"
        "     |                                               ^\n"
        "     = did you mean `links`?\n"
        "\n"
        "p.yaml:15:15: unknown surface `fede`\n"
        "  15 |     actions: {fede: limit}\n"
        "     |               ^\n"
        "     = did you mean `feed`?\n"
        "\n"
        "p.yaml:16:5: a rule has no `rule`\n"
        "  16 |   - category: hate\n"
        "     |     ^\n"
        "     = add a line `rule: …`\n"
        "\n"
        "p.yaml:16:5: a rule has no `actions`\n"
        "  16 |   - category: hate\n"
        "     |     ^\n"
        "     = add a line `actions: …`\n"
        "\n"
        "p.yaml:17:11: `when` asks for nothing\n"
        "  17 |     when: []\n"
        "     |           ^\n"
        "     = add a condition as `hate: 0.9`\n"
        "\n"
        "p.yaml:18:5: unknown field `action` in a rule\n"
        "  18 |     action: limit\n"
        "     |     ^\n"
        "     = did you mean `actions`?"
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("policy: small\n", "", "p.yaml:1:1: the policy has no `policy`"),
        ("rule: many_links", "rule: hate_clear", "p.yaml:10:5: two rules are called `hate_clear`"),
        ("{hate: 0.9}", "hate", "p.yaml:8:11: when is `hate`"),
        ("{hate: 0.9}", "{hate: 0.90001}", "p.yaml:8:18: the bound of `hate` is `0.90001`"),
        ("{hate: 0.9}", "{hate: '0.9'}", "p.yaml:8:18: the bound of `hate` is `0.9`"),
        ("{hate: 0.9}", "{hate: .nan}", "p.yaml:8:18: the bound of `hate` is `.nan`"),
        ("{hate: 0.9}", "{hate: {above: 1}}", "p.yaml:8:19: unknown field `above` in `hate`"),
        ("{hate: 0.9}", "{hate: {}}", "p.yaml:8:18: `hate` has no bound"),
        ("links: 3", "links: 2.5", "p.yaml:13:17: the bound of `links` is `2.5`"),
        ("links: 3", "links: 0", "p.yaml:13:17: the bound of `links` is `0`"),
        ("{search: remove}", "{}", "p.yaml:16:13: `minors` is empty"),
        ("{search: remove}", "[remove]", "p.yaml:16:13: minors is a list"),
        ("{search: remove}", "{search: [a]}", "p.yaml:16:22: unknown action a list"),
        ("why: Too many links.", "why:", "p.yaml:17:9: why is empty"),
        ("  hate: attacks", "  hate: x\n  hate: attacks", "p.yaml:4:3: `hate` stands twice"),
        ("policy: small", "policy: [small", "p.yaml:2:11: not YAML: expected ',' or ']'"),
        ("policy: small", "policy: \x07small", "p.yaml:1:1: not YAML: a character that is not"),
        (SMALL, "", "p.yaml:1:1: the file is empty"),
        (SMALL, "- a list", "p.yaml:1:1: the policy is a list"),
        ("rules:", "rules: 3\nx:", "p.yaml:5:8: rules is `3`"),
        ("  hate: attacks on people\n  spam: advertising", "  {}", "there are no categories"),
        ("{hate: 0.9}", "{not: {hat: 1}}", "p.yaml:8:18: unknown category or signal `hat`"),
        ("{hate: 0.9}", "{not: {}}", "p.yaml:8:17: `not` names nothing"),
        ("{hate: 0.9}", "{not: {not: {links: 1}}}", "p.yaml:8:18: `not` inside `not`"),
        ("{hate: 0.9}", "{kind: movie}", "p.yaml:8:18: unknown kind `movie`"),
        ("{hate: 0.9}", "{language: [de, German]}", "p.yaml:8:27: unknown language `German`"),
        (
            "actions: remove",
            "mode: shade\n    actions: remove",
            "p.yaml:9:11: unknown mode `shade`",
        ),
        ("policy: small", "policy: small\nbreaker: 9", "p.yaml:2:10: breaker is `9`"),
        (
            "policy: small",
            "policy: small\nbreaker: {removals_per_hour: 0}",
            "p.yaml:2:30: removals_per_hour is `0`",
        ),
        (
            "policy: small",
            "policy: small\nbreaker: {removals_per_hour: 5, least_share: 1}",
            "p.yaml:2:46: least_share is `1`",
        ),
    ],
)
def test_each_mistake_is_named_where_it_is(before: str, after: str, expected: str) -> None:
    """One wrong thing in a sound file is told with its line and column."""
    assert expected in faults(SMALL.replace(before, after))


def test_one_mistake_gives_one_fault() -> None:
    """A mistake is not told again by what follows from it."""
    for before, after in (
        ("{hate: 0.9}", "{hate: {below: 7}}"),
        ("{hate: 0.9}", "{hat: 0.9}"),
        ("{hate: 0.9}", "hate"),
        ("actions: remove", "actions: destroy"),
    ):
        policy, found = check_policy("p.yaml", SMALL.replace(before, after))
        assert (policy, len(found)) == (None, 1)


def when_of(asked: str) -> When:
    """What the first rule asks where its `when` is written so."""
    return read_policy("p.yaml", SMALL.replace("{hate: 0.9}", asked)).rules[0].when


def has(name: str, negated: bool = False) -> Condition:
    return Condition(kind="count", name=name, low=1, negated=negated)


def test_not_kind_and_language_are_conditions_like_others() -> None:
    """`not` holds where none of its lines does; a list of words is any of them."""
    surely = Condition(kind="p", name="hate", low=9_000)
    assert when_of("{hate: 0.9, language: [de, fr]}") == (
        (surely, has("language.de")),
        (surely, has("language.fr")),
    )
    assert when_of("{kind: text, links: 1}") == (
        (has("kind.picture", negated=True), has("kind.video", negated=True), has("links")),
    )
    assert when_of("{links: 1, not: {hate: 0.9, kind: video, language: [de, fr]}}") == (
        (
            has("links"),
            replace(surely, negated=True),
            has("kind.video", negated=True),
            has("language.de", negated=True),
            has("language.fr", negated=True),
        ),
    )
    assert when_of("{not: {kind: text}}") == ((has("kind.picture"),), (has("kind.video"),))


def test_a_policy_that_grows_by_references_is_refused_before_it_grows() -> None:
    """Alternatives multiply; a rule of millions is told as a fault, quickly."""
    words = "[" + ", ".join(a + b for a in "abcdefghij" for b in "klmnopqrst") + "]"
    grown = SMALL.replace("{hate: 0.9}", f"{{language: {words}, not: {{kind: text}}, links: 1}}")
    assert "p.yaml:8:" in faults(grown.replace("links: 1", f"kind: {['video'] * 90}"))
    assert "more than 200 alternatives in one rule" in faults(
        grown.replace("links: 1", f"kind: {['video'] * 90}")
    )
    many = SMALL + "  - *r\n" * 2_000
    anchored = many.replace("- rule: hate_clear", "- &r\n    rule: hate_clear")
    assert "rules has 2002 elements" in faults(anchored)
    assert "the policy has 1000180 characters" in faults(SMALL.ljust(1_000_180))


def test_shadow_and_breaker_are_part_of_the_version() -> None:
    """They change what a policy does; where they say what holds anyway, the version stays."""
    small = read_policy("p.yaml", SMALL)
    shadow = SMALL.replace("actions: remove", "mode: shadow\n    actions: remove")
    breaker = SMALL.replace(
        "actions: remove", "breaker: {removals_per_hour: 5}\n    actions: remove"
    )
    top = SMALL.replace("policy: small", "policy: small\nbreaker: {removals_per_hour: 5}")
    policies = [read_policy("p.yaml", text) for text in (shadow, breaker, top)]
    assert [policy.rules[0].shadow for policy in policies] == [True, False, False]
    five = BreakerLimit(removals_per_hour=5)
    assert [policy.rules[0].breaker for policy in policies] == [None, five, None]
    assert [policy.breaker for policy in policies] == [DEFAULT_BREAKER, DEFAULT_BREAKER, five]
    assert len({small.version, *(policy.version for policy in policies)}) == 4
    live = SMALL.replace("actions: remove", "mode: live\n    actions: remove")
    same = SMALL.replace(
        "policy: small", "policy: small\nbreaker: {removals_per_hour: 1000, least_share: 0.2}"
    )
    assert {read_policy("p.yaml", text).version for text in (live, same)} == {small.version}


def test_an_unreadable_policy_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A policy that is not there allows nothing by accident."""
    with pytest.raises(SettingError, match=r"cannot read the policy .*gone\.yaml"):
        load_policy(tmp_path / "gone.yaml")


def test_the_shipped_policy_and_its_examples_agree() -> None:
    """Every example beside the default policy comes out as it says."""
    policy = load_policy()
    failures = run_examples(load_examples(policy), policy, SignalReader(shipped_banks()))
    assert [str(fault) for fault in failures] == []


EXAMPLES = """\
examples:
  - text: zorgle blat
    must: many_links
  - text: plain words
    scores: {hate: 0.95}
    must_not: anything
  - text: plain words
    must_not: [spam, hate_clear]
"""


def test_examples_that_fail_point_at_their_line() -> None:
    """A text that must match and does not, and one that must not and does, are both told."""
    policy = read_policy("p.yaml", SMALL)
    reader = SignalReader([read_bank("b", "b.txt", "category: spam\nzorgle blat")])
    failures = run_examples(read_examples(policy, "e.yaml", EXAMPLES), policy, reader)
    assert [str(fault) for fault in failures] == [
        "e.yaml:2:5: must match `many_links`, but matches nothing\n"
        "  2 |   - text: zorgle blat\n"
        "    |     ^\n"
        "    = change the rule's conditions or the example",
        "e.yaml:4:5: must not match anything, but matches `hate_clear`\n"
        "  4 |   - text: plain words\n"
        "    |     ^\n"
        "    = change the rule's conditions or the example",
    ]
    agreed = EXAMPLES.replace("zorgle blat", "zorgle blat, zorgle blat").replace("0.95", "0.8")
    assert run_examples(read_examples(policy, "e.yaml", agreed), policy, reader) == []


def test_every_fault_of_an_examples_file_is_shown() -> None:
    """Unknown names, scores out of range and examples that ask for nothing are told at once."""
    text = """\
examples:
  - text: a
    must: hat_clear
  - text: b
    scores: {hate: 2, sapm: 0.5}
    must: spam
  - text: c
  - must: spam
"""
    with pytest.raises(SettingError) as caught:
        read_examples(read_policy("p.yaml", SMALL), "e.yaml", text)
    assert [line for line in str(caught.value).splitlines() if line.startswith("e.yaml")] == [
        "e.yaml:3:11: no rule or category is called `hat_clear`",
        "e.yaml:5:20: the score of `hate` is `2`",
        "e.yaml:5:23: unknown category `sapm`",
        "e.yaml:7:5: an example asks for nothing",
        "e.yaml:8:5: an example has no `text`",
    ]


def test_a_rule_in_words() -> None:
    """A rule reads as a sentence that says when, what and for whom."""
    policy = read_policy("p.yaml", SMALL)
    assert [rule_in_words(rule, policy) for rule in policy.rules] == [
        "A post that is at least 90% likely to be hate is hidden. This is about hate: attacks on "
        "people (rule hate_clear).",
        "A post that has at least 3 links and that is at least 20% and less than 80% likely to be "
        "spam, or that has at least 2 terms from our spam list is left out of recommendations and "
        "notifications, shown in followers' feeds, search and the author's profile; for minors it "
        "is left out of recommendations and notifications, shown in followers' feeds and the "
        "author's profile, hidden in search. This is about spam: advertising (rule many_links).",
    ]


def test_negations_kinds_languages_and_shadows_in_words() -> None:
    """What a rule excludes is said as plainly as what it asks for."""
    asked = "{links: 1, not: {hate: 0.9, kind: video, language: de, shorteners: 2}}"
    text = SMALL.replace("{hate: 0.9}", asked).replace(
        "actions: remove", "mode: shadow\n    actions: remove"
    )
    policy = read_policy("p.yaml", text)
    assert rule_in_words(policy.rules[0], policy) == (
        "A post that has at least 1 link and that is not at least 90% likely to be hate and that "
        "is not a video and that is not in the language `de` and that does not have at least 2 "
        "links through shorteners is hidden. This is about hate: attacks on people (rule "
        "hate_clear). The rule is only watched so far and decides nothing."
    )


def test_the_words_name_every_rule_and_the_version() -> None:
    """Nothing of the live policy is left unsaid."""
    policy = load_policy()
    words = policy_in_words(policy)
    assert policy.version in words[0]
    assert [
        f"(rule {rule.name})." in line for rule, line in zip(policy.rules, words[1:-1], strict=True)
    ] == [True] * len(policy.rules)
