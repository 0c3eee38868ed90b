"""What is to be replayed: a community's log, in the order of time."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inhouse.app.imports.run import run_import
from inhouse.app.imports.types import Source
from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, User
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId
from inhouse.events.log import EventLog
from inhouse.events.types import LoggedEvent
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Items in the order in which they could first be shown, and what people did with them."""

    items: tuple[Item, ...]  # by the time of their arrival
    arrivals_ms: tuple[int, ...]  # of each item: posted, or first acted upon where that is earlier
    users: tuple[User, ...]
    events: tuple[LoggedEvent, ...]  # by time, equals in the order of the log; offsets from 1


def recorded_in(database: Database) -> Recording:
    """The recording of a community's log. Raises InputError where there is nothing to replay."""
    catalog = Catalog(database)
    items = [item for chunk in catalog.all_items() for item in chunk]
    users = [user for chunk in catalog.all_users() for user in chunk]
    events = [logged for chunk in EventLog(database).read_all() for logged in chunk]
    if not items or not events:
        raise InputError(
            f"there are {len(items)} items and {len(events)} events; import some of both first"
        )
    return _recording(items, users, events)


def recorded_by(sources: Sequence[Source]) -> Recording:
    """The recording that files hold, without keeping it: they are imported into a folder that is
    removed again. Bad rows are left out, as in any import."""
    with tempfile.TemporaryDirectory(prefix="inhouse-replay-") as folder:
        database = open_database(StoreSettings(folder=str(Path(folder))))
        try:
            migrate(database)
            for source in sources:
                run_import(source, database)
            return recorded_in(database)
        finally:
            database.close()


def _recording(
    items: Sequence[Item], users: Sequence[User], events: Sequence[LoggedEvent]
) -> Recording:
    in_time = sorted(events, key=lambda logged: (logged.event.at_ms, logged.log_offset))
    first_ms: dict[ItemId, int] = {}
    for logged in in_time:
        if logged.event.item_id is not None:
            first_ms.setdefault(logged.event.item_id, logged.event.at_ms)
    arrivals = sorted(_arrivals(items, first_ms), key=lambda pair: (pair[0], pair[1].item_id))
    return Recording(
        items=tuple(item for _, item in arrivals),
        arrivals_ms=tuple(at_ms for at_ms, _ in arrivals),
        users=tuple(users),
        events=tuple(replace(logged, log_offset=place) for place, logged in enumerate(in_time, 1)),
    )


def _arrivals(items: Sequence[Item], first_ms: dict[ItemId, int]) -> Iterator[tuple[int, Item]]:
    for item in items:
        yield min(item.created_ms, first_ms.get(item.item_id, item.created_ms)), item
