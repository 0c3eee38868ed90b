"""Is the bill right? A vendor keeps books of its own; its invoice is laid beside the ledger.

The vendor is a process of its own behind HTTP. It draws what it reads from its cache and says, adds
up in whole numbers by prices that stand in this file, charges for what it made before it noticed
that nobody listens, now and then fails and charges all the same, and begins its days eight hours
after UTC. The calls go through `Passer` and `Gateway` as an app's do: whole, in pieces, left by
their callers in the middle, repeated after failures, moved to another deployment by Azure.
Afterwards a hundred callers at once spend a key's budget.
"""

import argparse
import asyncio
import contextlib
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from benchmarks.common import Report, arguments, program, wait_until
from benchmarks.server import free_port
from inhouse.app.keys import Keys
from inhouse.core.clock import HOUR_MS, FollowingClock
from inhouse.core.errors import BusyError, SpentError, VendorError
from inhouse.core.logs import configure_logs
from inhouse.models.asking.fleet import open_fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.resilience import Patience, RetryPolicy
from inhouse.models.bounds.budgets import Budgets
from inhouse.models.ledger.bill import bill
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.owned.registry import Registry
from inhouse.models.passing.passer import Passer
from inhouse.models.passing.streaming import PassedStream
from inhouse.models.providers.passing import read_call
from inhouse.models.reconcile.reading import Reading, read_invoice
from inhouse.models.reconcile.reconcile import Terms, reconcile
from inhouse.models.reconcile.types import Reconciliation
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import ContractPrice, Deployment, TaskInput
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

_START_MS: Final = 1_767_225_600_000  # 2026-01-01
_DAYS: Final = 5
_HOURS: Final = (0.5, 3.0, 7.5, 8.0, 12.0, 16.0, 20.0, 23.5)  # at which calls are made
_VENDOR_HOURS: Final = -8  # when its days begin
# Millionths of a millionth of a dollar a token: fresh, cached, out. The vendor's own figures.
_PRICES: Final = {
    "gpt-4o-mini": (150_000, 75_000, 600_000),
    "reserved": (100_000, 10_000, 400_000),
    "standard": (150_000, 75_000, 600_000),
    "brand-new": (2_000_000, 200_000, 8_000_000),
    "gpt-4o": (2_500_000, 1_250_000, 10_000_000),
}
_SCORES: Final = json.dumps(dict.fromkeys(TEXT_HARM.categories, 0.1))
_HEAD: Final = "day,model,requests,tokens_in,tokens_cached,tokens_out,cost_usd\n"


@dataclass
class Books:
    """What the vendor charges: by its own day and model requests, tokens in, cached, out, cost."""

    lines: dict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0, 0])
    )
    hour_ms: int = _START_MS

    def charge(self, model: str, tokens_in: int, cached: int, out: int) -> int:
        """Put a request down; what it costs."""
        fresh_rate, cached_rate, out_rate = _PRICES[model]
        pico = (tokens_in - cached) * fresh_rate + cached * cached_rate + out * out_rate
        local_s = (self.hour_ms + _VENDOR_HOURS * HOUR_MS) // 1_000
        day = time.strftime("%Y-%m-%d", time.gmtime(local_s))
        line = self.lines[day, model]
        for place, amount in enumerate((1, tokens_in, cached, out, pico)):
            line[place] += amount
        return pico

    def invoice(self) -> str:
        """As CSV."""
        rows = [
            f"{day},{model},{n},{tokens_in},{cached},{out},{Decimal(pico).scaleb(-12)}\n"
            for (day, model), (n, tokens_in, cached, out, pico) in sorted(self.lines.items())
        ]
        return _HEAD + "".join(rows)


