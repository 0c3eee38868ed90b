"""What is sealed: gone everywhere at once, shown to nobody, kept as the law asks, then removed."""

import asyncio
import dataclasses
import json
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from moderation_worlds import Community

from inhouse.catalog.catalog import erase_person as erase_from_catalog
from inhouse.catalog.types import Item, text_key
from inhouse.core.errors import ConflictError, InputError, SettingError, StoreError, UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.labels import Labels
from inhouse.models.harvest.pairs import Pair, Pairs, add_pairs
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.erasure import erase_person
from inhouse.moderation.policy.parse import load_policy
from inhouse.moderation.recording.audit import Audit, AuditFilter
from inhouse.moderation.recording.sealed import PRESERVED_MS, SealedItems, purge, seal_matches
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.sealing.vault import FileVault
from inhouse.moderation.statements.book import Statements
from inhouse.moderation.statements.keep import Judged
from inhouse.moderation.types import (
    ACTIONS,
    CHILD_ABUSE,
    CODES,
    SURFACES,
    Evidence,
    Label,
    PersonCall,
    Verdict,
)
from inhouse.moderation.verdicts.board import DecisionBoard
from inhouse.moderation.verdicts.decide import PAIRS, decide, decide_all
from inhouse.store import tables
from inhouse.store.database import Database

_LOADED = """
import sys
from pathlib import Path
from inhouse.moderation.sealing.vault import FileVault
vault = FileVault(Path(sys.argv[1]))
print("cryptography" in sys.modules)
assert vault.unlock(vault.lock(b"a")) == b"a"
print("cryptography" in sys.modules)
"""
MATCH = Label(category=CHILD_ABUSE, p=1.0, source="hashes:test-bank")
POLICY = load_policy()


def test_no_policy_and_no_person_softens_it() -> None:
    """Whoever allowed the post, by whatever policy: removed for everybody everywhere."""
    call = PersonCall(action="allow", category=None, name="ada")
    for evidence in (
        Evidence(labels=(MATCH,), person=call),
        Evidence(signals={"sealed": 1}, person=call),
    ):
        decisions = decide_all(evidence, POLICY)
        assert {d.action for d in decisions.values()} == {"remove"}
        assert {d.decided_by for d in decisions.values()} == {"rule:sealed"}
        assert decide(evidence, POLICY, "profile", "adult") == decisions["profile", "adult"]


def test_only_a_bank_of_hashes_seals() -> None:
    """A model that thinks so, or a bank of another category, is no proof."""
    for label in (
        Label(category=CHILD_ABUSE, p=1.0, source="model:v1"),
        Label(category=CHILD_ABUSE, p=1.0, source="terms:en"),
        Label(category="hate", p=1.0, source="hashes:memes"),
        Label(category=CHILD_ABUSE, p=0.4, source="hashes:unsure"),
    ):
        assert not Evidence(labels=(label,)).is_sealed


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([None, *ACTIONS])), min_size=1, max_size=9)
)
def test_the_board_says_the_same(posts: list[tuple[bool, str | None]]) -> None:
    """For many posts at once, sealed or not, with and without a person's word."""
    board, rows = DecisionBoard(POLICY), list(range(len(posts)))
    verdicts = [
        Verdict(
            item_id=ItemId(str(row)),
            at_ms=1,
            text_key=text_key("", ""),
            evidence=Evidence(
                labels=(MATCH,) if sealed else (),
                person=None
                if action is None
                else PersonCall(action=action, category=None, name="ada"),  # type: ignore[arg-type]
            ),
            decided_by="",
            policy_version="",
        )
        for row, (sealed, action) in enumerate(posts)
    ]
    board.update(rows, verdicts)
    for surface, viewer in PAIRS:
        codes = board.actions(np.array(rows), surface, viewer)
        assert codes.tolist() == [
            CODES[decide(verdict.evidence, POLICY, surface, viewer).action] for verdict in verdicts
        ]
        for row, (sealed, _) in enumerate(posts):
            if sealed:
                assert board.decided_by(row, surface, viewer) == "rule:sealed"


SECRET = "the zebra words hate=0.7"


