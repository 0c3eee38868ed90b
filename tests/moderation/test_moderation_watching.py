"""Hearing of changed rules: when files are read again, and what a fault in them does."""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from inhouse.core.errors import SettingError
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.tools import load_rules, rules_of_before
from inhouse.moderation.watching import HEARD_WITHIN_S, LOOK_EVERY_S, RulesWatch, stamp_of

POLICY = """\
policy: ours
categories: {{rude: rude words}}
rules:
  - {{rule: rude, category: rude, when: {{terms.rude: {least}}}, actions: warn}}
"""
BANK = "category: rude\nfiddlesticks\n"


@dataclass
class Watched:
    """Files, and a clock that is told how late it is."""

    policy: Path
    banks: Path
    watch: RulesWatch
    pass_s: Callable[[float], None]

    def looks(self, times: int) -> list[bool]:
        """What each of so many looks a second apart brings."""
        found = []
        for _ in range(times):
            self.pass_s(LOOK_EVERY_S)
            found.append(self.watch.look() is not None)
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """One rule and one bank."""
    policy, banks = tmp_path / "policy.yaml", tmp_path / "banks"
    policy.write_text(POLICY.format(least=1))
    banks.mkdir()
    (banks / "rude.txt").write_text(BANK)
    now = [100.0]

    def pass_s(seconds: float) -> None:
        now[0] += seconds

    settings = ModerationSettings(policy=str(policy), banks=str(banks))
    return Watched(policy, banks, RulesWatch(settings, now_s=lambda: now[0]), pass_s)


def test_a_changed_policy_is_heard_within_the_time_that_is_promised(watched: Watched) -> None:
    """By the second look that finds the file the same, and once."""
    before = watched.watch.rules.policy.version
    assert watched.looks(3) == [False, False, False]
    watched.policy.write_text(POLICY.format(least=2))
    assert watched.looks(4) == [False, True, False, False]
    assert watched.watch.rules.policy.version != before
    assert 3 * LOOK_EVERY_S < HEARD_WITHIN_S


def test_a_file_that_is_still_being_written_is_waited_for(watched: Watched) -> None:
    """A look that finds it changed again reads nothing."""
    for number in (2, 3, 4):
        watched.policy.write_text(POLICY.format(least=number))
        assert watched.looks(1) == [False]
    assert watched.looks(1) == [True]
    assert "terms.rude" in str(watched.watch.rules.policy.rules[0])


def test_a_term_bank_that_comes_changes_or_goes_is_heard(watched: Watched) -> None:
    """The reader is another each time."""
    watched.looks(1)
    (watched.banks / "more.csv").write_text("term,category\npoppycock,rude\n")
    assert watched.looks(2) == [False, True]
    assert dict(watched.watch.rules.reader.read("poppycock").signals) == {"terms.rude": 1}
    (watched.banks / "more.csv").unlink()
    assert watched.looks(2) == [False, True]
    assert dict(watched.watch.rules.reader.read("poppycock").signals) == {}


def test_a_file_with_a_fault_keeps_the_rules_of_before_until_it_is_mended(
    watched: Watched,
) -> None:
    """The fault is told with its line; the mended file is taken up as any change is."""
    before = watched.watch.rules
    watched.policy.write_text(POLICY.format(least=1).replace("category: rude", "category: ride"))
    assert watched.looks(4) == [False, False, False, False]
    assert watched.watch.rules is before
    trouble = watched.watch.trouble or ""
    assert f"{watched.policy}:4:" in trouble
    assert "unknown category `ride`" in trouble
    watched.policy.write_text(POLICY.format(least=3))
    assert watched.looks(2) == [False, True]
    assert watched.watch.trouble is None


def test_a_file_that_is_gone_is_a_fault_and_not_an_empty_policy(watched: Watched) -> None:
    """What was in force stays so."""
    before = watched.watch.rules
    watched.policy.unlink()
    assert watched.looks(2) == [False, False]
    assert watched.watch.rules is before
    assert "cannot read" in (watched.watch.trouble or "")


def test_a_fault_taken_back_leaves_everything_as_it_was(watched: Watched) -> None:
    """The same content again is no other policy."""
    watched.policy.write_text("nonsense")
    watched.looks(2)
    assert watched.watch.trouble is not None
    watched.policy.write_text(POLICY.format(least=1))
    assert watched.looks(3) == [False, False, False]
    assert watched.watch.trouble is None


