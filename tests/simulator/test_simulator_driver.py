"""Playing against a server that only remembers."""

import asyncio
import io
import json
import shutil
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from simulator_fakes import START_MS, FakeServer, by_popularity, serving, small_world
from simulator_fakes import play as play_alone

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.errors import AccessError, InhouseError, InputError
from inhouse.simulator import checkpoint
from inhouse.simulator.__main__ import open_world
from inhouse.simulator.checkpoint import Origin, Progress
from inhouse.simulator.client import Api, StoppedError
from inhouse.simulator.driver import Driver, Plan
from inhouse.simulator.wire import item_row, person_id, post_id, post_number, user_row
from inhouse.simulator.world import World

ORIGIN = Origin(seed=4, people=48, posts=150, start_ms=START_MS)


def plan_in(folder: Path, days: int = 1) -> Plan:
    return Plan(
        origin=ORIGIN,
        state=folder / "state.json",
        truth=folder / "truth.json",
        media_url="http://127.0.0.1:1/media",
        replies=False,
        days=days,
        pace_s=0.0,
        live_pace_s=None,
        in_flight=4,
    )


async def play(fake: FakeServer, plan: Plan, stop: asyncio.Event | None = None) -> str:
    """One run of the driver, from its checkpoint or from the start; what it printed."""
    out = io.StringIO()
    stop = stop or asyncio.Event()
    async with serving(fake.app()) as server:
        api = Api(url=str(server.make_url("/")), key="k", stop=stop, retry_s=20)
        async with api:
            world, progress = open_world(plan)
            await Driver(plan, world, progress, api, stop).play(out)
    return out.getvalue()


def behaviour(fake: FakeServer) -> list[tuple[Any, ...]]:
    """Who did what with what, without the times that hang on the server's clock."""
    names = ("event_id", "kind", "user_id", "item_id", "target", "value", "position")
    return sorted(tuple(str(row.get(name)) for name in names) for row in fake.events.values())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeServer, Path, str]:
    """One day played without interruption."""
    folder, fake = tmp_path_factory.mktemp("whole"), FakeServer()
    printed = asyncio.run(play(fake, plan_in(folder)))
    return fake, folder, printed


def test_people_and_posts_are_introduced(whole: tuple[FakeServer, Path, str]) -> None:
    """Everybody and everything is created with readable words and nothing of the hidden truth."""
    fake, _, _ = whole
    assert len(fake.users) >= ORIGIN.people
    assert len(fake.items) >= ORIGIN.posts
    item = fake.items[post_id(0)]
    assert set(item) == {
        "item_id",
        "creator_id",
        "kind",
        "title",
        "text",
        "topics",
        "language",
        "region",
        "media_url",
        "duration_ms",
        "created_ms",
    }
    assert item["media_url"] == "http://127.0.0.1:1/media/post-000000.svg"
    assert fake.users[item["creator_id"]]["is_creator"] is True
    assert item["created_ms"] < START_MS
    posted = [row for row in fake.items.values() if row["created_ms"] >= START_MS]
    assert posted
    assert all(row["created_ms"] < START_MS + DAY_MS for row in posted)


def test_replies_change_nothing_but_themselves(
    whole: tuple[FakeServer, Path, str], tmp_path: Path
) -> None:
    """With them the same people do the same; each answers something posted before it in its
    hour, and whoever sends them twice sends the same."""
    fake, folder, _ = whole
    answered = FakeServer()
    asyncio.run(play(answered, replace(plan_in(tmp_path), replies=True)))
    replies = {name: row for name, row in answered.items.items() if "reply_to" in row}

    assert {name: row for name, row in answered.items.items() if name not in replies} == fake.items
    assert behaviour(answered) == behaviour(fake)
    assert json.loads((tmp_path / "truth.json").read_bytes()) == json.loads(
        (folder / "truth.json").read_bytes()
    )
    assert len(replies) > 0.1 * ORIGIN.posts
    assert {row["reply_to"].partition("-")[0] for row in replies.values()} == {"post", "reply"}
    for row in replies.values():
        above = answered.items[row["reply_to"]]
        assert above["created_ms"] <= row["created_ms"]
        assert above["created_ms"] // HOUR_MS == row["created_ms"] // HOUR_MS
        assert row["text"]
        assert row["creator_id"] in answered.users


