"""Scanning: one verdict a text, whatever fails, and nothing let through by accident."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from moderation_worlds import Community, FakeScorer, make_community, tools

from inhouse.catalog.types import Item, text_key
from inhouse.core.errors import StoreError
from inhouse.core.ids import ItemId, UserId
from inhouse.engine.local import LocalExecutor
from inhouse.events.log import EventLog
from inhouse.moderation.judging import scan as scanning
from inhouse.moderation.judging.reading import SpreadReader
from inhouse.moderation.judging.scan import CONSUMER, Moderator
from inhouse.moderation.judging.scorer import NoModel
from inhouse.moderation.reviewing.review import Review
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals.read import Reading, Text
from inhouse.moderation.tools import load_rules
from inhouse.moderation.types import Hit, Label
from inhouse.moderation.verdicts.decide import decide
from inhouse.moderation.verdicts.rows import Verdicts
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate


def offset(community: Community) -> int:
    return EventLog(community.database).consumer_offset(CONSUMER)


def test_a_new_text_gets_one_verdict_with_labels_signals_and_news(any_community: Community) -> None:
    """Model and banks are written with their sources, the news is told, the offset moves on."""
    any_community.post(a="plain words", b="zorgle blat hate=0.95 see example.com/x")
    report = any_community.scan()
    assert (report.read, report.judged, report.awaiting, report.backlog) == (2, 2, 0, 0)
    assert report.offset == offset(any_community) == 2
    verdict = any_community.latest("b")
    assert verdict is not None
    assert verdict.evidence.labels == (
        Label(category="hate", p=0.95, source="model:fake-1"),
        Label(category="spam", p=0.02, source="model:fake-1"),
        Label(category="spam", p=0.85, source="terms:bank"),
    )
    assert dict(verdict.evidence.signals) == {"domains": 1, "links": 1, "terms.spam": 1}
    assert verdict.hits[0] == Hit(signal="terms.spam", start=0, end=11, detail="zorgle blat")
    assert (verdict.decided_by, verdict.model_version) == ("rule:hate_clear", "fake-1")
    assert verdict.policy_version == any_community.tools.rules.policy.version
    news = any_community.catalog.changes(2)
    assert [(change.entity, change.entity_id) for change in news] == [
        ("verdict", "a"),
        ("verdict", "b"),
    ]


def test_news_of_verdicts_and_users_is_passed_over(community: Community) -> None:
    """The moderator's own news moves its offset and nothing else."""
    community.post(a="plain")
    community.scan()
    report = community.scan()
    assert (report.read, report.judged, report.unchanged) == (1, 0, 0)
    assert offset(community) == community.catalog.last_change() == 2
    assert len(community.scorer.asked) == 1


def test_an_item_whose_text_did_not_change_is_not_scored_again(community: Community) -> None:
    """Other changes of an item keep its verdict; another text is judged anew."""
    community.post(a="plain")
    community.scan()
    moved = Item(item_id=ItemId("a"), creator_id=UserId("by_a"), text="plain", topics=("news",))
    community.catalog.put_items([moved])
    assert community.scan().unchanged == 1
    community.post(a="plain no more")
    assert community.scan().judged == 1
    assert community.scorer.asked == [["plain"], ["plain no more"]]
    assert [v.text_key for v in community.history("a")] == [
        text_key("", "plain"),
        text_key("", "plain no more"),
    ]


def test_several_changes_of_an_item_make_one_verdict_on_its_last_text(community: Community) -> None:
    """What is judged is what the item says now."""
    for text in ("one", "two", "three"):
        community.post(a=text)
    report = community.scan()
    assert (report.read, report.judged) == (3, 1)
    assert community.scorer.asked == [["three"]]


def test_an_item_that_is_gone_holds_nothing_up(community: Community) -> None:
    """A change of an item that no longer exists is counted and passed over."""
    community.post(a="plain", b="plain")
    community.database.write(
        lambda c: c.execute(tables.items.delete().where(tables.items.c.item_id == "a"))
    )
    report = community.scan()
    assert (report.gone, report.judged, report.offset) == (1, 1, 2)


