"""inhouse bill dependence: on whom we depend, how far, and what leaving takes."""

from collections.abc import Iterator
from typing import Annotated

import typer

from inhouse.app.build import open_services
from inhouse.app.owning.dependence import Dependence, Rates, Spending
from inhouse.app.owning.dependence import dependence as report
from inhouse.cli.output import Json, console, print_json, show
from inhouse.models.dependence.readiness import retirement_in_words
from inhouse.models.ledger.owning import BreakEven
from inhouse.stats.types import Interval, NotEnough


def dependence(
    days: Annotated[int, typer.Option(min=1, max=4_000, help="how far back")] = 30,
    cpu_usd_per_hour: Annotated[
        float | None,
        typer.Option(min=0.0, max=100_000, help="what this machine, or one like it, costs an hour"),
    ] = None,
    cpu_per_s: Annotated[
        float | None,
        typer.Option(
            min=0.001, max=1e9, help="answers a second it gives; left out: as it has shown"
        ),
    ] = None,
    gpu_usd_per_hour: Annotated[
        float | None, typer.Option(min=0.0, max=100_000, help="what a GPU costs an hour")
    ] = None,
    gpu_per_s: Annotated[
        float | None, typer.Option(min=0.001, max=1e9, help="answers a second it gives")
    ] = None,
    as_json: Json = False,
) -> None:
    """Shares and concentration by vendor, readiness of each task to leave, models that end, where
    spending goes, owning against renting, and the libraries that inhouse itself rests on."""
    rates = Rates(
        cpu_usd_per_hour=cpu_usd_per_hour,
        cpu_per_s=cpu_per_s,
        gpu_usd_per_hour=gpu_usd_per_hour,
        gpu_per_s=gpu_per_s,
    )
    with open_services() as services:
        services.catch_clock_up()
        found = report(services, services.clock.now_ms(), days, rates)
    if as_json:
        print_json(found)
        return
    _print_shares(found)
    _print_readiness(found)
    for line in (*_of_models(found), *_of_spending(found.spending)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if rates == Rates():
        console.print(
            "owning against renting: give --cpu-usd-per-hour, or --gpu-usd-per-hour and --gpu-per-s"
        )
    else:
        _print_break_even(found)
    _print_libraries(found)


def _print_shares(found: Dependence) -> None:
    columns = (
        ("layer", lambda one: one.layer),
        ("vendor", lambda one: one.vendor),
        ("of spend", lambda one: _part(one.spend)),
        ("of answers", lambda one: _part(one.calls)),
        ("of tokens", lambda one: _part(one.tokens)),
        ("of restrictions", lambda one: _part(one.critical)),
    )
    mark = ", of a simulated vendor" if found.basis == "simulated" else ""
    title = f"shares{mark}; {found.restrictions:,} restrictions of posts by programs"
    show(found.shares, columns, as_json=False, title=title)
    index = (
        ("HHI by", lambda one: one.layer),
        ("spend", lambda one: _index(one.spend)),
        ("answers", lambda one: _index(one.calls)),
        ("tokens", lambda one: _index(one.tokens)),
        ("restrictions", lambda one: _index(one.critical)),
    )
    show(found.concentration, index, as_json=False, title="concentration, 10,000 is one vendor")


def _part(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _index(index: float | None) -> str:
    return "-" if index is None else f"{index:,.0f}"


def _print_readiness(found: Dependence) -> None:
    columns = (
        ("task", lambda one: one.task),
        ("ready", lambda one: f"{one.level} of 5"),
        ("so far", lambda one: one.name),
        ("next", lambda one: one.next),
    )
    show(found.readiness, columns, as_json=False, title="readiness to leave")


def _of_models(found: Dependence) -> Iterator[str]:
    for one in found.retirements:
        yield f"{'SOON: ' if one.soon else ''}{retirement_in_words(one)}"
    if not found.retirements:
        yield "no model's end is known; `retires` in vendors.toml says when a vendor drops one"


def _of_spending(spending: Spending) -> Iterator[str]:
    last = "-" if spending.last_usd is None else f"{spending.last_usd:,.2f} USD"
    yield f"last four whole weeks: {last}"
    yield f"next four, if it goes on so: {in_words(spending.next_usd, 2)} USD"
    yield f"from week to week: {in_words(spending.step_usd, 2)} USD more"


def in_words(value: Interval | NotEnough, digits: int) -> str:
    """A value with its 95% range, or what is lacking.

    >>> in_words(NotEnough(reason="too short a history", have=3, need=8), 2)
    'not enough: too short a history (3 of 8)'
    >>> in_words(Interval(estimate=1234.5, low=1, high=2000, level=0.95), 1)
    '1,234.5 (1.0 to 2,000.0)'
    """
    if isinstance(value, NotEnough):
        of = "" if value.need is None else f" ({value.have} of {value.need})"
        return f"not enough: {value.reason}{of}"
    estimate, low, high = (f"{n:,.{digits}f}" for n in (value.estimate, value.low, value.high))
    return f"{estimate} ({low} to {high})"


def _print_break_even(found: Dependence) -> None:
    columns = (
        ("task", lambda one: f"{one.task}, {one.machine}"),
        ("renting, USD a month", lambda one: in_words(one.rented_usd_month, 2)),
        ("owning", _owned),
        ("answers a month", lambda one: _whole(one.answers_month)),
        ("owning is cheaper from", lambda one: in_words(one.break_even_month, 0)),
        ("so", lambda one: f"{one.choice.replace('_', ' ')}: {one.why}"),
    )
    show(found.break_even, columns, as_json=False, title="owning against renting")


def _owned(one: BreakEven) -> str:
    if one.owned_usd_month is None or one.machines is None:
        return "-"
    return f"{one.owned_usd_month:,.2f} ({one.machines} machine{'s' * (one.machines > 1)})"


def _whole(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


def _print_libraries(found: Dependence) -> None:
    columns = (
        ("library", lambda one: one.name + (" (gateway)" if one.gateway else "")),
        ("version", lambda one: one.version or "not installed"),
        ("licence", lambda one: one.licence),
        ("by", lambda one: one.by),
        ("without it stops", lambda one: one.stops),
    )
    show(found.libraries, columns, as_json=False, title="what inhouse itself rests on")
