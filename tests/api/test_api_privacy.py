"""What a person may ask of their own data, over HTTP: reset, pause, export, erase."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from inhouse.app.build import Services
from inhouse.app.erasure import Eraser
from inhouse.core.ids import UserId
from inhouse.engagement import checkpoint as engagement_checkpoint
from inhouse.engagement.metrics import CHECKPOINT as ENGAGEMENT
from inhouse.features import checkpoint
from inhouse.features.candidates import leaning
from inhouse.learning.course import Course
from inhouse.learning.examples import Impressions
from inhouse.learning.learner import Learner
from inhouse.learning.snapshot import SnapshotFacts, TasteSnapshot, new_snapshot_id
from inhouse.learning.train_taste import TasteTrainer, TasteTraining
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.pairs import Pair, add_pairs

NOW_MS = 1_760_000_000_000
WHO = "person-zebra-4711"
SESSION = "session:quagga-0815"


def _post(client: TestClient, path: str, **body: Any) -> Any:
    response = client.post(path, json=body) if body else client.post(path)
    assert response.status_code == 200, response.text
    return response.json()


def _items(count: int) -> list[dict[str, Any]]:
    return [
        {
            "item_id": f"i{i}",
            "creator_id": f"c{i % 7}",
            "title": f"A post about {'tea' if i % 2 else 'chess'} number {i}",
            "topics": ["tea" if i % 2 else "chess"],
            "created_ms": NOW_MS + i,
        }
        for i in range(count)
    ]


_count = iter(range(1, 1_000_000))


def _event(kind: str, user: str, item: str | None = None, **more: Any) -> dict[str, Any]:
    number = next(_count)
    return {
        "event_id": f"{kind}-{user}-{number}",
        "at_ms": NOW_MS + 60_000 + number,
        "kind": kind,
        "user_id": user,
        "item_id": item,
        **more,
    }


def _ids(client: TestClient, user: str, query: str = "n=20") -> list[str]:
    page = client.get(f"/v1/feed/{user}?{query}").json()
    return [shown["item_id"] for shown in page["items"]]


@pytest.fixture
def community(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """Sixty judged posts, and somebody who likes tea."""
    _post(client, "/v1/items", items=_items(60))
    judge()
    liked = [_event("like", WHO, f"i{i}") for i in range(1, 21, 2)]
    _post(client, "/v1/events", events=liked)
    return client


def _topics(client: TestClient, user: str) -> list[str]:
    page = client.get(f"/v1/feed/{user}?n=10&detail=true").json()
    return [item["topics"][0] for item in page["items"]]


def test_a_reset_person_is_ranked_like_a_stranger(
    community: TestClient, services: Services
) -> None:
    """Before it tea leads; after it nothing of the taste is used, and seen posts stay away."""
    before = _topics(community, WHO)
    controls = _post(community, f"/v1/users/{WHO}/reset")
    page = community.get(f"/v1/feed/{WHO}?n=60").json()
    sources = {shown["source"] for shown in page["items"]}
    (logged,) = services.pages.pages_of(UserId(WHO), 1)

    assert before.count("tea") > 6
    assert controls["history"] == 0
    assert sources.isdisjoint({"taste", "similar", "explore"})
    assert all(shown.because == () for shown in logged.items)
    assert {shown["item_id"] for shown in page["items"]}.isdisjoint(
        f"i{i}" for i in range(1, 21, 2)
    )


def test_a_paused_page_is_the_same_whatever_was_done(community: TestClient) -> None:
    """The tea drinker, a chess player and a stranger get one page; resuming brings tea back."""
    chess = [_event("like", "chess-player", f"i{i}") for i in range(0, 20, 2)]
    _post(community, "/v1/events", events=chess)
    for user in (WHO, "chess-player", "stranger"):
        _post(community, f"/v1/users/{user}/pause")
    pages = [_ids(community, user) for user in (WHO, "chess-player", "stranger")]
    shown = community.get(f"/v1/feed/{WHO}").json()
    why = community.get(f"/v1/feed/{WHO}/why/{shown['items'][0]['item_id']}").json()
    controls = _post(community, f"/v1/users/{WHO}/resume")

    assert pages[0] == pages[1] == pages[2]
    assert len(pages[0]) == 20
    assert (shown["profiled"], controls["paused"], controls["history"]) == (False, False, 10)
    assert why["sentences"][0] == (
        "Personalisation is paused, so this page uses nothing of what you did."
    )
    assert _topics(community, WHO).count("tea") > 6


@pytest.mark.parametrize(
    ("wish", "undone", "gone"),
    [
        ({"kind": "mute", "target": "topic:tea"}, "unmute", "i57"),
        ({"kind": "mute", "target": "creator:c1"}, "unmute", "i57"),
        ({"kind": "mute", "target": "word:57"}, "unmute", "i57"),
        ({"kind": "block", "target": "creator:c1"}, "unblock", "i57"),
    ],
)
def test_a_wish_holds_from_the_next_page_until_it_is_taken_back(
    community: TestClient, wish: dict[str, str], undone: str, gone: str
) -> None:
    """A muted creator, topic or word and a blocked creator are gone at once, and back at once."""
    before = _ids(community, "u", "surface=latest&n=60")
    _post(community, "/v1/events", events=[_event(user="u", **wish)])
    during = _ids(community, "u", "surface=latest&n=60")
    why = community.get(f"/v1/feed/u/why/{gone}").json()
    _post(community, "/v1/events", events=[_event(undone, "u", target=wish["target"])])

    assert gone in before
    assert gone not in during
    assert why["detail"]["outcome"] == "removed"
    assert _ids(community, "u", "surface=latest&n=60") == before


def test_not_interested_and_see_more_move_the_taste_and_can_be_taken_back(
    community: TestClient, services: Services
) -> None:
    """More of chess lifts chess, a hidden tea post lowers tea; undone, all is as it was."""

    def leans() -> list[float]:
        table, person = services.state.items, services.state.person(UserId(WHO))
        topics = leaning(table, person, NOW_MS + 10**6).topics
        return [float(topics[table.topic_names.find(name)]) for name in ("tea", "chess")]

    before, page = leans(), _topics(community, WHO)
    wishes = [_event("more", WHO, f"i{i}") for i in range(30, 46, 2)]
    _post(community, "/v1/events", events=[*wishes, _event("hide", WHO, "i41")])
    moved, other = leans(), _topics(community, WHO)
    undone = [_event("undo", WHO, wish["item_id"]) for wish in wishes]
    _post(community, "/v1/events", events=[*undone, _event("undo", WHO, "i41")])

    assert moved[0] < before[0]
    assert moved[1] > before[1]
    assert page.count("chess") < other.count("chess")
    assert leans() == pytest.approx(before)


def test_a_session_is_linked_by_the_app_alone(community: TestClient) -> None:
    """An anonymous session has a feed of its own, and becomes a person only when that is said."""
    _post(community, "/v1/events", events=[_event("like", SESSION, "i1")])
    apart = community.get("/v1/users/ann/controls").json()["history"]
    linked = _post(community, f"/v1/users/ann/link/{SESSION}")
    again = community.post(f"/v1/users/ann/link/{SESSION}")
    faked = _post(community, "/v1/events", events=[_event("link", "bo", target=SESSION)])

    assert (apart, linked["history"]) == (0, 1)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown")
    assert (faked["stored"], faked["rejected"][0]["field"]) == (0, "kind")


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
    items = _items(30)
    items[3] |= {"creator_id": WHO, "text": "the words of a zebra"}
    _post(client, "/v1/items", items=items)
    _post(client, "/v1/users", users=[{"user_id": WHO, "name": "Zoe", "topics": ["tea"]}])
    arms = [{"key": "a", "settings": {"creator_cap": 3}}, {"key": "b", "settings": {}}]
    _post(client, "/v1/experiments", key="cap", arms=arms)
    judge()
    events = [_event("like", who, f"i{i}") for who in (WHO, SESSION, "other") for i in range(8)]
    events += [
        _event("follow", "other", target=f"creator:{WHO}"),
        _event("block", WHO, target="creator:c1"),
        _event("mute", WHO, target="word:secret"),
    ]
    _post(client, "/v1/events", events=events)
    for who in (WHO, SESSION, "other"):
        _post(client, "/v1/events", events=[_event("visit", who)])
        _ids(client, who)
    _post(client, f"/v1/users/{WHO}/link/{SESSION}")
    said = {"category": "spam", "note": "zebra says"}
    _post(client, "/v1/reports", item_id="i0", reporter_id=WHO, **said)
    _post(client, "/v1/reports", item_id="i3", reporter_id="other", category="spam")
    for _ in range(2):
        case = _post(client, "/v1/review/next", reviewer="ana")["case"]
        ruling = {"reviewer": "ana", "action": "remove", "category": "spam"}
        _post(client, f"/v1/review/{case['case_id']}/decide", **ruling)
    _post(client, "/v1/appeals", item_id="i3", user_id=WHO, words="zebra objects")
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
    _post(client, "/v1/events", events=[_event("like", WHO, "i5")])
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
from inhouse.app import erasure
from inhouse.app.build import Services
from inhouse.app.erasure import Eraser
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
    _post(client, "/v1/events", events=[_event("like", WHO, "i20"), _event("like", "other", "i20")])
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
    _post(client, "/v1/users/other/reset")
    learner.step()

    assert (had, erased, course.waiting()[0]) == (24, 8, 0)
    assert (receipt["state"], told) == ("told", "done")
    assert (late, _files_with(services.settings.folder, WHO)) == (["learner.bin"], [])
    assert path.exists()
