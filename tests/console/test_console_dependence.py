"""The page on dependence: whose, how ready, and what owning would cost."""

import dataclasses
from pathlib import Path

import pytest
from console_community import NOW_MS

from inhouse.app.build import Services
from inhouse.app.owning.dependence import Dependence, Rates, break_evens, dependence
from inhouse.console.bill import dependence_page as page
from inhouse.models.dependence.readiness import Retirement
from inhouse.models.ledger.owning import TaskDay, Traffic
from inhouse.stats.types import Interval, NotEnough


@pytest.fixture
def found(services: Services) -> Dependence:
    """The report of a seeded community."""
    return dependence(services, NOW_MS, 30, Rates())


def test_the_report_of_a_seeded_community(found: Dependence) -> None:
    """Its vendor is simulated and the page says so; the owned model's share is no vendor's."""
    assert found.basis == "simulated"
    assert [one.vendor for one in found.shares] == ["openai", "openai"]
    assert "openai" in page.vendors(found, "host")
    assert "HHI" in page.vendors(found, "owner")
    assert "0 of 5" in page.figures(found)
    assert "No forecast yet" in page.trend(found)


def test_an_empty_community_has_no_vendor(empty_services: Services) -> None:
    """Every part has its word, and nothing is zero that is unknown."""
    nothing = dependence(empty_services, NOW_MS, 30, Rates())
    assert "No vendor" in page.vendors(nothing, "host")
    assert "No model's end is known" in page.ends(nothing).replace("&#x27;", "'")
    assert "no vendor was paid or asked" in page.figures(nothing)
    assert "Owning against renting" in page.owning((), Rates())
    assert "Nothing to compare" in page.owning((), Rates(cpu_usd_per_hour=1.0))


def test_steps_of_readiness_are_marked(found: Dependence) -> None:
    """What is done, where it stands, and the next step with its command as code."""
    ready = dataclasses.replace(found.readiness[0], level=1, next="train: `inhouse models train`")
    shown = page.ready(dataclasses.replace(found, readiness=(ready,)))
    assert shown.count('class="done"') == 1
    assert "<code>inhouse models train</code>" in shown
    assert "1 of 5" in shown


def test_hostile_names_are_escaped(found: Dependence) -> None:
    """A vendor's, a model's, a library's: none of them becomes HTML."""
    retiring = Retirement(deployment="<b>", model="<i>", retires="2026-01-01", days_left=-3)
    share = dataclasses.replace(found.shares[0], vendor="<script>alert(1)</script>")
    library = dataclasses.replace(found.libraries[0], by="<img src=x>")
    hostile = dataclasses.replace(
        found, shares=(share,), retirements=(retiring,), libraries=(library,)
    )
    shown = page.vendors(hostile, "host") + page.ends(hostile) + page.libraries(hostile)
    assert not any(sign in shown for sign in ("<script", "<b>", "<i>", "<img"))
    assert "over" in page.ends(hostile)


def test_a_forecast_is_told_with_its_range(found: Dependence) -> None:
    """The next four weeks, and how much more each costs."""
    spending = dataclasses.replace(
        found.spending,
        weekly_usd=(1.0, 2.0),
        next_usd=Interval(estimate=10.0, low=8.0, high=12.0, level=0.95),
        step_usd=NotEnough(reason="no spread"),
    )
    told = dataclasses.replace(found, spending=spending, basis="real")
    assert "cost $10.00, with 95% certainty $8.00 to $12.00" in page.trend(told)
    assert page.spend_chart(told)["series"][0]["data"] == [1.0, 2.0]
    assert "$8.00 to $12.00" in page.figures(told)


def test_machines_are_compared_as_somebody_types_them() -> None:
    """Amounts come from the address; what is none is left out; the page shows both sides."""
    rates = page.rates_of({"cpu": "0.1", "gpu": "much", "gpu_per_s": "-3", "other": "1"})
    assert rates == Rates(cpu_usd_per_hour=0.1)
    days = [TaskDay(rented=100_000 + n, spend_usd=100.0, owned=9, owned_s=0.1) for n in range(14)]
    traffic = [Traffic(task="text_harm", days=days, busiest_per_s=9.0)]

    shown = page.owning(break_evens(traffic, rates), rates)

    assert "own it" in shown
    assert "1 × cpu" in shown
    assert 'value="0.1"' in page.form(rates)
    assert page.rates_of({"cpu": "nan", "gpu": "inf"}) == Rates()


def test_the_page_is_there(tmp_path: Path, services: Services) -> None:
    """A retirement in vendors.toml reaches the figures."""
    (tmp_path / "vendors.toml").write_text(
        '[main]\nurl = "http://v"\nmodel = "m"\nhost = "h"\nowner = "o"\nretires = 2026-04-01\n'
    )
    shown = page.figures(dependence(services, NOW_MS, 30, Rates()))
    assert "20 days" in shown
    assert "dot warn" in shown
