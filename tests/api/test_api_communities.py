"""Several communities behind one API: none sees, reaches or slows another."""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tenants_world
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tenants_world import ITEMS, PEOPLE, Life, World, kept, live, mark, readings, worlds

from inhouse.api import house
from inhouse.api.server import create_app
from inhouse.app import communities
from inhouse.app.build import Services, open_services
from inhouse.app.keys import SCOPES

QUIET = Life(items=(("i0", "ana"),), people=("ana",), events=(), reports=(), calls=0)


def _given(read: dict[str, tuple[int, str]], path: str) -> Any:
    status, words = read[path]
    return json.loads(words) if status == 200 else None


def _exported(read: dict[str, tuple[int, str]], kind: str) -> int:
    """How many lines of a kind the exports of all people have."""
    lines = [line for who in PEOPLE for line in read[f"/v1/users/{who}/export"][1].splitlines()]
    return sum(json.loads(line)["kind"] == kind for line in lines)


def _expect_only_its_own(read: dict[str, tuple[int, str]], name: str, life: Life) -> None:
    """What one key reads is what was written to its community: no more, no less."""
    made = {item for item, _ in life.items}
    hidden = {item for kind, _, item in life.events if kind == "hide"}
    seen: Counter[str] = Counter()
    for who in PEOPLE:
        page = _given(read, f"/v1/feed/{who}?detail=true&surface=latest")
        assert {shown["item_id"] for shown in page["items"]} <= made
        assert all(shown["title"].startswith(mark(name)) for shown in page["items"])
        seen.update(shown["item_id"] for shown in page["items"])
    acted = {(who, item) for _, who, item in life.events} | set(life.reports)
    calm = {item for item in made - hidden if not any(other == item for _, other in acted)}
    assert calm <= seen.keys()
    assert {item for item in ITEMS if read[f"/v1/items/{item}"][0] == 200} == made
    assert {who for who in PEOPLE if read[f"/v1/users/{who}"][0] == 200} == set(life.people)
    assert _exported(read, "post") == len(made)
    assert _exported(read, "event") == len(life.events) + len(life.reports)
    assert _exported(read, "report") == len(life.reports)
    bill = _given(read, "/v1/bill")
    calls = life.calls if life.items else 0  # time follows the log: without any it is 1970
    assert {line["key"] for line in bill["hosts"]} == ({mark(name)} if calls else set())
    assert float(bill["spend_usd"]) == 0.25 * calls
    assert [e["question"] for e in _given(read, "/v1/experiments")] == [mark(name)]
    assert [rule["reason"] for rule in _given(read, "/v1/rules")] == [mark(name)]
    assert _given(read, "/v1/state")["items"] == len(made)


@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each world takes seconds
    suppress_health_check=list(HealthCheck),
)
@given(lives=worlds(), data=st.data())
def test_no_key_reads_anything_of_another_community(
    lives: dict[str, Life], data: st.DataObject
) -> None:
    """Whatever is written where, in whatever order: each key finds all of its own community and no
    word of another, a key with another's name is unknown, and who is erased in one stays in the
    others."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tenants_world.world(Path(folder), list(lives)) as made,
    ):
        for name in data.draw(st.permutations(list(lives))):
            live(made, name, lives[name])
        _until_heard(made, lives)
        read = {name: readings(made, name) for name in lives}
        for name, life in lives.items():
            words = " ".join(told for _, told in read[name].values())
            assert [other for other in lives if mark(other) in words and other != name] == []
            _expect_only_its_own(read[name], name, life)
        _expect_swapped_keys_to_be_unknown(made)
        _erase_in_one(made, data, lives)


def _until_heard(made: World, lives: dict[str, Life]) -> None:
    """Verdicts were written beside the API; it hears of them at the next look."""
    for name in lives:
        made.client.app.state.context.house.of_key(made.keys[name]).services.feeds.catch_up()


def _expect_swapped_keys_to_be_unknown(made: World) -> None:
    for key in made.keys.values():
        secret = key.removeprefix("inh_").rpartition(".")[2]
        for other in made.keys:
            swapped = f"inh_{other}.{secret}" if other else f"inh_{secret}"
            if swapped == key:
                continue
            headers = {"authorization": f"Bearer {swapped}", "x-community": other}
            refused = made.client.get("/v1/items/i0", headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "no_key")


def _erase_in_one(made: World, data: st.DataObject, lives: dict[str, Life]) -> None:
    name, who = data.draw(st.sampled_from(list(lives))), data.draw(st.sampled_from(PEOPLE))
    before = {other: kept(made, other) for other in lives}
    assert made.ask(name, "DELETE", f"/v1/users/{who}").status_code == 200
    after = {other: kept(made, other) for other in lives}
    assert {other: after[other] == before[other] for other in lives if other != name} == {
        other: True for other in lives if other != name
    }
    assert after[name][f"/v1/users/{who}/export"] == []


@pytest.fixture
def two(tmp_path: Path) -> Iterator[World]:
    """The community without a name and `tea`, each with one post."""
    with tenants_world.world(tmp_path, ["", "tea"]) as made:
        for name in ("", "tea"):
            live(made, name, QUIET)
        yield made


@pytest.mark.parametrize(
    "key", ["inh_coffee.x", "inh_../tea.x", "inh_tea.", "inh_.x", "inh_tea", "tea", "inh_TEA.x"]
)
def test_a_key_of_no_community_is_unknown(two: World, key: str) -> None:
    """The answer does not tell whether there is such a community."""
    refused = two.client.get("/v1/items/i0", headers={"authorization": f"Bearer {key}"})
    unknown = two.client.get("/v1/items/i0", headers={"authorization": "Bearer inh_x"})
    strip = {"request_id": None}

    assert refused.status_code == 401
    assert {**refused.json()["error"], **strip} == {**unknown.json()["error"], **strip}


def test_keys_say_whose_they_are_and_old_ones_stay_good(two: World) -> None:
    """A named community's key has the name in clear; one without a name is as it always was."""
    assert two.keys["tea"].startswith("inh_tea.")
    assert "." not in two.keys[""]
    assert two.ask("", "GET", "/v1/items/i0").json()["title"] == "mark:: i0"
    assert two.ask("tea", "GET", "/v1/items/i0").json()["title"] == "mark:tea: i0"