def test_events_name_known_things_and_belong_to_pages(whole: tuple[FakeServer, Path, str]) -> None:
    """Each event has a person; each but the visit has a page; times have values."""
    fake, _, _ = whole
    kinds = {row["kind"] for row in fake.events.values()}
    assert {"visit", "impression", "click", "dwell", "watch", "like"} <= kinds
    for row in fake.events.values():
        assert row["user_id"] in fake.users
        assert START_MS <= row["at_ms"] < START_MS + DAY_MS + 3_600_000
        if row["kind"] == "visit":
            continue
        assert row["page_id"].startswith("page.")
        if row["kind"] == "follow":
            assert row["target"].removeprefix("creator:") in fake.users
        else:
            assert row["item_id"] in fake.items
        assert ("value" in row) == (row["kind"] in ("dwell", "watch"))


def test_reports_come_with_a_category(whole: tuple[FakeServer, Path, str]) -> None:
    """A report goes to /v1/reports alone, which tells the log of it; each names a category."""
    fake, _, _ = whole
    kinds = {row["kind"] for row in fake.events.values()}
    assert "report" not in kinds
    assert fake.reports
    assert all(row["category"] for row in fake.reports)


def test_never_more_in_flight_than_allowed(whole: tuple[FakeServer, Path, str]) -> None:
    """The server never sees more people at once than the plan allows."""
    fake, _, _ = whole
    assert 1 <= fake.most_at_once <= 4


def test_progress_is_one_json_line_an_hour(whole: tuple[FakeServer, Path, str]) -> None:
    """A program can follow the play."""
    fake, _, printed = whole
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [(line["sim_day"], line["hour"]) for line in lines] == [(0, h) for h in range(24)]
    assert sum(line["pages"] for line in lines) == fake.served
    assert sum(line["events"] for line in lines) == len(fake.events)
    assert sum(line["visits"] for line in lines) == sum(
        row["kind"] == "visit" for row in fake.events.values()
    )


def test_the_true_report_knows_how_close_the_feed_came(
    whole: tuple[FakeServer, Path, str],
) -> None:
    """By arm and for all: pages, satisfaction between chance and best, true hazards."""
    fake, folder, _ = whole
    report = json.loads((folder / "truth.json").read_text())
    assert set(report["groups"]) == {"all", "feed=a", "feed=b"}
    everybody = report["groups"]["all"]
    assert everybody["pages"] == fake.served
    assert everybody["pages"] == sum(report["groups"][f"feed={arm}"]["pages"] for arm in "ab")
    assert everybody["random_satisfaction"] + 0.3 < everybody["best_satisfaction"]
    assert abs(everybody["closeness_to_best"]) < 0.2
    assert 0 < everybody["churn_hazard_per_day"] < 1
    assert everybody["next_day_return"] is None


def test_the_same_seed_plays_the_same(whole: tuple[FakeServer, Path, str], tmp_path: Path) -> None:
    """Another run against another server does the same, however many are in flight."""
    fake = FakeServer()
    asyncio.run(play(fake, replace(plan_in(tmp_path), in_flight=1)))
    assert behaviour(fake) == behaviour(whole[0])
    assert fake.items == whole[0].items
    truths = [(folder / "truth.json").read_text() for folder in (tmp_path, whole[1])]
    assert truths[0] == truths[1]


