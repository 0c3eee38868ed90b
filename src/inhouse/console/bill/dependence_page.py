"""On whom it rests and what leaving takes, as HTML: pure functions of the report."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from inhouse.app.owning.dependence import Dependence, Rates
from inhouse.console.bill.page import concentration_name
from inhouse.console.charts import VENDOR_COLOURS, Options, columns
from inhouse.console.markup import (
    Child,
    Safe,
    empty,
    join,
    link,
    note,
    simulated,
    table,
    tag,
    tile,
    tiles,
    with_code,
    words,
)
from inhouse.console.words import UNKNOWN, count, moment, money, share
from inhouse.models.dependence.readiness import LEVELS, Readiness, Retirement
from inhouse.models.drill.results import PASSED, DrillResult
from inhouse.models.ledger.owning import BreakEven
from inhouse.models.types import Layer
from inhouse.stats.types import Interval, NotEnough

HEADING: Final = join(
    [
        tag("h1", "Dependence"),
        tag(
            "p",
            "On whom the community's judgements rest, how ready each task is to leave its vendor, "
            "and what owning would cost. The last thirty days.",
            class_="lead",
        ),
        tag("p", link("/bill", "Back to the bill"), class_="quiet small"),
    ]
)
_CHOICES: Final[Mapping[str, tuple[str, str]]] = {
    "own": ("own it", "good"),
    "rent": ("rent it", "accent"),
    "undecided": ("undecided", "warn"),
    "not_enough": ("not enough", ""),
}
_FIELDS: Final = (
    ("cpu", "This machine, USD an hour"),
    ("cpu_per_s", "Answers a second, if not as measured"),
    ("gpu", "A GPU, USD an hour"),
    ("gpu_per_s", "Its answers a second"),
)
_MOST: Final = 1e9


def rates_of(query: Mapping[str, str]) -> Rates:
    """What somebody typed; what is no amount above 0 is left out."""
    given = {name: _amount(query.get(name, "")) for name, _ in _FIELDS}
    return Rates(
        cpu_usd_per_hour=given["cpu"],
        cpu_per_s=given["cpu_per_s"],
        gpu_usd_per_hour=given["gpu"],
        gpu_per_s=given["gpu_per_s"],
    )


def _amount(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number <= _MOST else None


def figures(found: Dependence) -> Safe:
    """The report in five figures."""
    hosts = next(one for one in found.concentration if one.layer == "host")
    index = hosts.calls if hosts.spend is None else hosts.spend
    ready = min((one.level for one in found.readiness), default=0)
    retiring = found.retirements[0] if found.retirements else None
    return tiles(
        tile("Concentration", concentration_name(index), _index_words(index)),
        tile(
            "Least ready to leave",
            f"{ready} of 5",
            next((one.task for one in found.readiness if one.level == ready), None),
        ),
        tile(
            "Next model to end",
            UNKNOWN if retiring is None else f"{count(retiring.days_left)} days",
            "none known" if retiring is None else retiring.deployment,
            "" if retiring is None else "warn" if retiring.soon else "good",
        ),
        tile(
            "Next four weeks",
            join([_dollars(found.spending.next_usd), _mark(found)], " "),
            _range(found.spending.next_usd),
        ),
        tile(
            "Restricted by programs",
            count(found.restrictions),
            "posts, in thirty days; whose scores stood behind it is told below",
        ),
    )


def _index_words(index: float | None) -> str:
    return "no vendor was paid or asked" if index is None else f"HHI {index:,.0f} of 10,000"


def _mark(found: Dependence) -> Safe | None:
    return simulated() if found.basis == "simulated" else None


def _dollars(value: Interval | NotEnough) -> str:
    return UNKNOWN if isinstance(value, NotEnough) else money(_cents(value.estimate))


def _range(value: Interval | NotEnough) -> str:
    if isinstance(value, NotEnough):
        of = "" if value.need is None else f", {value.have} of {value.need}"
        return f"{value.reason}{of}"
    return f"{money(_cents(value.low))} to {money(_cents(value.high))}"


def _cents(usd: float) -> Decimal:
    return Decimal(f"{usd:.9f}")


def vendors(found: Dependence, layer: Layer) -> Safe:
    """Every vendor's four shares in one layer, and how concentrated each is."""
    rows: list[list[Child]] = [
        [
            words(one.vendor),
            share(one.spend, 1),
            share(one.calls, 1),
            share(one.tokens, 1),
            share(one.critical, 1),
        ]
        for one in found.shares
        if one.layer == layer
    ]
    if not rows:
        return empty(
            "No vendor", "Whoever runs or made a model that is asked appears here, with its shares."
        )
    index = next(one for one in found.concentration if one.layer == layer)
    parts = (index.spend, index.calls, index.tokens, index.critical)
    rows.append(["HHI", *(UNKNOWN if part is None else count(part) for part in parts)])
    who = "Who runs the model" if layer == "host" else "Who made the model"
    return table((who, "Spend", "Answers", "Tokens", "Restrictions"), rows, "lrrrr")


def ready(found: Dependence) -> Safe:
    """Each task's steps, and what the next one takes."""
    return join(tag("div", _ready(one), class_="panel") for one in found.readiness)


def _ready(one: Readiness) -> Safe:
    heading = tag(
        "div",
        tag("h3", tag("code", one.task)),
        tag("span", f"{one.level} of 5", class_="quiet small"),
        class_="head",
    )
    marks = ["done" if i < one.level else "now" if i == one.level else None for i in range(6)]
    steps = [
        tag("li", name, class_=mark, aria_current="step" if mark == "now" else None)
        for name, mark in zip(LEVELS, marks, strict=True)
    ]
    return join([heading, tag("ol", *steps, class_="steps"), tag("p", *with_code(one.next))])


