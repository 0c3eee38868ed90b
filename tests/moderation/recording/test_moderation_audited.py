"""Verdicts held against the audit chain: what was changed, removed or slipped in is found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from moderation_worlds import Community

from inhouse.moderation.erasure import erase_person
from inhouse.moderation.recording.audited import VerdictsChecked, check_verdicts
from inhouse.moderation.recording.sealed import SealedItems
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.sealing.vault import FileVault
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store import tables

verdicts = tables.verdicts


@pytest.fixture
def judged(any_community: Community) -> Community:
    """Three posts judged by rules, one of them removed by a person who took it back."""
    community = any_community
    community.post(bad="hate=0.95", held="hate=0.7", fine="plain")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue()
    community.wait(5)
    decision = review.decide(case.case_id, "ada", "remove", "hate", None)
    community.wait(5)
    review.undo(decision.decision_id, "ada")
    return community


def _check(community: Community) -> VerdictsChecked:
    return check_verdicts(community.database)


def _change(community: Community, item_id: str, /, **values: object) -> None:
    """As somebody with the database's password might."""
    where = verdicts.c.item_id == item_id
    with community.database.read() as connection:
        first = connection.execute(
            sa.select(sa.func.min(verdicts.c.log_offset)).where(where)
        ).scalar_one()
    update = verdicts.update().where(verdicts.c.log_offset == first).values(**values)
    community.database.write(lambda connection: connection.execute(update))


def test_what_nobody_touched_holds(judged: Community) -> None:
    """Rules' verdicts, a person's ruling and its undoing."""
    assert _check(judged) == VerdictsChecked(verdicts=5, earlier=0, fault=None)


def test_an_empty_store_holds(any_community: Community) -> None:
    """There is nothing to hold against anything."""
    assert _check(any_community) == VerdictsChecked(verdicts=0, earlier=0, fault=None)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"decided_by": "no rule"}, "who decided"),
        ({"at_ms": 1_001}, "its time"),
        ({"policy_version": "other-1"}, "its policy"),
        ({"model_version": "other-2"}, "its model"),
        ({"item_id": "fine"}, "its post"),
    ],
)
def test_a_changed_column_is_found(judged: Community, values: dict[str, object], what: str) -> None:
    """Each one that a decision rests on."""
    _change(judged, "bad", **values)
    checked = _check(judged)
    assert checked.fault is not None
    assert checked.fault.endswith(f"is not what row 2 of the chain tells: {what}")


def test_changed_evidence_is_found(judged: Community) -> None:
    """A score that was lowered by hand shows."""

    def lower(text: str) -> str:
        assert "0.95" in text
        return text.replace("0.95", "0.15")

    with judged.database.read() as connection:
        query = sa.select(verdicts.c.labels).where(verdicts.c.item_id == "bad")
        body = connection.execute(query).scalar_one()
    _change(judged, "bad", labels=lower(body))
    checked = _check(judged)
    assert checked.fault == ("verdict 1 on bad is not what row 2 of the chain tells: its evidence")


def test_a_removed_verdict_is_found(judged: Community) -> None:
    """The one behind it stands where it should."""
    gone = verdicts.delete().where(verdicts.c.item_id == "bad")
    judged.database.write(lambda connection: connection.execute(gone))
    checked = _check(judged)
    assert checked.fault is not None
    assert "row 2 of the chain tells" in checked.fault


def test_a_removed_last_verdict_is_found(judged: Community) -> None:
    """Nothing is behind it, and still it is missed."""
    last = sa.select(sa.func.max(verdicts.c.log_offset)).scalar_subquery()
    gone = verdicts.delete().where(verdicts.c.log_offset == last)
    judged.database.write(lambda connection: connection.execute(gone))
    assert _check(judged).fault == "the verdict that row 6 of the chain tells of is gone"


def test_a_verdict_slipped_in_is_found(judged: Community) -> None:
    """One that no decision made."""
    (first, *_) = judged.history("fine")
    judged.database.write(lambda connection: append_verdicts(connection, [first]))
    assert _check(judged).fault == "verdict 6 on fine has no row in the chain"


def test_verdicts_older_than_the_chain_are_passed_over(any_community: Community) -> None:
    """They were written before there was one."""
    community = any_community
    community.post(old="hate=0.1")
    community.scan()
    (first,) = community.history("old")
    community.database.write(lambda c: c.execute(tables.audit.delete()))
    assert _check(community) == VerdictsChecked(verdicts=0, earlier=1, fault=None)
    community.wait(10)
    community.post(new="hate=0.95")
    community.scan()
    assert _check(community) == VerdictsChecked(verdicts=1, earlier=1, fault=None)
    assert first.item_id == "old"


def _erased(community: Community, _: Path) -> None:
    community.database.write(lambda c: erase_person(c, ["by_bad"], ["bad"], 9_000))


def _sealed(community: Community, folder: Path) -> None:
    used = replace(community.tools, vault=FileVault(folder / "sealed.key"))
    SealedItems(community.database, community.clock, used).seal("held", "ben")


@pytest.mark.parametrize("lawful", [_erased, _sealed])
def test_what_the_law_lets_change_is_no_fault(
    judged: Community, lawful: Callable[[Community, Path], None], tmp_path: Path
) -> None:
    """An erasure blanks, a seal takes places in the text away: decisions stay what they were."""
    lawful(judged, tmp_path)
    assert _check(judged).fault is None
