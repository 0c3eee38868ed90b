"""The worker: what it does between two scans, and what may not hold it up."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.models.models_texts import harvest, posts, register, small_model

from inhouse.app.build import Services, open_services
from inhouse.app.owning import rejudging
from inhouse.app.roles import worker as worker_module
from inhouse.app.roles.worker import Worker
from inhouse.core.clock import DAY_MS, FollowingClock, SystemClock
from inhouse.models.cutover.routes import RouteChange, beside_in, report_in
from inhouse.models.harvest.conversations import Message
from inhouse.models.harvest.labels import Labels
from inhouse.models.harvest.pairs import Pair, Pairs, add_pairs
from inhouse.models.parity.gate import Parity
from inhouse.models.parity.margins import Margin, Margins
from inhouse.models.parity.rejudging import wanted
from inhouse.models.types import Label
from inhouse.stats.types import NotEnough
from inhouse.store import tables


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

    monkeypatch.setattr(worker_module, "train_here", trained)
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
    monkeypatch.setattr(worker_module, "train_here", lambda *told: started.append(told))
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


def _differing(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A version that differs from the rented model on thirty of its held-out texts, judged once;
    returns the texts on which they differ."""
    _, truth = posts(1_200, seed=3)
    noisy = [n for n in range(840, 1_200) if not truth[n].any()][:30]
    labels = [
        replace(label, scores={"hate": 0.9, "spam": 0.1}) if n in noisy else label
        for n, label in enumerate(harvest(1_200, seed=3))
    ]
    services.database.write(lambda c: c.execute(tables.labels.delete()))
    Labels(services.database).add(labels)
    register(services.registry, small_model(), "v1")
    task = services.tasks["text_harm"]
    report = rejudging.judge_again(services, task)
    # One of the thirty is nearly the same as an earlier text, so that no model is judged by it.
    assert (report.unjudged, report.overall.people) == (29, 0)
    # No training beside it: it would take the place of the version that is asked about.
    monkeypatch.setattr(Worker, "_is_due", lambda self, task: False)
    return [f"3-{n}" for n in noisy]


def _say(services: Services, refs: list[str], texts: dict[str, str]) -> None:
    """A person says of each that it is harmless."""
    Labels(services.database).add(
        [
            Label(
                task="text_harm",
                ref=ref,
                text=texts[ref],
                scores={"hate": 0.0, "spam": 0.0},
                source="person:ann",
                terms="",
                at_ms=5_000,
            )
            for ref in refs
        ]
    )


def _judged(worker: Worker, services: Services) -> Parity:
    """The report that the gate reads, once the worker had nothing under way."""
    worker.step()
    if worker._training is not None:
        worker._training.result(60)
        worker.step()
    report = report_in(services.registry.version("v1"))
    assert report is not None
    return report


def test_parity_is_made_again_as_people_answer(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report lacks people's word on 29 differences; they settle them, and the worker judges the
    version again once enough are settled, not sooner, and not twice of the same. It passes, and
    says when the report was made and on how many of people's words."""
    services.clock = FollowingClock(DAY_MS)
    Margins(services.database).sign(Margin(task="text_harm", margin=0.05, signed_by="ann", at_ms=1))
    asked = _differing(services, monkeypatch)
    texts = {f"3-{n}": text for n, text in enumerate(posts(1_200, seed=3)[0])}
    first = report_in(services.registry.version("v1"))
    assert first is not None
    assert (first.verdict, first.made_ms, first.more_needed, wanted(first)) == (
        "not_enough",
        DAY_MS,
        29,
        20,
    )
    worker = Worker(services)
    try:
        _say(services, asked[: wanted(first) - 1], texts)
        services.clock.advance(2 * DAY_MS)
        assert _judged(worker, services) == first
        _say(services, asked[wanted(first) - 1 :], texts)
        second = _judged(worker, services)
        assert (second.verdict, second.made_ms, second.people) == ("pass", 2 * DAY_MS, 29)
        assert second.labels_to > first.labels_to
        assert _judged(worker, services) == second
    finally:
        worker.close()


def test_a_version_that_may_replace_another_is_judged_beside_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker holds it against the one that serves, by itself."""
    services.clock = FollowingClock(DAY_MS)
    _differing(services, monkeypatch)
    passed = replace(services.registry.version("v1"), created_ms=9, version="v2")
    register(services.registry, small_model(), "v2")
    parity = report_in(passed)
    assert parity is not None
    told = msgspec.json.encode(replace(parity, verdict="pass")).decode()
    services.registry.put(replace(passed, parity=told, created_ms=9))
    route = replace(services.routes.current("text_harm"), stage="owned", owned="v1")
    services.routes.set(RouteChange(route=route, at_ms=1, decided_by="t", reason="t"))
    services.clock.advance(2 * DAY_MS)
    worker = Worker(services)
    try:
        _judged(worker, services)
        beside = beside_in(services.registry.version("v2"))
        assert beside is not None
        assert (beside.version, beside.verdict) == ("v1", "pass")
    finally:
        worker.close()
