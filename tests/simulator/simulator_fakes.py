"""A server that only remembers, and a way to play a world without any server."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestServer

from inhouse.core.random import stream
from inhouse.simulator.visit import Shown, Visit
from inhouse.simulator.world import World

START_MS = 1_780_272_000_000  # Monday, 2026-06-01
PAGE = 10


@dataclass
class FakeServer:
    """The HTTP contract as far as the simulator uses it; feeds depend on person and page alone."""

    arms: Callable[[str], dict[str, str]] = lambda user: {"feed": "ab"[int(user[-1]) % 2]}
    after_page: Callable[[int], None] = lambda pages: None  # told how many pages were served
    answers_503: int = 0  # events requests still to be refused after they were stored
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeated: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    served: int = 0
    most_at_once: int = 0
    at_once: int = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**25)
        app.router.add_get("/readyz", self._ready)
        app.router.add_post("/v1/users", self._users)
        app.router.add_post("/v1/items", self._items)
        app.router.add_get("/v1/items/{item}", self._item)
        app.router.add_post("/v1/events", self._events)
        app.router.add_post("/v1/reports", self._report)
        app.router.add_get("/v1/feed/{user}", self._feed)
        return app

    async def _ready(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _users(self, request: web.Request) -> web.Response:
        for row in (await request.json())["users"]:
            self.users[row["user_id"]] = row
        return web.json_response({"created": 0, "rejected": []})

    async def _items(self, request: web.Request) -> web.Response:
        for row in (await request.json())["items"]:
            self.items[row["item_id"]] = row
        return web.json_response({"created": 0, "rejected": []})

    async def _item(self, request: web.Request) -> web.Response:
        known = request.match_info["item"] in self.items
        return web.json_response({}, status=200 if known else 404)

    async def _events(self, request: web.Request) -> web.Response:
        for row in (await request.json())["events"]:
            self.repeated += row["event_id"] in self.events
            self.events[row["event_id"]] = row
            if row["kind"] == "impression":
                self.seen[row["user_id"]].add(row["item_id"])
        if self.answers_503 > 0:
            self.answers_503 -= 1
            return web.json_response({}, status=503)
        return web.json_response({"stored": 0, "rejected": []})

    async def _report(self, request: web.Request) -> web.Response:
        self.reports.append(await request.json())
        return web.json_response({"report_id": "r"})

    async def _feed(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        user = request.match_info["user"]
        seen = self.seen[user]
        # What is unseen and which posts exist follow from the person's own past and the hour, never
        # from who asked in between.
        posts = {item for item, row in self.items.items() if "reply_to" not in row}
        pool = sorted(posts - seen)
        page = random.Random(f"{user} {len(seen)} {len(pool)}").sample(pool, min(PAGE, len(pool)))
        self.served += 1
        self.after_page(self.served)
        self.at_once -= 1
        return web.json_response(
            {
                "page_id": f"page.{user}.{len(seen)}",
                "at_ms": 0,
                "surface": "for_you",
                "items": [
                    {"item_id": item, "position": place, "source": "fake", "label": None}
                    for place, item in enumerate(page)
                ],
                "arms": self.arms(user),
                "level": "full",
            }
        )


def serving(app: web.Application) -> TestServer:
    """Use as `async with serving(app) as server: server.make_url(...)`."""
    return TestServer(app)


def small_world(seed: int = 1, people: int = 120, posts: int = 400) -> World:
    """A world with its past posts."""
    world = World(seed=seed, start_ms=START_MS, people_at_start=people)
    world.add_past_posts(posts)
    return world


Policy = Callable[[World, Visit, int], list[int]]


def by_chance(world: World, visit: Visit, person: int) -> list[int]:
    """Unseen posts drawn by chance."""
    seen = visit.mind.seen
    draw = stream(world.seed, "policy", person, len(seen))
    drawn = draw.choice(world.post_count, PAGE + len(seen), replace=False).tolist()
    return [post for post in drawn if post not in seen][:PAGE]


def by_popularity(world: World, visit: Visit, person: int) -> list[int]:
    """The unseen posts with the most clicks and likes."""
    heat = world.posts.clicks + 3 * world.posts.likes
    seen = visit.mind.seen
    order = np.argsort(-heat, kind="stable")[: PAGE + len(seen)].tolist()
    return [post for post in order if post not in seen][:PAGE]


def by_truth(world: World, visit: Visit, person: int) -> list[int]:
    """The true best page."""
    return world.best_feed(person, PAGE, visit.mind).tolist()


def play(world: World, policy: Policy, days: int) -> list[float]:
    """Play without a server; the satisfaction of each visit."""
    satisfactions = []
    for hour in range(24 * days):
        world.begin_hour(hour)
        outcomes = []
        for calling in world.callings(hour):
            visit = Visit(world, calling)
            leaves = False
            while not leaves:
                posts = policy(world, visit, calling.person)
                page = Shown(
                    page_id="page",
                    at_ms=0,
                    item_ids=tuple(map(str, posts)),
                    posts=tuple(posts),
                )
                leaves = visit.look(page).leaves
            outcomes.append(visit.outcome())
        satisfactions += [o.satisfaction for o in outcomes if o.satisfaction is not None]
        world.absorb(outcomes)
        world.write_posts(hour)
    return satisfactions
