"""What the worker does beside judging: letting go of what may not be kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.app.roles import worker as worker_module
from inhouse.app.roles.worker import Worker
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.clock import DAY_MS
from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.events.types import ServedPage
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


def test_pages_are_kept_for_a_while(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ninety days, some thousands at once; the newest as long as nobody was served since."""
    monkeypatch.setattr(worker_module, "_PAGES_AT_ONCE", 2)
    monkeypatch.setattr(worker_module, "_PAGES_EVERY_S", 0.0)
    services.catch_clock_up()
    for number in range(6):
        page = ServedPage(
            page_id=PageId(f"p{number}"),
            at_ms=services.clock.now_ms() + number,
            user_id=UserId("zoe"),
            surface="for_you",
            items=(),
        )
        services.pages.submit(page).result(10)
    worker = Worker(services)
    worker.step()
    assert len(services.pages.read(0)) == 6
    services.clock.advance(services.clock.now_ms() + 90 * DAY_MS + 3)
    worker._pages_due_s = 0.0  # an hour later
    left = []
    for _ in range(3):
        worker.step()
        left.append([page.page_id for _, page in services.pages.read(0)])
    worker.close()
    assert left == [["p2", "p3", "p4", "p5"], ["p3", "p4", "p5"], ["p3", "p4", "p5"]]


def test_pages_are_kept_for_ever_where_they_shall_be(tmp_path: Path) -> None:
    """0 days."""
    given = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_APP_CLOCK": "log",
        "INHOUSE_APP_PAGES_DAYS": "0",
    }
    services = Services(load_settings(given, tmp_path / "none.toml"))
    for name in "ab":
        page = ServedPage(
            page_id=PageId(name), at_ms=1, user_id=UserId("zoe"), surface="for_you", items=()
        )
        services.pages.submit(page).result(10)
    services.clock.advance(10_000 * DAY_MS)
    worker = Worker(services)
    worker.step()
    worker.close()
    assert len(services.pages.read(0)) == 2
    services.close()
