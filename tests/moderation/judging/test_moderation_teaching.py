"""What term banks teach the text model: only where the operator says so, and never too much."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from moderation_worlds import Community, tools

from inhouse.catalog.types import Item
from inhouse.core.errors import SettingError
from inhouse.core.ids import ItemId, UserId
from inhouse.models.harvest.labels import Labels, examples
from inhouse.moderation.judging.teaching import forget_other_banks
from inhouse.moderation.past.refresh import Refresher
from inhouse.moderation.past.rescan import Rescan
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import read_bank
from inhouse.moderation.tools import Tools, load_rules

TEACHERS = frozenset(("bank",))


def _teaching(reader: SignalReader | None = None) -> Tools:
    used = tools()
    rules = replace(used.rules, teachers=TEACHERS, reader=reader or used.rules.reader)
    return replace(used, rules=rules)


def _told(community: Community) -> list[tuple[str, str, dict[str, float]]]:
    """Of every label of a bank: source, post, scores."""
    labels = Labels(community.database).latest("text_harm", 100)
    return [
        (label.source, label.ref, dict(label.scores))
        for label in labels
        if label.source.startswith("bank:")
    ]


@pytest.fixture
def taught(any_community: Community) -> Community:
    """A community whose bank may teach."""
    any_community.moderator.tools = _teaching()
    return any_community


def _rescanned(community: Community, used: Tools) -> None:
    refresher = Refresher(community.catalog, community.clock, community.scorer, used)
    rescan = Rescan(community.database, community.clock, used, refresher)
    progress = rescan.begin(signals=True)
    while progress.state == "running":
        progress = asyncio.run(rescan.step()) or rescan.progress(progress.job_id)


def test_no_bank_teaches_that_was_not_named(community: Community) -> None:
    """A match is evidence and no label."""
    community.post(advert="buy a zorgle blat")
    community.scan()
    assert _told(community) == []


def test_a_match_is_a_label_with_the_banks_probability(taught: Community) -> None:
    """A text without a match says nothing."""
    taught.post(advert="buy a zorgle blat", fine="rye bread")
    taught.scan()
    assert _told(taught) == [("bank:bank", "advert", {"spam": 0.85})]
    (label,) = Labels(taught.database).latest("text_harm", 10)
    assert (label.text, label.terms) == ("buy a zorgle blat", "own")


def test_an_edit_takes_the_label_along(taught: Community) -> None:
    """What no longer matches is taught no more, what matches now is."""
    taught.post(one="buy a zorgle blat", two="rye bread")
    taught.scan()
    taught.post(one="rye bread", two="a zorgle blat, cheap")
    taught.scan()
    assert _told(taught) == [("bank:bank", "two", {"spam": 0.85})]


def test_a_persons_word_counts_before_the_banks(taught: Community) -> None:
    """The label stays and teaches nothing where somebody has spoken."""
    taught.post(advert="buy a zorgle blat")
    taught.scan()
    labels = Labels(taught.database)
    (before,) = examples(labels.latest("text_harm", 10))
    person = replace(labels.latest("text_harm", 10)[0], source="person:ada", scores={"spam": 0.0})
    labels.add([person])
    (after,) = examples(labels.latest("text_harm", 10))
    assert (before.target("spam"), before.truth("spam")) == (0.85, None)
    assert (after.target("spam"), after.banks["spam"]) == (0.0, 0.85)


def test_a_rescan_teaches_the_past_and_follows_another_bank(any_community: Community) -> None:
    """Posts of before the operator's word, and those of which the bank says something else now."""
    community = any_community
    community.post(advert="buy a zorgle blat", other="some snafflers")
    community.scan()
    assert _told(community) == []
    _rescanned(community, _teaching())
    assert _told(community) == [("bank:bank", "advert", {"spam": 0.85})]
    other = SignalReader([read_bank("bank", "bank.txt", "category: spam\np: 0.7\nsnafflers\n")])
    _rescanned(community, _teaching(other))
    assert _told(community) == [("bank:bank", "other", {"spam": 0.7})]


def test_a_bank_that_may_not_teach_any_more_is_forgotten(taught: Community) -> None:
    """What it taught goes; what others said stays."""
    taught.post(advert="buy a zorgle blat")
    taught.scan()
    labels = Labels(taught.database)
    labels.add([replace(labels.latest("text_harm", 1)[0], source="rented/model")])
    assert taught.database.write(lambda c: forget_other_banks(c, TEACHERS)) == 0
    assert taught.database.write(lambda c: forget_other_banks(c, frozenset())) == 1
    assert labels.counts("text_harm") == {"rented/model": 1}


def test_a_post_with_a_picture_teaches_and_is_read_again_too(taught: Community) -> None:
    """Its key is of the words and the picture's address together."""
    post = Item(
        item_id=ItemId("seen"),
        creator_id=UserId("by"),
        text="buy a zorgle blat",
        media_url="https://pictures.example/1.jpg",
    )
    taught.catalog.put_items([post])
    taught.scan()
    assert _told(taught) == [("bank:bank", "seen", {"spam": 0.85})]
    silent = SignalReader([read_bank("bank", "bank.txt", "category: spam\nnothing here\n")])
    _rescanned(taught, _teaching(silent))
    assert _told(taught) == []
    verdict = taught.latest("seen")
    assert verdict is not None
    assert "terms.spam" not in verdict.evidence.signals


def test_a_teacher_that_is_no_bank_is_refused(tmp_path: Path) -> None:
    """A misspelt name must not be silently without effect."""
    (tmp_path / "rude.txt").write_text("category: rude\nfiddlesticks\n")
    settings = ModerationSettings(banks=str(tmp_path), teaching_banks="rude, rood")
    told = "teaching_banks names 'rood'; expected names of term banks: rude"
    with pytest.raises(SettingError, match=told):
        load_rules(settings)
    good = load_rules(replace(settings, teaching_banks="rude"))
    assert good.teachers == frozenset(("rude",))
