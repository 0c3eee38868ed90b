"""The worker: what it does between two scans, and what may not hold it up."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.models.models_texts import register, small_model

from inhouse.app import worker as worker_module
from inhouse.app.build import Services, open_services
from inhouse.app.worker import Worker
from inhouse.core.clock import DAY_MS, FollowingClock, SystemClock
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.labels import Labels
from inhouse.models.harvest.pairs import Pair, Pairs, add_pairs
from inhouse.models.types import Label
from inhouse.stats.types import NotEnough


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A community of its own, with labels enough that a training is due."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INHOUSE_STORE_FOLDER", str(tmp_path / "data"))
    monkeypatch.setattr(worker_module, "_MODELS_EVERY_S", 0.0)
    with open_services() as opened:
        Labels(opened.database).add(
            [
                Label(
                    task="text_harm",
                    ref=f"r{row}",
                    text=f"text {row}",
                    scores={"spam": 0.0},
                    source="person:ann",
                    terms="",
                    at_ms=row,
                )
                for row in range(opened.settings.models.least_labels)
            ]
        )
        yield opened


def test_a_training_does_not_hold_up_the_scans(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a model is trained the worker goes on, starts no second training, and takes up the
    result when it is there."""
    going_on, started = threading.Event(), []

    def trained(*told: Any) -> NotEnough:
        started.append(told)
        assert going_on.wait(30)
        return NotEnough(reason="no category has enough texts on both sides", have=0, need=5)

    monkeypatch.setattr(worker_module, "train_task", trained)
    worker = Worker(services)
    try:
        assert [worker.step() for _ in range(3)] == [False] * 3
        assert len(started) == 1
        going_on.set()
        training = worker._training
        assert training is not None
        training.result(30)
        worker.step()
        assert worker._training is None
        worker.step()
        assert len(started) == 1, "as many labels as before teach nothing more"
    finally:
        going_on.set()
        worker.close()


def test_words_are_kept_no_longer_than_is_set(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels by the community's clock, where a bound is set; words of calls by the machine's."""
    now_ms = SystemClock().now_ms()
    fresh, old = (
        Pair(
            task="chat",
            messages=(Message(role="user", content=f"{at_ms}"),),
            answer="yes",
            person=None,
            ref=None,
            call_id="c",
            key_id="k",
            deployment="d",
            source="s",
            terms="mit",
            at_ms=at_ms,
        )
        for at_ms in (now_ms, now_ms - 31 * DAY_MS)
    )
    services.database.write(lambda connection: add_pairs(connection, [old, fresh]))
    bounded = replace(services.settings.models, labels_days=1)
    worker = Worker(services)
    worker._tidy()
    assert Pairs(services.database).latest("chat", 9) == [fresh]
    assert Labels(services.database).counts("text_harm") == {"person:ann": 300}

    services.settings = replace(services.settings, models=bounded)
    services.clock = FollowingClock(DAY_MS + 100)
    worker._tidy()
    worker.close()
    assert Labels(services.database).counts("text_harm") == {"person:ann": 200}


def test_what_began_as_an_encoder_is_trained_by_people(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many labels are new: a model from nothing does not take the place of theirs."""
    known = register(services.registry, small_model(), "text_harm-small")
    card = replace(known.card, student="encoder", trained_on=1)
    started: list[Any] = []
    monkeypatch.setattr(worker_module, "train_task", lambda *told: started.append(told))
    worker = Worker(services)
    try:
        services.registry.put(replace(known, card=card))
        worker.step()
        assert not started
        services.registry.put(replace(known, card=replace(card, student="words")))
        worker.step()
        assert [told[1].name for told in started] == ["text_harm"]
    finally:
        worker.close()
