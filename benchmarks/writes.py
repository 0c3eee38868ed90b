"""Processor time of a post, of fifty events and of a look for news, in a server of one process.

The app is called as a web server would call it, without sockets, so what is measured is its own.
`cpu_ms` is all threads' together, `loop_ms` the event loop's alone: what feeds cannot have
meanwhile. Each is the median of several turns, one after the other, in a store made for it.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI

from benchmarks.common import Report, arguments
from benchmarks.community import Size, build, item, live_event
from inhouse.api.server import create_app
from inhouse.app.build import Services, open_services
from inhouse.app.settings import load_settings

EVENT_BATCH = 50


class Caller:
    """Bodies, and an app that takes them."""

    def __init__(self, app: FastAPI, secret: str, size: Size) -> None:
        self._app, self._size = app, size
        self._headers = [(b"authorization", f"Bearer {secret}".encode())]
        self._dice = np.random.default_rng(7)
        self._made = 0

    def post(self) -> dict[str, Any]:
        """One new post."""
        self._made += 1
        made = item(self._size.items + self._made, self._made % 20)
        row = {"item_id": made.item_id, "creator_id": made.creator_id, "title": made.title}
        return {"items": [{**row, "topics": list(made.topics)}]}

    def events(self) -> dict[str, Any]:
        """A batch of events, a quarter of them likes."""
        rows = []
        for _ in range(EVENT_BATCH):
            self._made += 1
            rows.append(live_event(f"live-{self._made}", self._made, self._size, self._dice))
        return {"events": rows}

    async def send(self, path: str, body: bytes) -> None:
        """Raises RuntimeError where it is not taken."""
        told: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.update(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": self._headers,
        }
        await self._app(scope, receive, send)
        if told["status"] != 200:
            raise RuntimeError(f"{path} answered {told['status']}: {told['body'][:200]!r}")


async def _cost_ms(times: int, each: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Of one call: all threads, the loop's."""
    cpu_s, loop_s = time.process_time(), time.thread_time()
    for number in range(times):
        await each(number)
    cpu_s, loop_s = time.process_time() - cpu_s, time.thread_time() - loop_s
    return 1_000 * cpu_s / times, 1_000 * loop_s / times


async def measure(services: Services, size: Size, turns: int, times: int) -> dict[str, Any]:
    """What -> cpu and loop of each turn."""
    secret = services.keys.create("benchmark", ["items", "events"])[1]
    app = create_app(services)
    caller, found = Caller(app, secret, size), dict[str, list[tuple[float, float]]]()
    follower = services.feeds.follower

    async def look(_: int) -> None:
        follower.catch_up()

    async with app.router.lifespan_context(app):
        for _ in range(turns + 1):
            for name, path, make in (
                ("post", "/v1/items", caller.post),
                (f"{EVENT_BATCH} events", "/v1/events", caller.events),
            ):
                bodies = [json.dumps(make()).encode() for _ in range(times)]

                async def one(number: int, path: str = path, bodies: Any = bodies) -> None:
                    await caller.send(path, bodies[number])

                found.setdefault(name, []).append(await _cost_ms(times, one))
            found.setdefault("look for news", []).append(await _cost_ms(times, look))
    return {name: costs[1:] for name, costs in found.items()}  # the first turn warms up


def main() -> None:
    """Measure all three."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, default=2_000)
        parser.add_argument("--turns", type=int, default=9)
        parser.add_argument("--times", type=int, default=60, help="a turn")

    options = arguments(__doc__ or "", extra)
    size = Size(items=options.items, people=1_000, events=5_000)
    turns = 3 if options.quick else options.turns
    report = Report("writes", ("what", "cpu_ms", "loop_ms"))
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        told = {"INHOUSE_STORE_FOLDER": name, "INHOUSE_APP_CLOCK": "log"}
        settings = load_settings(
            {**told, "INHOUSE_APP_FOLLOW_MS": "5000"}, Path(name) / "none.toml"
        )
        with open_services(settings) as services:
            build(services.database, size)
            costs = asyncio.run(measure(services, size, turns, options.times))
    for what, each in costs.items():
        cpu_ms, loop_ms = (statistics.median(column) for column in zip(*each, strict=True))
        report.add(what=what, cpu_ms=cpu_ms, loop_ms=loop_ms)
    report.finish(options)


if __name__ == "__main__":
    main()