def test_a_remark_is_no_other_policy(watched: Watched) -> None:
    """A touched file is read, and nobody hears of it."""
    watched.policy.write_text("# a remark\n" + POLICY.format(least=1))
    assert watched.looks(3) == [False, False, False]


def test_looking_more_often_than_once_a_second_asks_no_disk(watched: Watched) -> None:
    """Whoever serves may call it as often as they like."""
    watched.looks(1)
    watched.policy.write_text(POLICY.format(least=2))
    assert [watched.watch.look() for _ in range(5)] == [None] * 5


def test_a_first_start_with_a_fault_is_refused(watched: Watched) -> None:
    """There is nothing of before to keep."""
    watched.policy.write_text("nonsense")
    with pytest.raises(SettingError, match="fault"):
        RulesWatch(ModerationSettings(policy=str(watched.policy)))


def test_a_file_put_in_the_place_of_another_is_another(watched: Watched, tmp_path: Path) -> None:
    """Even of the same length and time, as some editors leave it."""
    settings = ModerationSettings(policy=str(watched.policy))
    before, told = stamp_of(settings), watched.policy.stat()
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.format(least=7))
    os.utime(other, ns=(told.st_atime_ns, told.st_mtime_ns))
    other.replace(watched.policy)
    assert stamp_of(settings) != before
    assert watched.policy.stat().st_size == told.st_size


def test_rules_of_the_package_are_not_watched() -> None:
    """They change with the package alone."""
    assert stamp_of(ModerationSettings()) == ()


def test_who_starts_on_a_fault_begins_with_the_rules_of_before(watched: Watched) -> None:
    """The fault is told from the start, and the mended file is taken up; where there are no rules
    of before it is an error."""
    before, now = watched.watch.rules, [0.0]
    watched.policy.write_text(POLICY.format(least=1).replace("category: rude", "category: ride"))
    settings = ModerationSettings(policy=str(watched.policy), banks=str(watched.banks))
    watch = RulesWatch(settings, now_s=lambda: now[0], before=lambda: before)
    assert watch.rules is before
    assert "unknown category `ride`" in (watch.trouble or "")
    with pytest.raises(SettingError, match="unknown category `ride`"):
        RulesWatch(settings)
    watched.policy.write_text(POLICY.format(least=3))
    found = []
    for _ in range(3):
        now[0] += LOOK_EVERY_S
        found.append(watch.look() is not None)
    assert (found, watch.trouble) == ([False, True, False], None)


def test_a_file_whose_rights_change_is_another(watched: Watched) -> None:
    """One that could not be read is tried again once it can be."""
    settings = ModerationSettings(policy=str(watched.policy))
    before = stamp_of(settings)
    time.sleep(0.02)
    watched.policy.chmod(0o640)
    assert stamp_of(settings) != before


@pytest.mark.parametrize("writable", [True, False])
def test_banks_of_before_are_there_as_they_were_made(watched: Watched, writable: bool) -> None:
    """A bank that was broken since is read as it was, whether or not what is made of banks may lie
    beside them; a broken policy changes nothing about good banks; without what was made there is
    nothing to begin with."""
    made, kept = watched.banks / ".compiled", watched.policy.parent / "kept"
    if not writable:
        shutil.rmtree(made)
        made.write_text("in the way")
    settings = ModerationSettings(policy=str(watched.policy), banks=str(watched.banks))
    good = load_rules(settings, kept)
    version = good.reader.version
    (watched.banks / "rude.txt").write_text("re: (\n")
    with pytest.raises(SettingError):
        load_rules(settings, kept)
    found = rules_of_before(settings, good.policy, version, kept)
    assert found is not None
    assert dict(found.reader.read("fiddlesticks").signals) == {"terms.rude": 1}
    assert (found.reader.version, found.policy, kept.exists()) == (
        version,
        good.policy,
        not writable,
    )
    shutil.rmtree(kept if not writable else made)
    assert rules_of_before(settings, good.policy, version, kept) is None
    (watched.banks / "rude.txt").write_text(BANK)
    again = rules_of_before(settings, good.policy, "another", kept)
    assert again is not None
    assert again.reader.version == version
    teaching = dataclasses.replace(settings, teaching_banks="gone")
    assert rules_of_before(teaching, good.policy, version, kept) is None
