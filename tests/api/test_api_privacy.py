"""What a person may ask of their own data, over HTTP: export and erase; each with its scope."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.api.people_world import NOW_MS, SESSION, WHO, event, make_items, post, shown_to

from inhouse.app.build import Services
from inhouse.app.people.erasure import Eraser
from inhouse.core.ids import UserId
from inhouse.engagement import checkpoint as engagement_checkpoint
from inhouse.engagement.metrics import CHECKPOINT as ENGAGEMENT
from inhouse.features import checkpoint
from inhouse.learning.examples.types import Impressions
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot, new_snapshot_id
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.training.course import Course
from inhouse.learning.training.learner import Learner
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.pairs import Pair, add_pairs


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", f"/v1/users/{WHO}/controls", "feed"),
        ("POST", f"/v1/users/{WHO}/reset", "events"),
        ("POST", f"/v1/users/{WHO}/pause", "events"),
        ("POST", f"/v1/users/{WHO}/resume", "events"),
        ("POST", f"/v1/users/{WHO}/link/{SESSION}", "users"),
        ("GET", f"/v1/users/{WHO}/export", "privacy"),
        ("DELETE", f"/v1/users/{WHO}", "privacy"),
        ("GET", "/v1/erasures/e", "privacy"),
    ],
)
def test_each_needs_its_scope(
    client: TestClient, services: Services, method: str, path: str, scope: str
) -> None:
    """A key with every other scope is refused, and told which one it lacks."""
    _, narrow = services.keys.create("narrow", {"items", "moderation"})
    answer = client.request(method, path, headers={"authorization": f"Bearer {narrow}"})

    assert answer.status_code == 403
    assert f"lacks the scope '{scope}'" in answer.json()["error"]["message"]


def _live(client: TestClient, services: Services, judge: Callable[[], None]) -> None:
    """Everything there can be of one person, beside somebody who stays."""
    items = make_items(30)
    items[3] |= {"creator_id": WHO, "text": "the words of a zebra"}
    post(client, "/v1/items", items=items)
    post(client, "/v1/users", users=[{"user_id": WHO, "name": "Zoe", "topics": ["tea"]}])
    arms = [{"key": "a", "settings": {"creator_cap": 3}}, {"key": "b", "settings": {}}]
    post(client, "/v1/experiments", key="cap", arms=arms)
    judge()
    events = [event("like", who, f"i{i}") for who in (WHO, SESSION, "other") for i in range(8)]
    events += [
        event("follow", "other", target=f"creator:{WHO}"),
        event("block", WHO, target="creator:c1"),
        event("mute", WHO, target="word:secret"),
    ]
    post(client, "/v1/events", events=events)
    for who in (WHO, SESSION, "other"):
        post(client, "/v1/events", events=[event("visit", who)])
        shown_to(client, who)
    post(client, f"/v1/users/{WHO}/link/{SESSION}")
    said = {"category": "spam", "note": "zebra says"}
    post(client, "/v1/reports", item_id="i0", reporter_id=WHO, **said)
    post(client, "/v1/reports", item_id="i3", reporter_id="other", category="spam")
    for _ in range(2):
        case = post(client, "/v1/review/next", reviewer="ana")["case"]
        ruling = {"reviewer": "ana", "action": "remove", "category": "spam"}
        post(client, f"/v1/review/{case['case_id']}/decide", **ruling)
    post(client, "/v1/appeals", item_id="i3", user_id=WHO, words="zebra objects")
    _calls(services)
    _files(services)


def _calls(services: Services) -> None:
    """What they, their session, and somebody about them said to a model."""
    pairs = [
        Pair(
            task="chat",
            messages=(Message(role="user", content=said),),
            answer="indeed",
            person=person,
            ref=None,
            call_id="c",
            key_id="k",
            deployment="d",
            source="s",
            terms="mit",
            at_ms=1,
        )
        for said, person in (
            ("the words of a zebra", WHO),
            ("words of a session", SESSION),
            (f"who is {WHO}?", "other"),
            ("good morning", "other"),
        )
    ]
    services.database.write(lambda connection: add_pairs(connection, pairs))


def _files(services: Services) -> None:
    """What other roles keep in the folder, and what they know."""
    services.metrics.engagement(NOW_MS, 30)
    folder = services.settings.folder
    checkpoint.save(services.state, services.checkpoint_path)
    engagement_checkpoint.save(services.metrics._aggregates, services.database, folder / ENGAGEMENT)
    (folder / ".state.bin.1.abcd.part").write_bytes(b"half of " + WHO.encode())
    trainer = TasteTrainer(TasteTraining())
    table = services.state.items
    trainer.grow(table.content[: table.count])
    facts = SnapshotFacts(
        snapshot_id=new_snapshot_id(), created_ms=1, log_offset=0, page_offset=0, watermark_ms=0,
        metrics={},
    )  # fmt: skip
    times = services.pages.times_of([WHO, SESSION, "other"])
    snapshot = TasteSnapshot(facts, trainer.export(tuple(table.ids)), None)
    services.snapshots.publish(snapshot, _shown(times).arrays())


def _shown(times: list[int]) -> Impressions:
    n = len(times)
    flags = {name: np.zeros(n, dtype=np.bool_) for name in ("clicked", "liked", "hidden")}
    features = Impressions.__annotations__
    assert "features" in features
    return Impressions(
        features=np.zeros((n, 24), dtype=np.float32),
        dwell_ms=np.zeros(n, dtype=np.float32),
        propensity=np.ones(n, dtype=np.float32),
        position=np.zeros(n, dtype=np.int32),
        at_ms=np.array(times, dtype=np.int64),
        **flags,
    )


def _tables_with(folder: Path, name: str) -> list[str]:
    """Tables with a value that holds the name, looked for in every column."""
    with sqlite3.connect(folder / "inhouse.db") as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = [row[0] for row in connection.execute(query)]
        return [
            table
            for table in tables
            if any(
                name.encode() in (value if isinstance(value, bytes) else str(value).encode())
                for row in connection.execute(f"SELECT * FROM {table}")
                for value in row
            )
        ]


def _files_with(folder: Path, name: str) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and name.encode() in path.read_bytes()
    )


def _memory_with(services: Services, name: str) -> list[str]:
    """What this process keeps of people."""
    state = services.state
    known: Mapping[str, object] = {
        "state": list(state.people),
        "creators": state.items.creators.names,
        "metrics": services.metrics._aggregates.people.names,
    }
    return [part for part, names in known.items() if name in names]  # type: ignore[operator]


def test_an_erased_person_is_nowhere(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """No table, no file, no free page and no memory holds the id or the words; others stay."""
    _live(client, services, judge)
    folder = services.settings.folder
    before = (_tables_with(folder, WHO), _files_with(folder, WHO), _memory_with(services, WHO))
    answer = client.delete(f"/v1/users/{WHO}")
    receipt = answer.json()
    services.metrics.engagement(NOW_MS, 30)
    after = [
        (_tables_with(folder, name), _files_with(folder, name), _memory_with(services, name))
        for name in (WHO, SESSION)
    ]
    memory = services.snapshots.memory(services.snapshots.ids()[0])

    assert answer.status_code == 200, answer.text
    assert set(before[0]) == {
        "events", "served_pages", "items", "users", "changes", "reports", "appeals", "exposures",
        "session_links", "statements", "pairs",
    }  # fmt: skip
    assert {".state.bin.1.abcd.part", "engagement.bin", "state.bin"} < set(before[1])
    assert before[2] == ["state", "creators", "metrics"]
    assert after == [([], [], [])] * 2
    assert _files_with(folder, "the words of a zebra") == []
    assert memory["at_ms"].tolist() == services.pages.times_of(["other"])
    assert receipt["counts"] == {
        "events": 23, "served_pages": 2, "items_and_users": 2, "exposures": 2, "labels": 1,
        "reports": 1, "appeals": 1, "verdicts": 2, "jobs": 0, "files": 3, "examples": 2,
        "session_links": 1, "statements": 1, "audit": 3, "media": 0, "pairs": 3,
    }  # fmt: skip


def test_who_is_erased_is_nobody_and_who_comes_back_is_new(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """The others keep what they had; erasing twice is once; the id starts anew."""
    _live(client, services, judge)
    other = services.state.person(UserId("other"))
    history, offset = other.recent.latest(), services.log.last_offset()
    first = client.delete(f"/v1/users/{WHO}").json()
    second = client.delete(f"/v1/users/{WHO}").json()
    told = client.get(f"/v1/erasures/{first['erasure_id']}").json()
    controls = client.get(f"/v1/users/{WHO}/controls").json()
    newest = services.log.last_offset()
    post(client, "/v1/events", events=[event("like", WHO, "i5")])
    exported = client.get(f"/v1/users/{WHO}/export").text.splitlines()

    assert other.recent.latest().items.tolist() == history.items.tolist()
    assert (len(other.follows), newest) == (0, offset)
    assert first["erasure_id"] != second["erasure_id"]
    assert set(second["counts"].values()) == {0}
    assert told == first
    assert (controls["history"], controls["muted"], controls["blocked"]) == (0, [], [])
    assert client.get("/v1/verdicts/i0").json()["action"] == "remove"
    assert client.get("/v1/items/i3").status_code == 404
    assert [json.loads(line)["kind"] for line in exported] == ["event", "end"]


def test_an_export_holds_everything(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """Every row that tells of the person, each with its kind, and a last line that counts them."""
    _live(client, services, judge)
    rows = [json.loads(line) for line in client.get(f"/v1/users/{WHO}/export").text.splitlines()]
    events = [row["row"]["event"] for row in rows if row["kind"] == "event"]

    assert rows[-1] == {
        "kind": "end",
        "row": {
            "appeal": 1, "event": 22, "exposure": 2, "label": 1, "page": 2, "post": 1, "profile": 1,
            "report": 1, "review_decision": 1, "verdict": 2, "statement": 1, "audit": 3,
            "report_answer": 1, "pair": 2,
        },
    }  # fmt: skip
    assert {event["user_id"] for event in events} == {WHO, SESSION}
    assert len(rows) == 1 + sum(rows[-1]["row"].values())


def test_a_stranger_s_export_is_empty(client: TestClient) -> None:
    """Of somebody never heard of there is nothing, and it says so."""
    lines = client.get("/v1/users/nobody/export").text.splitlines()

    assert [json.loads(line) for line in lines] == [{"kind": "end", "row": {}}]


_DYING = """
import os, signal, sys
from inhouse.app.people import erasure
from inhouse.app.build import Services
from inhouse.app.people.erasure import Eraser
from inhouse.app.settings import load_settings

