"""Readiness to leave a vendor, from 0 to 5 and back: what is shown is what happened."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.models.models_texts import harvest, register, small_model

from inhouse.app.build import Services
from inhouse.app.owning import dependence as dependence_module
from inhouse.app.owning.dependence import Rates, dependence
from inhouse.app.owning.drills import Order, rehearse_in_copy
from inhouse.app.owning.rejudging import judge_again
from inhouse.app.settings import load_settings
from inhouse.console.bill.dependence_page import ready
from inhouse.core.clock import DAY_MS, FollowingClock, SystemClock
from inhouse.models.cutover.stages import measuring_of
from inhouse.models.cutover.steering import Ruling, roll_back
from inhouse.models.dependence.readiness import LEVELS
from inhouse.models.drill.book import DrillBook
from inhouse.models.drill.results import DrillResult
from inhouse.models.harvest.comparisons import Comparison, add_comparisons
from inhouse.models.harvest.labels import Labels
from inhouse.models.types import Route

_VENDORS = """
[main]
url = "http://127.0.0.1:9/v1"
model = "m"
host = "openai"
owner = "openai"
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A community that lives in a time of its own, years before the machine's."""
    (tmp_path / "vendors.toml").write_text(_VENDORS)
    given = {
        "INHOUSE_STORE_FOLDER": str(tmp_path / "data"),
        "INHOUSE_MODELS_VENDORS": str(tmp_path / "vendors.toml"),
        "INHOUSE_APP_CLOCK": "log",
    }
    built = Services(load_settings(given, tmp_path / "none.toml"))
    built.clock = FollowingClock(400 * DAY_MS)
    yield built
    asyncio.run(built.gateway.close())
    built.close()


def _level(services: Services) -> int:
    """As the report has it; the page, and the words of the level, say the same."""
    found = dependence(services, services.clock.now_ms(), 30, Rates())
    (one,) = found.readiness
    assert one.name == LEVELS[one.level]
    assert f"{one.level} of 5" in ready(found)
    return one.level


def _step(services: Services, *, good: bool | None = None) -> Route:
    """Two seconds on: pairs of the routed version, where there are to be any, and a look."""
    services.clock.advance(services.clock.now_ms() + 2_000)
    route = services.routes.current("text_harm")
    if good is not None and route.owned is not None:
        other = f"inhouse/inhouse/{route.incumbent}" if route.incumbent else "openai/openai/m"
        pairs = [_pair(n, route.owned, other, good) for n in range(200)]
        services.database.write(lambda connection: add_comparisons(connection, pairs))
    settings, now_ms = services.settings.models, services.clock.now_ms()
    return services.routes.step("text_harm", services.registry, settings, now_ms).route


def _pair(number: int, student: str, teacher: str, good: bool) -> Comparison:
    harmful = number < 25
    return Comparison(
        task="text_harm",
        at_ms=number,
        ref=str(number),
        student=student,
        teacher=teacher,
        student_scores={"hate": 0.9 if harmful == good else 0.02},
        teacher_scores={"hate": 0.9 if harmful else 0.02},
    )


def _until(services: Services, stage: str) -> None:
    while _step(services, good=True).stage != stage:
        assert _level(services) == 3


def _put(services: Services, version: str) -> None:
    known = register(services.registry, small_model(), version)
    services.registry.put(replace(known, created_ms=int(version[1:])))


def _drilled(services: Services) -> DrillResult:
    return rehearse_in_copy(services, Order(vendor="openai", minutes=0.02), 200, _quiet)


def _quiet(*told: object) -> None:
    """Nobody watches."""


def _at(monkeypatch: pytest.MonkeyPatch, later_ms: int) -> None:
    """The machine's clock, so much later."""
    now: Callable[[], int] = SystemClock().now_ms
    later = FollowingClock(now() + later_ms)
    monkeypatch.setattr(dependence_module, "SystemClock", lambda: later)


def test_the_whole_way_and_back(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing, labels, a student, parity, the ramp, a drill: each level when it happened and not
    before; a successor on its way takes none away; an old drill, a failed one, and a rollback to
    the vendor do."""
    seen = [_level(services)]
    Labels(services.database).add(harvest(900, seed=2))
    seen.append(_level(services))
    _put(services, "v1")
    seen.append(_level(services))
    judge_again(services, services.tasks["text_harm"])
    seen.append(_level(services))
    assert seen == [0, 1, 2, 3]
    assert _step(services).stage == "shadow"
    _until(services, "owned")
    assert _level(services) == 4

    _put(services, "v2")
    assert _step(services).owned == "v1", "v2 was not judged"
    judge_again(services, services.tasks["text_harm"])
    begun = _step(services)
    assert (begun.stage, begun.incumbent, _level(services)) == ("shadow", "v1", 4)
    while _step(services, good=True).stage != "ramp25":
        assert _level(services) == 4
    while services.routes.current("text_harm").incumbent is not None:
        _step(services, good=False)
        assert _level(services) == 4
    back = services.routes.current("text_harm")
    assert (back.stage, back.owned, back.rejected) == ("owned", "v1", ("v2",))

    result = _drilled(services)
    assert (result.grade, _level(services)) == ("A", 5)
    _at(monkeypatch, 89 * DAY_MS)
    assert _level(services) == 5
    _at(monkeypatch, 91 * DAY_MS)
    assert _level(services) == 4
    _at(monkeypatch, 0)
    failed = replace(
        result,
        drill=replace(result.drill, drill_id="later", started_ms=result.drill.started_ms + 1),
        tasks=tuple(replace(one, grade="F") for one in result.tasks),
        grade="F",
    )
    DrillBook(services.database).add(failed)
    assert _level(services) == 4

    ruling = Ruling(task="text_harm", by="ann", reason="r", at_ms=services.clock.now_ms())
    roll_back(services.routes, ruling, measuring_of(services.settings.models))
    assert _level(services) == 3