def test_stopped_and_gone_on_equals_uninterrupted(
    whole: tuple[FakeServer, Path, str], tmp_path: Path
) -> None:
    """Stops in the middle of hours, each followed by a new process, change nothing."""
    fake = FakeServer()

    def stop_each_23rd(stop: asyncio.Event, pages: int) -> None:
        if pages % 23 == 0:
            stop.set()

    async def interrupted() -> int:
        runs = 0
        while True:
            stop = asyncio.Event()
            fake.after_page = partial(stop_each_23rd, stop)
            await play(fake, plan_in(tmp_path), stop)
            runs += 1
            if not stop.is_set():
                return runs

    assert asyncio.run(interrupted()) > 2
    assert fake.repeated == 0
    assert behaviour(fake) == behaviour(whole[0])
    assert fake.items == whole[0].items
    states = [checkpoint.load(folder / "state.json", ORIGIN) for folder in (tmp_path, whole[1])]
    for name in ("taste", "satisfaction", "churned", "visits", "recent_post"):
        np.testing.assert_array_equal(*(getattr(world.moods, name) for world, _ in states))
    np.testing.assert_array_equal(*(world.careers.today for world, _ in states))
    assert states[0][0].seen == states[1][0].seen
    assert states[0][1].truth == states[1][1].truth


def test_a_killed_process_goes_on_from_the_last_hour(
    whole: tuple[FakeServer, Path, str], tmp_path: Path
) -> None:
    """From an older checkpoint the hours after it are played again; known people stay known."""
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    _, progress = checkpoint.load(tmp_path / "state.json", ORIGIN)
    fake = FakeServer(users=dict(whole[0].users), items=dict(whole[0].items))
    asyncio.run(play(fake, plan_in(tmp_path, days=2)))
    visits = [row["at_ms"] for row in fake.events.values() if row["kind"] == "visit"]
    assert progress.hour == 24
    assert min(visits) >= START_MS + DAY_MS


def test_a_server_that_lost_everything_is_told_again(
    whole: tuple[FakeServer, Path, str], tmp_path: Path
) -> None:
    """A checkpoint against an empty server introduces people and posts anew."""
    shutil.copytree(whole[1], tmp_path, dirs_exist_ok=True)
    fake = FakeServer()
    asyncio.run(play(fake, plan_in(tmp_path)))
    assert fake.users.keys() == whole[0].users.keys()
    assert fake.items == whole[0].items


def test_failures_lose_nothing_and_double_nothing(
    whole: tuple[FakeServer, Path, str], tmp_path: Path
) -> None:
    """Batches that were stored but answered with 503 are sent again under the same ids."""
    fake = FakeServer(answers_503=5)
    asyncio.run(play(fake, plan_in(tmp_path)))
    assert fake.repeated > 5
    assert behaviour(fake) == behaviour(whole[0])


def test_people_live_on_until_stopped(tmp_path: Path) -> None:
    """With a live pace the play goes on after its days and ends cleanly when told to."""
    fake, stop = FakeServer(), asyncio.Event()

    async def live() -> str:
        asyncio.get_running_loop().call_later(1.0, stop.set)
        return await play(fake, replace(plan_in(tmp_path, days=0), live_pace_s=0.05), stop)

    lines = [json.loads(line) for line in asyncio.run(live()).splitlines()]
    assert lines
    assert all(line["live"] for line in lines)
    assert all(line["wall_s"] >= 0.05 for line in lines[:-1])
    _, progress = checkpoint.load(tmp_path / "state.json", ORIGIN)
    assert progress.hour in (len(lines), len(lines) - 1)


def test_a_checkpoint_of_another_community_is_refused(
    whole: tuple[FakeServer, Path, str],
) -> None:
    """The message names both communities and the way out."""
    other = replace(plan_in(whole[1]), origin=replace(ORIGIN, seed=5))
    with pytest.raises(InputError) as caught:
        open_world(other)
    assert str(caught.value) == (
        f"{whole[1] / 'state.json'} holds another community (seed 4, people 48, posts 150, "
        f"start_ms {START_MS}) than the one asked for (seed 5, people 48, posts 150, "
        f"start_ms {START_MS}); give the same flags or another --state"
    )


