"""On whom it rests: shares, readiness, models that end, owning against renting, libraries."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_models_bill import OWNED, START_MS, attempt, write
from tests.models.models_vendor import deployment

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.core.errors import SettingError
from inhouse.models.dependence.libraries import USES, libraries
from inhouse.models.dependence.readiness import (
    Concentrated,
    Critical,
    ExitFacts,
    Retirement,
    VendorShare,
    concentration,
    critical_of,
    readiness,
    retirement_in_words,
    retirements,
    shares,
)
from inhouse.models.ledger.bill import bill
from inhouse.models.ledger.owning import MONTH_DAYS, Offer, TaskDay, Traffic, break_even, speed
from inhouse.models.ledger.traffic import owners_of, read_traffic, weekly_usd
from inhouse.models.vendors import read_vendors
from inhouse.stats.types import Interval, NotEnough
from inhouse.store.database import Database

NOBODY = Critical(restrictions=0, by_host={}, by_owner={})
FACTS = ExitFacts(
    task="text_harm", labels=0, trained=False, parity=None, stage="rented", drilled_ms=None
)


@pytest.mark.parametrize(
    ("more", "level", "name"),
    [
        ({}, 0, "prompt only"),
        ({"labels": 1}, 1, "labels kept"),
        ({"labels": 1, "trained": True}, 2, "student trained"),
        ({"labels": 1, "trained": True, "parity": "not_enough"}, 2, "student trained"),
        ({"labels": 1, "trained": True, "parity": "pass"}, 3, "parity shown"),
        ({"labels": 1, "trained": True, "parity": "fail", "stage": "shadow"}, 3, "parity shown"),
        ({"labels": 1, "trained": True, "parity": "pass", "stage": "owned"}, 4, "ramp passed"),
        ({"parity": "pass", "stage": "owned", "drilled_ms": START_MS}, 0, "prompt only"),
    ],
)
def test_readiness_goes_step_by_step(more: dict[str, Any], level: int, name: str) -> None:
    """No level without those below it; a person's word for a version is parity enough."""
    found = readiness(replace(FACTS, **more), START_MS)
    assert (found.level, found.name) == (level, name)
    assert found.next


def test_a_drill_counts_for_ninety_days() -> None:
    """On the ninetieth day still, a millisecond later no more."""
    owned = replace(
        FACTS, labels=1, trained=True, parity="pass", stage="owned", drilled_ms=START_MS
    )
    assert readiness(owned, START_MS + 90 * DAY_MS).level == 5
    assert readiness(owned, START_MS + 90 * DAY_MS + 1).level == 4


def test_restrictions_are_shared_out_at_both_layers(database: Database) -> None:
    """Two hosts of one maker's models: half of the vendors' each, all of it one owner's; what no
    model or our own had scored is nobody's dependence."""
    write(database, [attempt(), attempt(host="azure", model="team"), attempt(**OWNED)])
    owners = owners_of(database)
    told = bill(database, 0, 1 << 50)
    critical = critical_of(
        {"openai/m": 2, "azure/team": 2, "inhouse/v1": 3, None: 1, "gone/x": 0}, owners
    )

    assert owners == {"openai/m": "openai", "azure/team": "openai", "inhouse/v1": "inhouse"}
    assert critical.restrictions == 8
    found = {(one.layer, one.vendor): one for one in shares(told, critical)}
    assert found["host", "azure"] == VendorShare(
        layer="host", vendor="azure", spend=0.5, calls=1 / 3, tokens=0.5, critical=0.25
    )
    assert found["owner", "openai"].critical == 0.5
    assert concentration(told, critical)[0] == Concentrated(
        layer="host", spend=5_000.0, calls=5_000.0, tokens=5_000.0, critical=5_000.0
    )
    assert concentration(told, NOBODY)[1].critical is None