@pytest.fixture
def world(any_community: Community, tmp_path: Path) -> Community:
    """A held post with a picture, two reports on it, one with words, and a label of a teacher."""
    community = any_community
    vault = FileVault(tmp_path / "keys" / "sealed.key")
    community.tools = community.moderator.tools = dataclasses.replace(community.tools, vault=vault)
    item = Item(
        item_id=ItemId("bad"),
        creator_id=UserId("ana"),
        kind="picture",
        text=SECRET,
        media_url="https://media.example/zebra.jpg",
        created_ms=5,
    )
    community.catalog.put_items([item])
    community.scan()
    reports = Reports(community.database, community.clock, community.tools)
    reports.file("bad", "zoe", "child_abuse", "a zebra in it")
    review = Review(community.database, community.clock, community.tools)
    (case,) = review.queue()
    decision = review.decide(case.case_id, "ada", "limit", "hate", "zebra?")
    review.undo(decision.decision_id, "ada")
    asked = (("about it", "bad"), (f'Say "what": {SECRET}\n\\ok', None), ("of another", "good"))
    pairs = [
        Pair(
            task="chat",
            messages=(Message(role="user", content=question),),
            answer="no",
            person="zoe",
            ref=ref,
            call_id="c",
            key_id="k",
            deployment="d",
            source="s",
            terms="mit",
            at_ms=1,
        )
        for question, ref in asked
    ]
    community.database.write(lambda connection: add_pairs(connection, pairs))
    community.wait(5)
    return community


def _sealed(community: Community) -> SealedItems:
    return SealedItems(community.database, community.clock, community.tools)


def _tables_with(database: Database, word: str) -> list[str]:
    with database.read() as connection:
        rows = {
            t.name: connection.execute(sa.select(t)).all() for t in tables.metadata.sorted_tables
        }
    return [name for name, found in rows.items() if word in str(found)]


def test_a_sealed_post_is_nowhere(world: Community, tmp_path: Path) -> None:
    """Its words and its picture's address are in no table, no case waits, models forget it; the
    catalog has an empty, hidden post; the vault has all of it."""
    assert set(_tables_with(world.database, "zebra")) >= {"items", "labels", "reports", "pairs"}
    done = _sealed(world).seal("bad", "ben")

    assert _tables_with(world.database, "zebra") == []
    item = world.catalog.item("bad")
    assert item == Item(
        item_id=ItemId("bad"), creator_id=UserId("ana"), kind="picture", created_ms=5, hidden=True
    )
    assert Review(world.database, world.clock, world.tools).queue() == []
    assert Labels(world.database).latest("text_harm", 10) == []
    assert [pair.ref for pair in Pairs(world.database).latest("chat", 9)] == ["good"]
    assert (done.source, done.at_ms, done.is_due) == ("person:ben", 1_005, True)
    assert [(d.name, d.done) for d in done.duties] == [("report", False), ("preserve", False)]
    assert "2258A" in done.duties[0].words
    verdict = world.latest("bad")
    assert verdict is not None
    policy = world.tools.rules.policy
    assert {decide(verdict.evidence, policy, s, "adult").action for s in SURFACES} == {"remove"}
    kept = json.loads(_sealed(world).open("bad", "eve", "for the report"))
    assert (kept["text"], kept["media_url"]) == (SECRET, "https://media.example/zebra.jpg")
    key = tmp_path / "keys" / "sealed.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(ConflictError, match="the item bad is sealed already"):
        _sealed(world).seal("bad", "ben")


def test_what_was_done_is_recorded_and_told(world: Community) -> None:
    """The seal, who opened it and why, and the report are in the record; the author has a statement
    on the ground of the law, the reporter an answer."""
    sealed = _sealed(world)
    sealed.seal("bad", "ben")
    sealed.open("bad", "eve", "for the report")
    sealed.report("bad", "eve", "NCMEC", "CT-1234")
    rows = [(r.what, r.actor) for r in Audit(world.database).rows() if r.at_ms == 1_005]
    assert rows == [
        ("seal", "person:ben"),
        ("strike", "rule:strikes"),
        ("report", "person:ben"),
        ("break_glass", "person:eve"),
        ("duty", "person:eve"),
    ]
    in_force = [s for s in Statements(world.database).of_user("ana") if s.state == "in_force"]
    (post,) = [s for s in in_force if s.item_id == "bad"]
    assert (post.kinds, post.category, post.reasons.ground) == (
        ("removed",),
        CHILD_ABUSE,
        "illegal",
    )
    assert Audit(world.database).check().fault is None


