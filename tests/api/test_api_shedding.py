"""Load shedding over HTTP: what a page says, and a real server that more ask than it can serve."""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy.engine import Connection
from starlette.testclient import TestClient

from inhouse.api.context import Context
from inhouse.app.build import Services, open_services
from inhouse.app.feeds.shedding import Shedder
from inhouse.app.keys import SCOPES
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item, text_key
from inhouse.events.types import Event
from inhouse.moderation.types import Evidence, Label, PersonCall, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.recommend.levels import Level

NOW_MS = 1_760_000_000_000
POSTS, PEOPLE, CALLERS = 400, 40, 48
ENDED_S = 90.0


def _items() -> list[dict[str, Any]]:
    """Posts about tea and chess by twenty creators."""
    return [
        {
            "item_id": f"i{i}",
            "creator_id": f"c{i % 20}",
            "title": f"A post about {'tea' if i % 2 else 'chess'} number {i}",
            "topics": ["tea" if i % 2 else "chess"],
            "created_ms": NOW_MS + i,
        }
        for i in range(POSTS)
    ]


def _likes(people: int) -> list[dict[str, Any]]:
    """Everybody likes six posts, so that much is trending and everybody has a taste."""
    return [
        {
            "event_id": f"like-{person}-{k}",
            "at_ms": NOW_MS + 60_000 + person,
            "kind": "like",
            "user_id": f"u{person}",
            "item_id": f"i{(person * 7 + k * 11) % POSTS}",
        }
        for person in range(people)
        for k in range(6)
    ]


class _Set(Shedder):
    """At the level that the test wants."""

    def __init__(self, level: Level) -> None:
        super().__init__(1.0, time.perf_counter)
        self._level = level

    def turn(self, waited_s: float) -> Level:
        return self._level

    @property
    def level(self) -> Level:
        return self._level


def _set(client: TestClient, shedder: Shedder) -> None:
    context: Context = client.app.state.context  # type: ignore[attr-defined]
    context.turns.shedder = shedder


@pytest.fixture
def community(client: TestClient, judge: Callable[[], None]) -> TestClient:
    """With a taste and something that trends."""
    assert client.post("/v1/items", json={"items": _items()}).status_code == 200
    judge()
    assert client.post("/v1/events", json={"events": _likes(PEOPLE)}).status_code == 200
    return client


def test_a_page_under_load_says_so(community: TestClient) -> None:
    """In the answer, in the header, in the log that `why` reads, and in the metrics."""
    full = community.get("/v1/feed/u1")
    found = []
    for level in (1, 2, 3):
        _set(community, _Set(level))
        page = community.get("/v1/feed/u1")
        first = page.json()["items"][0]["item_id"]
        why = community.get(f"/v1/feed/u1/why/{first}?page={page.json()['page_id']}").json()
        found.append((page, why["detail"]["page"]))
    metrics = community.get("/metrics").text

    assert (full.json()["level"], full.headers["x-feed-level"]) == (0, "0")
    for level, (page, told) in enumerate(found, start=1):
        assert (page.json()["level"], page.headers["x-feed-level"]) == (level, str(level))
        assert told["level"] == level
        assert len(page.json()["items"]) == 20
        assert f'inhouse_feed_pages_total{{level="{level}",surface="for_you"}} 1.0' in metrics
    assert found[1][1]["kept_from"] == found[0][0].json()["page_id"]
    assert "inhouse_feed_level 3.0" in metrics
    assert "inhouse_feed_wait_seconds_count 4.0" in metrics


def test_whoever_is_turned_away_is_told_when_to_come_back(community: TestClient) -> None:
    """The last resort has the shape of every error, and the header that clients obey."""

    class Full(_Set):
        def is_hopeless(self, waiting: int) -> bool:
            return True

        def wait_s(self, waiting: int) -> float:
            return 2.5

    _set(community, Full(3))
    refused = community.get("/v1/feed/u1")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")
    assert refused.json()["error"]["code"] == "busy"
    assert refused.json()["error"]["message"] == (
        "a page would take more than 2 s; ask again after the seconds in `retry-after`"
    )
    assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]
    assert community.get("/v1/feed/u1/why/i1").status_code == 404
    assert community.get("/v1/healthz").status_code == 200


# A real server


def _fill(services: Services) -> None:
    """Write everything straight into the store, with verdicts, as other processes do."""
    items = [msgspec.convert(row, Item) for row in _items()]
    services.catalog.put_items(items)
    services.database.write(lambda connection: append_verdicts(connection, _verdicts(items, None)))
    services.log.append([msgspec.convert(row, Event) for row in _likes(PEOPLE)])


