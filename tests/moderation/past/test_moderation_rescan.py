"""Re-scans: what another policy means for posts that were judged before it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from moderation_worlds import POLICY, Community, tools
from sqlalchemy.engine import Connection

from inhouse.catalog.types import text_key
from inhouse.core.errors import ConflictError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.complaints.reports import Reports
from inhouse.moderation.past import rescan as rescan_module
from inhouse.moderation.past.adoption import adoptions
from inhouse.moderation.past.refresh import Refresher
from inhouse.moderation.past.rescan import Changed, Rescan
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.policy.parse import read_policy
from inhouse.moderation.reviewing.review import CaseFilter, Review
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import read_bank
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Case, Evidence, Label, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

STRICTER = POLICY.replace("{hate: 0.6}", "{hate: 0.4}")
LAXER = POLICY.replace("{hate: 0.6}", "{hate: 0.8}")


def rescan_by(community: Community, used: Tools) -> Rescan:
    """As after a restart with other rules."""
    refresher = Refresher(community.catalog, community.clock, community.scorer, used)
    return Rescan(community.database, community.clock, used, refresher)


def run(rescan: Rescan, **asked: bool) -> Progress:
    """To the end."""
    progress = rescan.begin(**asked)
    while progress.state == "running":
        progress = asyncio.run(rescan.step()) or rescan.progress(progress.job_id)
    return progress


def counts(progress: Progress) -> tuple[int, int, int, int, int]:
    """read, changed, refreshed, opened, withdrawn."""
    p = progress
    return p.read, p.changed, p.refreshed, p.opened, p.withdrawn


def cases(community: Community, state: str = "open") -> dict[str, Case]:
    review = Review(community.database, community.clock, community.tools)
    return {case.item_id: case for case in review.queue(CaseFilter(state=state))}  # type: ignore[arg-type]


def test_cases_are_opened_where_the_policy_now_asks_for_a_person(any_community: Community) -> None:
    """Each post that comes to wait gets one case, whoever listens hears of it, and again is nothing
    new."""
    community = any_community
    run(rescan_by(community, community.tools))
    community.post(calm="hate=0.1", edgy="hate=0.5", likely="hate=0.7", clear="hate=0.95")
    community.scan()
    heard: list[Changed] = []
    rescan = rescan_by(community, tools(STRICTER))
    rescan.subscribe(lambda _connection, changed: heard.extend(changed))
    progress = run(rescan)
    assert counts(progress) == (4, 1, 0, 1, 0)
    assert (progress.state, progress.share) == ("done", 1.0)
    opened = cases(community)["edgy"]
    assert (opened.queue, opened.reason) == ("hate", "rule hate_likely")
    assert [one.item_id for one in heard] == ["edgy"]
    assert {d.action for d in heard[0].before.values()} == {"allow"}
    assert {d.decided_by for d in heard[0].after.values()} == {"rule:hate_likely"}
    assert len(community.history("edgy")) == 1
    assert counts(run(rescan_by(community, tools(STRICTER)))) == (4, 1, 0, 0, 0)


def test_cases_that_nobody_needs_are_withdrawn_but_for_those_somebody_touched(
    any_community: Community,
) -> None:
    """A case that is on a table, reported, decided before or about an edit stays for a person."""
    community = any_community
    run(rescan_by(community, community.tools))
    names = ("free", "taken", "reported", "again", "undone", "still")
    community.post(**{name: f"{name} hate={0.85 if name == 'still' else 0.7}" for name in names})
    community.scan()
    before = cases(community)
    review = Review(community.database, community.clock, community.tools)
    review.take(before["taken"].case_id, "ada")
    Reports(community.database, community.clock, community.tools).file("reported", "bob", "hate")
    Reports(community.database, community.clock, community.tools).file("again", "bob", "hate")
    review.decide(before["again"].case_id, "ada", "allow", None, None)
    community.post(again="again, edited hate=0.7")
    community.scan()
    decision = review.decide(before["undone"].case_id, "ada", "allow", None, None)
    review.undo(decision.decision_id, "ada")
    progress = run(rescan_by(community, tools(LAXER)))
    assert counts(progress) == (6, 5, 0, 0, 1)
    assert sorted(cases(community)) == ["again", "reported", "still", "taken", "undone"]
    closed = cases(community, "closed")["free"]
    version = read_policy("p.yaml", LAXER).version
    assert closed.reason == f"rule hate_likely; withdrawn by policy {version}"
    assert counts(run(rescan_by(community, community.tools)))[3:] == (1, 0)
    assert sorted(cases(community)) == sorted(names)


class SlowRefresher(Refresher):
    """So slow that a post is edited and judged anew meanwhile."""

    community: Community

    async def refresh(
        self, verdicts: Sequence[Verdict], *, signals: bool, models: bool
    ) -> dict[ItemId, Verdict]:
        self.community.post(edited="hate=0.0")
        await self.community.moderator.scan()
        return await super().refresh(verdicts, signals=signals, models=models)


def test_a_persons_call_stands_and_what_is_judged_meanwhile_is_left(community: Community) -> None:
    """No case for a post that a person decided on, nor for one that was judged anew meanwhile."""
    run(rescan_by(community, community.tools))
    community.post(called="hate=0.7", edited="hate=0.5")
    community.scan()
    review = Review(community.database, community.clock, community.tools)
    review.decide(cases(community)["called"].case_id, "ada", "allow", None, None)
    used = tools(STRICTER)
    slow = SlowRefresher(community.catalog, community.clock, community.scorer, used)
    slow.community = community
    rescan = Rescan(community.database, community.clock, used, slow)
    heard: list[Changed] = []
    rescan.subscribe(lambda _connection, changed: heard.extend(changed))
    rescan.begin()
    progress = asyncio.run(rescan.step())
    assert progress is not None
    assert (progress.state, progress.opened, cases(community)) == ("done", 0, {})
    assert (progress.changed, heard) == (0, [])


class Overtaken(Refresher):
    """So slow that another process does the same part first."""

    other: Rescan

    async def refresh(
        self, verdicts: Sequence[Verdict], *, signals: bool, models: bool
    ) -> dict[ItemId, Verdict]:
        await self.other.step()
        return await super().refresh(verdicts, signals=signals, models=models)


def test_two_processes_at_one_job_do_each_part_once(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes second writes nothing, and goes on from where the other is."""
    monkeypatch.setattr(rescan_module, "_AT_ONCE", 1)
    run(rescan_by(community, community.tools))
    community.post(a="hate=0.5", b="hate=0.45")
    community.scan()
    used, heard = tools(STRICTER), Counter[str]()
    second, first = (
        rescan_by(community, used),
        Overtaken(community.catalog, community.clock, community.scorer, used),
    )
    first.other = second
    rescan = Rescan(community.database, community.clock, used, first)
    for one in (rescan, second):
        one.subscribe(lambda _connection, changed: heard.update(c.item_id for c in changed))
    progress = run(rescan)
    assert (counts(progress), progress.state) == ((2, 2, 0, 2, 0), "done")
    assert heard == {"a": 1, "b": 1}


