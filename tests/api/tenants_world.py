"""Random communities for the property test: what is written to each, and all that can be read."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from starlette.testclient import TestClient

from inhouse.api.server import create_app
from inhouse.app import communities
from inhouse.app.build import Services, open_services
from inhouse.app.keys import SCOPES
from inhouse.app.settings import Settings, load_settings
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.types import Attempt

NOW_MS = 1_760_000_000_000
ITEMS = ("i0", "i1", "i2", "i3")
PEOPLE = ("ana", "bo", "cleo")
SURFACES = ("for_you", "following", "latest", "trending", "similar")
MOST_COMMUNITIES = 3


@dataclass(frozen=True, kw_only=True)
class Life:
    """What happens in one community; the same ids happen in the others."""

    items: tuple[tuple[str, str], ...]  # of whom
    people: tuple[str, ...]  # with a record
    events: tuple[tuple[str, str, str], ...]  # kind, person, item
    reports: tuple[tuple[str, str], ...]  # person, item
    calls: int  # of a rented model


@st.composite
def _life(draw: st.DrawFn) -> Life:
    made = draw(st.lists(st.sampled_from(ITEMS), unique=True))
    people = st.sampled_from(PEOPLE)
    some = st.sampled_from(made) if made else st.nothing()
    kinds = st.sampled_from(("like", "click", "save", "hide"))
    return Life(
        items=tuple((item, draw(people)) for item in made),
        people=tuple(draw(st.lists(people, unique=True))),
        events=tuple(draw(st.lists(st.tuples(kinds, people, some), max_size=6)) if made else ()),
        reports=tuple(draw(st.lists(st.tuples(people, some), max_size=2)) if made else ()),
        calls=draw(st.integers(0, 2)),
    )


_NAMES = st.from_regex(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,9}", fullmatch=True).filter(
    communities.is_valid_name
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Life]:
    """The community without a name and up to three with one, each with a life of its own."""
    names = draw(st.lists(_NAMES, min_size=1, max_size=MOST_COMMUNITIES, unique=True))
    return {name: draw(_life()) for name in ("", *names)}


def mark(name: str) -> str:
    """Stands in everything that is written to a community, and in nothing of another."""
    return f"mark:{name}:"


@dataclass
class World:
    """An installation in this process, with a key for each community."""

    home: Settings
    client: TestClient
    keys: dict[str, str] = field(default_factory=dict)

    def settings(self, name: str) -> Settings:
        """Of one community."""
        return communities.settings_of(self.home, name) if name else self.home

    def ask(self, name: str, method: str, path: str, **more: Any) -> Any:
        """A request with the community's key."""
        headers = {"authorization": f"Bearer {self.keys[name]}"}
        return self.client.request(method, path, headers=headers, **more)

    def send(self, name: str, path: str, body: Any) -> Any:
        """Write; it must be taken."""
        response = self.ask(name, "POST", path, json=body)
        assert response.status_code == 200, response.text
        return response.json()


@contextlib.contextmanager
def world(folder: Path, names: Sequence[str]) -> Iterator[World]:
    """An installation with these communities, served."""
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder / "data"),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_MODELS_VENDORS": str(folder / "vendors.toml"),
    }
    home = load_settings(environment, folder / "none.toml")
    keys = {}
    for name in names:
        settings = communities.add(home, name) if name else home
        with open_services(settings) as services:
            _, keys[name] = services.keys.create(mark(name), SCOPES)
    with TestClient(create_app(Services(home)), raise_server_exceptions=False) as client:
        yield World(home=home, client=client, keys=keys)


def live(made: World, name: str, life: Life) -> None:
    """Write a life through the API; the worker's part is done as the worker does it."""
    items = [
        {
            "item_id": item,
            "creator_id": who,
            "title": f"{mark(name)} {item}",
            "topics": [mark(name)],
            "created_ms": NOW_MS,
        }
        for item, who in life.items
    ]
    made.send(name, "/v1/items", {"items": items})
    users = [{"user_id": who, "name": mark(name)} for who in life.people]
    made.send(name, "/v1/users", {"users": users})
    events = [
        {
            "event_id": f"e{number}",
            "at_ms": NOW_MS + number,
            "kind": kind,
            "user_id": who,
            "item_id": item,
        }
        for number, (kind, who, item) in enumerate(life.events)
    ]
    made.send(name, "/v1/events", {"events": events})
    for who, item in life.reports:
        report = {"item_id": item, "reporter_id": who, "category": "other", "note": mark(name)}
        made.send(name, "/v1/reports", report)
    arms = [{"key": "a"}, {"key": "b"}]
    made.send(name, "/v1/experiments", {"key": "e", "question": mark(name), "arms": arms})
    rule = {"action": "boost", "target": "topic:t", "reason": mark(name), "factor": 2.0}
    made.send(name, "/v1/rules", rule)
    with open_services(made.settings(name)) as services:
        calls = [_call(name, number) for number in range(life.calls)]
        services.database.write(lambda connection: append_attempts(connection, calls))
        asyncio.run(services.moderator.scan())


def _call(name: str, number: int) -> Attempt:
    return Attempt(
        call_id=f"c{number}",
        at_ms=NOW_MS,
        task="text_harm",
        role="primary",
        deployment="main",
        host=mark(name),
        owner=mark(name),
        model=mark(name),
        inputs=1,
        answered=1,
        usage=None,
        cost_usd=Decimal("0.25"),
        price_version=None,
        latency_ms=1.0,
        outcome="ok",
        simulated=False,
    )


def readings(made: World, name: str) -> dict[str, tuple[int, str]]:
    """Everything that a key can read, by path: status and words."""
    return {path: _read(made, name, path) for path in _paths()}


def _paths() -> list[str]:
    paths = [f"/v1/{kind}/{item}" for kind in ("items", "verdicts") for item in ITEMS]
    for who in PEOPLE:
        paths += [f"/v1/users/{who}", f"/v1/users/{who}/controls"]
        for surface in SURFACES:
            similar = "&item=i0" if surface == "similar" else ""
            paths.append(f"/v1/feed/{who}?detail=true&surface={surface}{similar}")
        paths.append(f"/v1/feed/{who}/why/i0")
        paths.append(f"/v1/users/{who}/export")
    paths += ["/v1/review", "/v1/review?state=closed", "/v1/appeals", "/v1/rules", "/v1/bill"]
    paths += [f"/v1/review/{name}" for name in ("queues", "gold", "quality", "bulk")]
    return [*paths, "/v1/experiments", "/v1/experiments/e/results", "/v1/engagement", "/v1/state"]


def _read(made: World, name: str, path: str) -> tuple[int, str]:
    response = made.ask(name, "GET", path)
    return response.status_code, response.text


def kept(made: World, name: str) -> dict[str, object]:
    """What asking does not change: without pages, whose ids and times are new each time."""
    steady = ("/v1/items", "/v1/users", "/v1/verdicts", "/v1/review", "/v1/bill")
    read = {path: _read(made, name, path) for path in _paths() if path.startswith(steady)}
    return {
        path: sorted(line for line in words.splitlines() if line.startswith(_STEADY))
        if path.endswith("/export")
        else (status, words if status == 200 else "")
        for path, (status, words) in read.items()
    }


_STEADY = tuple(f'{{"kind":"{kind}"' for kind in ("profile", "event", "post", "report", "verdict"))