def test_a_post_without_text_is_judged_without_asking_a_model(community: Community) -> None:
    """An empty text costs nothing and its verdict says that no model scored it."""
    community.post(a="")
    assert community.scan().judged == 1
    verdict = community.latest("a")
    assert verdict is not None
    assert (verdict.evidence.labels, verdict.model_version) == ((), None)
    assert community.scorer.asked == []


def test_a_disguised_text_is_scored_in_both_readings_and_the_worse_counts(
    community: Community,
) -> None:
    """Where somebody hides letters the model is shown the text as it stands, then unmasked."""
    community.post(a="ha\u200bte=0.95 is meant", b="plain")
    community.scan()
    assert community.scorer.asked == [["ha\u200bte=0.95 is meant", "plain"], ["hate=0.95 is meant"]]
    verdict = community.latest("a")
    assert verdict is not None
    assert (
        decide(verdict.evidence, community.tools.rules.policy, "feed", "adult").action == "remove"
    )
    assert all(len(set(refs)) == len(refs) for refs in community.scorer.refs)


def test_a_long_text_is_shown_to_the_model_in_part_and_read_whole(database: Database) -> None:
    """The model sees beginning and end, terms are found anywhere, the key names the whole text."""
    community = make_community(database, tools(most_chars=400))
    text = "start " + "x" * 1_000 + " zorgle blat " + "y" * 1_000 + " end"
    community.post(a=text)
    community.scan()
    (shown,) = community.scorer.asked[0]
    assert len(shown) == 403
    assert (shown.startswith("start"), shown.endswith("end"), "zorgle" in shown) == (
        True,
        True,
        False,
    )
    verdict = community.latest("a")
    assert verdict is not None
    assert (verdict.text_key, dict(verdict.evidence.signals)) == (
        text_key("", text),
        {"terms.spam": 1},
    )


def test_policy_action_review_opens_a_case(community: Community) -> None:
    """A text that a rule holds back for a person waits in the queue of its category."""
    community.post(a="hate=0.7", b="hate=0.95", c="plain")
    assert community.scan().cases == 1
    (case,) = Review(community.database, community.clock, community.tools).queue()
    assert (case.item_id, case.queue, case.reason, case.state) == (
        "a",
        "hate",
        "rule hate_likely",
        "open",
    )


# -- failing -------------------------------------------------------------------------------------


def test_when_nobody_answers_everything_waits_visibly_and_is_judged_later(
    community: Community,
) -> None:
    """No verdict, no offset, a backlog and the reason; then the same texts are judged."""
    community.post(a="plain", b="hate=0.95", c="")
    community.scorer.down = True
    for _ in range(5):
        report = community.scan()
        assert (report.awaiting, report.backlog, report.offset) == (2, 3, 0)
        assert report.error == "the vendor failed"
    assert (community.latest("a"), community.latest("b")) == (None, None)
    assert community.latest("c") is not None
    community.scorer.down = False
    report = community.scan()
    assert (report.judged, report.awaiting, report.backlog, report.error) == (2, 0, 0, None)
    assert [len(community.history(i)) for i in "abc"] == [1, 1, 1]


@pytest.mark.parametrize("partial", [False, True])
def test_a_text_that_nobody_can_score_goes_to_a_person_and_holds_nobody_up(
    community: Community, partial: bool
) -> None:
    """Its neighbours are judged at once; after three refusals it is held for a person."""
    community.scorer.partial = partial
    community.post(a="plain", b="poison", c="hate=0.95")
    first = community.scan()
    assert (first.judged, first.awaiting, first.unscored, first.offset) == (2, 1, 0, 1)
    second = community.scan()
    assert (second.judged, second.unchanged) == (0, 1)
    # Alone it may as well be the vendor's fault; beside texts that are answered it is its own.
    unscored = []
    for n in range(3):
        community.post(d=f"another {n}")
        unscored.append(community.scan().unscored)
    assert unscored == [0, 1, 0]
    verdict = community.latest("b")
    assert verdict is not None
    decision = decide(verdict.evidence, community.tools.rules.policy, "profile", "adult")
    assert (decision.action, decision.decided_by) == ("review", "rule:unscored")
    (case,) = Review(community.database, community.clock, community.tools).queue()
    assert (case.item_id, case.queue) == ("b", "unscored")
    community.scan()
    assert community.moderator.backlog() == 0
    assert [len(community.history(i)) for i in "abc"] == [1, 1, 1]


