"""The watcher of routes: beside the worker's scans, past faults, and never unmissed."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_cards import blank_card

from inhouse.app.build import Services, open_services
from inhouse.app.owning import watching
from inhouse.app.owning.watching import RouteWatcher
from inhouse.app.roles.worker import Worker
from inhouse.core.errors import StoreError
from inhouse.models.cutover.routes import RouteChange
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.types import Attempt

VENDORS = """
[main]
host = "openai"
owner = "openai"
model = "gpt-4o-mini"
url = "http://127.0.0.1:9/v1"
key_env = "A_KEY"
terms = "mit"
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A community whose task is answered by an owned model to a hundredth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("A_KEY", "sk-test")
    (tmp_path / "vendors.toml").write_text(VENDORS)
    with open_services() as opened:
        opened.registry.put(_version())
        rented = opened.routes.current("text_harm")
        route = replace(rented, stage="ramp1", owned="v1", owned_share=0.01)
        opened.routes.set(RouteChange(route=route, at_ms=1, decided_by="cutover", reason="so"))
        yield opened


def _version() -> ModelVersion:
    return ModelVersion(
        version="v1", task="text_harm", created_ms=1, card=blank_card("v1"), parity=None
    )


def _fail(services: Services, requests: int) -> None:
    failed = Attempt(
        call_id="c",
        at_ms=1,
        task="text_harm",
        role="primary",
        deployment="owned",
        host="inhouse",
        owner="inhouse",
        model="v1",
        inputs=1,
        answered=0,
        usage=None,
        cost_usd=Decimal(0),
        price_version="owned",
        latency_ms=1.0,
        outcome="bad_answer",
        simulated=False,
    )
    services.database.write(lambda connection: append_attempts(connection, [failed] * requests))


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_scan_that_waits_for_a_vendor_does_not_hold_up_a_rollback(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the worker's step hangs, an owned model that fails is taken out of service, by itself
    and with the figures on the chain."""
    monkeypatch.setattr(watching, "EVERY_S", 0.02)
    hanging, going_on = threading.Event(), threading.Event()

    async def scan() -> Any:
        hanging.set()
        assert going_on.wait(30)
        raise StoreError("the vendor never came")

    monkeypatch.setattr(services.moderator, "scan", scan)
    worker = Worker(services)

    def step() -> None:
        with pytest.raises(StoreError):
            worker.step()

    stepping = threading.Thread(target=step)
    stepping.start()
    try:
        assert hanging.wait(10)
        _fail(services, 20)
        _until(lambda: services.routes.current("text_harm").stage == "shadow")
    finally:
        going_on.set()
        stepping.join()
        worker.close()
    change = services.routes.history("text_harm")[0]
    assert (change.decided_by, change.route.owned_share, change.route.held_by) == (
        "cutover",
        0.0,
        "cutover",
    )
    assert re.fullmatch(
        r"rolled back: \d of the last \d of its requests failed, above the bound of 2.0% "
        r"\(20 of 20 since the stage began\)",
        change.reason,
    )
    assert services.audit.check().fault is None


def test_a_look_that_fails_is_tried_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy store is no reason to stop watching."""
    watcher = RouteWatcher(services, every_s=0.01)
    looked: list[int] = []

    def look() -> None:
        looked.append(1)
        raise StoreError("busy")

    monkeypatch.setattr(watcher, "look", look)
    watcher.start()
    _until(lambda: len(looked) >= 3)
    watcher.check()
    watcher.close()


def test_a_watcher_that_crashed_is_missed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw is raised in the worker's own step, which ends it; a fresh one begins."""
    watcher = RouteWatcher(services, every_s=0.01)
    monkeypatch.setattr(watcher, "look", lambda: {}["gone"])
    watcher.start()
    assert watcher._going is not None
    _until(watcher._going.done)
    with pytest.raises(KeyError):
        watcher.check()
    watcher.close()


def test_a_watcher_ends_with_its_database(services: Services) -> None:
    """A worker that crashed was never closed; its watcher does not go on beside the fresh one's."""
    watcher = RouteWatcher(services, every_s=0.01)
    watcher.start()
    services.database.close()
    assert watcher._going is not None
    _until(watcher._going.done)
    watcher.close()
