"""Owning against renting, from the platform's own traffic. Pure.

Renting costs by the answer. Owning costs by the hour: as many machines as the busiest hour takes,
half of each idle then, whether or not anybody asks. The break-even is how many answers a month make
both the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from inhouse.stats.intervals import mean_interval, ratio_interval
from inhouse.stats.types import Interval, NotEnough

MONTH_DAYS: Final = 365.25 / 12
BUSY: Final = 0.5  # of a machine's time, in the busiest hour: within it there are busier minutes
Machine = Literal["cpu", "gpu"]
Choice = Literal["own", "rent", "undecided", "not_enough"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskDay:
    """What was answered of a task on one day."""

    rented: int  # inputs answered by vendors
    spend_usd: float  # on them, as far as it is priced
    owned: int  # inputs answered by models of one's own
    owned_s: float  # seconds of computing they took


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """A task's past."""

    task: str
    days: Sequence[TaskDay]  # whole days, those without traffic too
    busiest_per_s: float  # inputs a second in the busiest hour


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A machine that could run the model."""

    machine: Machine
    usd_per_hour: float
    per_s: Interval | NotEnough  # answers a second, of the whole machine


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """Owning a task on some machine against renting it."""

    task: str
    machine: Machine
    machines: int | None  # that the busiest hour takes; None where their speed is unknown
    owned_usd_month: float | None
    rented_usd_month: Interval | NotEnough  # if vendors answered all of today's traffic
    rented_usd_per_1k: Interval | NotEnough  # for a thousand answers
    answers_month: float | None  # today's traffic
    break_even_month: Interval | NotEnough  # answers a month from which owning is cheaper
    choice: Choice
    why: str  # in words


def speed(traffic: Sequence[Traffic], cores: int) -> Interval | NotEnough:
    """Answers a second of this machine, from what models of one's own needed on the platform."""
    days = [day for one in traffic for day in one.days if day.owned_s > 0]
    per_core = ratio_interval([day.owned for day in days], [day.owned_s for day in days])
    return per_core if isinstance(per_core, NotEnough) else _times(per_core, cores)


def break_even(traffic: Traffic, offer: Offer) -> BreakEven:
    """Compare. The intervals come from how prices and traffic differ from day to day; a machine's
    price is taken as certain, and so is that it runs all month."""
    days = traffic.days
    price = ratio_interval([day.spend_usd for day in days], [day.rented for day in days])
    answers = [float(day.rented + day.owned) for day in days]
    month = MONTH_DAYS * sum(answers) / len(answers) if answers else None
    rented = _rented(price, answers)
    machines = _machines(traffic, offer)
    owned = None if machines is None else machines * offer.usd_per_hour * 24 * MONTH_DAYS
    even = _even(price, owned, offer)
    choice, why = _choice(rented, owned, offer)
    return BreakEven(
        task=traffic.task,
        machine=offer.machine,
        machines=machines,
        owned_usd_month=owned,
        rented_usd_month=rented,
        rented_usd_per_1k=price if isinstance(price, NotEnough) else _times(price, 1_000),
        answers_month=month,
        break_even_month=even,
        choice=choice,
        why=why,
    )


def _machines(traffic: Traffic, offer: Offer) -> int | None:
    """By the lower end of their speed: too few of them is the worse mistake."""
    if isinstance(offer.per_s, NotEnough) or offer.per_s.low <= 0:
        return None
    return max(1, math.ceil(traffic.busiest_per_s / (BUSY * offer.per_s.low)))


def _rented(price: Interval | NotEnough, answers: Sequence[float]) -> Interval | NotEnough:
    """Price times traffic; their relative errors are independent and add in squares."""
    if isinstance(price, NotEnough):
        return price
    many = mean_interval(answers)
    if isinstance(many, NotEnough):
        mean = sum(answers) / len(answers)
        many = Interval(estimate=mean, low=mean, high=mean, level=price.level)
    estimate = MONTH_DAYS * price.estimate * many.estimate
    parts = [(one.high - one.estimate) / one.estimate for one in (price, many) if one.estimate > 0]
    half = estimate * math.hypot(*parts) if parts else 0.0
    return Interval(
        estimate=estimate, low=max(0.0, estimate - half), high=estimate + half, level=price.level
    )


def _even(price: Interval | NotEnough, owned: float | None, offer: Offer) -> Interval | NotEnough:
    if isinstance(price, NotEnough):
        return price
    if owned is None:
        return offer.per_s if isinstance(offer.per_s, NotEnough) else _UNSURE_SPEED
    if price.low <= 0:
        return NotEnough(reason="the price of an answer is not known well enough")
    return Interval(
        estimate=owned / price.estimate,
        low=owned / price.high,
        high=owned / price.low,
        level=price.level,
    )


_UNSURE_SPEED: Final = NotEnough(reason="the machine's speed is not known well enough")


def _choice(rented: Interval | NotEnough, owned: float | None, offer: Offer) -> tuple[Choice, str]:
    if isinstance(rented, NotEnough):
        return "not_enough", f"what renting costs is not known: {rented.reason}"
    if owned is None:
        lacking = offer.per_s if isinstance(offer.per_s, NotEnough) else _UNSURE_SPEED
        return "not_enough", f"what owning costs is not known: {lacking.reason}"
    if owned < rented.low:
        return "own", "owning costs less than renting at the lower end of its range"
    if owned > rented.high:
        return "rent", "owning costs more than renting at the upper end of its range"
    return "undecided", "what owning costs lies within the range of what renting costs"


def _times(one: Interval, factor: float) -> Interval:
    return Interval(
        estimate=one.estimate * factor,
        low=one.low * factor,
        high=one.high * factor,
        level=one.level,
    )