def test_a_bank_seals_in_the_same_moment(world: Community) -> None:
    """Evidence of a match is never a verdict by itself: the post is sealed with it."""
    verdict = world.latest("bad")
    assert verdict is not None
    evidence = Evidence(labels=(MATCH,))
    found = Judged(
        verdict=dataclasses.replace(verdict, evidence=evidence),
        decisions=decide_all(evidence, POLICY),
    )
    plain = dataclasses.replace(found, verdict=dataclasses.replace(verdict, item_id=ItemId("x")))
    plain = dataclasses.replace(
        plain, verdict=dataclasses.replace(plain.verdict, evidence=Evidence())
    )
    others = world.database.write(
        lambda c: seal_matches(c, world.tools, [found, plain], world.clock.now_ms())
    )
    (done,) = _sealed(world).list()
    assert (others, done.source, done.item_id) == ([plain], "hashes:test-bank", "bad")


def test_who_is_sealed_stays_so(world: Community) -> None:
    """Put again by the app, judged again, allowed by a person: still removed, still empty."""
    _sealed(world).seal("bad", "ben")
    again = Item(item_id=ItemId("bad"), creator_id=UserId("ana"), text="zebra again", created_ms=9)
    put = world.catalog.put_items([again])
    assert (put.created, put.updated) == (0, 0)
    world.scan()
    reports = Reports(world.database, world.clock, world.tools)
    case_id = reports.file("bad", "yan", "hate").case_id
    if case_id is not None:
        review = Review(world.database, world.clock, world.tools)
        review.decide(case_id, "ada", "allow", None, None)
    verdict = world.latest("bad")
    assert verdict is not None
    assert decide(verdict.evidence, POLICY, "feed", "adult").decided_by == "rule:sealed"
    assert _tables_with(world.database, "zebra again") == []


def test_the_duty_is_ticked_off_once_and_content_goes_after_a_year(world: Community) -> None:
    """Never before it was reported; a year later what was sealed is gone, hash and number stay."""
    sealed = _sealed(world)
    sealed.seal("bad", "ben")

    def purged() -> int:
        now_ms = world.clock.now_ms()
        return world.database.write(lambda c: purge(c, now_ms))

    world.wait(3 * PRESERVED_MS)
    assert (purged(), sealed.due()) == (0, 1)
    done = sealed.report("bad", "eve", "NCMEC", "CT-1234")
    assert (done.report_number, done.reported_by, done.is_due) == ("CT-1234", "eve", False)
    assert done.duties[1].until_ms == world.clock.now_ms() + PRESERVED_MS
    with pytest.raises(ConflictError, match="the item bad was reported already"):
        sealed.report("bad", "eve", "NCMEC", "CT-1234")
    world.wait(PRESERVED_MS - 1)
    assert purged() == 0
    world.wait(1)
    assert (purged(), purged()) == (1, 0)
    after = sealed.get("bad")
    assert after.purged_ms == world.clock.now_ms()
    assert (after.content_hash, after.report_number) == (done.content_hash, "CT-1234")
    with pytest.raises(ConflictError, match="what was sealed of bad is removed for good"):
        sealed.open("bad", "eve", "curious")


def test_an_erasure_does_not_undo_a_legal_hold(world: Community) -> None:
    """The law asks to keep it: the vault keeps it, and nothing outside of it names the person."""
    sealed = _sealed(world)
    sealed.seal("bad", "ben")
    world.database.write(lambda c: erase_person(c, ["ana"], ["bad"], 2_000))
    assert json.loads(sealed.open("bad", "eve", "for the police"))["creator_id"] == "ana"
    assert sealed.due() == 1


