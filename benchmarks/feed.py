"""What a whole feed request costs over HTTP, while events and new posts keep arriving.

One API process pinned to one core; callers, writers and this program on the other. Feeds ask for a
page of 20 for people drawn by Zipf's law. Beside the server stands its floor: the same server's
/v1/healthz, which is HTTP and routing without a feed.

`cpu_ms` is the server's processor time a request, whatever else the machine does meanwhile; with
writers it has their requests in it. Callers ask again as soon as they are answered, so times grow
with their number; with `--rates` people also come by chance, so many a second whether or not the
others have been answered, as in life. A store that takes long to build is kept with `--folder` and
used again.
"""

import argparse
import asyncio
import itertools
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import numpy as np

from benchmarks.common import Report, arguments, console, quantiles_ms
from benchmarks.community import Size, build, drawn_person, item, live_event
from benchmarks.server import Server, api_server
from inhouse.app.build import open_services
from inhouse.app.settings import load_settings
from inhouse.features import checkpoint
from inhouse.learning.training.train import train_once

PAGE = 20
IN_FULL = {"INHOUSE_API_FEED_WAIT_MS": "60000"}  # nothing is left out, however long callers wait
SETTLED_S = 10.0  # a server that has just started still sees to its own memory
EVENTS_PER_S, EVENT_BATCH, ITEMS_PER_S = 500, 50, 5


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """What is measured of each size."""

    callers: int  # who ask again at once
    seconds: float  # of each kind
    rates: tuple[float, ...]  # people a second who come by chance


class Load:
    """Callers and writers against one server for a while."""

    def __init__(self, server: Server, size: Size, callers: int, seconds: float) -> None:
        self._server, self._size, self._seconds = server, size, seconds
        self._callers = callers
        self._dice = np.random.default_rng(7)
        self._end = 0.0
        self.took: list[float] = []
        self.empty = 0
        self.written = 0
        self.cpu_s = 0.0

    async def run(self, *, writing: bool, per_s: float | None = None) -> None:
        """Ask with all callers until the time is over, or let people come by chance."""
        self._end = time.perf_counter() + self._seconds
        before_s = self._server.cpu_s()
        many = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=self._server.headers, connector=many) as session:
            if per_s is None:
                work = [self._ask(session) for _ in range(self._callers)]
            else:
                work = [self._come(session, per_s)]
            if writing:
                work += [self._act(session), self._post(session)]
            await asyncio.gather(*work)
        self.cpu_s = self._server.cpu_s() - before_s

    async def _ask(self, session: aiohttp.ClientSession) -> None:
        while time.perf_counter() < self._end:
            await self._page(session)

    async def _come(self, session: aiohttp.ClientSession, per_s: float) -> None:
        """Arrivals by Poisson's law: nobody waits for anybody else's page."""
        due, here = time.perf_counter(), []
        while (due := due + self._dice.exponential(1 / per_s)) < self._end:
            await asyncio.sleep(due - time.perf_counter())
            here.append(asyncio.create_task(self._page(session)))
        await asyncio.gather(*here)

    async def _page(self, session: aiohttp.ClientSession) -> None:
        started = time.perf_counter()
        person = drawn_person(self._size, self._dice)
        url = f"{self._server.url}/v1/feed/u{person}?n={PAGE}"
        async with session.get(url) as response:
            page = await response.json()
            response.raise_for_status()
        self.took.append(time.perf_counter() - started)
        self.empty += not page["items"]

    async def _act(self, session: aiohttp.ClientSession) -> None:
        for number in itertools.count():
            if time.perf_counter() >= self._end:
                return
            numbers = range(number * EVENT_BATCH, (number + 1) * EVENT_BATCH)
            events = [
                live_event(f"live-{time.monotonic_ns()}-{n}", n, self._size, self._dice)
                for n in numbers
            ]
            async with session.post(
                f"{self._server.url}/v1/events", data=json.dumps({"events": events})
            ) as response:
                response.raise_for_status()
            self.written += len(events)
            await asyncio.sleep(EVENT_BATCH / EVENTS_PER_S)

    async def _post(self, session: aiohttp.ClientSession) -> None:
        for number in itertools.count(self._size.items):
            if time.perf_counter() >= self._end:
                return
            made = item(number, number % 20)
            row = {
                "item_id": f"{made.item_id}-{time.monotonic_ns()}",
                "creator_id": made.creator_id,
            }
            body = {"items": [{**row, "title": made.title, "topics": list(made.topics)}]}
            async with session.post(
                f"{self._server.url}/v1/items", data=json.dumps(body)
            ) as response:
                response.raise_for_status()
            await asyncio.sleep(1 / ITEMS_PER_S)


async def _floor(server: Server, seconds: float) -> list[float]:
    took = []
    end = time.perf_counter() + seconds
    async with aiohttp.ClientSession() as session:
        while (started := time.perf_counter()) < end:
            async with session.get(f"{server.url}/v1/healthz") as response:
                await response.read()
            took.append(time.perf_counter() - started)
    return took


