"""A drill in a copy: recent texts, asked again of a gateway whose vendor is cut off.

The gateway is the one that serves, over a database of its own that holds a copy of the routes and
of the models' versions; what it writes goes with it. The vendor that is cut off is never called:
its answers on these texts are known, for they became labels. Whoever stands in for it is really
asked, and what that costs is in the ledger, as shadows are. Calls that are passed on are rehearsed
by a few of our own.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from inhouse.core.clock import Clock
from inhouse.models.asking.fleet import Fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.asking.resilience import Patience
from inhouse.models.cutover.routes import Routes
from inhouse.models.drill.grading import Seen
from inhouse.models.drill.known import Texts, known_texts, traffic_of, usual_times
from inhouse.models.drill.play import Known, Noting, Nowhere, Play, Recalled, Stage, Tell
from inhouse.models.drill.types import Drill
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.rows import Ledger, append_attempts
from inhouse.models.owned.registry import Registry
from inhouse.models.parity.gate import Parity, parity
from inhouse.models.passing.passer import Passer
from inhouse.models.ports import Provider
from inhouse.models.providers.faults import Cut, Line
from inhouse.models.providers.http import HttpProvider
from inhouse.models.providers.hugging_face import HuggingFaceProvider
from inhouse.models.providers.transport import Transport
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.tasks import judging
from inhouse.models.types import (
    HUGGING_FACE,
    INHOUSE,
    LOCAL,
    Attempt,
    Deployment,
    Scores,
    Service,
    Task,
)
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database
from inhouse.store.migrate import migrate

_COPIED: Final = (tables.routes, tables.model_versions)
_MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """What is copied."""

    database: Database
    registry: Registry
    tasks: Mapping[str, Task]
    deployments: Sequence[Deployment]
    clock: Clock  # the community's
    settings: ModelSettings
    patience: Patience
    most_texts: int  # of each task
    after_s: float  # at most so long the vendor is waited for when it is back


def known_for(original: Original, drill: Drill) -> Known:
    """The latest texts whose answers by the vendor are known, and what it serves besides."""
    cut, vendors = drill.cut(), [one.name for one in original.deployments]
    routes = Routes(original.database, vendors)
    texts = {
        name: known_texts(
            original.database,
            original.registry,
            Texts(task=name, route=routes.current(name), cut=cut, deployments=original.deployments),
            original.most_texts,
        )
        for name in (task.name for task in judging(original.tasks))
    }
    passed: tuple[Service, ...] = ("chat", "embeddings")
    return Known(
        tasks=original.tasks,
        texts={name: found for name, found in texts.items() if found},
        services=[
            (service, one)
            for one in original.deployments
            if cut.hits(one)
            for service in passed
            if service in one.serves
        ],
    )


async def rehearse(original: Original, drill: Drill, known: Known, tell: Tell) -> Seen:
    """Play the drill: the vendor away from now on until the drill's time is up, then back. Returns
    what was seen, with the times as they really were."""
    with _copy_of(original.database) as copy:
        play = Play(_stage(original, copy, drill, known), drill, known)
        try:
            ended = await play.run(tell)
        finally:
            await play.close()
            await asyncio.to_thread(_pay, copy, original.database, drill.cut())
    return Seen(
        drill=ended,
        calls=play.stage.switch.noted,
        before=usual_times(original.database, drill.cut()),
        traffic=traffic_of(original.database, original.clock.now_ms()),
        quality=_quality(known, play.answers, original.settings),
    )


@contextmanager
def _copy_of(database: Database) -> Iterator[Database]:
    """A database of its own with what models are chosen by."""
    with tempfile.TemporaryDirectory(prefix="inhouse-drill-") as folder:
        copy = open_database(StoreSettings(folder=folder))
        try:
            migrate(copy)
            for table in _COPIED:
                with database.read() as connection:
                    rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                if rows:
                    _insert(copy, table, rows)
            yield copy
        finally:
            copy.close()


def _insert(copy: Database, table: sa.Table, rows: list[dict[str, object]]) -> None:
    copy.write(lambda connection: connection.execute(table.insert(), rows))


def _stage(original: Original, copy: Database, drill: Drill, known: Known) -> Stage:
    """A gateway and a passer over the copy, with lines that can be cut."""
    cut, settings = drill.cut(), original.settings
    switch = Noting(cut)
    transport, nowhere = Transport(), Nowhere()

    def provider(deployment: Deployment) -> Provider:
        if deployment.dialect == HUGGING_FACE:
            return HuggingFaceProvider(deployment)
        if not cut.hits(deployment):
            return HttpProvider(deployment, Line(transport, deployment, switch))
        inner = HttpProvider(deployment, Line(nowhere, deployment, switch))
        said = {one.text: one.teacher for examples in known.texts.values() for one in examples}
        return Recalled(inner, said, switch)

    judging = [one for one in original.deployments if "scores" in one.serves]
    fleet = Fleet(
        [provider(one) for one in judging],
        Registry(copy, original.registry.folder),
        original.tasks,
        switch,
    )
    stores = Stores(database=copy, keeper=Keeper(copy), switch=switch)
    return Stage(
        gateway=Gateway(copy, original.clock, fleet, settings, original.patience),
        passer=Passer(original.deployments, stores, original.clock, settings, original.patience),
        switch=switch,
        after_s=original.after_s,
    )


def _pay(copy: Database, database: Database, cut: Cut) -> None:
    """What others than the vendor were really asked is in the community's ledger, as a shadow."""
    copy.write(lambda _: None)  # all rows before it are written
    found = Ledger(copy).read(limit=_MOST_ROWS)
    real = [
        replace(row, role="shadow", key_id=None)
        for _, row in found
        if row.host not in (INHOUSE, LOCAL) and not _is_of(cut, row)
    ]
    if real:
        database.write(lambda connection: append_attempts(connection, real))


def _is_of(cut: Cut, row: Attempt) -> bool:
    return cut.vendor == (row.host if cut.layer == "host" else row.owner)


def _quality(
    known: Known, answers: Mapping[tuple[str, str], Scores], settings: ModelSettings
) -> dict[str, Parity]:
    """What is left, held against what the vendor had said of the same texts."""
    found = {}
    for task, examples in known.texts.items():
        both = [one for one in examples if (task, one.ref) in answers]
        if both:
            found[task] = parity(both, [answers[task, one.ref] for one in both], settings)
    return found