def test_a_vendor_that_only_restricts_is_named_too(database: Database) -> None:
    """Its calls may lie before the span: nothing is divided by nothing."""
    critical = critical_of({"old/m": 1}, {})
    assert shares(bill(database, 0, 1), critical) == (
        VendorShare(layer="host", vendor="old", spend=None, calls=None, tokens=None, critical=1.0),
        VendorShare(layer="owner", vendor="old", spend=None, calls=None, tokens=None, critical=1.0),
    )


def test_models_that_end(tmp_path: Path) -> None:
    """The next one first; from sixty days before it is soon, and afterwards it is over."""
    today_ms = 1_767_225_600_000 + 5 * HOUR_MS  # 2026-01-01
    rented = [
        deployment("http://v", "late", retires=date(2026, 3, 3)),
        deployment("http://v", "never"),
        deployment("http://v", "next", retires=date(2026, 3, 2)),
        deployment("http://v", "over", retires=date(2025, 12, 31)),
    ]
    found = retirements(rented, today_ms)

    assert [(one.deployment, one.days_left, one.soon) for one in found] == [
        ("over", -1, True),
        ("next", 60, True),
        ("late", 61, False),
    ]
    assert found[1] == Retirement(
        deployment="next", model="gpt-4o-mini", retires="2026-03-02", days_left=60
    )
    assert retirement_in_words(found[0]) == "over (gpt-4o-mini) ends on 2025-12-31, 1 days ago"


def test_the_vendors_file_names_a_day(tmp_path: Path) -> None:
    """A date of TOML, no text and no time of day; not for models that this machine runs."""
    path = tmp_path / "vendors.toml"
    body = '[main]\nurl = "http://v"\nmodel = "m"\nhost = "h"\nowner = "o"\n'
    path.write_text(f"{body}retires = 2026-12-31\n")
    assert read_vendors(path, {})[0].retires == date(2026, 12, 31)
    for wrong in ('"2026-12-31"', "2026-12-31T00:00:00", "7"):
        path.write_text(f"{body}retires = {wrong}\n")
        with pytest.raises(
            SettingError, match=r"(?s)main.retires: .* expected a value of type date"
        ):
            read_vendors(path, {})
    local = 'dialect = "hugging_face"\nmodel = "m"\nowner = "o"\nlabels = { a = "hate" }\n'
    path.write_text(f"[main]\n{local}retires = 2026-12-31\n")
    with pytest.raises(SettingError, match=r"(?s)main.retires: .* the model runs on this machine"):
        read_vendors(path, {})


def test_weeks_are_whole_ones(any_database: Database) -> None:
    """The first week with spending and the day that has begun are left out; on both databases."""
    now_ms = START_MS // DAY_MS * DAY_MS + HOUR_MS
    days = (-60, -16, -15, -8, -2, 0)
    rows = [attempt(at_ms=now_ms + day * DAY_MS - 2 * HOUR_MS) for day in days]
    write(any_database, [*rows, attempt(simulated=True), attempt(**OWNED), attempt(at_ms=now_ms)])

    assert weekly_usd(any_database, now_ms, 3, simulated=False) == [0.01, 0.02]
    assert weekly_usd(any_database, now_ms, 26, simulated=True) == []


def test_traffic_by_the_day_and_its_busiest_hour(any_database: Database) -> None:
    """Rented and owned apart; shadows cost but answer nobody; days without any are there."""
    day_ms = START_MS // DAY_MS * DAY_MS
    write(
        any_database,
        [
            attempt(at_ms=day_ms + HOUR_MS, inputs=7_200, answered=7_200),
            attempt(at_ms=day_ms + HOUR_MS, role="shadow"),
            attempt(at_ms=day_ms + 2 * DAY_MS, **{**OWNED, "latency_ms": 500.0}),
            attempt(at_ms=day_ms + 3 * DAY_MS),
        ],
    )
    (found,) = read_traffic(any_database, day_ms + 3 * DAY_MS + HOUR_MS, 30, simulated=False)

    assert (found.task, found.busiest_per_s) == ("text_harm", 2.0)
    assert list(found.days) == [
        TaskDay(rented=7_200, spend_usd=0.02, owned=0, owned_s=0.0),
        TaskDay(rented=0, spend_usd=0.0, owned=0, owned_s=0.0),
        TaskDay(rented=0, spend_usd=0.0, owned=2, owned_s=0.5),
    ]


