"""The standby: it follows the log, keeps the state on disk, and hands it over."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inhouse.app.build import Services
from inhouse.app.roles import standby as module
from inhouse.app.roles.standby import Standby
from inhouse.app.settings import load_settings
from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event
from inhouse.features import checkpoint


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Of a community with one post."""
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path))
    services = Services(load_settings())
    services.catalog.put_items(
        [
            Item(
                item_id=ItemId("i"),
                creator_id=UserId("c"),
                kind="text",
                text="a post",
                created_ms=1,
            )
        ]
    )
    yield services
    services.close()


def _act(services: Services, first: int, count: int) -> None:
    services.log.append(
        [
            Event(
                event_id=EventId(f"e{number}"),
                at_ms=1_000 + number,
                kind="click",
                user_id=UserId(f"u{number % 7}"),
                item_id=ItemId("i"),
            )
            for number in range(first, first + count)
        ]
    )


def _until_offset(services: Services, offset: int) -> None:
    end = time.monotonic() + 10
    while services.state.log_offset < offset:
        assert time.monotonic() < end, f"still at {services.state.log_offset}"
        time.sleep(0.01)


def test_what_was_followed_is_handed_over(services: Services) -> None:
    """After taking over the state stands where the log ends, and nobody moves it any more."""
    _act(services, 0, 10)
    standby = Standby(services)
    standby.start()
    _until_offset(services, services.log.last_offset())

    standby.take_over()
    _act(services, 10, 5)

    assert services.state.log_offset == 10
    assert services.feeds.catch_up() == 5


def test_the_state_is_kept_for_others(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many events the checkpoint holds all that was followed."""
    monkeypatch.setattr(module, "_EVERY_EVENTS", 100)
    _act(services, 0, 250)
    standby = Standby(services)
    standby.start()
    _until_offset(services, 250)
    standby.take_over()

    kept = checkpoint.load(services.checkpoint_path)

    assert kept is not None
    assert (kept.log_offset, sorted(kept.people)) == (250, sorted(services.state.people))
