"""What was acknowledged survives the death of the process, at any moment."""

import random
import subprocess
import sys
import time

from inhouse.events.log import EventLog
from inhouse.store.database import StoreSettings, open_database

# Four threads append batches of ten and print a batch's name once it is acknowledged.
_APPEND = """
import sys, threading
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.log import EventLog
from inhouse.events.types import Event
from inhouse.store.database import StoreSettings, open_database

log = EventLog(open_database(StoreSettings(url=sys.argv[1], folder=sys.argv[2])))

def work(thread):
    for number in range(1_000_000):
        name = f"{sys.argv[3]}-{thread}-{number}"
        log.append([
            Event(event_id=EventId(f"{name}-{k}"), at_ms=1, kind="click",
                  user_id=UserId("u"), item_id=ItemId("i"))
            for k in range(10)
        ])
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()

for thread in range(4):
    threading.Thread(target=work, args=(thread,)).start()
"""


def _killed_in_the_middle(settings: StoreSettings, number: int) -> list[str]:
    """Start an appender, kill it at a random moment, and return what it had acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", _APPEND, settings.url, settings.folder, str(number)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(random.Random(number).uniform(0.0, 0.3))
    process.kill()
    rest, _ = process.communicate(timeout=30)
    whole_lines = rest.splitlines(keepends=True)
    return [line.strip() for line in (first, *whole_lines) if line.endswith("\n")]


def test_kill_loses_nothing_acknowledged(store_settings: StoreSettings) -> None:
    """After `kill -9` in the middle of appends, thrice over on the same log, every acknowledged
    event is there once, and every batch is there whole or not at all."""
    acknowledged = [
        name for number in range(3) for name in _killed_in_the_middle(store_settings, number)
    ]
    database = open_database(store_settings)
    stored = [e.event.event_id for chunk in EventLog(database).read_all() for e in chunk]
    database.close()

    batches = [event_id.rpartition("-")[0] for event_id in stored]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) - set(batches) == set()
    assert {batches.count(name) for name in random.Random(1).sample(batches, 20)} == {10}
    assert len(stored) == 10 * len(set(batches))
