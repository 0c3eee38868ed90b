"""The bill as HTML: pure functions of its facts."""

from collections.abc import Callable, Sequence
from typing import Final

from inhouse.console.bill.lines import Together, date_name, month_name, together
from inhouse.console.bill.model import BillFacts
from inhouse.console.bill.route_page import task_html
from inhouse.console.charts import VENDOR_COLOURS, Options, columns, shares
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
    words,
)
from inhouse.console.spending import OWN_NAME, cost_of
from inhouse.console.words import UNKNOWN, count, money, plural, share
from inhouse.models.ledger.bill import Bill, Concentration, Line, Share
from inhouse.models.types import INHOUSE, Layer

NOTHING_SPENT: Final = empty(
    "No model was asked yet",
    "Every attempt becomes a row of the ledger: it appears here by day, vendor, task and model as "
    "soon as moderation or your app asks for a judgement.",
)


HEADING: Final = join(
    [
        tag("h1", "Bill"),
        tag(
            "p",
            "What AI judgements cost, how much depends on whom, and how far each task has come "
            "towards models of your own. Every attempt is a row of the ledger.",
            class_="lead",
        ),
        tag(
            "p",
            link("/bill/dependence", "On whom it rests, and what leaving takes"),
            class_="quiet small",
        ),
    ]
)


def figures(facts: BillFacts) -> Safe:
    """The month in figures."""
    month, cost = facts.month, cost_of(facts.month)
    per_1k = cost.per_1k_usd
    index = _of_layer(month.concentration, "host")
    return tiles(
        tile("Spent this month", money(month.spend_usd), "on real vendors"),
        tile("Simulated this month", money(month.simulated_usd), _simulated_remark(month)),
        tile(
            "Per 1,000 judgements",
            join(
                [
                    UNKNOWN if per_1k is None else money(per_1k),
                    simulated() if cost.simulated else None,
                ],
                " ",
            ),
            f"{count(cost.calls)} answered, by whomever",
        ),
        tile("Answered by your own models", share(month.owned_calls), "of this month's judgements"),
        tile("Dependence", concentration_name(index), concentration_words(index)),
    )


def _simulated_remark(month: Bill) -> Safe:
    stands_in = simulated() if any(line.simulated for line in month.hosts) else None
    return join(
        [stands_in, "no money changed hands" if stands_in else "no stand-in was asked"], " "
    )


def _of_layer(found: Sequence[Concentration], layer: Layer) -> float | None:
    one = next(one for one in found if one.layer == layer)
    return one.calls if one.spend is None else one.spend


def concentration_name(index: float | None) -> str:
    """A concentration in one word or two.

    >>> concentration_name(None), concentration_name(10_000.0), concentration_name(900.0)
    ('none', 'one vendor', 'spread')
    """
    if index is None:
        return "none"
    if index >= 9_900:
        return "one vendor"
    if index > 1_800:
        return "high"
    return "moderate" if index > 1_000 else "spread"


def concentration_words(index: float | None) -> str:
    """The index and what it means.

    >>> concentration_words(10_000.0)
    'HHI 10,000 of 10,000: all rests on a single vendor'
    """
    if index is None:
        return "no vendor was paid or asked"
    meaning = {
        "one vendor": "all rests on a single vendor",
        "high": "highly concentrated, above 1,800",
        "moderate": "moderately concentrated",
        "spread": "spread over several vendors",
    }[concentration_name(index)]
    return f"HHI {index:,.0f} of 10,000: {meaning}"


def spend_chart(facts: BillFacts) -> Options:
    """Dollars a day by vendor."""
    return columns(facts.daily.days, facts.daily.spend_usd, "$", VENDOR_COLOURS)


def owned_chart(facts: BillFacts) -> Options:
    """The share answered by models of one's own, day by day."""
    return shares(facts.daily.days, facts.daily.owned, "answered by your own models")


def tasks_on_their_way(facts: BillFacts) -> Safe:
    """Every task's stage, reason and parity."""
    return join(tag("div", task_html(task), class_="panel") for task in facts.tasks)


def months(facts: BillFacts) -> Safe:
    """Spend by month, newest first."""
    return _over_time("Month", together(facts.year.months)[::-1], month_name)


