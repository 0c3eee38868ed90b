"""What a call brought that is sealed: once for the same call, then as a sealed post is."""

import json
from pathlib import Path

import pytest

from inhouse.core.clock import FollowingClock
from inhouse.core.errors import ConflictError, UnknownError
from inhouse.moderation.recording.audit import Audit
from inhouse.moderation.recording.audited import check_verdicts
from inhouse.moderation.recording.sealed import PRESERVED_MS, SealedItems, purge
from inhouse.moderation.sealing.sealed_calls import CALL, Sighting, seal_sighting
from inhouse.moderation.sealing.vault import FileVault
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.tools import Tools, load_rules
from inhouse.moderation.transparency.period import Period, report_of
from inhouse.store.database import Database

WORDS = "the zebra words 🦓 \u202eעברית"
SEEN = Sighting(
    source="hashes:partner",
    key_id="key_1",
    text=WORDS,
    address="https://pictures.example/1.jpg",
    md5="0a" * 16,
    sha256="0b" * 32,
)


def _seal(database: Database, vault: FileVault, now_ms: int, seen: Sighting = SEEN) -> str:
    return database.write(lambda connection: seal_sighting(connection, vault, seen, now_ms))


def test_a_call_is_sealed_once_and_again_after_its_report(
    any_database: Database, tmp_path: Path
) -> None:
    """The same call joins the open row, other words are another; behind the report it is a new
    duty; what was reported goes after its year, and no transparency report counts it a post."""
    vault, clock = FileVault(tmp_path / "sealed.key"), FollowingClock(10)
    tools = Tools(rules=load_rules(ModerationSettings()), vault=vault)
    sealed = SealedItems(any_database, clock, tools)
    other = Sighting(**{name: getattr(SEEN, name) for name in SEEN.__slots__} | {"text": ""})
    first, again = (_seal(any_database, vault, at) for at in (10, 11))
    second = _seal(any_database, vault, 12, other)
    opened = json.loads(sealed.open(first, "ada", "CyberTipline report"))
    sealed.report(first, "ada", "NCMEC", "CT-1")
    third = _seal(any_database, vault, 13)
    clock.advance(10 + PRESERVED_MS)
    purged = any_database.write(lambda connection: purge(connection, clock.now_ms()))

    assert first == again
    assert first.startswith(CALL)
    assert third == f"{first}.2"
    assert second not in (first, third)
    assert opened == {"at_ms": 10} | {name: getattr(SEEN, name) for name in SEEN.__slots__}
    assert [(one.item_id, one.at_ms, one.is_due) for one in sealed.list()] == [
        (first, 10, False),
        (second, 12, True),
        (third, 13, True),
    ]
    assert purged == 1
    with pytest.raises(ConflictError, match="removed for good"):
        sealed.open(first, "ada", "once more")
    assert report_of(any_database, Period(from_ms=0, until_ms=1 << 40)).sealed == 0
    assert Audit(any_database).check().fault is None
    assert check_verdicts(any_database).fault is None


def test_two_people_lift_what_was_a_mistake(any_database: Database, tmp_path: Path) -> None:
    """Nothing comes back, for there was no post; the row is gone, the record tells of it."""
    vault = FileVault(tmp_path / "sealed.key")
    tools = Tools(rules=load_rules(ModerationSettings()), vault=vault)
    sealed = SealedItems(any_database, FollowingClock(10), tools)
    name = _seal(any_database, vault, 10)
    sealed.lift(name, ("ada", "ben"), "another picture")

    assert sealed.list() == []
    with pytest.raises(UnknownError):
        sealed.get(name)
    assert [row.what for row in Audit(any_database).rows()] == ["sighting", "break_glass"]