def test_a_checkpoint_holds_everything(tmp_path: Path) -> None:
    """What was saved comes back as it was, array by array."""
    world = small_world(seed=4, people=48, posts=150)
    play_alone(world, by_popularity, 2)
    progress = Progress(hour=48, introduced=True, begun=True, done=[3, 1], arms={"1": {"a": "b"}})
    checkpoint.save(tmp_path / "state.json", ORIGIN, world, progress)
    again, found = checkpoint.load(tmp_path / "state.json", ORIGIN)
    assert found == progress
    assert (again.seen, again.follows) == (world.seen, world.follows)
    np.testing.assert_array_equal(again.active, world.active)
    for name in ("moods", "careers", "posts", "traits", "talents"):
        for field in fields(getattr(world, name)):
            np.testing.assert_array_equal(
                getattr(getattr(again, name), field.name), getattr(getattr(world, name), field.name)
            )


def test_a_torn_checkpoint_is_named(tmp_path: Path) -> None:
    """A file that is no checkpoint says so."""
    path = tmp_path / "state.json"
    path.write_text("{")
    with pytest.raises(InhouseError, match="remove it to start anew"):
        open_world(plan_in(tmp_path))
    path.write_text(json.dumps({"version": 99}))
    with pytest.raises(InhouseError, match="no checkpoint of version 1"):
        open_world(plan_in(tmp_path))


def test_a_checkpoint_leaves_no_litter(whole: tuple[FakeServer, Path, str]) -> None:
    """One JSON, one file of arrays, the report."""
    names = sorted(path.name for path in whole[1].iterdir())
    assert names == ["state.000024-00000-0.npz", "state.json", "truth.json"]


def test_a_server_that_never_answers_is_given_up() -> None:
    """The message names the address and the way out."""

    async def call() -> None:
        api = Api(url="http://127.0.0.1:9", key="k", stop=asyncio.Event(), retry_s=0.2)
        async with api:
            await api.wait_until_ready()

    with pytest.raises(InhouseError) as caught:
        asyncio.run(call())
    assert str(caught.value) == (
        "GET http://127.0.0.1:9/readyz failed for 0.2 s (ClientConnectorError); "
        "start the server or give another --api"
    )


def test_a_stop_ends_the_waiting_for_a_server() -> None:
    """Nobody waits for a dead server after a stop."""

    async def call() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, stop.set)
        async with Api(url="http://127.0.0.1:9", key="k", stop=stop, retry_s=600) as api:
            await api.wait_until_ready()

    with pytest.raises(StoppedError):
        asyncio.run(call())


def test_a_key_that_is_refused_is_an_error_of_its_own(fake_401: Any) -> None:
    """No retry helps against a wrong key."""

    async def call() -> None:
        async with serving(fake_401) as server:
            url = str(server.make_url("/"))
            async with Api(url=url, key="k", stop=asyncio.Event(), retry_s=9) as api:
                await api.feed("person-00000", 10)

    with pytest.raises(AccessError, match="HTTP 401; give --key one with all scopes it needs"):
        asyncio.run(call())


@pytest.fixture
def fake_401() -> Any:
    """A server that knows no key."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({}, status=401)

    app = web.Application()
    app.router.add_get("/v1/feed/{user}", refuse)
    return app


def test_ids_lead_back_to_posts() -> None:
    """Only ids this world gave out have a number."""
    assert post_number(post_id(7), 10) == 7
    strange = ("post-000010", "post-7", "post-", "post-٣", "theirs", "post--00001", "")
    assert [post_number(text, 10) for text in strange] == [-1] * len(strange)


def test_rows_fit_a_fresh_world() -> None:
    """Rows can be drawn again from the seed alone, as a restart does."""
    worlds = [World(seed=4, start_ms=START_MS, people_at_start=60) for _ in range(2)]
    for world in worlds:
        world.add_past_posts(20)
    assert [user_row(worlds[0], p) for p in range(60)] == [
        user_row(worlds[1], p) for p in range(60)
    ]
    assert item_row(worlds[0], 3, None) == item_row(worlds[1], 3, None)
    assert item_row(worlds[0], 3, None)["media_url"] is None
    assert person_id(3) == "person-00003"
    assert Progress().hour == 0
