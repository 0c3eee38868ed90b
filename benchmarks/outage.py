"""A rented vendor is away under load: who is still answered, how fast, and what the drill says.

An API process and a worker serve a community whose posts are judged by a rented model, with an
owned one behind it; apps ask for pages, send posts, have texts judged and chat. For each kind of
fault a live drill cuts the vendor off, for the first one as many minutes as are wanted, for the
others a tenth; the rows say what callers got before, meanwhile and afterwards, how many posts
waited for a verdict at the worst moment, and the drill's grade. The last fault is played once more
with nobody left who could judge: then posts wait, and are shown when they are judged.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from benchmarks.common import Report, arguments, console, program, quantiles_ms, wait_until
from benchmarks.community import NOW_MS, Size, build
from benchmarks.judging import teach, texts
from benchmarks.server import Server, api_server, free_port
from inhouse.app.build import Services, open_services
from inhouse.app.settings import load_settings
from inhouse.core.clock import SystemClock
from inhouse.models.drill.book import DrillBook
from inhouse.models.drill.types import Drill
from inhouse.models.providers.faults import FAULTS
from inhouse.models.tasks import TEXT_HARM
from inhouse.store import tables

_VENDOR_S: Final = 0.15  # the vendor's own latency
_PATIENCE_S: Final = 60.0
_WORDS: Final = 20  # of a chat answer
_RATES: Final = {"feed": 4.0, "items": 1.0, "moderations": 2.0, "chat": 1.0, "stream": 1.0}
_PHASES: Final = ("before", "meanwhile", "after")
_VENDORS: Final = """
[main]
url = "http://127.0.0.1:{port}/v1"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
serves = ["scores", "chat"]
stand_ins = ["other"]
[other]
url = "http://127.0.0.1:{port}/v1"
model = "llama"
host = "elsewhere"
owner = "meta"
serves = ["chat"]
"""


def vendor(port: int) -> None:
    """Judges posts by the words that `judging.texts` puts into them, and chats."""

    async def chat(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        await asyncio.sleep(_VENDOR_S)
        if not asked.get("stream"):
            content = _judged(asked["messages"][-1]["content"])
            message = {"role": "assistant", "content": content}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({"choices": [choice], "usage": _USAGE})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for _ in range(_WORDS):
            piece = {"choices": [{"index": 0, "delta": {"content": "word "}}]}
            await response.write(f"data: {json.dumps(piece)}\n\n".encode())
            await asyncio.sleep(0.02)
        end = {"choices": [], "usage": _USAGE}
        await response.write(f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode())
        return response

    async def ready(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/", ready)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


_USAGE: Final = {"prompt_tokens": 200, "completion_tokens": 40, "total_tokens": 240}


def _judged(content: str) -> str:
    if not content.startswith('{"posts"'):
        return "Hello, everybody."
    posts = json.loads(content)["posts"]
    found = [
        {"id": post["id"], "scores": {c: float(f"{c}istani" in post["text"]) for c in _HARMS}}
        for post in posts
    ]
    return json.dumps({"posts": found})


_HARMS: Final = TEXT_HARM.categories


@dataclass
class Got:
    """What callers of one kind got in one phase."""

    took_s: list[float] = field(default_factory=list)
    failed: int = 0


@dataclass
class Load:
    """Callers who ask at fixed rates, whether or not earlier calls were answered."""

    server: Server
    rate: float  # times the usual calls a second
    phase: str = "before"
    got: dict[tuple[str, str], Got] = field(default_factory=lambda: defaultdict(Got))
    why: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # of failures
    ended: bool = False
    _number: int = 0
    _posts: Iterator[str] = field(default_factory=lambda: iter(texts(20_000, 3)))

    async def run(self) -> None:
        """Until `ended`."""
        # The server closes what is idle for five seconds.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
        patience = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(
            headers=self.server.headers, connector=connector, timeout=patience
        ) as session:
            await asyncio.gather(*(self._callers(session, what) for what in _RATES))

    async def _callers(self, session: aiohttp.ClientSession, what: str) -> None:
        out: set[asyncio.Task[None]] = set()
        due = time.perf_counter()
        while not self.ended:
            task = asyncio.create_task(self._call(session, what))
            out.add(task)
            task.add_done_callback(out.discard)
            due += 1 / (self.rate * _RATES[what])
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*out)

    async def _call(self, session: aiohttp.ClientSession, what: str) -> None:
        got, started = self.got[self.phase, what], time.perf_counter()
        try:
            why = await self._ask(session, what)
        except (TimeoutError, aiohttp.ClientError) as error:
            why = type(error).__name__
        if why:
            got.failed += 1
            self.why[f"{what}: {why}"] += 1
        else:
            got.took_s.append(time.perf_counter() - started)

    async def _ask(self, session: aiohttp.ClientSession, what: str) -> str:
        """What went wrong; empty where nothing did."""
        self._number += 1
        if what == "feed":
            url = f"{self.server.url}/v1/feed/u{self._number % 200}?n=20"
            async with session.get(url) as response:
                await response.read()
                return "" if response.status == 200 else str(response.status)
        path, body = self._body(what)
        async with session.post(f"{self.server.url}{path}", json=body) as response:
            told = await response.read()
        if response.status != 200:
            return str(response.status)
        whole = what != "stream" or told.endswith(b"data: [DONE]\n\n")
        return "" if whole else "broke off"

    def _body(self, what: str) -> tuple[str, Any]:
        if what == "items":
            item = {
                "item_id": f"new{self._number}",
                "creator_id": f"c{self._number % 50}",
                "text": next(self._posts),
                "created_ms": NOW_MS + self._number,
            }
            return "/v1/items", {"items": [item]}
        if what == "moderations":
            return "/openai/v1/moderations", {"input": next(self._posts)}
        body = {"model": "main", "messages": [{"role": "user", "content": "hello"}]}
        return "/openai/v1/chat/completions", body | ({"stream": True} if what == "stream" else {})


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A community that is served."""

    server: Server
    services: Services  # to look into the store
    environment: dict[str, str]
    rate: float  # see Load