def _remove_a_fifth(connection: Connection) -> None:
    items = [msgspec.convert(row, Item) for row in _items()[::5]]
    call = PersonCall(action="remove", category="spam", name="ana")
    append_verdicts(connection, _verdicts(items, call))


def _verdicts(items: list[Item], call: PersonCall | None) -> list[Verdict]:
    return [
        Verdict(
            item_id=item.item_id,
            at_ms=item.created_ms,
            text_key=text_key(item.title, item.text),
            evidence=Evidence(labels=(Label(category="spam", p=0.01, source="test"),), person=call),
            decided_by="no rule" if call is None else "person:ana",
            policy_version="test",
        )
        for item in items
    ]


class Running:
    """A server process of this test's own."""

    def __init__(self, port: int, secret: str) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.headers = {"authorization": f"Bearer {secret}"}

    def call(self, method: str, path: str, body: object = None) -> str:
        """One answer's text; anything but 200 fails the test."""
        data = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, data, self.headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, text
        return text

    def metric(self, name: str) -> float:
        lines = self.call("GET", "/v1/metrics").splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


@contextmanager
def _server(folder: Path, secret: str) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "INHOUSE_STORE_FOLDER": str(folder),
        "INHOUSE_API_PORT": str(port),
        "INHOUSE_API_FEED_WAIT_MS": "3",
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_LOG_LEVEL": "warning",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "inhouse.api"], env=environment)
    try:
        running = Running(port, secret)
        _until(lambda: _is_ready(running), "the server's readiness")
        yield running
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(running: Running) -> bool:
    try:
        running.call("GET", "/v1/readyz")
    except OSError:
        return False
    return True


def _until(true: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + ENDED_S
    while not true():
        assert time.monotonic() < end_s, f"{what} did not come within {ENDED_S:g} s"
        time.sleep(0.1)


async def _crowd(running: Running, seconds: float) -> tuple[Counter[int], list[dict[str, Any]]]:
    """Many who ask without pause; how they were answered, and all pages."""
    statuses: Counter[int] = Counter()
    pages: list[dict[str, Any]] = []
    end_s = time.monotonic() + seconds

    async def ask(session: aiohttp.ClientSession, number: int) -> None:
        while time.monotonic() < end_s:
            person = f"u{number % PEOPLE}"
            async with session.get(f"{running.url}/v1/feed/{person}?n=10") as response:
                statuses[response.status] += 1
                page = await response.json()
                assert response.headers["x-feed-level"] == str(page["level"])
                pages.append({**page, "user": person})

    connector = aiohttp.TCPConnector(limit=CALLERS)
    async with aiohttp.ClientSession(headers=running.headers, connector=connector) as session:
        await asyncio.gather(*(ask(session, number) for number in range(CALLERS)))
    return statuses, pages


@pytest.mark.slow
def test_a_server_that_more_ask_than_it_can_serve(tmp_path: Path) -> None:
    """No error, less work, nothing that was taken down or muted, and full pages afterwards."""
    folder = tmp_path / "data"
    settings = load_settings(
        {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_APP_CLOCK": "log"}, tmp_path / "none.toml"
    )
    with open_services(settings) as services:
        secret = services.keys.create("tests", SCOPES)[1]
        _fill(services)
    with _server(folder, secret) as running:
        for person in range(PEOPLE):  # each has a page whose reserve is full
            running.call("GET", f"/v1/feed/u{person}?n=10")
        mutes = [
            {
                "event_id": f"mute-{person}",
                "at_ms": NOW_MS + 120_000,
                "kind": "mute",
                "user_id": f"u{person}",
                "target": f"creator:c{person % 20}",
            }
            for person in range(PEOPLE)
        ]
        running.call("POST", "/v1/events", {"events": mutes})
        with open_services(settings) as services:
            services.database.write(_remove_a_fifth)
        time.sleep(1.0)  # the server hears of it within a tenth of that
        statuses, pages = asyncio.run(_crowd(running, 4.0))
        _until(lambda: running.metric("inhouse_feed_level") == 0, "level 0")
        after = json.loads(running.call("GET", "/v1/feed/u1?n=10"))

    levels = Counter(page["level"] for page in pages)
    assert set(statuses) == {200}
    assert levels[2] + levels[3] > 0, levels
    assert after["level"] == 0
    for page in pages:
        for shown in page["items"]:
            i = int(shown["item_id"][1:])
            assert i % 5, page
            assert f"c{i % 20}" != f"c{int(page['user'][1:]) % 20}", page