def banked(*terms: str) -> Tools:
    bank = read_bank("bank", "bank.txt", "category: spam\np: 0.85\n" + "\n".join(terms) + "\n")
    used = tools()
    return replace(used, rules=replace(used.rules, reader=SignalReader([bank])))


def test_signals_are_read_again_only_where_their_reader_changed(any_community: Community) -> None:
    """Scores of models stay and no model is asked; evidence that comes out the same is not written
    again, and what other parts found is kept."""
    community = any_community
    run(rescan_by(community, community.tools))
    community.post(old="zorgle blat hate=0.3", new="quux flob hate=0.3", plain="bread hate=0.3")
    community.scan()
    asked = len(community.scorer.asked)
    used = banked("quux flob")
    assert counts(run(rescan_by(community, used)))[2] == 2
    assert len(community.scorer.asked) == asked
    found = {name: community.latest(name) for name in ("old", "new", "plain")}
    assert {name: dict(v.evidence.signals) for name, v in found.items() if v} == {
        "old": {},
        "new": {"terms.spam": 1},
        "plain": {},
    }
    new = found["new"]
    assert new is not None
    assert [(x.category, x.p, x.source) for x in new.evidence.labels] == [
        ("hate", 0.3, "model:fake-1"),
        ("spam", 0.02, "model:fake-1"),
        ("spam", 0.85, "terms:bank"),
    ]
    assert (new.decided_by, new.reader_version) == ("rule:spam", used.rules.reader.version)
    assert [hit.detail for hit in new.hits] == ["quux flob"]
    assert [len(community.history(name)) for name in ("old", "new", "plain")] == [2, 2, 1]
    assert counts(run(rescan_by(community, used), signals=True))[2] == 0


def test_new_banks_are_no_reason_to_read_again_unless_asked(community: Community) -> None:
    """A first start with a store that knows no policy yet reads no texts."""
    community.post(new="quux flob hate=0.3")
    community.scan()
    with community.database.read() as connection:
        assert adoptions(connection) == []
    assert run(rescan_by(community, banked("quux flob"))).refreshed == 0
    assert run(rescan_by(community, banked("quux flob")), signals=True).refreshed == 1


def test_models_are_asked_again_only_on_demand(community: Community) -> None:
    """Every post is scored anew; one that nobody scores keeps what it had."""
    community.post(a="hate=0.1", b="hate=0.2")
    community.scan()
    community.scorer.version, community.scorer.asked = "fake-2", []
    assert counts(run(rescan_by(community, community.tools)))[2] == 0
    assert community.scorer.asked == []
    assert counts(run(rescan_by(community, community.tools), models=True))[2] == 2
    assert community.scorer.asked == [["hate=0.1", "hate=0.2"]]
    latest = community.latest("a")
    assert latest is not None
    assert latest.model_version == "fake-2"
    assert {label.source for label in latest.evidence.labels} == {"model:fake-2"}
    community.scorer.down = True
    assert counts(run(rescan_by(community, community.tools), models=True))[2] == 0


