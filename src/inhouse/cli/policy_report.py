"""Reports on policies, as tables for people."""

from collections.abc import Sequence

from inhouse.cli.output import console, show
from inhouse.moderation.past.backtest import Backtest, RuleEffect
from inhouse.moderation.past.effects import Labels, Move
from inhouse.moderation.past.shadow import ShadowEffect, ShadowReport
from inhouse.moderation.types import SURFACES
from inhouse.stats.types import Interval, NotEnough


def print_backtest(report: Backtest) -> None:
    """What would change, by rule and by action, and what people say of it."""
    console.print(f"{report.before} -> {report.after}")
    console.print(
        f"{report.changed:,} of {report.items:,} posts would change, of {report.creators:,} "
        f"creators; on {report.called:,} a person has decided, which stands"
    )
    _print_moves(report.moves)
    _print_rules([rule for rule in report.rules if _is_told(rule)])
    for name, labels in (("in force", report.labels_before), ("new", report.labels_after)):
        console.print(f"by people, {name}: {_labels(labels)}")
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
            f"precision {_share(people.precision)}"
        )
        _print_moves(effect.moves)
        if effect.examples:
            examples = f"for example {', '.join(effect.examples)}"
            console.print(examples, markup=False, highlight=False)


def _shadow_line(effect: ShadowEffect, items: int) -> str:
    days = ", ".join(f"{day.day} {day.matches:,}" for day in effect.days[-7:])
    return (
        f"[bold]{effect.rule}[/bold] holds for {effect.matches:,} of {items:,} posts and would "
        f"change {effect.would_change:,}; by day: {days or 'none'}"
    )


def _print_moves(moves: Sequence[Move]) -> None:
    if not moves:
        return
    columns = (
        ("from", lambda m: m.before),
        ("to", lambda m: m.after),
        ("posts", lambda m: f"{m.items:,}"),
        ("where (adults / minors)", _places),
        ("for example", lambda m: ", ".join(m.examples[:2])),
    )
    show(moves, columns, as_json=False)


def _places(move: Move) -> str:
    """Once where it is the same on all surfaces."""
    found = {(place.surface, place.viewer): place.items for place in move.places}
    counts = {
        s: f"{found.get((s, 'adult'), 0):,} / {found.get((s, 'minor'), 0):,}" for s in SURFACES
    }
    if len(set(counts.values())) == 1:
        return f"everywhere {counts[SURFACES[0]]}"
    return ", ".join(f"{s} {count}" for s, count in counts.items() if count != "0 / 0")


def _is_told(rule: RuleEffect) -> bool:
    same = (rule.matches_before, rule.decides_before) == (rule.matches_after, rule.decides_after)
    return bool(rule.changes) or not same


def _print_rules(rules: Sequence[RuleEffect]) -> None:
    if not rules:
        return
    columns = (
        ("rule", lambda r: r.rule),
        ("holds for", lambda r: _change(r.matches_before, r.matches_after)),
        ("decides", lambda r: _change(r.decides_before, r.decides_after)),
        ("changes", lambda r: f"{r.changes:,}"),
        ("people confirm", lambda r: "" if r.labels is None else _share(r.labels.precision)),
    )
    show(rules, columns, as_json=False)


def _change(before: int | None, after: int | None) -> str:
    shown = ["-" if count is None else f"{count:,}" for count in (before, after)]
    return shown[0] if shown[0] == shown[1] else " -> ".join(shown)


def _labels(labels: Labels) -> str:
    return (
        f"{labels.confirmed:,} confirmed, {labels.contradicted:,} contradicted, "
        f"{labels.missed:,} missed; precision {_share(labels.precision)}, "
        f"recall {_share(labels.recall)}"
    )


def _share(share: Interval | NotEnough) -> str:
    if isinstance(share, NotEnough):
        return "unknown"
    return f"{share.estimate:.0%} ({share.low:.0%} to {share.high:.0%})"
