"""Drills of a community: begun by the command, looked after by the worker, ended whatever dies."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_vendor import Vendor

from inhouse.app.build import Services
from inhouse.app.owning.drills import Order, begin, look_after_drill, rehearse_in_copy, stop
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.models.drill.book import DrillBook
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import TaskInput, UnansweredError
from inhouse.moderation.recording.audit import AuditFilter

_VENDORS = """
[main]
url = "{url}"
model = "gpt-4o-mini"
host = "openai"
owner = "openai"
{more}
"""
_OTHER = """
[other]
url = "{url}"
model = "llama"
host = "elsewhere"
owner = "meta"
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A community with a file of vendors that is written later."""
    given = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_MODELS_VENDORS": str(tmp_path / "vendors.toml"),
        "INHOUSE_MODELS_DEADLINE_MS": "1000",
        "INHOUSE_MODELS_TIMEOUT_MS": "200",
    }
    built = Services(load_settings(given, tmp_path / "none.toml"))
    yield built
    built.close()


@asynccontextmanager
async def _rented(services: Services, *, stand_in: bool) -> AsyncIterator[Vendor]:
    async with Vendor() as vendor:
        more = _OTHER.format(url=vendor.url) if stand_in else ""
        Path(services.settings.models.vendors).write_text(
            _VENDORS.format(url=vendor.url, more=more)
        )
        yield vendor
        await services.gateway.close()


def _live(**more: Any) -> Order:
    return Order(**{"vendor": "openai", "how": "live", "by": "Ada", **more})


async def _ask(services: Services, *texts: str) -> list[str]:
    """Who answered each; nothing for those that nobody answered."""
    inputs = [TaskInput(ref=f"{text}", text=text) for text in texts]
    try:
        return [one.host for one in await services.gateway.ask(TEXT_HARM, inputs)]
    except UnansweredError as error:
        return [one.host for one in error.answered]


def test_a_live_drill_ends_at_its_time_and_is_graded(services: Services) -> None:
    """The command dies right after it began: processes go on without the vendor until the time is
    up, then with it; the worker grades; the chain names who consented."""

    async def play() -> None:
        async with _rented(services, stand_in=True):
            assert services.moderator.backlog() == 0
            begin(services, _live(minutes=0.05))
            hosts = [await _ask(services, "a walk"), await _ask(services, "hate")]
            assert await look_after_drill(services) is None
            await asyncio.sleep(4.3)  # the drill, and the longest that a call may be out
            hosts.append(await _ask(services, "spam"))
            result = await look_after_drill(services)

            assert hosts == [["elsewhere"], ["elsewhere"], ["openai"]]
            assert result is not None
            (task,) = result.tasks
            assert (task.task, task.asked, task.answered, task.by_others) == ("text_harm", 2, 2, 2)
            assert result.drill.why_ended == "its time was up"
            assert result.drill.most_waiting == 0
            assert task.recovered_ms is not None

    asyncio.run(play())
    rows = list(services.audit.rows(AuditFilter(what="drill")))
    assert [(row.actor, row.details["outcome"]) for row in rows if row.details] == [
        ("person:Ada", "begun"),
        ("person:Ada", "its time was up"),
    ]
    assert services.audit.check().fault is None


def test_a_live_drill_that_harms_is_ended(services: Services) -> None:
    """Where more goes unanswered than the setting allows, the vendor is back at once."""

    async def play() -> None:
        async with _rented(services, stand_in=False):
            drill = begin(services, _live(minutes=60))
            for number in range(20):
                assert await _ask(services, f"post {number}") == []
            services.database.write(lambda _: None)
            await look_after_drill(services)
            ended = DrillBook(services.database).drill(drill.drill_id)

            assert ended.why_ended == "100.0% went unanswered, the most allowed is 5.0%"

    asyncio.run(play())


def test_a_live_drill_that_holds_posts_up_is_ended(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where too many posts wait for a verdict, the vendor is back at once."""
    few = replace(services.settings.models, drill_most_waiting=2)
    monkeypatch.setattr(services, "settings", replace(services.settings, models=few))
    services.catalog.put_items(
        [
            Item(item_id=ItemId(f"i{n}"), creator_id=UserId("c"), text="hi", created_ms=1)
            for n in range(3)
        ]
    )

    async def play() -> None:
        async with _rented(services, stand_in=True):
            drill = begin(services, _live(minutes=60))
            await look_after_drill(services)
            ended = DrillBook(services.database).drill(drill.drill_id)

            assert ended.why_ended == "3 posts waited, the most allowed is 2"

    asyncio.run(play())


def test_a_drill_is_stopped(services: Services) -> None:
    """`stop` ends what goes on, once; another may begin only when it is graded."""

    async def play() -> None:
        async with _rented(services, stand_in=True):
            begin(services, _live(minutes=60))
            ended = stop(services)

            assert ended.why_ended == "it was stopped"
            assert ended.ended_ms is not None
            with pytest.raises(ConflictError, match="no drill goes on"):
                stop(services)
            with pytest.raises(ConflictError, match="a live drill of openai goes on"):
                begin(services, _live())

    asyncio.run(play())


def test_orders_that_cannot_be_followed(services: Services) -> None:
    """Each is refused with what would have been right."""

    async def play() -> None:
        async with _rented(services, stand_in=True):
            for order, error, match in (
                (_live(by=" "), InputError, "say who consents"),
                (_live(by="x" * 65), InputError, "at most 64"),
                (_live(minutes=0.0), InputError, "minutes is 0.0"),
                (_live(minutes=float("nan")), InputError, "minutes is nan"),
                (_live(share=0.0), InputError, "share is 0.0"),
                (_live(vendor="nobody\u202e😀"), UnknownError, "known are elsewhere, openai"),
                (_live(vendor="meta"), UnknownError, "--layer owner"),
            ):
                with pytest.raises(error, match=match):
                    begin(services, order)
            with pytest.raises(InputError, match="no answer of openai is known"):
                await asyncio.to_thread(
                    rehearse_in_copy, services, Order(vendor="openai"), 10, lambda *_: None
                )

    asyncio.run(play())


def test_the_worker_shows_posts_while_a_vendor_is_away(services: Services) -> None:
    """Posts that come meanwhile get their verdict from whoever is left."""

    async def play() -> None:
        async with _rented(services, stand_in=True):
            begin(services, _live(minutes=60))
            services.catalog.put_items(
                [Item(item_id=ItemId("i"), creator_id=UserId("c"), text="a walk", created_ms=1)]
            )
            report = await services.moderator.scan()

            assert (report.judged, report.awaiting, report.backlog) == (1, 0, 0)

    asyncio.run(play())