def test_a_failing_neighbour_costs_no_text_its_score(community: Community) -> None:
    """Texts whose request failed because of another one are asked for alone."""
    community.post(**{f"i{n}": f"words {n}" for n in range(6)}, bad="poison")
    report = community.scan()
    assert (report.judged, report.awaiting) == (6, 1)
    assert all(community.latest(f"i{n}") is not None for n in range(6))


def test_an_outage_in_the_middle_blames_no_text(community: Community) -> None:
    """When everybody falls silent while texts are asked for alone, none of them is refused."""

    class Dying(FakeScorer):
        async def score(self, texts, refs):  # type: ignore[no-untyped-def]
            self.down = len(texts) == 1 and len(self.asked) > 1
            return await super().score(texts, refs)

    dying = Dying()
    moderator = Moderator(community.database, community.clock, dying, community.tools)
    community.post(**{f"i{n}": "words" for n in range(4)}, bad="poison")
    for _ in range(4):
        dying.asked.clear()
        report = asyncio.run(moderator.scan())
        assert report.unscored == 0
    assert community.latest("bad") is None


def test_a_crash_while_writing_leaves_nothing_behind(
    any_community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verdicts, cases, news and offset are one transaction: all or none."""

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    any_community.post(a="hate=0.7", b="plain")
    with monkeypatch.context() as patch:
        patch.setattr(scanning, "set_consumer", fail)
        with pytest.raises(StoreError, match="the disk is full"):
            any_community.scan()
    assert (
        any_community.latest("a"),
        offset(any_community),
        any_community.catalog.last_change(),
    ) == (
        None,
        0,
        2,
    )
    assert Review(any_community.database, any_community.clock, any_community.tools).queue() == []
    assert any_community.scan().judged == 2
    assert [len(any_community.history(i)) for i in "ab"] == [1, 1]


def test_two_moderators_judge_a_text_once(any_community: Community) -> None:
    """Whoever writes second finds the verdict there and leaves it."""

    class Slow(FakeScorer):
        async def score(self, texts, refs):  # type: ignore[no-untyped-def]
            await Moderator(
                any_community.database, any_community.clock, FakeScorer(), any_community.tools
            ).scan()
            return await super().score(texts, refs)

    any_community.post(a="hate=0.7", b="plain")
    late = Moderator(any_community.database, any_community.clock, Slow(), any_community.tools)
    report = asyncio.run(late.scan())
    assert (report.judged, report.cases) == (0, 0)
    assert [len(any_community.history(i)) for i in "ab"] == [1, 1]
    assert (
        len(Review(any_community.database, any_community.clock, any_community.tools).queue()) == 1
    )


KILLED = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from inhouse.moderation.judging import scan
from inhouse.store.database import StoreSettings, open_database
from moderation_worlds import make_community

community = make_community(open_database(StoreSettings(folder=sys.argv[1])))
append, left = scan.record_verdicts, int(sys.argv[3])

def append_and_die(connection, fresh, policy):
    global left
    append(connection, fresh, policy)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)

scan.record_verdicts = append_and_die
while asyncio.run(community.moderator.scan(7)).read:
    pass
"""


def test_a_killed_moderator_skips_nothing_and_judges_nothing_twice(tmp_path: Path) -> None:
    """Killed by the system in the middle of its third write, its successor finishes the work."""
    settings = StoreSettings(folder=str(tmp_path / "data"))
    database = open_database(settings)
    migrate(database)
    community = make_community(database)
    community.post(**{f"i{n}": f"words {n} hate=0.7" for n in range(30)})
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    done = subprocess.run(
        [sys.executable, script, settings.folder, str(Path(__file__).parents[1]), "3"],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert (done.returncode, done.stderr) == (-9, b"")
    judged = len(Verdicts(database).read(0))
    assert judged == 14
    while community.scan(7).read:
        pass
    verdicts = Verdicts(database).read(0)
    assert sorted(v.item_id for v in verdicts) == sorted(f"i{n}" for n in range(30))
    with database.read() as connection:
        cases = connection.execute(sa.select(tables.review_cases.c.item_id)).scalars().all()
    assert sorted(cases) == sorted(f"i{n}" for n in range(30))
    database.close()


# -- people before models ------------------------------------------------------------------------


def test_an_edit_ends_a_permission_but_not_a_restriction(community: Community) -> None:
    """A person's allow holds for the text they saw; a removal holds until somebody looks again."""
    review = Review(community.database, community.clock, community.tools)
    community.post(a="hate=0.7 one", b="hate=0.7 two")
    community.scan()
    for case in review.queue():
        action, category = ("allow", None) if case.item_id == "a" else ("remove", "hate")
        review.decide(case.case_id, "ada", action, category, None)
    community.post(a="hate=0.95 now", b="nice now")
    community.scan()
    policy = community.tools.rules.policy
    decisions = {}
    for item in ("a", "b"):
        verdict = community.latest(item)
        assert verdict is not None
        decisions[item] = decide(verdict.evidence, policy, "feed", "adult")
    assert (decisions["a"].action, decisions["a"].decided_by) == ("remove", "rule:hate_clear")
    assert (decisions["b"].action, decisions["b"].decided_by) == ("remove", "person:ada")
    (case,) = review.queue()
    assert (case.item_id, case.queue, case.reason) == (
        "b",
        "hate",
        "edited after the decision of ada",
    )


def test_without_any_model_banks_and_signals_decide(community: Community) -> None:
    """A community that has no model yet is moderated by its terms, and verdicts say so."""
    moderator = Moderator(community.database, community.clock, NoModel(), community.tools)
    community.post(a="zorgle blat", b="plain")
    assert asyncio.run(moderator.scan()).judged == 2
    verdict = community.latest("a")
    assert verdict is not None
    assert (verdict.model_version, verdict.decided_by) == (None, "rule:spam")


def test_reading_on_other_processes_gives_the_same_signals() -> None:
    """Hits, labels and counts are what they are here, text by text."""
    settings = ModerationSettings()
    texts = [
        Text(
            text=f"text {n} k.y.s or mail me{n}@example.com" if n % 3 else f"plain {n}",
            language=None,
        )
        for n in range(600)
    ]
    executor = LocalExecutor(workers=2)
    try:
        spread = SpreadReader(executor, settings).read_all(texts)
    finally:
        executor.close()

    assert spread == load_rules(settings).reader.read_all(texts)
    assert [bool(reading.signals) for reading in spread] == [bool(n % 3) for n in range(600)]


def test_a_moderator_reads_where_it_is_told_to(community: Community) -> None:
    """The reader that is set is asked, once for each text, in the order of the changes."""
    asked: list[str] = []

    class Listening:
        def read_all(self, texts: Sequence[Text]) -> list[Reading]:
            asked.extend(text.text for text in texts)
            return community.tools.rules.reader.read_all(texts)

    community.moderator.reader = Listening()
    for name in ("b", "a", "c"):
        community.post(**{name: f"words of {name}"})
    report = community.scan()

    assert (asked, report.judged) == (["words of b", "words of a", "words of c"], 3)


def test_verdicts_are_read_in_order_from_an_offset(community: Community) -> None:
    """Whoever rebuilds a board reads the table in chunks; the later row of an item counts."""
    for text in ("one", "two"):
        community.post(a=text)
        community.scan()
    community.post(b="three")
    community.scan()
    chunks = list(Verdicts(community.database).read_all(chunk=2))
    assert [[v.item_id for v in chunk] for chunk in chunks] == [["a", "a"], ["b"]]
    assert Verdicts(community.database).latest(["a", "nobody"]) == {ItemId("a"): chunks[0][1]}
