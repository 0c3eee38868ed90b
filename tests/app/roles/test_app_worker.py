"""What the worker does beside judging: letting go of what may not be kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.app.roles.worker import Worker
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.recording.sealed import PRESERVED_MS
from inhouse.moderation.statements.answers import NOTICE_KEPT_MS
from inhouse.moderation.types import Notice
from inhouse.store import tables


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A community whose time follows its log, with one post."""
    given = {"INHOUSE_STORE_FOLDER": str(tmp_path / "data"), "INHOUSE_APP_CLOCK": "log"}
    built = Services(load_settings(given, tmp_path / "none.toml"))
    built.catalog.put_items(
        [Item(item_id=ItemId("i"), creator_id=UserId("c"), text="a post", created_ms=1_000)]
    )
    yield built
    built.close()


def test_the_worker_lets_go_of_what_may_not_be_kept(services: Services) -> None:
    """A year after its report what is sealed goes, and the name of whoever gave notice before."""
    services.catch_clock_up()
    notice = Notice(good_faith=True, name="Zoe", email="zoe@example.org")
    services.reports.file("i", "zoe", "child_abuse", None, notice)
    services.sealed.seal("i", "ada")
    services.sealed.report("i", "ada", "NCMEC", "CT-1")
    services.clock.advance(services.clock.now_ms() + max(PRESERVED_MS, NOTICE_KEPT_MS) + 1)
    worker = Worker(services)
    worker.step()
    worker.close()
    with services.database.read() as connection:
        sealed = connection.execute(sa.select(tables.sealed)).one()
        told = connection.execute(sa.select(tables.notices)).one()

    assert (sealed.content, sealed.report_number) == (None, "CT-1")
    assert sealed.purged_ms == services.clock.now_ms()
    assert (told.name, told.email) == (None, None)
    assert services.audit.check().fault is None
