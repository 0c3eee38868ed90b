"""The way of each task from rented to owned, as HTML."""

from collections.abc import Mapping
from typing import Final

from inhouse.console.bill.parity_page import findings_table
from inhouse.console.bill.route_model import TaskFacts, learned_by_ms
from inhouse.console.bill.watch_page import watched_html
from inhouse.console.markup import Safe, empty, join, link, note, tag, words
from inhouse.console.words import count, day, moment, plural
from inhouse.models.types import STAGES, Route, Stage

_STAGE_WORDS: Final[Mapping[Stage, str]] = {
    "rented": "rented",
    "shadow": "shadow",
    "ramp1": "1% owned",
    "ramp5": "5% owned",
    "ramp25": "25% owned",
    "ramp50": "50% owned",
    "owned": "owned",
}
_CHANGES_SHOWN: Final = 8


def task_html(facts: TaskFacts) -> Safe:
    """One task whole."""
    heading = tag(
        "div",
        tag("h3", tag("code", facts.task)),
        tag("span", _headline(facts), class_="quiet small"),
        class_="head",
    )
    parts = [_steps(facts), _now(facts), watched_html(facts), _parity(facts), _changes(facts)]
    return join([heading, *parts])


def _headline(facts: TaskFacts) -> str:
    since_ms, by_ms = facts.owned_since_ms, learned_by_ms(facts)
    if since_ms is not None:
        return f"learned on {day(since_ms)}"
    if by_ms is not None:
        return f"enough labels by about {day(by_ms)}, at {facts.labels_a_day:,.0f} a day"
    if facts.route.stage == "rented" and not facts.labels_a_day:
        return "no labels arrive yet"
    return f"{count(facts.evidence.labels)} labels, {facts.labels_a_day:,.0f} a day"


def _steps(facts: TaskFacts) -> Safe:
    place = STAGES.index("owned" if facts.route.has_arrived else facts.route.stage)
    marks = ["done" if i < place else "now" if i == place else None for i in range(len(STAGES))]
    steps = [
        tag("li", _STAGE_WORDS[stage], class_=mark, aria_current="step" if mark == "now" else None)
        for stage, mark in zip(STAGES, marks, strict=True)
    ]
    return tag("ol", *steps, class_="steps")


def _now(facts: TaskFacts) -> Safe:
    route = facts.route
    own = f"{route.owned_share:.0%} answered by {route.owned}" if route.owned_share else ""
    if route.incumbent:
        older = f"{route.incumbent_share - route.owned_share:.0%} answered by {route.incumbent}"
        own = f"{own}; {older}" if own else older
    vendor = f"deployment “{route.primary}”" if route.primary else "no vendor is configured"
    whole = "the rest" if own else "everything"
    rented = f"{whole} by the {vendor}" if route.primary else vendor
    told = "; ".join(part for part in (own, rented) if part)
    beside = (
        route.incumbent
        and f"{route.owned} is to replace {route.incumbent}: {_replacing(route.stage)}"
    )
    held = f"held by {route.held_by}: nothing goes forwards until it is resumed"
    back = facts.rolled_back
    last = f"last taken out of service {moment(back.at_ms)}: {back.reason}" if back else ""
    return join(
        [
            tag("p", words(facts.waits_for)),
            tag("p", note(beside, "accent")) if beside else None,
            tag("p", note(held, "warn")) if route.held_by else None,
            tag("p", words(told), class_="quiet small"),
            tag("p", words(last), class_="small") if last else None,
        ]
    )


def _replacing(stage: Stage) -> str:
    return "in its shadow" if stage == "shadow" else _STAGE_WORDS[stage].replace("owned", "so far")


def _parity(facts: TaskFacts) -> Safe:
    if facts.parity is None:
        how = (
            f"Answers of the rented model and decisions of moderators are kept as labels: "
            f"{count(facts.evidence.labels)} of {count(facts.evidence.least_labels)} needed for "
            "the first training. The comparison with the rented model appears here after it."
        )
        return empty("No model of your own yet", how)
    card = facts.card
    trained = f", trained on {plural(card.trained_on, 'text')}" if card else ""
    signed = facts.margin
    margin = f" Margin {signed.margin:g}, signed by {signed.signed_by}." if signed else ""
    held_out, made_ms = plural(facts.parity.held_out, "later text"), facts.parity.made_ms
    made = "" if made_ms is None else f"Told {moment(made_ms)}, on "
    people = f", of which people judged {count(facts.parity.people)}"
    remark = f"{made or 'On '}{held_out} held out{people}{trained}.{margin}"
    report = link(f"/bill/parity/{facts.task}", "The whole report, by slices", target="_blank")
    table_ = findings_table(facts.parity.findings)
    return join([tag("p", words(remark), " ", report, class_="quiet small"), table_])


def _change_words(route: Route) -> str:
    if route.incumbent is None:
        return _STAGE_WORDS[route.stage]
    return f"a newer version, {_replacing(route.stage)}"


def _changes(facts: TaskFacts) -> Safe | None:
    if not facts.changes:
        return None
    lines = [
        tag(
            "li",
            tag("span", moment(change.at_ms), class_="when"),
            tag(
                "div",
                note(_change_words(change.route), "accent"),
                " ",
                words(change.reason),
                tag("span", f" · {change.decided_by}", class_="quiet"),
            ),
        )
        for change in facts.changes[:_CHANGES_SHOWN]
    ]
    return tag("ul", *lines, class_="log")
