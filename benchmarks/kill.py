"""Kill -9 any role at random moments under load: is every acknowledged event there, exactly once?

Ten times (`--kills`) a random role of a running server is killed without warning while callers send
events and ask for feeds. Callers send a batch again until it is acknowledged, as a client would.
Afterwards the log is compared with what was acknowledged, and each kill's time to the next answered
feed is given.
"""

import argparse
import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from benchmarks.common import Report, arguments, program, wait_until
from benchmarks.server import Server, free_port, is_ready, make_key
from inhouse.app.roles.supervisor import STANDBY
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.cli.up import MODULES, Role
from inhouse.core.ids import ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

ITEMS, CALLERS, BATCH, NOW_MS = 500, 6, 50, 1_700_000_000_000
ROLES = ("api", "learner", "worker", "console", "standby")


@dataclass
class Load:
    """What the callers did and were told."""

    acknowledged: set[str] = field(default_factory=set)
    asked: float = 0.0  # when the latest answered feed was asked for, monotonic
    answered: float = 0.0  # when it was answered
    failures: Counter[str] = field(default_factory=Counter)
    done: bool = False


def _batch(caller: int, number: int) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"k{caller}-{number}-{i}",
            "at_ms": NOW_MS + number * 1_000 + i,
            "kind": "impression" if i % 5 else "like",
            "user_id": f"u{(caller * 31 + number + i) % 300}",
            "item_id": f"i{(number * 17 + i * 29) % ITEMS}",
        }
        for i in range(BATCH)
    ]


async def _send(session: aiohttp.ClientSession, server: Server, load: Load, caller: int) -> None:
    number = 0
    while not load.done:
        events = _batch(caller, number)
        try:
            async with session.post(f"{server.url}/v1/events", json={"events": events}) as response:
                body = await response.json()
                response.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            load.failures[type(error).__name__] += 1
            await asyncio.sleep(0.05)
            continue  # the same batch again: what was stored is counted as repeated
        if body["rejected"]:
            raise RuntimeError(f"rejected: {body['rejected'][0]}")
        load.acknowledged.update(str(event["event_id"]) for event in events)
        number += 1


async def _ask(session: aiohttp.ClientSession, server: Server, load: Load) -> None:
    number = 0
    while not load.done:
        number += 1
        asked = time.monotonic()
        try:
            url = f"{server.url}/v1/feed/u{number % 300}?n=10"
            async with session.get(url) as response:
                response.raise_for_status()
                await response.read()
            load.asked, load.answered = asked, time.monotonic()
        except (aiohttp.ClientError, TimeoutError) as error:
            load.failures[f"feed {type(error).__name__}"] += 1
        await asyncio.sleep(0.02)


def _pid_of(supervisor: int, role: str, port: int) -> int | None:
    """Whose command says so; the API is whoever listens, since a standby may have taken over."""
    for child in psutil.Process(supervisor).children():
        try:
            command = child.cmdline()
            listens = any(
                c.laddr.port == port for c in child.net_connections() if c.status == "LISTEN"
            )
        except psutil.Error:
            continue
        waits = command[-1] == STANDBY and not listens
        if role == "standby" and waits:
            return child.pid
        if role == "api" and listens:
            return child.pid
        if role in MODULES and role != "api" and command[-1] == MODULES[Role(role)]:
            return child.pid
    return None


async def _kill(
    load: Load, server: Server, supervisor: int, options: argparse.Namespace, report: Report
) -> None:
    dice = random.Random(options.seed)
    for number in range(options.kills):
        await asyncio.sleep(dice.uniform(1.0, 4.0))
        role = ROLES[number] if number < len(ROLES) else dice.choice(ROLES)
        pid = _pid_of(supervisor, role, server.port)
        while pid is None:
            await asyncio.sleep(0.1)
            pid = _pid_of(supervisor, role, server.port)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        while load.asked <= killed:
            await asyncio.sleep(0.01)
        report.add(kill=number + 1, role=role, feed_again_s=load.answered - killed)
    await asyncio.sleep(1.0)
    load.done = True


async def _run(
    server: Server, supervisor: int, options: argparse.Namespace, report: Report
) -> Load:
    load = Load()
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(headers=server.headers, timeout=timeout) as session:
        await asyncio.gather(
            _kill(load, server, supervisor, options, report),
            _ask(session, server, load),
            *(_send(session, server, load, caller) for caller in range(CALLERS)),
        )
    return load


def _check(folder: str, load: Load) -> tuple[int, int]:
    """How many acknowledged events are missing, and how many stand twice."""
    database = open_database(StoreSettings(folder=folder))
    counts = Counter(
        logged.event.event_id for chunk in EventLog(database).read_all() for logged in chunk
    )
    database.close()
    missing = sum(1 for event_id in load.acknowledged if event_id not in counts)
    return missing, sum(1 for count in counts.values() if count > 1)


def _prepare(folder: str) -> None:
    database = open_database(StoreSettings(folder=folder))
    migrate(database)
    Catalog(database).put_items(
        [
            Item(
                item_id=ItemId(f"i{i}"),
                creator_id=UserId(f"c{i % 50}"),
                title=f"post {i}",
                created_ms=NOW_MS,
            )
            for i in range(ITEMS)
        ]
    )
    database.close()


def main() -> int:
    """0 where nothing acknowledged was lost or doubled and every feed came back in time."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--kills", type=int, default=10)
        parser.add_argument("--seed", type=int, default=1)

    options = arguments(__doc__ or "", extra)
    report = Report("kill", ("kill", "role", "feed_again_s"))
    with tempfile.TemporaryDirectory(prefix="inhouse-kill-") as folder:
        _prepare(folder)
        secret, port, console_port = make_key(Path(folder)), free_port(), free_port()
        environment = {
            "INHOUSE_STORE_FOLDER": folder,
            "INHOUSE_API_PORT": str(port),
            "INHOUSE_CONSOLE_PORT": str(console_port),
            "INHOUSE_APP_CLOCK": "log",
            "INHOUSE_APP_LOG_LEVEL": "error",
        }
        with program(["-m", "inhouse.cli.main", "up"], environment) as process:
            server = Server(port=port, secret=secret, pid=process.pid)
            wait_until(lambda: is_ready(server), 60, "the API's readiness")
            load = asyncio.run(_run(server, process.pid, options, report))
        missing, doubled = _check(folder, load)
    slowest = max(row["feed_again_s"] for row in report.rows)
    report.add(kill="all", role=f"{len(load.acknowledged):,} acknowledged", feed_again_s=slowest)
    report.add(kill="lost", role=str(missing))
    report.add(kill="doubled", role=str(doubled))
    report.finish(options)
    return 0 if missing == doubled == 0 and slowest < 5 else 1


if __name__ == "__main__":
    raise SystemExit(main())