def drills(found: Dependence) -> Safe:
    """The latest rehearsals that a vendor is gone."""
    if not found.drills:
        return empty(
            "No vendor was ever cut off",
            "The command inhouse drill VENDOR rehearses in a copy that one is gone, and grades it.",
        )
    head = ("Begun", "Vendor", "How", "Grade", "Answered", "As good as before", "Worst")
    return table(head, [_drill(one) for one in found.drills], "lllllrl")


def _drill(one: DrillResult) -> list[Child]:
    drill, grade = one.drill, one.grade
    worst = one.tasks[0] if one.tasks else None
    return [
        moment(drill.started_ms),
        words(drill.vendor),
        f"{drill.how}, {drill.fault}",
        UNKNOWN if grade is None else note(grade, "good" if grade in PASSED else "bad"),
        UNKNOWN if one.coverage is None else share(one.coverage, 1),
        UNKNOWN if one.survivable is None else share(one.survivable, 1),
        None if worst is None else join([tag("code", worst.task), *worst.reasons[:1]], ": "),
    ]


def ends(found: Dependence) -> Safe:
    """When models end."""
    if not found.retirements:
        return empty(
            "No model's end is known",
            "A line like retires = 2026-12-31 in vendors.toml says on which day a vendor drops a "
            "model; from sixty days before it is warned of here and by inhouse doctor.",
        )
    rows: list[list[Child]] = [_end(one) for one in found.retirements]
    return table(("Deployment", "Model", "Last day", "Days left", ""), rows, "llrrl")


def _end(one: Retirement) -> list[Child]:
    return [
        words(one.deployment),
        words(one.model),
        one.retires,
        count(one.days_left),
        note("over" if one.days_left < 0 else "soon", "bad") if one.soon else None,
    ]


def spend_chart(found: Dependence) -> Options:
    """Dollars by the week."""
    weeks = len(found.spending.weekly_usd)
    names = [f"{weeks - place} weeks ago" for place in range(weeks)]
    return columns(names, {"vendors": list(found.spending.weekly_usd)}, "$", VENDOR_COLOURS)


def trend(found: Dependence) -> Safe:
    """Where spending goes, in a sentence."""
    spending = found.spending
    if isinstance(spending.next_usd, NotEnough):
        return empty("No forecast yet", f"{_range(spending.next_usd)} whole weeks with spending.")
    step = spending.step_usd
    each = _range(step) if isinstance(step, Interval) else "always the same"
    said = (
        f"If it goes on as it went, the next four weeks cost {_dollars(spending.next_usd)}, with "
        f"95% certainty {_range(spending.next_usd)}; each week costs {_dollars(step)} more than "
        f"the one before ({each})."
    )
    return join([tag("p", said, " ", _mark(found), class_="quiet small")])


def form(rates: Rates) -> Safe:
    """Asks what machines cost: nobody here knows."""
    known = (
        rates.cpu_usd_per_hour,
        rates.cpu_per_s,
        rates.gpu_usd_per_hour,
        rates.gpu_per_s,
    )
    fields = [
        tag(
            "label",
            tag("div", label, class_="quiet small"),
            tag(
                "input",
                name_=name,
                type="text",
                inputmode="decimal",
                class_="plain",
                value=None if value is None else f"{value:g}",
            ),
        )
        for (name, label), value in zip(_FIELDS, known, strict=True)
    ]
    return tag(
        "form",
        *fields,
        tag("button", "Compare", type="submit", class_="plain"),
        method="get",
        class_="fields",
    )


def owning(found: Sequence[BreakEven], rates: Rates) -> Safe:
    """Owning against renting."""
    if not found:
        asked = rates == Rates()
        return empty(
            "Owning against renting" if asked else "Nothing to compare",
            "Say above what a machine costs an hour: it is compared with what vendors charged for "
            "the same traffic."
            if asked
            else "No model was asked on a whole day of the last thirty.",
        )
    rows = [_owning(one) for one in found]
    head = ("Task", "Renting a month", "Owning a month", "Answers a month", "Cheaper from", "")
    return table(head, rows, "lrrrrl")


def _owning(one: BreakEven) -> list[Child]:
    owned = None if one.owned_usd_month is None else money(_cents(one.owned_usd_month))
    machines = f"{one.machines} × {one.machine}" if one.machines else one.machine
    name, kind = _CHOICES[one.choice]
    even = one.break_even_month
    cheaper = UNKNOWN if isinstance(even, NotEnough) else count(even.estimate)
    within = _range(even) if isinstance(even, NotEnough) else _between(even)
    return [
        tag("code", one.task),
        _two(_dollars(one.rented_usd_month), _range(one.rented_usd_month)),
        _two(owned or UNKNOWN, machines),
        count(one.answers_month),
        _two(cheaper, within),
        join([note(name, kind), tag("span", one.why, class_="sub")]),
    ]


def _between(value: Interval) -> str:
    return f"{count(value.low)} to {count(value.high)}"


def _two(first: str, below: str) -> Safe:
    return join([first, tag("span", below, class_="sub")])


def libraries(found: Dependence) -> Safe:
    """What inhouse itself rests on."""
    rows: list[list[Child]] = [
        [
            join([one.name, note("gateway", "accent") if one.gateway else None], " "),
            one.version or "not installed",
            one.licence or UNKNOWN,
            words(one.by) if one.by else UNKNOWN,
            one.stops,
        ]
        for one in found.libraries
    ]
    return table(("Library", "Version", "Licence", "By", "Without it stops"), rows, "lllll")
