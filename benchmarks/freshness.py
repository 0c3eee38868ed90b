"""How long until an event tells in the published rows: a learner of its own process, a live log.

Events are appended at `--rate` a second, a tenth of them clicks; once a second somebody clicks a
post that nobody had clicked before. A watcher does what a server does, which is to apply deltas
every two seconds, and notes when that post has a row. The time from the click's being durable to
the row's being served is reported, for clicks after the first snapshot was served.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.common import Report, arguments, console, program, quantiles_ms
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.log import EventLog
from inhouse.events.types import Event
from inhouse.learning.snapshots.snapshot import SnapshotStore, TasteSnapshot
from inhouse.store.database import StoreSettings, open_database
from inhouse.store.migrate import migrate

_TICK_S = 0.1
_LOOKED_EVERY_S = 2.0
_CATALOG_AT_ONCE = 5_000


class Community:
    """A catalog, a log at a steady rate, and posts that are clicked once."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._database = open_database(StoreSettings(folder=str(folder)))
        migrate(self._database)
        self._log = EventLog(self._database)
        self._items, self._people, self._rate = options.items, options.people, options.rate
        self._numbers = stream(2, "freshness")
        self._made = 0
        self.clicked_s: dict[ItemId, float] = {}  # when the click on each new post was durable
        catalog = Catalog(self._database)
        for start in range(0, self._items + options.seconds * 2, _CATALOG_AT_ONCE):
            catalog.put_items(
                [
                    Item(item_id=ItemId(f"i{k}"), creator_id=UserId("c"), title=f"word{k % 97}")
                    for k in range(start, start + _CATALOG_AT_ONCE)
                ]
            )

    def tick(self, number: int) -> None:
        """A tenth of a second of events; every tenth tick with a post of its own."""
        count = int(self._rate * _TICK_S)
        people = self._numbers.integers(self._people, size=count).tolist()
        items = (self._items * self._numbers.random(count) ** 3).astype(int).tolist()
        events = [self._event(p, f"i{k}") for p, k in zip(people, items, strict=True)]
        new = ItemId(f"i{self._items + number // 10}")
        if number % 10 == 0:
            events[0] = self._event(people[0], new, kind="click")
        self._log.append(events)
        if number % 10 == 0:
            self.clicked_s[new] = time.monotonic()

    def _event(self, person: int, item: str, kind: str = "") -> Event:
        self._made += 1
        return Event(
            event_id=EventId(str(self._made)),
            at_ms=time.time_ns() // 1_000_000,
            kind="click" if kind or self._made % 10 == 0 else "impression",
            user_id=UserId(f"u{person}"),
            item_id=ItemId(item),
        )

    def close(self) -> None:
        self._database.close()


class Watcher:
    """Serves as an API process does: the newest snapshot, its deltas every two seconds."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._model: TasteSnapshot | None = None
        self._looked_s = 0.0
        self.since_s: float | None = None  # when the first snapshot was served

    def look(self) -> frozenset[ItemId] | None:
        """Names with a row, where it is time to look."""
        if time.monotonic() - self._looked_s < _LOOKED_EVERY_S:
            return None
        self._looked_s = time.monotonic()
        current = self._store.current()
        if current is None:
            return None
        if self._model is None or self._model.snapshot_id != current:
            self._model = self._store.load(current)
        self._store.bring_up(self._model)
        self.since_s = self.since_s or time.monotonic()
        return frozenset(self._model.taste.item_ids)


def measure(folder: Path, options: argparse.Namespace) -> tuple[list[float], int]:
    """Seconds of each new post from click to served row, and how many never came."""
    community = Community(folder, options)
    watcher = Watcher(SnapshotStore(folder / "snapshots"))
    served_s: dict[ItemId, float] = {}
    environment = {"INHOUSE_STORE_FOLDER": str(folder), "INHOUSE_APP_LOG_LEVEL": "warning"}
    with program(["-m", "inhouse.app.roles.learner"], environment):
        began = time.monotonic()
        for number in range(int(options.seconds / _TICK_S)):
            community.tick(number)
            _note(watcher, community, served_s)
            time.sleep(max(0.0, began + (number + 1) * _TICK_S - time.monotonic()))
        kept_up = time.monotonic() - began
        end = time.monotonic() + 10
        while time.monotonic() < end:
            _note(watcher, community, served_s)
            time.sleep(_TICK_S)
    community.close()
    console.print(f"{options.rate * options.seconds / kept_up:,.0f} events/s were appended")
    since = (watcher.since_s or time.monotonic()) + _LOOKED_EVERY_S
    counted = {item: then for item, then in community.clicked_s.items() if then > since}
    took = [served_s[item] - then for item, then in counted.items() if item in served_s]
    return took, len(counted) - len(took)


def _note(watcher: Watcher, community: Community, served_s: dict[ItemId, float]) -> None:
    names = watcher.look()
    if names is not None:
        for item in community.clicked_s:
            if item in names:
                served_s.setdefault(item, time.monotonic())


def main() -> None:
    """One run."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, default=20_000)
        parser.add_argument("--people", type=int, default=20_000)
        parser.add_argument("--rate", type=int, default=2_000, help="events a second")
        parser.add_argument("--seconds", type=int, default=90)

    options = arguments(__doc__ or "", extra)
    if options.quick:
        options.seconds = 40
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="inhouse-bench-") as folder:
        took, lost = measure(Path(folder), options)
    report = Report(
        "freshness", ("what", "posts", "never", "p50_ms", "p95_ms", "p99_ms", "longest_s")
    )
    report.add(
        what=f"click to served row at {options.rate:,} events/s",
        posts=len(took),
        never=lost,
        longest_s=max(took, default=float("nan")),
        **(quantiles_ms(took) if len(took) > 1 else {}),
    )
    report.finish(options)


if __name__ == "__main__":
    main()
