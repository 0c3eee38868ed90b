"""How what another policy would change is told, at the console and on a terminal alike."""

from inhouse.moderation.past.backtest import RuleEffect
from inhouse.moderation.past.effects import Labels, Move
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.past.shadow import ShadowEffect
from inhouse.moderation.types import SURFACES
from inhouse.stats.types import Interval, NotEnough


def places_in_words(move: Move) -> str:
    """Where a move happens, for adults and for minors; once where it is the same everywhere."""
    found = {(place.surface, place.viewer): place.items for place in move.places}
    counts = {
        s: f"{found.get((s, 'adult'), 0):,} / {found.get((s, 'minor'), 0):,}" for s in SURFACES
    }
    if len(set(counts.values())) == 1:
        return f"everywhere {counts[SURFACES[0]]}"
    return ", ".join(f"{s} {count}" for s, count in counts.items() if count != "0 / 0")


def is_told(rule: RuleEffect) -> bool:
    """Whether anything about a rule is different under the new policy."""
    same = (rule.matches_before, rule.decides_before) == (rule.matches_after, rule.decides_after)
    return bool(rule.changes) or not same


def change_in_words(before: int | None, after: int | None) -> str:
    """A count under both policies.

    >>> change_in_words(3, 3), change_in_words(None, 1200)
    ('3', '- -> 1,200')
    """
    shown = ["-" if count is None else f"{count:,}" for count in (before, after)]
    return shown[0] if shown[0] == shown[1] else " -> ".join(shown)


def labels_in_words(labels: Labels) -> str:
    """How rules compare with what people decided."""
    return (
        f"{labels.confirmed:,} confirmed, {labels.contradicted:,} contradicted, "
        f"{labels.missed:,} missed; precision {share_in_words(labels.precision)}, "
        f"recall {share_in_words(labels.recall)}"
    )


def share_in_words(share: Interval | NotEnough) -> str:
    """A share with its range, or that it is not known."""
    if isinstance(share, NotEnough):
        return "unknown"
    return f"{share.estimate:.0%} ({share.low:.0%} to {share.high:.0%})"


def days_in_words(effect: ShadowEffect) -> str:
    """The last days on which a rule held for any post."""
    return ", ".join(f"{day.day} {day.matches:,}" for day in effect.days[-7:]) or "none"


def progress_in_words(progress: Progress) -> str:
    """What a re-scan has done so far."""
    return (
        f"{progress.read:,} posts by {progress.policy_version}: {progress.opened:,} cases opened, "
        f"{progress.withdrawn:,} withdrawn, {progress.changed:,} posts treated differently, "
        f"{progress.refreshed:,} with new evidence"
    )