def _replace(file: Path, body: bytes) -> None:
    """Put another file in its place. One that is cut short while SQLite has it mapped takes the
    whole process down (SIGBUS), which is no fault that a server could answer."""
    beside = file.with_name("beside")
    beside.write_bytes(body)
    beside.replace(file)


def test_a_broken_database_is_503_there_and_nowhere_else(
    two: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One community's file is torn under the running server; the other is served as before.

    Until its follower hears of it, what is in memory is still served there, and that it could not
    be logged is counted.
    """
    with open_services(two.settings("tea")) as services:
        services.log.last_offset()
    served = two.client.app.state.context.house.of_key(two.keys["tea"])
    monkeypatch.setattr(served.services.feeds.follower, "catch_up", lambda: None)
    file = two.settings("tea").folder / "inhouse.db"
    for part in file.parent.glob("inhouse.db*"):
        _replace(part, b"not a database" * 1_000)
    served.services.database.engine.dispose()
    time.sleep(2.2)  # what is asked of the store again every two seconds is asked now
    fed = two.ask("tea", "GET", "/v1/feed/ana")
    paths = ("/v1/items/i0", "/v1/feed/ana/why/i0")
    broken = [two.ask("tea", "GET", path) for path in paths]
    again = two.ask("tea", "GET", "/v1/feed/ana")
    whole = [two.ask("", "GET", path) for path in ("/v1/feed/ana", "/v1/items/i0")]

    assert [(r.status_code, r.json()["error"]["code"]) for r in broken] == [
        (503, "store_refused")
    ] * 2
    assert [fed.status_code, again.status_code] == [200, 200]
    assert served.services.feeds.lost_pages == 1
    assert [r.status_code for r in whole] == [200, 200]


def test_a_community_that_cannot_be_opened_leaves_the_others_whole(tmp_path: Path) -> None:
    """Broken before the start, mended while the server runs: 503, then served."""
    with tenants_world.world(tmp_path, ["", "tea", "chess"]) as made:
        live(made, "tea", QUIET)
        home = made.home
        file = communities.settings_of(home, "tea").folder / "inhouse.db"
        keys = made.keys
    whole = file.read_bytes()
    file.write_bytes(b"not a database" * 1_000)
    (home.folder / "communities" / "chess" / "inhouse.toml").write_text("[store]\nfolder = '/'\n")
    with TestClient(create_app(Services(home)), raise_server_exceptions=False) as client:
        made = World(home=home, client=client, keys=keys)
        first = {name: made.ask(name, "GET", "/v1/feed/ana").status_code for name in keys}
        health = client.get("/readyz").json()
        _replace(file, whole)
        client.portal.call(asyncio.sleep, house.LOOK_EVERY_S + 1)
        then = {name: made.ask(name, "GET", "/v1/feed/ana").status_code for name in keys}

    assert first == {"": 200, "tea": 503, "chess": 401}
    assert (health["ok"], health["communities"], health["failing"]) == (True, 3, 2)
    assert then == {"": 200, "tea": 200, "chess": 401}


def test_health_invents_nothing_of_a_home_that_cannot_be_opened(tmp_path: Path) -> None:
    """What is not known is null, and the others are served."""
    with tenants_world.world(tmp_path, ["", "tea"]) as made:
        live(made, "tea", QUIET)
        home, keys = made.home, made.keys
    (home.folder / "inhouse.db").write_bytes(b"not a database" * 1_000)
    with TestClient(create_app(Services(home)), raise_server_exceptions=False) as client:
        health = client.get("/readyz").json()
        served = World(home=home, client=client, keys=keys).ask("tea", "GET", "/v1/feed/ana")

    unknown = dict.fromkeys(("items", "people", "log_offset", "snapshot_id"))
    assert health == {
        "ok": True,
        "communities": 2,
        "failing": 1,
        "keeping_rules": 0,
        **unknown,
    }
    assert served.status_code == 200


def test_communities_come_and_go_while_the_server_runs(two: World) -> None:
    """An added one is served and a removed one unknown within seconds; restored, all is there."""
    coffee = communities.add(two.home, "coffee")
    with open_services(coffee) as services:
        _, two.keys["coffee"] = services.keys.create("app", SCOPES)
    communities.remove(two.home, "tea")
    two.client.portal.call(asyncio.sleep, house.LOOK_EVERY_S + 1)
    then = {name: two.ask(name, "GET", "/v1/state").status_code for name in two.keys}
    communities.restore(two.home, "tea")
    two.client.portal.call(asyncio.sleep, house.LOOK_EVERY_S + 1)

    assert then == {"": 200, "tea": 401, "coffee": 200}
    assert two.ask("tea", "GET", "/v1/items/i0").json()["title"] == "mark:tea: i0"


def test_what_needs_no_key_names_no_community(two: World) -> None:
    """Health and metrics tell of the one without a name, and how many there are."""
    items = [{"item_id": item, "creator_id": "ana", "title": "t"} for item in ITEMS]
    two.send("tea", "/v1/items", {"items": items})
    told = {path: two.client.get(path).text for path in ("/healthz", "/readyz", "/metrics")}
    health = json.loads(told["/healthz"])

    assert all("tea" not in words for words in told.values())
    assert (health["items"], health["communities"], health["failing"]) == (1, 2, 0)
    assert 'inhouse_state{fact="communities"} 2.0' in told["/metrics"]
    assert 'inhouse_state{fact="items"} 1.0' in told["/metrics"]
    assert two.ask("tea", "GET", "/v1/state").json()["items"] == 4


def test_only_routes_that_check_a_key_reach_a_community(two: World) -> None:
    """Every endpoint but those of health and a format's description answers 401 to who has no key,
    in Perspective's format 403."""
    open_ones = {"/v1/healthz", "/v1/readyz", "/v1/metrics", "/$discovery/rest"}
    answers = {}
    for path, methods in two.client.app.openapi()["paths"].items():
        for method in methods:
            body = {"json": {}} if method == "post" else {}
            answers[method, path] = two.client.request(method.upper(), path, **body).status_code

    assert {path for (_, path), status in answers.items() if status == 200} == open_ones
    closed = {pair: status for pair, status in answers.items() if pair[1] not in open_ones}
    perspective = {pair for pair in closed if pair[1].startswith("/v1alpha1/")}
    assert {closed.pop(pair) for pair in perspective} == {403}
    assert set(closed.values()) <= {401, 400}


def test_a_browser_app_of_any_community_may_call(two: World) -> None:
    """Origins are heard of as communities come; nobody else's page may call."""

    def allowed(origin: str) -> str | None:
        answer = two.client.get("/healthz", headers={"origin": origin})
        return answer.headers.get("access-control-allow-origin")

    before = allowed("http://127.0.0.1:8711")
    communities.add(two.home, "coffee", console_port=8711)
    two.client.portal.call(asyncio.sleep, house.LOOK_EVERY_S + 1)

    assert before is None
    assert allowed("http://127.0.0.1:8711") == "http://127.0.0.1:8711"
    assert allowed("http://elsewhere.example") is None


def test_one_communitys_flood_lets_another_in(tmp_path: Path) -> None:
    """With 200 requests of one waiting, another's is answered before most of them are."""
    with tenants_world.world(tmp_path, ["", "tea"]) as made:
        for name in ("", "tea"):
            live(made, name, QUIET)
        home, keys = made.home, made.keys
    done: list[str] = asyncio.run(_flood(create_app(Services(home)), keys))

    assert len(done) == 201
    assert done.index("tea") < 100


async def _flood(app: Any, keys: dict[str, str]) -> list[str]:
    done: list[str] = []

    async def ask(client: httpx.AsyncClient, name: str, path: str) -> None:
        headers = {"authorization": f"Bearer {keys[name]}"}
        answer = await client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        done.append(name)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client,
    ):
        await asyncio.gather(
            *(ask(client, "", f"/v1/feed/p{number}") for number in range(200)),
            ask(client, "tea", "/v1/feed/ana"),
        )
    return done
