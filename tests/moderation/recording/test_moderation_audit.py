"""The record of decisions: what is in it, when, and how it is read."""

import dataclasses

import pytest
from moderation_worlds import Community, tools

from inhouse.core.errors import InputError
from inhouse.moderation.erasure import erase_person
from inhouse.moderation.recording.audit import Audit, AuditFilter, AuditRow, head_of
from inhouse.moderation.reviewing.review import Review
from inhouse.store.chain import Head
from inhouse.store.database import Database


def _told(rows: list[AuditRow]) -> list[tuple[str, str, str | None]]:
    return [(row.what, row.actor, row.item_id) for row in rows]


@pytest.fixture
def audit(any_community: Community) -> Audit:
    """A post removed by a rule, one held and then removed by a person who took it back."""
    community = any_community
    community.post(bad="hate=0.95", held="hate=0.7", fine="plain")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue()
    community.wait(5)
    decision = review.decide(case.case_id, "ada", "remove", "hate", None)
    community.wait(5)
    review.undo(decision.decision_id, "ada")
    return Audit(community.database)


def test_every_decision_is_a_row(audit: Audit) -> None:
    """Verdicts by rules, a person's ruling and its undoing, behind the policy they rest on."""
    rows = list(audit.rows())
    assert _told(rows) == [
        ("policy", "settings", None),
        ("verdict", "rule:hate_clear", "bad"),
        ("verdict", "rule:hate_likely", "held"),
        ("verdict", "no rule", "fine"),
        ("ruling", "person:ada", "held"),
        ("undo", "rule:hate_likely", "held"),
    ]
    assert [row.at_ms for row in rows] == [1_000, 1_000, 1_000, 1_000, 1_005, 1_010]
    version = tools().rules.policy.version
    assert rows[0].details == {"policy": version, "rules": 3}
    details = dict(rows[1].details or {})
    assert len(details.pop("evidence")) == 16
    assert details == {
        "action": "remove",
        "category": "hate",
        "policy": version,
        "model": "fake-1",
    }
    assert audit.check().fault is None


def test_rows_are_filtered(audit: Audit) -> None:
    """By kind, actor, post and time; the newest so many, oldest first."""
    assert _told(audit.latest(AuditFilter(what="ruling"))) == [("ruling", "person:ada", "held")]
    assert len(audit.latest(AuditFilter(item_id="held"))) == 3
    assert len(audit.latest(AuditFilter(actor="no rule"))) == 1
    assert len(audit.latest(AuditFilter(from_ms=1_001, until_ms=1_010))) == 1
    assert [row.number for row in audit.latest(limit=2)] == [5, 6]
    assert [row.number for row in audit.rows(after=1, limit=3)] == [2, 3, 4]
    assert list(audit.rows(AuditFilter(user_id="nobody"))) == []
    with pytest.raises(InputError, match="unknown kind 'gossip'; expected one of verdict, "):
        audit.latest(AuditFilter(what="gossip"))


def test_another_policy_is_told_of_once(any_community: Community) -> None:
    """With the first verdict that rests on it, and again when the old one comes back."""
    community, audit = any_community, Audit(any_community.database)
    rules = community.tools.rules
    other = dataclasses.replace(rules.policy, version="test-other")
    versions = [rules.policy, other, other, rules.policy]
    for number, policy in enumerate(versions):
        community.post(**{f"i{number}": f"text {number}"})
        community.moderator.tools = dataclasses.replace(
            community.tools, rules=dataclasses.replace(rules, policy=policy)
        )
        community.scan()
    told = [(row.details or {})["policy"] for row in audit.latest(AuditFilter(what="policy"))]
    assert told == [rules.policy.version, "test-other", rules.policy.version]


def test_a_head_is_read_as_it_was_printed() -> None:
    """What is not a head is refused with what was expected."""
    head = Head(number=12, hash="ab" * 32)
    assert head_of(f" {head}\n") == head
    for wrong in ("", "12", "12:xyz", "x:" + "ab" * 32, "-1:" + "ab" * 32, "12:" + "🦓" * 64):
        with pytest.raises(InputError, match="expected NUMBER:HASH"):
            head_of(wrong)


def test_an_erasure_leaves_no_name_and_a_chain_that_holds(
    audit: Audit, any_community: Community
) -> None:
    """Rows about the person's posts tell nothing any more; the others are as they were."""

    def erase(connection: object) -> dict[str, int]:
        return erase_person(connection, ["by_held"], ["held"], 2_000)  # type: ignore[arg-type]

    counts = any_community.database.write(erase)
    rows = list(audit.rows())
    assert counts["audit"] == 3
    assert [row.number for row in rows if row.details is None] == [3, 5, 6]
    assert "held" not in str(rows)
    assert (audit.check().fault, audit.check().blanked) == (None, 3)


def test_rows_that_are_no_verdicts_are_found_by_an_index(database: Database) -> None:
    """However many verdicts there are, the last policy is one step away."""
    query = "SELECT details FROM audit WHERE what = ? AND what != 'verdict' ORDER BY number DESC"
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query} LIMIT 1", ("policy",)).all()
    assert "ix_audit_rare" in str(plan)
