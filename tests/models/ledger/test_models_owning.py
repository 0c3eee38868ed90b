"""The ledger's past by week, day and hour, and owning against renting."""

from collections.abc import Sequence

import pytest
from tests.models.models_rows import OWNED, START_MS, attempt, write

from inhouse.core.clock import DAY_MS, HOUR_MS
from inhouse.models.ledger.owning import MONTH_DAYS, Offer, TaskDay, Traffic, break_even, speed
from inhouse.models.ledger.traffic import read_traffic, weekly_usd
from inhouse.stats.types import Interval, NotEnough
from inhouse.store.database import Database


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