def die(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

holder, name = erasure, sys.argv[1]
while "." in name:
    part, _, name = name.partition(".")
    holder = getattr(holder, part)
setattr(holder, name, die)
eraser = erasure.Eraser(Services(load_settings()))
eraser.finish(eraser.wipe(sys.argv[2]))
"""


@pytest.mark.parametrize(
    "dies_in", ["Eraser._wipe_rows", "Eraser._erase_copies", "_nameless", "count_in"]
)
def test_an_erasure_that_was_killed_is_finished_by_the_worker(
    client: TestClient, services: Services, judge: Callable[[], None], dies_in: str
) -> None:
    """Whenever the process dies, whoever goes on leaves nothing behind."""
    _live(client, services, judge)
    folder = services.settings.folder
    environment = {**os.environ, "INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_APP_CLOCK": "log"}
    died = subprocess.run(
        [sys.executable, "-c", _DYING, dies_in, WHO], env=environment, check=False
    )
    eraser = Eraser(services)
    eraser.stale_s = -1.0
    went_on = eraser.go_on()
    services.feeds.catch_up()
    services.metrics.engagement(NOW_MS, 30)

    assert died.returncode == -signal.SIGKILL
    assert (went_on, eraser.go_on()) == (True, False)
    assert (_tables_with(folder, WHO), _files_with(folder, WHO), _memory_with(services, WHO)) == (
        [], [], [],
    )  # fmt: skip


def test_a_process_that_hears_late_does_not_revive_anybody(
    client: TestClient,
    services: Services,
    judge: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that had read events, but not folded them in when the person was erased, reads again."""
    _live(client, services, judge)
    late = Services(services.settings)
    late.feeds.start()
    post(client, "/v1/events", events=[event("like", WHO, "i20"), event("like", "other", "i20")])
    read, in_hand = late.log.read, [late.log.read(late.state.log_offset)]
    monkeypatch.setattr(late.log, "read", lambda *given: in_hand.pop() if in_hand else read(*given))
    client.delete(f"/v1/users/{WHO}")
    late.feeds.catch_up()
    found = (set(late.state.people), late.state.log_offset)
    late.close()

    assert in_hand == []
    assert found == ({"other", "c1"}, services.log.last_offset())


def test_a_learner_drops_its_examples(
    client: TestClient, services: Services, judge: Callable[[], None]
) -> None:
    """After an erasure, and after a reset, nothing that came before is rehearsed, in memory or in
    the learner's own checkpoint, also where that was written late."""
    _live(client, services, judge)
    path = services.settings.folder / "learner.bin"
    learner = Learner(
        services.logs, services.snapshots, services.clock, services.settings.learning, path
    )
    learner.step()
    course: Course = learner._course
    had = course.waiting()[0]
    receipt = client.delete(f"/v1/users/{WHO}").json()
    learner.keep()
    late = _files_with(services.settings.folder, WHO)
    learner.step()
    erased = course.waiting()[0]
    told = client.get(f"/v1/erasures/{receipt['erasure_id']}").json()["state"]
    post(client, "/v1/users/other/reset")
    learner.step()

    assert (had, erased, course.waiting()[0]) == (24, 8, 0)
    assert (receipt["state"], told) == ("told", "done")
    assert (late, _files_with(services.settings.folder, WHO)) == (["learner.bin"], [])
    assert path.exists()
