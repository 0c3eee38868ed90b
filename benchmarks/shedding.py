"""What callers get when twice and four times as many ask as one process can serve in full.

First the capacity: pages a second that callers who wait for each answer get in full. Then, with
shedding off and on, requests are sent at twice and four times that rate, whether or not earlier
ones have been answered, for people drawn by Zipf's law. Times count from when a request was due.
Whoever has no answer after five seconds gives up. The server has one core, the callers the other;
there is no snapshot, so for_you pages are ranked by content and the prior formula.
"""

import argparse
import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

from benchmarks.common import Report, arguments, console, quantiles_ms
from benchmarks.community import Size, build
from benchmarks.server import Server, api_server
from inhouse.app.build import open_services
from inhouse.app.settings import load_settings

PAGE, PATIENCE_S, CALLERS = 20, 5.0, 8
OFF = {"INHOUSE_API_FEED_WAIT_MS": "60000"}


@dataclass
class Answers:
    """What became of the requests of one run."""

    took_s: list[float] = field(default_factory=list)  # of those that got a page
    levels: Counter[int] = field(default_factory=Counter)
    lasted_s: float = 0.0  # from the first request to the last answer or farewell
    gave_up: int = 0
    refused: int = 0  # 503 with Retry-After
    failed: int = 0  # any other status


class Crowd:
    """People of one community who ask one server."""

    def __init__(self, server: Server, people: int) -> None:
        self._server, self._people = server, people
        self._dice = np.random.default_rng(7)

    async def full(self, seconds: float) -> Answers:
        """Callers who wait for each answer."""
        answers, end_s = Answers(), time.perf_counter() + seconds

        async def call(session: aiohttp.ClientSession) -> None:
            while (now_s := time.perf_counter()) < end_s:
                await self._ask(session, now_s, answers)

        started_s = time.perf_counter()
        async with self._session() as session:
            await asyncio.gather(*(call(session) for _ in range(CALLERS)))
        answers.lasted_s = time.perf_counter() - started_s
        return answers

    async def at(self, per_s: float, seconds: float) -> Answers:
        """Requests that are due at fixed times."""
        answers, started_s = Answers(), time.perf_counter()
        async with self._session() as session:
            asking = []
            for number in range(int(per_s * seconds)):
                due_s = started_s + number / per_s
                if (early_s := due_s - time.perf_counter()) > 0:
                    await asyncio.sleep(early_s)
                asking.append(asyncio.create_task(self._ask(session, due_s, answers)))
            await asyncio.gather(*asking)
        answers.lasted_s = time.perf_counter() - started_s
        return answers

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers=self._server.headers,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
        )

    async def _ask(self, session: aiohttp.ClientSession, due_s: float, answers: Answers) -> None:
        person = int((self._people + 1) ** self._dice.random() - 1)
        try:
            async with session.get(f"{self._server.url}/v1/feed/u{person}?n={PAGE}") as response:
                await response.read()
        except TimeoutError:
            answers.gave_up += 1
        else:
            if response.status == 200:
                answers.took_s.append(time.perf_counter() - due_s)
                answers.levels[int(response.headers["x-feed-level"])] += 1
            elif response.status == 503 and "retry-after" in response.headers:
                answers.refused += 1
            else:
                answers.failed += 1


def _row(report: Report, what: str, offered: float | None, got: Answers) -> None:
    asked = len(got.took_s) + got.gave_up + got.refused + got.failed
    report.add(
        what=what,
        offered_per_s=offered,
        served_per_s=len(got.took_s) / got.lasted_s,
        answered=f"{len(got.took_s) / max(asked, 1):.1%}",
        **(quantiles_ms(got.took_s) if len(got.took_s) > 1 else {}),
        gave_up=got.gave_up,
        refused_503=got.refused,
        failed=got.failed,
        levels=" ".join(f"{level}:{count}" for level, count in sorted(got.levels.items())),
    )


def measure(report: Report, folder: Path, people: int, seconds: float) -> None:
    """The capacity, then both loads without and with shedding, each on a fresh server."""
    with api_server(folder, core=0, settings=OFF) as server:
        crowd = Crowd(server, people)
        asyncio.run(crowd.full(1.0))  # warm
        full = asyncio.run(crowd.full(seconds))
    capacity = len(full.took_s) / full.lasted_s
    _row(report, "capacity, all in full", None, full)
    for name, settings in (("off", OFF), ("on", {})):
        for times in (2, 4):
            with api_server(folder, core=0, settings=settings) as server:
                crowd = Crowd(server, people)
                asyncio.run(crowd.full(1.0))
                got = asyncio.run(crowd.at(times * capacity, seconds))
                os.kill(server.pid, signal.SIGKILL)  # it would serve those who gave up first
            _row(report, f"{times}x, shedding {name}", times * capacity, got)


def main() -> None:
    """Build a community and overload a server on it."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, default=5_000)
        parser.add_argument("--users", type=int, default=1_000)
        parser.add_argument("--events", type=int, default=10_000)
        parser.add_argument("--seconds", type=float, default=4.0)

    options = arguments(__doc__ or "", extra)
    report = Report(
        "shedding",
        (
            "what",
            "offered_per_s",
            "served_per_s",
            "answered",
            "p50_ms",
            "p99_ms",
            "gave_up",
            "refused_503",
            "failed",
            "levels",
        ),
    )
    size = Size(items=options.items, people=options.users, events=options.events)
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        folder = Path(name)
        settings = load_settings(
            {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_APP_CLOCK": "log"}, folder / "none.toml"
        )
        console.print(f"building {size.items:,} items, {size.people:,} people")
        with open_services(settings) as services:
            build(services.database, size)
        measure(report, folder, size.people, 3.0 if options.quick else options.seconds)
    report.finish(options)


if __name__ == "__main__":
    main()