def _traffic(days: Sequence[TaskDay], busiest_per_s: float = 10.0) -> Traffic:
    return Traffic(task="text_harm", days=days, busiest_per_s=busiest_per_s)


def _steady(price: float, count: int = 14) -> list[TaskDay]:
    """A vendor's price, on days of about as much traffic; half of it answered here."""
    return [
        TaskDay(rented=n, spend_usd=n * price, owned=n, owned_s=n / 200)
        for n in (100_000 + 1_000 * (day % 3) for day in range(count))
    ]


def test_owning_is_cheaper_where_the_vendor_costs_more() -> None:
    """A month at a tenth of a cent an answer is thousands of dollars, a machine 73: own it. The
    break-even is the machine's month by the price of an answer."""
    per_s = Interval(estimate=400.0, low=400.0, high=400.0, level=0.95)
    found = break_even(
        _traffic(_steady(0.001)), Offer(machine="cpu", usd_per_hour=0.1, per_s=per_s)
    )

    assert found.machines == 1
    assert found.owned_usd_month == pytest.approx(0.1 * 24 * MONTH_DAYS)
    assert isinstance(found.rented_usd_month, Interval)
    assert found.rented_usd_month.estimate == pytest.approx(0.001 * (found.answers_month or 0))
    assert isinstance(found.break_even_month, Interval)
    assert found.break_even_month.estimate == pytest.approx(73.05 / 0.001)
    assert found.choice == "own"


def test_renting_is_cheaper_where_machines_stand_idle() -> None:
    """A busy hour of 1,000 a second takes five machines of 400, half of whose time is free then."""
    per_s = Interval(estimate=500.0, low=400.0, high=600.0, level=0.95)
    offer = Offer(machine="gpu", usd_per_hour=2.0, per_s=per_s)
    found = break_even(_traffic(_steady(0.000_001), 1_000.0), offer)

    assert (found.machines, found.choice) == (5, "rent")


def test_what_is_not_known_is_told() -> None:
    """Three days of prices, or a machine of unknown speed, are no basis; nor is nothing at all."""
    unknown = Offer(machine="gpu", usd_per_hour=2.0, per_s=NotEnough(reason="nobody said"))
    few = break_even(_traffic(_steady(0.001, 3)), unknown)
    slow = break_even(_traffic(_steady(0.001)), unknown)
    none = break_even(_traffic([]), unknown)

    assert few.choice == slow.choice == none.choice == "not_enough"
    assert few.rented_usd_month == NotEnough(reason="too few days with answers", have=3, need=7)
    assert slow.why == "what owning costs is not known: nobody said"
    assert (slow.machines, none.answers_month) == (None, None)


def test_the_machines_speed_is_what_it_has_shown() -> None:
    """200 answers a second of a core, on two cores."""
    found = speed([_traffic(_steady(0.001))], cores=2)
    assert isinstance(found, Interval)
    assert found.estimate == pytest.approx(400.0)
    assert isinstance(speed([], cores=2), NotEnough)


def test_our_own_libraries_are_dependences() -> None:
    """Each that pyproject declares has its use written down, and none is written down that is not
    declared; versions and licences are those of the installed packages."""
    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    declared = {one.split(">")[0].split("=")[0].strip() for one in project["dependencies"]}
    assert declared == set(USES)

    found = {one.name: one for one in libraries()}
    aiohttp = found["aiohttp"]
    assert (aiohttp.gateway, aiohttp.stops) == (True, "every call to a rented model")
    assert "Apache-2.0" in aiohttp.licence
    assert aiohttp.version is not None
    assert all(len(one.licence) <= 60 and len(one.by) <= 60 for one in found.values())
