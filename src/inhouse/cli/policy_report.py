"""Reports on policies, as tables for people."""

from collections.abc import Sequence

from inhouse.cli.output import console, show
from inhouse.moderation.past.backtest import Backtest, RuleEffect
from inhouse.moderation.past.effects import Move
from inhouse.moderation.past.shadow import ShadowEffect, ShadowReport
from inhouse.moderation.past.told import (
    change_in_words,
    days_in_words,
    is_told,
    labels_in_words,
    places_in_words,
    share_in_words,
)


def print_backtest(report: Backtest) -> None:
    """What would change, by rule and by action, and what people say of it."""
    console.print(f"{report.before} -> {report.after}")
    console.print(
        f"{report.changed:,} of {report.items:,} posts would change, of {report.creators:,} "
        f"creators; on {report.called:,} a person has decided, which stands"
    )
    _print_moves(report.moves)
    _print_rules([rule for rule in report.rules if is_told(rule)])
    for name, labels in (("in force", report.labels_before), ("new", report.labels_after)):
        console.print(f"by people, {name}: {labels_in_words(labels)}")
    if report.most_affected:
        most = ", ".join(f"{c.creator_id} ({c.items:,})" for c in report.most_affected)
        console.print(f"most affected: {most}", markup=False, highlight=False)


def print_shadow(report: ShadowReport) -> None:
    """Every rule in shadow in a few lines."""
    if not report.rules:
        console.print(f"{report.policy_version} has no rule in shadow; write `mode: shadow` in one")
    for effect in report.rules:
        console.print(_shadow_line(effect, report.items))
        people = effect.labels
        console.print(
            f"by people: {people.confirmed:,} confirmed, {people.contradicted:,} contradicted; "
            f"precision {share_in_words(people.precision)}"
        )
        _print_moves(effect.moves)
        if effect.examples:
            examples = f"for example {', '.join(effect.examples)}"
            console.print(examples, markup=False, highlight=False)


def _shadow_line(effect: ShadowEffect, items: int) -> str:
    return (
        f"[bold]{effect.rule}[/bold] holds for {effect.matches:,} of {items:,} posts and would "
        f"change {effect.would_change:,}; by day: {days_in_words(effect)}"
    )


def _print_moves(moves: Sequence[Move]) -> None:
    if not moves:
        return
    columns = (
        ("from", lambda m: m.before),
        ("to", lambda m: m.after),
        ("posts", lambda m: f"{m.items:,}"),
        ("where (adults / minors)", places_in_words),
        ("for example", lambda m: ", ".join(m.examples[:2])),
    )
    show(moves, columns, as_json=False)


def _print_rules(rules: Sequence[RuleEffect]) -> None:
    if not rules:
        return
    columns = (
        ("rule", lambda r: r.rule),
        ("holds for", lambda r: change_in_words(r.matches_before, r.matches_after)),
        ("decides", lambda r: change_in_words(r.decides_before, r.decides_after)),
        ("changes", lambda r: f"{r.changes:,}"),
        (
            "people confirm",
            lambda r: "" if r.labels is None else share_in_words(r.labels.precision),
        ),
    )
    show(rules, columns, as_json=False)
