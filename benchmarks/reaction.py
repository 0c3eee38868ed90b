"""How soon is a feed different? After an event, and after a new post's verdict.

Two API processes on one store, as behind one port. Somebody mutes a creator through one of them and
asks both for `latest`, again and again, until none shows that creator; a post arrives and gets its
verdict in the store, as from the worker, until both show it. Meanwhile 500 events a second arrive.
Times run from before the event is sent, or from the verdict's commit, to the end of the first
answer that shows it; they contain the requests themselves.
"""

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.common import Report, arguments, quantiles_ms
from benchmarks.community import NOW_MS, Size, allowed, build, item
from benchmarks.server import Server, api_server
from inhouse.app.build import Services, open_services
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId
from inhouse.moderation.verdicts.rows import append_verdicts

EVENT_BATCH: Final = 50
EVENTS_PER_S: Final = 500
GIVE_UP_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is measured, and who is asked."""

    servers: tuple[Server, ...]  # the first is written to
    services: Services  # on the same store, for verdicts
    session: aiohttp.ClientSession
    size: Size


async def latest(scene: Scene, server: Server, person: str) -> list[dict[str, Any]]:
    """The items of a person's `latest`."""
    url = f"{server.url}/v1/feed/{person}?surface=latest&n=20&detail=true"
    async with scene.session.get(url, headers=server.headers) as response:
        response.raise_for_status()
        items: list[dict[str, Any]] = (await response.json())["items"]
    return items


async def post(scene: Scene, path: str, body: dict[str, Any]) -> None:
    """To the first server."""
    server = scene.servers[0]
    async with scene.session.post(
        f"{server.url}{path}", data=json.dumps(body), headers=server.headers
    ) as response:
        answer = await response.json()
        response.raise_for_status()
    if answer.get("rejected"):
        raise RuntimeError(f"rejected: {answer['rejected'][0]}")


async def mute(scene: Scene, number: int) -> list[float]:
    """Seconds until each server leaves out a creator that somebody has just muted."""
    person = f"u{number % scene.size.people}"
    creator = (await latest(scene, scene.servers[0], person))[0]["creator_id"]
    event = {
        "event_id": f"mute-{number}",
        "at_ms": NOW_MS + number,
        "kind": "mute",
        "user_id": person,
        "target": f"creator:{creator}",
    }
    began = time.perf_counter()
    await post(scene, "/v1/events", {"events": [event]})

    async def gone(server: Server) -> bool:
        return all(x["creator_id"] != creator for x in await latest(scene, server, person))

    return [await _until(gone, server, began) for server in scene.servers]


async def appear(scene: Scene, number: int) -> list[float]:
    """Seconds until each server shows a post whose verdict has just been written."""
    made = item(scene.size.items + number, number % 20)
    new = Item(
        item_id=ItemId(f"new-{number}"),
        creator_id=made.creator_id,
        title=made.title,
        created_ms=NOW_MS + 60_000 + number,
    )
    row = {"item_id": new.item_id, "creator_id": new.creator_id, "title": new.title}
    await post(scene, "/v1/items", {"items": [{**row, "created_ms": new.created_ms}]})
    await asyncio.to_thread(
        scene.services.database.write,
        lambda connection: append_verdicts(connection, [allowed(new)]),
    )
    began = time.perf_counter()

    async def there(server: Server) -> bool:
        return any(x["item_id"] == new.item_id for x in await latest(scene, server, "stranger"))

    return [await _until(there, server, began) for server in scene.servers]


async def _until(shows: Any, server: Server, began: float) -> float:
    while not await shows(server):
        if time.perf_counter() - began > GIVE_UP_S:
            raise RuntimeError(f"no change within {GIVE_UP_S:g} s")
    return time.perf_counter() - began


async def write_on(scene: Scene, stop: asyncio.Event) -> None:
    """500 events a second until told to stop."""
    number = 0
    while not stop.is_set():
        events = [
            {
                "event_id": f"live-{number + i}",
                "at_ms": NOW_MS + number + i,
                "kind": "impression" if i % 4 else "like",
                "user_id": f"u{(number + i) * 7919 % scene.size.people}",
                "item_id": f"i{(number + i) * 104729 % scene.size.items}",
            }
            for i in range(EVENT_BATCH)
        ]
        number += EVENT_BATCH
        await post(scene, "/v1/events", {"events": events})
        await asyncio.sleep(EVENT_BATCH / EVENTS_PER_S)


async def measure(scene: Scene, times: int) -> list[tuple[str, str, list[float]]]:
    """What, where, and how long each time."""
    stop = asyncio.Event()
    writer = asyncio.create_task(write_on(scene, stop))
    found: list[tuple[str, str, list[float]]] = []
    for what, one in (("event to changed feed", mute), ("verdict to shown post", appear)):
        took = [await one(scene, number) for number in range(times)]
        for place, where in enumerate(("the process written to", "another process")):
            found.append((what, where, [each[place] for each in took]))
    stop.set()
    await writer
    return found


async def _run(servers: tuple[Server, ...], services: Services, size: Size, times: int) -> Any:
    async with aiohttp.ClientSession() as session:
        scene = Scene(servers=servers, services=services, session=session, size=size)
        return await measure(scene, times)


def main() -> None:
    """Measure both."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, default=10_000)
        parser.add_argument("--users", type=int, default=5_000)
        parser.add_argument("--times", type=int, default=300, help="each is measured")

    options = arguments(__doc__ or "", extra)
    size = Size(items=options.items, people=options.users, events=50_000)
    report = Report("reaction", ("what", "where", "p50_ms", "p95_ms", "p99_ms", "longest_ms"))
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        settings = load_settings(
            {"INHOUSE_STORE_FOLDER": name, "INHOUSE_APP_CLOCK": "log"}, folder / "none.toml"
        )
        services = stack.enter_context(open_services(settings))
        build(services.database, size)
        servers = tuple(stack.enter_context(api_server(folder)) for _ in range(2))
        times = 30 if options.quick else options.times
        for what, where, took in asyncio.run(_run(servers, services, size, times)):
            report.add(what=what, where=where, **quantiles_ms(took), longest_ms=1_000 * max(took))
    report.finish(options)


if __name__ == "__main__":
    main()
