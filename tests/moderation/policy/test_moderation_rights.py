"""The sections `rights` and `strikes` of a policy: read, defaulted, and every fault shown."""

import pytest

from inhouse.moderation.policy.parse import check_policy, load_policy, read_policy
from inhouse.moderation.policy.rights import USUAL, CategoryRights, StrikeRules
from inhouse.moderation.types import CHILD_ABUSE

HEAD = """\
policy: test
categories: {hate: attacks, rude: rudeness}
rules:
  - {rule: a, category: hate, when: {hate: 0.9}, actions: remove}
"""


def _faults(more: str) -> list[tuple[int, str, str]]:
    policy, faults = check_policy("test.yaml", HEAD + more)
    assert policy is None
    return [(fault.line, fault.message, fault.hint) for fault in faults]


def test_a_policy_without_the_sections_has_the_usual_rights() -> None:
    """By the names of its categories; one without a usual meaning breaks the terms."""
    rights = read_policy("test.yaml", HEAD).rights
    assert rights.of("hate") == USUAL["hate"]
    assert rights.of("rude") == CategoryRights()
    assert rights.strikes == StrikeRules()
    assert load_policy().rights.of("spam").exempt


def test_the_sections_are_read() -> None:
    """What the file says counts, the rest is as usual; the version tells them apart."""
    policy = read_policy(
        "test.yaml",
        HEAD + 'rights:\n  hate: {ground: illegal, law: "§ 130 StGB", strike: 2.5}\n'
        "  rude: {exempt: true, dsa: CYBER_VIOLENCE, keyword: CYBER_HARASSMENT}\n"
        "strikes: {half_life_days: 30, limit_days: 3}\n",
    )
    assert policy.rights.of("hate") == CategoryRights(
        dsa="ILLEGAL_OR_HARMFUL_SPEECH",
        keyword="HATE_SPEECH",
        ground="illegal",
        law="§ 130 StGB",
        strike=2.5,
    )
    assert policy.rights.of("rude") == CategoryRights(
        dsa="CYBER_VIOLENCE", keyword="CYBER_HARASSMENT", exempt=True
    )
    assert policy.rights.strikes == StrikeRules(half_life_days=30.0, limit_days=3)
    assert policy.version != read_policy("test.yaml", HEAD).version


def test_no_policy_says_what_sexual_abuse_of_children_is_to_the_law() -> None:
    """It follows the law: illegal, whatever the file says."""
    (fault,) = _faults("rights: {child_abuse: {ground: terms}}\n")
    assert fault == (
        5,
        "`child_abuse` in rights",
        "what is sealed follows the law, not the policy; leave it out",
    )
    assert load_policy().rights.of(CHILD_ABUSE).ground == "illegal"


@pytest.mark.parametrize(
    ("more", "message", "hint"),
    [
        ("rights: {hat: {strike: 1}}", "unknown category `hat` in rights", "did you mean `hate`?"),
        (
            "rights: {hate: {dsa: SELF_HURT}}",
            "unknown dsa `SELF_HURT`",
            "did you mean `SELF_HARM`?",
        ),
        (
            "rights: {hate: {ground: illegal}}",
            "`hate` is illegal by no law",
            "add a line `law: …`",
        ),
        ("rights: {hate: {strike: -1}}", "`strike` is `-1`", "expected a number from 0 to 100"),
        ("rights: {hate: {exempt: maybe}}", "`exempt` is `maybe`", "expected true or false"),
        ("rights: [hate]", "rights is a list", "expected `name: value` lines"),
        (
            "strikes: {limit_days: 1.5}",
            "`limit_days` is `1.5`",
            "expected a whole number from 1 to 365",
        ),
        (
            "strikes: {limit_at: 7}",
            "suspend_at is 6",
            "limit_at is 7; suspend_at must be larger",
        ),
        (
            "strikes: {half_life_days: forever}",
            "`half_life_days` is `forever`",
            "expected a number from 1 to 3650",
        ),
    ],
)
def test_every_fault_is_shown_with_its_line_and_a_hint(more: str, message: str, hint: str) -> None:
    """As in the rest of the file."""
    assert _faults(more + "\n") == [(5, message, hint)]