def test_a_mistake_is_lifted_by_two(world: Community) -> None:
    """The post is what it was, is judged anew, and its statement is withdrawn."""
    sealed = _sealed(world)
    sealed.seal("bad", "ben")
    with pytest.raises(InputError, match="ben alone cannot lift a seal; name a second person"):
        sealed.lift("bad", ("ben", "ben"), "a zebra")
    sealed.lift("bad", ("ben", "eve"), "it is a zebra")
    item = world.catalog.item("bad")
    assert item is not None
    assert (item.text, item.hidden, sealed.list()) == (SECRET, False, [])
    asyncio.run(world.moderator.scan())
    verdict = world.latest("bad")
    assert verdict is not None
    assert verdict.decided_by == "rule:hate_likely"
    status = Reports(world.database, world.clock, world.tools).of_item("bad")[0]
    told = Reports(world.database, world.clock, world.tools).status(status.report_id)
    assert told.words == "We are looking again at the post you reported."
    states = {s.category: s.state for s in Statements(world.database).of_item("bad")}
    assert states[CHILD_ABUSE] == "reversed"
    (row,) = Audit(world.database).rows(AuditFilter(what="break_glass"))
    assert row.details == {"reason": "it is a zebra", "second": "eve", "state": "lifted"}


def test_nobody_comes_back_by_a_lifted_seal(world: Community) -> None:
    """Of an author who was erased meanwhile the hold ends, and nothing is restored."""
    sealed = _sealed(world)
    sealed.seal("bad", "ben")

    def erase(connection: sa.Connection) -> None:
        erase_from_catalog(connection, ["ana"], ["bad"])
        erase_person(connection, ["ana"], ["bad"], 2_000)

    world.database.write(erase)
    sealed.lift("bad", ("ben", "eve"), "it is a zebra")
    assert (world.catalog.item("bad"), sealed.list()) == (None, [])
    assert _tables_with(world.database, "'ana'") == []


def test_wrong_calls_are_refused(world: Community) -> None:
    """What does not exist, has no reason, no number, no name."""
    sealed = _sealed(world)
    with pytest.raises(UnknownError, match="no item has the id 'gone'"):
        sealed.seal("gone", "ben")
    with pytest.raises(UnknownError, match="no sealed item has the id 'bad'"):
        sealed.report("bad", "eve", "NCMEC", "1")
    sealed.seal("bad", "ben")
    with pytest.raises(InputError, match="the reason has 1 characters; expected 1 to 2000"):
        sealed.open("bad", "eve", " ")
    with pytest.raises(InputError, match="number ''; expected 1 to 96 printable characters"):
        sealed.report("bad", "eve", "NCMEC", "")
    with pytest.raises(InputError, match="reviewer ''; expected 1 to 100 printable"):
        sealed.open("bad", "", "why not")


def test_a_vault_without_its_key_tells_nothing(tmp_path: Path) -> None:
    """A wrong key, no key, and one that others may read are refused with what to do."""
    vault = FileVault(tmp_path / "sealed.key")
    locked = vault.lock(b"zebra")
    assert b"zebra" not in locked
    assert vault.unlock(locked) == b"zebra"
    other = FileVault(tmp_path / "other.key")
    other.lock(b"")
    with pytest.raises(StoreError, match="is not the one this was sealed with"):
        other.unlock(locked)
    (tmp_path / "sealed.key").chmod(0o644)
    with pytest.raises(SettingError, match="others may read the key"):
        vault.unlock(locked)
    (tmp_path / "sealed.key").unlink()
    with pytest.raises(StoreError, match="bring it back from where you keep keys"):
        vault.unlock(locked)
    (tmp_path / "bad.key").write_text("nonsense")
    (tmp_path / "bad.key").chmod(0o600)
    with pytest.raises(SettingError, match="holds no key; expected 32 bytes"):
        FileVault(tmp_path / "bad.key").lock(b"")


def test_the_ciphers_are_loaded_when_something_is_sealed_and_not_before(tmp_path: Path) -> None:
    """They are 7 MB of every server."""
    told = subprocess.run(
        [sys.executable, "-c", _LOADED, str(tmp_path / "key")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.split() == ["False", "True"]