@contextmanager
def scene(folder: Path, rate: float, *, owned: bool) -> Iterator[Scene]:
    """A vendor, an API process and a worker; with or without a model of one's own."""
    port, vendors = free_port(), folder / "vendors.toml"
    vendors.write_text(_VENDORS.format(port=port))
    environment = {
        "INHOUSE_STORE_FOLDER": str(folder),
        "INHOUSE_MODELS_VENDORS": str(vendors),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_LOG_LEVEL": "error",
        # What harms is what is measured: the drill is to go on.
        "INHOUSE_MODELS_DRILL_MOST_LOST": "1.0",
        "INHOUSE_MODELS_DRILL_MOST_WAITING": "1000000",
    }
    with open_services(load_settings(environment, folder / "none.toml")) as services:
        build(services.database, Size(items=2_000, people=200, events=5_000))
        if owned:
            teach(folder, 1_500, "openai/openai/gpt-4o-mini", str(vendors))
        with (
            program(["-m", "benchmarks.outage", "--vendor", str(port)], {}),
            api_server(folder, settings=environment) as server,
            program(["-m", "inhouse.app.roles.worker"], environment),
        ):
            wait_until(lambda: _listens(port), 30, "the vendor's start")
            yield Scene(server=server, services=services, environment=environment, rate=rate)


def backlog(services: Services) -> int:
    """Posts without a verdict."""
    judged = sa.select(tables.verdicts.c.item_id)
    query = (
        sa.select(sa.func.count())
        .select_from(tables.items)
        .where(tables.items.c.item_id.like("new%"), tables.items.c.item_id.not_in(judged))
    )
    with services.database.read() as connection:
        return connection.execute(query).scalar_one()