class Vendor:
    """Answers, fails and charges by its own dice."""

    def __init__(self, seed: int) -> None:
        self.books = Books()
        self._draw = random.Random(seed)
        self._faults = True

    def application(self) -> web.Application:
        """Its addresses: the calls, what hour it is, and its books."""
        app = web.Application()
        app.router.add_post("/{path:.*chat/completions}", self._chat)
        app.router.add_post("/hour", self._hour)
        app.router.add_get("/invoice", self._invoice)
        return app

    async def _hour(self, request: web.Request) -> web.Response:
        told = await request.json()
        self.books.hour_ms, self._faults = told["hour_ms"], told["faults"]
        return web.Response()

    async def _invoice(self, _: web.Request) -> web.Response:
        return web.Response(text=self.books.invoice())

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        model, headers = body["model"], {}
        tokens_in = max(1, len(raw) // 4)
        cached = tokens_in // 128 * 128 if self._draw.random() < 0.3 else 0
        out = self._draw.randint(1, 60)
        dice = self._draw.random() if self._faults else 1.0
        if dice < 0.02:
            return web.Response(status=429, headers={"retry-after-ms": "5"}, text="{}")
        if dice < 0.045:
            if dice > 0.04:
                self.books.charge(model, tokens_in, cached, out)
            return web.Response(status=500, text="{}")
        if model == "reserved" and self._draw.random() < 0.25:
            model, headers = "standard", {"x-ms-spillover-deployment": "standard"}
        if body.get("stream"):
            used = (tokens_in, cached, body.get("max_completion_tokens", out))
            return await self._stream(request, model, used, headers)
        self.books.charge(model, tokens_in, cached, out)
        if dice < 0.048:
            await asyncio.sleep(2.0)  # longer than the caller has patience
        answer = {"choices": [_choice(body)], "usage": _usage(tokens_in, cached, out)}
        return web.json_response(answer, headers=headers)

    async def _stream(
        self, request: web.Request, model: str, used: tuple[int, int, int], headers: dict[str, str]
    ) -> web.StreamResponse:
        """A piece a token; what was made before nobody listened is charged."""
        tokens_in, cached, most = used
        made, pause_s = 0, 0.05 if most > 60 else 0.0
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **headers})
        try:
            await response.prepare(request)
            for _ in range(most):
                made += 1
                await response.write(_event({"choices": [{"index": 0, "delta": {"content": "w"}}]}))
                if pause_s:
                    await asyncio.sleep(pause_s)
            told = {"choices": [], "usage": _usage(tokens_in, cached, made)}
            await response.write(_event(told) + b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.books.charge(model, tokens_in, cached, made)
        return response


def _event(told: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(told).encode() + b"\n\n"


def _usage(tokens_in: int, cached: int, out: int) -> dict[str, Any]:
    details = {"cached_tokens": cached}
    return {"prompt_tokens": tokens_in, "completion_tokens": out, "prompt_tokens_details": details}


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    """An answer that suits a chat; scores where posts are to be judged."""
    content = "well"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        posts = json.loads(body["messages"][-1]["content"])["posts"]
        judged = [f'{{"id": {post["id"]}, "scores": {_SCORES}}}' for post in posts]
        content = f'{{"posts": [{", ".join(judged)}]}}'
    return {"index": 0, "message": {"role": "assistant", "content": content}}


def deployments(url: str) -> list[Deployment]:
    """One at the list's price, one of Azure's by contract, one that no list knows."""
    contract = ContractPrice(
        in_usd_per_mtok=Decimal("0.1"),
        cached_usd_per_mtok=Decimal("0.01"),
        out_usd_per_mtok=Decimal("0.4"),
    )
    return [
        Deployment(
            name="main",
            url=f"{url}/v1",
            host="openai",
            owner="openai",
            model="gpt-4o-mini",
            serves=("scores", "chat"),
            stand_ins=("reserved",),
        ),
        Deployment(
            name="reserved",
            url=url,
            dialect="azure",
            host="azure",
            owner="openai",
            model="reserved",
            price_as="openai/gpt-4o-mini",
            contract=contract,
            serves=("chat",),
        ),
        Deployment(
            name="new",
            url=f"{url}/v1",
            host="lab",
            owner="lab",
            model="brand-new",
            serves=("chat",),
        ),
    ]


@dataclass(kw_only=True)
class World:
    """The gateway on one side, the vendor's address on the other."""

    url: str
    database: Database
    folder: Path
    clock: FollowingClock
    draw: random.Random
    settings: ModelSettings = field(
        default_factory=lambda: ModelSettings(timeout_ms=1_000, drain_ms=400, in_flight=32)
    )
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        stores = Stores(database=self.database, keeper=Keeper(self.database))
        patience = Patience(retry=RetryPolicy(most_attempts=3, first_ms=5, most_ms=20))
        rented = deployments(self.url)
        self.passer = Passer(rented, stores, self.clock, self.settings, patience)
        fleet = open_fleet(rented[:1], Registry(self.database, self.folder))
        self.gateway = Gateway(self.database, self.clock, fleet, self.settings, patience)

    async def call(self) -> None:
        """One call of some sort."""
        dice, words = self.draw.random(), "word " * self.draw.randint(1, 400)
        name = "new" if dice < 0.01 else "reserved" if dice < 0.3 else "main"
        sort = self.draw.choices(
            ("whole", "streamed", "left early", "left late", "judged"), (45, 30, 8, 2, 15)
        )[0]
        self.asked[sort] += 1
        try:
            if sort == "judged":
                ref = f"p{sum(self.asked.values())}"
                await self.gateway.ask(TEXT_HARM, [TaskInput(ref=ref, text=words)])
            elif sort == "whole":
                await self.passer.ask(read_call("chat", _body(name, words), "key"))
            else:
                most = {"left early": 40, "left late": 400}.get(sort, self.draw.randint(1, 60))
                body = _body(name, words, stream=True, max_completion_tokens=most)
                found = await self.passer.open(read_call("chat", body, "key"))
                if isinstance(found, PassedStream):
                    await _listen(found, 0 if sort == "streamed" else 1)
        except (VendorError, BusyError):
            self.asked["unanswered"] += 1

    async def rest(self) -> None:
        """Wait until all that is read on has ended."""
        await asyncio.sleep(self.settings.drain_ms / 1_000 + 0.2)

    async def close(self) -> None:
        """Let go of everything."""
        await self.passer.close()
        await self.gateway.close()


def _body(model: str, words: str, **more: Any) -> bytes:
    messages = [{"role": "user", "content": words}]
    return json.dumps({"model": model, "messages": messages, **more}).encode()


async def _listen(stream: PassedStream, leave_after: int) -> None:
    """Read a stream, all of it or so many pieces."""
    try:
        heard = 0
        async for _ in stream.pieces():
            heard += 1
            if heard == leave_after:
                return
    finally:
        await stream.close()


async def _many(world: World, count: int, callers: int) -> None:
    queue = iter(range(count))

    async def caller() -> None:
        for _ in queue:
            await world.call()

    await asyncio.gather(*(caller() for _ in range(callers)))


async def make_calls(world: World, count: int) -> None:
    """Days of calls; some of a model that inhouse is never asked for go to the vendor directly."""
    hours = [
        _START_MS + round((24 * day + hour) * HOUR_MS) for day in range(_DAYS) for hour in _HOURS
    ]
    async with aiohttp.ClientSession() as session:
        for place, hour_ms in enumerate(hours):
            await _tell(session, world.url, hour_ms, faults=True)
            world.clock.advance(hour_ms)
            share = count * (place + 1) // len(hours) - count * place // len(hours)
            await _many(world, share, 64)
            await world.rest()
        direct = f"{world.url}/v1/chat/completions"
        for _ in range(20):
            async with session.post(direct, data=_body("gpt-4o", "past the gateway")) as answer:
                await answer.read()


async def _tell(session: aiohttp.ClientSession, url: str, hour_ms: int, *, faults: bool) -> None:
    async with session.post(f"{url}/hour", json={"hour_ms": hour_ms, "faults": faults}) as told:
        told.raise_for_status()


async def _invoice_of(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/invoice") as answer:
        return await answer.text()


async def spend_budget(world: World, limit_usd: Decimal, callers: int) -> dict[str, Any]:
    """So many callers at once, until the key has nothing left; by the vendor's own books."""
    keys = Keys(world.database)
    key_id = keys.create("benchmark", ["models"])[0].key_id
    Budgets(world.database, world.clock).set(key_id, limit_usd, "ever")
    before, refused, answered = _cost(await _invoice_of(world.url)), 0, 0
    async with aiohttp.ClientSession() as session:
        await _tell(session, world.url, world.clock.now_ms(), faults=False)
    await asyncio.sleep(2.5)  # a process hears of a new budget within two seconds

    async def caller() -> None:
        nonlocal refused, answered
        while True:
            body = _body("main", "word " * 200, stream=True, max_completion_tokens=60)
            try:
                found = await world.passer.open(read_call("chat", body, key_id))
            except SpentError:
                refused += 1
                return
            if isinstance(found, PassedStream):
                await _listen(found, 0)
                answered += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    spent = _cost(await _invoice_of(world.url)) - before
    one = spent / max(1, answered)
    return {
        "what": f"budget of {limit_usd} USD, {callers} callers at once",
        "calls": answered,
        "invoice": str(spent),
        "overshoot": str(max(Decimal(0), spent - limit_usd)),
        "a_call": f"{one:.9f}",
    }


def _cost(invoice: str) -> Decimal:
    lines = invoice.splitlines()[1:]
    return sum((Decimal(line.rpartition(",")[2]) for line in lines), Decimal(0))


def _row(world: World, found: Reconciliation, count: int, seconds: float) -> dict[str, Any]:
    told = bill(world.database, 0, 1 << 50)
    return {
        "what": "invoice and ledger",
        "calls": count,
        "attempts": sum(line.attempts for line in told.hosts),
        "invoice": str(found.invoice_usd),
        "ledger": str(found.ledger_usd),
        "difference": str(found.difference_usd),
        "unexplained": str(found.unexplained_usd),
        "unexplained_lines": found.unexplained_lines,
        "lines": len(found.lines),
        "sorts": dict(world.asked),
        "vendor_days_begin": found.day_starts_at,
        "seconds": seconds,
    }


def measure(report: Report, url: str, folder: Path, count: int) -> None:
    """The calls, the invoice beside the ledger, and a budget."""
    database = open_database(StoreSettings(folder=str(folder / "data")))
    migrate(database)
    clock = FollowingClock(_START_MS)
    world = World(url=url, database=database, folder=folder, clock=clock, draw=random.Random(7))

    async def play() -> tuple[float, str, dict[str, Any]]:
        started = time.perf_counter()
        await make_calls(world, count)
        seconds = time.perf_counter() - started
        database.write(lambda _: None)  # what waits for the disk is behind this
        invoice = await _invoice_of(url)
        (folder / "invoice.csv").write_text(invoice, "utf-8")
        terms = Terms(deployments=deployments(url), now_ms=clock.now_ms())
        found = reconcile(database, read_invoice([folder / "invoice.csv"], Reading()), terms)
        report.add(**_row(world, found, count, seconds))
        for row in _reasons(found):
            report.add(**row)
        spent = await spend_budget(world, Decimal("0.02"), 100)
        await world.close()
        return seconds, invoice, spent

    *_, spent = asyncio.run(play())
    report.add(**spent)
    database.close()


def _reasons(found: Reconciliation) -> Iterator[dict[str, Any]]:
    """What the difference consists of."""
    for kind, amount in found.reasons_usd.items():
        reasons = [one for line in found.lines for one in line.reasons if one.kind == kind]
        yield {
            "what": f"  of it {kind}",
            "attempts": sum(one.attempts for one in reasons),
            "difference": str(amount),
        }


def main() -> None:
    """Start the vendor, make the calls, lay both books side by side."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--calls", type=int, default=100_000)
        parser.add_argument("--vendor", type=int, help="be the vendor on this port")

    options = arguments(__doc__ or "", extra)
    configure_logs(role="benchmark", level="error")
    if options.vendor is not None:
        app = Vendor(3).application()
        web.run_app(app, host="127.0.0.1", port=options.vendor, print=None, access_log=None)
        return
    count = options.calls // (20 if options.quick else 1)
    report = Report(
        "invoice",
        ("what", "calls", "attempts", "invoice", "ledger", "difference", "unexplained",
         "overshoot", "a_call"),
    )  # fmt: skip
    port = free_port()
    with program(["-m", "benchmarks.invoice", "--vendor", str(port)], {}):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _ready(url), 120, "the vendor's readiness")
        with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
            measure(report, url, Path(folder), count)
    report.finish(options)


def _ready(url: str) -> bool:
    try:
        return asyncio.run(_invoice_of(url)).startswith("day")
    except aiohttp.ClientError:
        return False


if __name__ == "__main__":
    main()
