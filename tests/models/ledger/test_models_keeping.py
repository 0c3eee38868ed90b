"""Rows that nobody waits for are on disk soon, and at the latest when the database is closed."""

import asyncio
from pathlib import Path

import pytest
import structlog
from tests.models.models_vendor import Vendor, deployment, inputs_of, world_of

from inhouse.core.errors import StoreError
from inhouse.models.harvest.labels import Labels
from inhouse.models.ledger.rows import Ledger
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Manner
from inhouse.store import tables
from inhouse.store.database import Database, StoreSettings, open_database

SOON = Manner(durable=False)


def test_closing_the_database_writes_what_waits(database: Database, tmp_path: Path) -> None:
    """Twenty answers nobody waited for: rows and labels are there for whoever opens it next."""

    async def play() -> None:
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url, batch=1)])
            await world.gateway.ask(TEXT_HARM, inputs_of(*(f"post {n}" for n in range(20))), SOON)
            await world.gateway.close()

    asyncio.run(play())
    database.close()
    again = open_database(StoreSettings(folder=str(tmp_path / "data")))
    rows, labels = Ledger(again).read(), Labels(again).latest("text_harm", 100)
    again.close()
    assert (len(rows), len(labels)) == (20, 20)


def test_what_cannot_be_metered_is_not_answered_twice(database: Database, tmp_path: Path) -> None:
    """The first refusal is only heard of afterwards and logged; from then on callers wait for their
    rows and fail with them, until the ledger takes rows again."""

    async def ask() -> None:
        await world.gateway.ask(TEXT_HARM, inputs_of("text"), SOON)
        database.write(lambda _: None)

    async def play() -> None:
        nonlocal world
        async with Vendor() as vendor:
            world = world_of(database, tmp_path, [deployment(vendor.url)])
            database.write(tables.ledger.drop)
            with structlog.testing.capture_logs() as logs:
                await ask()
                for _ in range(2):
                    with pytest.raises(StoreError, match="no such table: ledger"):
                        await ask()
            database.write(tables.ledger.create)
            await ask()
            await ask()
            await world.gateway.close()
            assert [log["event"] for log in logs] == ["ledger_rows_refused"]
            assert len(world.rows()) == 2

    world = world_of(database, tmp_path, [])
    asyncio.run(play())