def days(facts: BillFacts) -> Safe:
    """Spend by day of this month, newest first."""
    return _over_time("Day", together(facts.month.days)[::-1], date_name)


def tasks(facts: BillFacts) -> Safe:
    """Spend by task."""
    return _over_time("Task", together(facts.month.tasks), str)


def _over_time(head: str, found: Sequence[Together], name: Callable[[str], str]) -> Safe:
    if not found:
        return NOTHING_SPENT
    rows: list[list[Child]] = [
        [
            words(name(one.key)),
            money(one.spend_usd),
            join([money(one.simulated_usd)]) if one.simulated else UNKNOWN,
            count(one.calls),
            count(one.attempts),
            _unpriced_count(one.unpriced),
        ]
        for one in found
    ]
    return table((head, "Spent", "Simulated", "Answers", "Requests", "No price"), rows, "lrrrrr")


def vendors(facts: BillFacts, layer: Layer) -> Safe:
    """Spend by vendor and each one's share: who runs the models, or who made them."""
    month = facts.month
    lines = month.hosts if layer == "host" else month.owners
    if not lines:
        return NOTHING_SPENT
    shares_of = {one.vendor: one for one in month.shares if one.layer == layer}
    rows = [_vendor(line, shares_of.get(line.key), month.owned_calls) for line in lines]
    who = "Who runs the model" if layer == "host" else "Who made the model"
    return table((who, "Spend", "Of spend", "Answers", "Of answers"), rows, "lrrrr")


def _vendor(line: Line, of: Share | None, owned: float | None) -> list[Child]:
    own = line.key == INHOUSE
    mark = simulated() if line.simulated else None
    part = owned if own else of.calls if of else None
    return [
        join([words(OWN_NAME if own else line.key), mark], " "),
        money(line.spend_usd),
        share(of.spend if of else None, 1),
        count(line.calls),
        share(part, 1),
    ]


def models(facts: BillFacts) -> Safe:
    """Spend by model."""
    if not facts.month.models:
        return NOTHING_SPENT
    rows = [_model(line) for line in facts.month.models]
    heads = ("Model", "Spend", "Answers", "Requests", "Tokens in", "Tokens out", "No price")
    return table(heads, rows, "lrrrrrr")


def _model(line: Line) -> list[Child]:
    return [
        _model_name(line.key, is_simulated=line.simulated),
        money(line.spend_usd),
        count(line.calls),
        count(line.attempts),
        count(line.tokens_in),
        count(line.tokens_out),
        _unpriced_count(line.unpriced),
    ]


def _model_name(key: str, *, is_simulated: bool) -> Safe:
    """The model's name, and below it who runs and who made it."""
    host, owner, name = key.split("/", 2)
    by = OWN_NAME if host == INHOUSE else f"run by {host}, made by {owner}"
    mark = simulated() if is_simulated else None
    return join([words(name), " ", mark, tag("span", words(by), class_="sub")])


def unpriced(facts: BillFacts) -> Safe:
    """Attempts nobody can put a price on: listed, never counted as free."""
    rows: list[list[Child]] = [
        [
            _model_name(f"{one.host}/{one.owner}/{one.model}", is_simulated=one.simulated),
            one.outcome.replace("_", " "),
            count(one.attempts),
            count(one.tokens_in),
            count(one.tokens_out),
            money(one.estimate_usd) if one.estimate_usd else UNKNOWN,
        ]
        for one in facts.month.unpriced
    ]
    if not rows:
        return empty(
            "Every attempt of this month has a price",
            "One without would be listed here, and left out of the sums: a new model that the "
            "price list does not know, or a request that broke off before the vendor counted.",
        )
    head = ("Model", "What became of it", "Attempts", "Tokens in", "Tokens out", "About")
    return table(head, rows, "llrrrr")


def _unpriced_count(attempts: int) -> Child:
    return note(plural(attempts, "attempt"), "warn") if attempts else "0"


def basis(facts: BillFacts) -> Safe:
    """Whose rows the shares count."""
    if facts.month.basis == "simulated":
        return join([simulated(), " shares count the simulated vendor, as no real one was asked"])
    return tag("span", "shares count real vendors only")
