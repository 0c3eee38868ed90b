"""How many events a second become durable: in the process, over HTTP, in batches and one by one.

The peer is the database driver itself: the same rows, the same commits flushed to disk, without
idempotency checks, validation or HTTP. What lies between is the price of those.
"""

import argparse
import asyncio
import itertools
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from benchmarks.common import Report, arguments, quantiles_ms
from benchmarks.server import Server, api_server
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import Event
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

ITEMS, PEOPLE, NOW_MS = 1_000, 5_000, 1_700_000_000_000


def _events(count: int, tag: str) -> Iterator[Event]:
    for i in range(count):
        yield Event(
            event_id=EventId(f"{tag}-{i}"),
            at_ms=NOW_MS + i,
            kind="impression" if i % 4 else "like",
            user_id=UserId(f"u{i * 7919 % PEOPLE}"),
            item_id=ItemId(f"i{i * 104729 % ITEMS}"),
        )


def _batches(count: int, size: int, tag: str) -> list[list[Event]]:
    events = _events(count, tag)
    return [list(itertools.islice(events, size)) for _ in range(count // size)]


def in_process(report: Report, total: int) -> None:
    """`EventLog.append`, one caller."""
    for size, share in ((1_000, 1.0), (100, 0.5), (1, 0.02)):
        with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
            database = open_database(StoreSettings(folder=folder))
            migrate(database)
            log = EventLog(database)
            batches = _batches(int(total * share), size, f"p{size}")
            started = time.perf_counter()
            for batch in batches:
                log.append(batch)
            seconds = time.perf_counter() - started
            database.close()
        report.add(
            what="EventLog.append",
            batch=size,
            callers=1,
            events_per_s=len(batches) * size / seconds,
        )


def driver(report: Report, total: int) -> None:
    """The peer: sqlite3 alone, WAL, synchronous=FULL."""
    for size, share in ((1_000, 1.0), (100, 0.5), (1, 0.02)):
        with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
            connection = sqlite3.connect(Path(folder) / "peer.db", isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(
                "CREATE TABLE e (o INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, at INT,"
                " kind TEXT, u TEXT, i TEXT)"
            )
            rows = [
                [(e.event_id, e.at_ms, e.kind, e.user_id, e.item_id) for e in batch]
                for batch in _batches(int(total * share), size, f"d{size}")
            ]
            started = time.perf_counter()
            for batch in rows:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT INTO e (id, at, kind, u, i) VALUES (?,?,?,?,?)", batch
                )
                connection.execute("COMMIT")
            seconds = time.perf_counter() - started
            connection.close()
        report.add(
            what="sqlite3 (peer)", batch=size, callers=1, events_per_s=len(rows) * size / seconds
        )


async def over_http(report: Report, server: Server, total: int) -> None:
    """POST /v1/events from concurrent callers."""
    for size, callers, share in ((1_000, 1, 1.0), (1_000, 4, 1.0), (100, 8, 0.5), (1, 64, 0.05)):
        bodies = [
            json.dumps({"events": [_plain(event) for event in batch]}).encode()
            for batch in _batches(int(total * share), size, f"h{size}-{callers}")
        ]
        queue = iter(bodies)
        started = time.perf_counter()
        async with aiohttp.ClientSession(headers=server.headers) as session:
            took = await asyncio.gather(
                *(_caller(session, server.url, queue) for _ in range(callers))
            )
        seconds = time.perf_counter() - started
        report.add(
            what="POST /v1/events",
            batch=size,
            callers=callers,
            events_per_s=len(bodies) * size / seconds,
            **quantiles_ms(list(itertools.chain.from_iterable(took))),
        )


async def _caller(session: aiohttp.ClientSession, url: str, queue: Iterator[bytes]) -> list[float]:
    """Post from the shared queue until it is empty; returns the time of each call in seconds."""
    took: list[float] = []
    for body in queue:
        started = time.perf_counter()
        async with session.post(f"{url}/v1/events", data=body) as response:
            answer = await response.json()
        took.append(time.perf_counter() - started)
        if answer["rejected"]:
            raise RuntimeError(f"rejected: {answer['rejected'][0]}")
    return took


def _plain(event: Event) -> dict[str, object]:
    return {
        "event_id": event.event_id,
        "at_ms": event.at_ms,
        "kind": event.kind,
        "user_id": event.user_id,
        "item_id": event.item_id,
    }


def main() -> None:
    """Measure all three."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--events", type=int, default=200_000, help="in the largest run")

    options = arguments(__doc__ or "", extra)
    total = options.events // (10 if options.quick else 1)
    report = Report(
        "ingest", ("what", "batch", "callers", "events_per_s", "p50_ms", "p95_ms", "p99_ms")
    )
    driver(report, total)
    in_process(report, total)
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
        database = open_database(StoreSettings(folder=folder))
        migrate(database)
        Catalog(database).put_items(
            [
                Item(item_id=ItemId(f"i{i}"), creator_id=UserId("c"), title=f"post {i}")
                for i in range(ITEMS)
            ]
        )
        database.close()
        with api_server(Path(folder)) as server:
            asyncio.run(over_http(report, server, total))
    report.finish(options)


if __name__ == "__main__":
    main()
