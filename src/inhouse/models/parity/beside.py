"""Is a newer version as good as the one that serves, on texts neither was trained on? Pure.

What people said of a text is true of it, else what the rented model did. Among what is harmful and
among what is harmless, each, the newer version must not be right less often by more than the margin
(`stats.noninferiority`, paired). One that is refuses to be a replacement; where the texts do not
settle it, live traffic does. How far both flag the same is what live traffic is held to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.models.harvest.labels import Example
from inhouse.models.parity.agreement import ANY, Agreement, agreement, flagged, flagged_too
from inhouse.models.parity.gate import Verdict
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Scores
from inhouse.stats.noninferiority import NonInferiority, paired_counts

_SIDES: Final = (("harmful", True), ("harmless", False))


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """A newer version beside the one that serves."""

    version: str  # that serves
    verdict: Verdict  # fail: the newer one is worse
    reason: str  # in words
    agreement: Agreement | None  # of the newer one with it, on `any`; None where it cannot be read


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """Held-out texts and what both versions say of them, in the same order."""

    held_out: Sequence[Example]
    newer: Sequence[Scores]
    older: Sequence[Scores]


def unreadable(version: str) -> Beside:
    """Nothing can be said beside a version whose files are damaged."""
    return Beside(
        version=version,
        verdict="not_enough",
        reason=f"the files of {version} cannot be read",
        agreement=None,
    )


def beside_of(version: str, both: Both, settings: ModelSettings) -> Beside:
    """Hold a newer version against the one that serves."""
    sides = [(word, _compared(both, harmful, settings)) for word, harmful in _SIDES]
    verdict: Verdict = "not_enough"
    if any(side.verdict == "inferior" for _, side in sides):
        verdict = "fail"
    elif all(side.verdict == "non_inferior" for _, side in sides):
        verdict = "pass"
    told = [
        _told(word, side) for word, side in sides if verdict != "fail" or side.verdict == "inferior"
    ]
    pairs = zip(both.older, both.newer, strict=True)
    return Beside(
        version=version,
        verdict=verdict,
        reason="; ".join(told),
        agreement=agreement(ANY, pairs, settings.flag_at),
    )


def _compared(both: Both, harmful: bool, settings: ModelSettings) -> NonInferiority:
    gained = lost = n = 0
    for example, newer, older in zip(both.held_out, both.newer, both.older, strict=True):
        said = example.people or example.teacher
        truth = flagged(ANY, said, settings.flag_at)
        if truth is None or truth != harmful:
            continue
        n += 1
        right = flagged_too(ANY, said, newer, settings.flag_at) == truth
        was_right = flagged_too(ANY, said, older, settings.flag_at) == truth
        gained += right > was_right
        lost += right < was_right
    return paired_counts(gained, lost, n, settings.margin)


def _told(word: str, side: NonInferiority) -> str:
    found = side.difference
    if found is None:
        return f"right about what is {word} is unknown after 0 texts"
    return (
        f"right about what is {word}, compared with the version that serves, is "
        f"{found.estimate:+.3f} ({found.low:+.3f} to {found.high:+.3f}, bar {-side.margin:.3f}) on "
        f"{side.n:,} texts"
    )