def _prepare(folder: Path, size: Size) -> dict[str, float]:
    """Build and train; returns how long each took."""
    settings = load_settings(
        {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_APP_CLOCK": "log"}, folder / "none.toml"
    )
    with open_services(settings) as services:
        started = time.perf_counter()
        build(services.database, size)
        built = time.perf_counter()
        train_once(services.logs, services.snapshots, services.clock, settings.learning)
        trained = time.perf_counter()
        services.feeds.follower.rebuild()
        checkpoint.save(services.state, services.checkpoint_path)  # as a learner leaves one
        return {"build_s": built - started, "train_s": trained - built}


def measure(report: Report, size: Size, kept: Path | None, kinds: Kinds) -> None:
    """One size: with and without writers, and with people who come by chance."""
    seconds = kinds.seconds
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name:
        folder = Path(name) if kept is None else kept / f"items-{size.items}"
        prepared: dict[str, float] = {}
        if not folder.is_dir() or not any(folder.iterdir()):
            console.print(
                f"building {size.items:,} items, {size.people:,} people, {size.events:,} events"
            )
            folder.mkdir(parents=True, exist_ok=True)
            prepared = _prepare(folder, size)
        with api_server(folder, core=0, settings=IN_FULL) as server:
            time.sleep(SETTLED_S)
            floor = asyncio.run(_floor(server, min(3.0, seconds)))
            report.add(
                what="healthz (floor)", items=size.items, **_figures(floor, min(3.0, seconds))
            )
            for writing, per_s in (
                (False, None),
                (True, None),
                *((True, rate) for rate in kinds.rates),
            ):
                load = Load(server, size, kinds.callers, seconds)
                asyncio.run(load.run(writing=writing, per_s=per_s))
                report.add(
                    what=_named(writing, per_s),
                    items=size.items,
                    people=size.people,
                    callers=kinds.callers if per_s is None else None,
                    **_figures(load.took, seconds),
                    cpu_ms=1e3 * load.cpu_s / len(load.took),
                    empty=load.empty,
                    events_written=load.written,
                    memory_mb=server.memory_mb(),
                    private_mb=server.private_mb(),
                    facts=_facts(server),
                    stages_ms=_stages(server),
                    **prepared,
                )


def _named(writing: bool, per_s: float | None) -> str:
    asked = "feed" if per_s is None else f"feed, {per_s:g}/s by chance"
    return f"{asked} + {EVENTS_PER_S} events/s + {ITEMS_PER_S} posts/s" if writing else asked


def _figures(took: list[float], seconds: float) -> dict[str, float]:
    return {"req_per_s": len(took) / seconds, **quantiles_ms(took)}


def _facts(server: Server) -> dict[str, float]:
    """Sizes, offsets and the recall of retrieval, from the server's own metrics."""
    lines = server.text("/v1/metrics").splitlines()
    told = [line for line in lines if line.startswith("inhouse_state{")]
    return {
        line.partition('"')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in told
    }


def _stages(server: Server) -> dict[str, float]:
    """Mean time of each stage, from the server's own metrics."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for line in server.text("/v1/metrics").splitlines():
        for name, into in (("_sum{", sums), ("_count{", counts)):
            if line.startswith(f"inhouse_feed_stage_ms{name}"):
                stage = line.partition('stage="')[2].partition('"')[0]
                into[stage] = float(line.rpartition(" ")[2])
    return {
        stage: round(total / counts[stage], 3) for stage, total in sums.items() if counts[stage]
    }


def main() -> None:
    """Measure the sizes asked for."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
        parser.add_argument("--users", type=int, default=10_000)
        parser.add_argument("--events", type=int, default=200_000)
        parser.add_argument("--seconds", type=float, default=20.0)
        parser.add_argument("--callers", type=int, default=4)
        parser.add_argument("--rates", type=float, nargs="*", default=[100, 200])
        parser.add_argument("--folder", type=Path, help="keep the stores here, or use them again")

    options = arguments(__doc__ or "", extra)
    report = Report(
        "feed",
        (
            "what",
            "items",
            "req_per_s",
            "cpu_ms",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "memory_mb",
            "empty",
        ),
    )
    for items in [2_000] if options.quick else options.items:
        people = 500 if options.quick else options.users
        events = 10_000 if options.quick else options.events
        seconds = 5.0 if options.quick else options.seconds
        size = Size(items=items, people=people, events=events)
        kinds = Kinds(callers=options.callers, seconds=seconds, rates=tuple(options.rates))
        measure(report, size, options.folder, kinds)
    for row in report.rows:
        if "stages_ms" in row:
            console.print(f"{row['what']} at {row['items']:,}: {row['stages_ms']}")
    report.finish(options)


if __name__ == "__main__":
    main()