async def outage(place: Scene, fault: str, minutes: float, calm_s: float) -> tuple[Load, Any]:
    """Calm, the drill, calm again; what callers got, and the drill's grade."""
    load = Load(server=place.server, rate=place.rate)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(calm_s)
    words = ["drill", "openai", "--how", "live", "--fault", fault, "--consent", "benchmark"]
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "inhouse.cli.main", *words, "--minutes", str(minutes), "--json"),
        env={**os.environ, **place.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    waiting: list[int] = []
    while await asyncio.to_thread(_going_on, place.services) is None:
        await asyncio.sleep(0.2)
    load.phase = "meanwhile"
    while await asyncio.to_thread(_going_on, place.services) is not None:
        waiting.append(await asyncio.to_thread(backlog, place.services))
        await asyncio.sleep(0.5)
    load.phase, ended = "after", time.perf_counter()
    drained_s: float | None = None
    telling = asyncio.create_task(command.communicate())
    while drained_s is None or not telling.done() or time.perf_counter() - ended < calm_s:
        left = await asyncio.to_thread(backlog, place.services)
        if drained_s is None and left <= 2:
            drained_s = time.perf_counter() - ended
        await asyncio.sleep(0.2)
    load.ended = True
    await running
    result = json.loads(telling.result()[0])
    return load, {**result, "waiting": max(waiting, default=0), "drained_s": drained_s}


def _going_on(services: Services) -> Drill | None:
    now_ms = SystemClock().now_ms()
    drill = DrillBook(services.database).open(now_ms)
    is_on = drill is not None and drill.ended_ms is None and now_ms < drill.until_ms
    return drill if is_on else None


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def add_rows(report: Report, what: str, load: Load, result: Any) -> None:
    """A line for each kind of call and phase; the drill's word in the last."""
    for kind in _RATES:
        for phase in _PHASES:
            got = load.got[phase, kind]
            report.add(
                fault=what,
                calls=kind,
                phase=phase,
                n=len(got.took_s) + got.failed,
                failed=got.failed,
                most_ms=max(got.took_s, default=0.0) * 1e3,
                **(quantiles_ms(got.took_s) if len(got.took_s) > 1 else {}),
            )
    report.add(
        fault=what,
        calls="drill",
        grade=result["grade"],
        tasks=" ".join(f"{one['task']}:{one['grade']}" for one in result["tasks"]),
        waiting=result["waiting"],
        drained_s=result["drained_s"],
        result=result,
        why=dict(load.why),
    )


def main() -> None:
    """Every fault with an owned model behind the vendor, the last one also without."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--minutes", type=float, default=10.0, help="of the first fault")
        parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=FAULTS)
        parser.add_argument("--rate", type=float, default=1.0, help="times the usual load")
        parser.add_argument("--vendor", type=int, help="be the vendor, on this port")

    options = arguments("what is left while a rented vendor is away", extra)
    if options.vendor is not None:
        vendor(options.vendor)
        return
    columns = ["fault", "calls", "phase", "n", "failed", "p50_ms", "p99_ms", "most_ms"]
    columns += ["grade", "tasks", "waiting", "drained_s"]
    report = Report(name="outage", columns=columns)
    try:
        for owned, faults in ((True, options.faults), (False, options.faults[-1:])):
            _play(report, options, faults, owned=owned)
    finally:  # whoever interrupts has what was measured so far
        report.finish(options)


def _play(report: Report, options: argparse.Namespace, faults: list[str], *, owned: bool) -> None:
    minutes = 0.5 if options.quick else options.minutes
    calm_s = 10.0 if options.quick else 20.0
    with (
        tempfile.TemporaryDirectory() as folder,
        scene(Path(folder), options.rate, owned=owned) as place,
    ):
        for number, fault in enumerate(faults):
            away = minutes if owned and number == 0 else max(0.25, minutes / 10)
            what = fault if owned else f"{fault}, nobody left"
            load, result = asyncio.run(outage(place, fault, away, calm_s))
            add_rows(report, what, load, result)
            told = {name: result[name] for name in ("grade", "waiting", "drained_s")}
            console.print(what, told, dict(load.why))


if __name__ == "__main__":
    main()
