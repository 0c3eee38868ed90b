"""A student that is worse than its report says: who is answered by it before it is gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.models.models_texts import CATEGORIES, Knowing, posts, register, truth_of
from tests.models.models_vendor import NOW_MS

from inhouse.core.clock import FollowingClock
from inhouse.models.asking.fleet import Fleet
from inhouse.models.asking.gateway import Gateway
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.cutover.stages import measuring_of, with_stage
from inhouse.models.owned.fit import fit_text
from inhouse.models.owned.registry import Registry
from inhouse.models.owned.text import TextClassifier
from inhouse.models.parity.agreement import ANY, Agreement
from inhouse.models.parity.gate import Parity
from inhouse.models.settings import ModelSettings
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import (
    INHOUSE,
    Answer,
    Deployment,
    ProviderAnswer,
    Scores,
    Task,
    TaskInput,
)
from inhouse.store.database import Database

TEXTS, TRUTH = posts(3_000, seed=5)
KNOWN = truth_of(TEXTS, TRUTH)


class Teacher:
    """Says what is so."""

    deployment = Deployment(name="teacher", host="openai", owner="openai", model="gpt-4o-mini")

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return [tuple(inputs)]

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        scores: tuple[Scores, ...] = tuple(KNOWN[given.text] for given in inputs)
        refs = tuple(given.ref for given in inputs)
        return [ProviderAnswer(refs=refs, scores=scores, outcome="ok", latency_ms=1.0)]

    async def close(self) -> None:
        """Nothing is open."""


def _student(flipped: bool) -> TextClassifier:
    texts, truth = posts(600, seed=6)
    model = fit_text(texts, 1 - truth if flipped else truth, CATEGORIES, seed=1)
    assert isinstance(model, TextClassifier)
    return model


@pytest.mark.parametrize(("flipped", "stage"), [(True, "shadow"), (False, "ramp1")])
def test_labels_flipped_at_one_percent(
    database: Database, tmp_path: Path, flipped: bool, stage: str
) -> None:
    """Three thousand posts, a look after every fifty: a student taught the opposite is gone after
    two hundred at most, having answered hardly anybody; the same one taught the truth stays."""
    registry, clock = Registry(database, tmp_path), FollowingClock(NOW_MS)
    fleet, settings = Fleet([Knowing(KNOWN)], registry), ModelSettings()
    held = Agreement(category=ANY, both=270, missed=30, extra=10, neither=690)
    report = Parity(
        verdict="pass", reason="", held_out=1_000, more_needed=0, findings=(), agreement=held
    )
    version = register(registry, _student(flipped), "v1")
    registry.put(replace(version, parity=msgspec.json.encode(report).decode()))
    routes = Routes(database, fleet.vendors)
    route = with_stage(routes.current("text_harm"), "ramp1", measuring_of(settings))
    held_route = replace(route, owned="v1", held_by="person:test")
    routes.set(RouteChange(route=held_route, at_ms=NOW_MS, decided_by="t", reason="t"))

    async def play() -> list[Answer]:
        judged: list[Answer] = []
        gateway = Gateway(database, clock, fleet, settings)
        for start in range(0, len(TEXTS), 50):
            some = TEXTS[start : start + 50]
            given = [TaskInput(ref=f"p{start + n}", text=text) for n, text in enumerate(some)]
            judged += await gateway.ask(TEXT_HARM, given)
            await gateway.drain()
            if routes.step("text_harm", registry, settings, NOW_MS).route.stage == "shadow":
                break
        await gateway.close()
        return judged

    judged = asyncio.run(play())
    owned = sum(answer.host == INHOUSE for answer in judged)
    last = routes.history("text_harm")[0]
    assert last.route.stage == stage
    if flipped:
        assert len(judged) <= 200
        assert owned <= 5
        assert last.reason.startswith("rolled back: ")
        assert "above the bound of" in last.reason
    else:
        assert len(judged) == len(TEXTS)
        assert 0.003 < owned / len(judged) < 0.02