def test_a_newer_policy_takes_over_from_one_that_is_still_being_caught_up_with(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former job is superseded; the new one compares with the policy just before it."""
    monkeypatch.setattr(rescan_module, "_AT_ONCE", 1)
    run(rescan_by(community, community.tools))
    community.post(a="hate=0.5", b="hate=0.45", c="hate=0.35")
    community.scan()
    first = rescan_by(community, tools(STRICTER))
    begun = first.begin()
    asyncio.run(first.step())
    second = rescan_by(community, tools(POLICY.replace("{hate: 0.6}", "{hate: 0.3}")))
    assert second.adopt() is not None
    assert first.progress(begun.job_id).state == "superseded"
    done = run(second)
    assert (counts(done), sorted(cases(community))) == ((3, 1, 0, 2, 0), ["a", "b", "c"])
    with community.database.read() as connection:
        versions = [adoption.policy.version for adoption in adoptions(connection)]
    assert len(versions) == 3
    assert second.adopt() is None


def test_what_a_listener_writes_is_there_exactly_once(community: Community) -> None:
    """A listener that fails undoes the part, which is done again."""
    run(rescan_by(community, community.tools))
    community.post(a="hate=0.5")
    community.scan()
    rescan = rescan_by(community, tools(STRICTER))

    def fail(_connection: Connection, _changed: Sequence[Changed]) -> None:
        raise RuntimeError("no room")

    rescan.subscribe(fail)
    with pytest.raises(RuntimeError):
        run(rescan)
    assert cases(community) == {}
    assert counts(run(rescan_by(community, tools(STRICTER)))) == (1, 1, 0, 1, 0)


MANY = 12_000


def fill(database: Database) -> None:
    """Posts whose every third one a stricter policy sends to a person."""
    rows = [(f"i{n:05}", 0.5 if n % 3 == 0 else 0.1) for n in range(MANY)]
    items = [
        {"item_id": i, "creator_id": UserId("c"), "kind": "text", "title": "", "text": i}
        for i, _ in rows
    ]
    plain = {"topics": "[]", "created_ms": 1, "hidden": False}
    verdicts = [
        Verdict(
            item_id=ItemId(item_id),
            at_ms=1,
            text_key=text_key("", item_id),
            evidence=Evidence(labels=(Label(category="hate", p=p, source="model:m"),)),
            decided_by="no rule",
            policy_version="p",
        )
        for item_id, p in rows
    ]

    def write(connection: Connection) -> None:
        connection.execute(tables.items.insert(), [{**item, **plain} for item in items])
        append_verdicts(connection, verdicts)

    database.write(write)


def test_a_killed_rescan_goes_on_where_it_was(tmp_path: Path) -> None:
    """`kill -9` in the middle: the next call ends it, and every case is there once."""
    (tmp_path / "policy.yaml").write_text(STRICTER)
    environment = {
        **os.environ,
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_MODERATION_POLICY": str(tmp_path / "policy.yaml"),
    }
    database = open_database(StoreSettings(folder=str(tmp_path / "data")))
    migrate(database)
    fill(database)
    command = [sys.executable, "-m", "inhouse.cli.main", "moderate", "rescan", "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while _cases(database) < MANY // 12 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    there = _cases(database)
    assert 0 < there < MANY // 3
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert f'"read": {MANY}'.encode() in done.stdout
    assert f'"opened": {MANY // 3}'.encode() in done.stdout
    with database.read() as connection:
        query = sa.select(tables.review_cases.c.item_id)
        opened = Counter(connection.execute(query).scalars())
        jobs = connection.execute(sa.select(tables.jobs.c.state)).scalars().all()
    assert opened == Counter(f"i{n:05}" for n in range(0, MANY, 3))
    assert jobs == ["done"]
    database.close()


def _cases(database: Database) -> int:
    with database.read() as connection:
        query = sa.select(sa.func.count()).select_from(tables.review_cases)
        return connection.execute(query).scalar_one()


def test_a_stopped_rescan_goes_no_further(community: Community) -> None:
    """What it did stays done, nobody goes on with it, and a new one begins from the first post."""
    community.post(a="hate=0.5", b="hate=0.5", c="plain")
    community.scan()
    run(rescan_by(community, community.tools))
    rescan = rescan_by(community, tools(STRICTER))
    begun = rescan.begin()
    community.wait(7)
    stopped = rescan.stop()
    assert (stopped.job_id, stopped.state) == (begun.job_id, "stopped")
    assert stopped.updated_ms == begun.updated_ms + 7
    assert asyncio.run(rescan.step()) is None
    assert rescan.running() is None
    assert rescan.latest() == stopped
    assert rescan_by(community, tools(STRICTER)).adopt() is None  # a restart does not begin it
    with pytest.raises(ConflictError, match="no re-scan is running; there is nothing to stop"):
        rescan.stop()
    again = run(rescan)
    assert (again.job_id != begun.job_id, counts(again)[0]) == (True, 3)
    assert rescan.latest() == again
