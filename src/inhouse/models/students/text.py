"""From pairs to a registered model that writes: taught on the earlier, judged by the latest."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from inhouse.models.owned.registry import ModelVersion
from inhouse.models.students.course import Course, Work
from inhouse.models.students.pairs import Pair, Pairs, Split, provenance_of
from inhouse.models.students.workplace import (
    Base,
    Made,
    Workplace,
    card_for,
    digest_of,
    made_version,
)
from inhouse.models.types import HeldOut, Task
from inhouse.stats.types import NotEnough

_TEACHER: Final = "inhouse.models.students.causal_torch"  # never imported here: it loads torch
_STOP_FROM, _JUDGE_FROM = 0.8, 0.9  # shares in time: pairs that decide when to stop, that judge
_RATES: Final = {True: 2e-5, False: 2e-4}  # of all weights, and of few


def train_text(
    place: Workplace, task: Task, base: Base, pairs: Pairs, course: Course | None = None
) -> ModelVersion | NotEnough:
    """Teach the task's student and register it. course: else as the settings say."""
    settings = place.settings
    found = pairs.pairs(task.name, settings.most_pairs)
    if len(found) < settings.least_pairs:
        return NotEnough(
            reason="too few prompts with answers", have=len(found), need=settings.least_pairs
        )
    split = split_of(found)
    how = course or Course(rounds=settings.student_rounds, rate=_RATES[base.full])

    def teach(work: Work) -> Made | NotEnough:
        told: Any = importlib.import_module(_TEACHER).teach_causal(work, split, place.tell)
        if isinstance(told, NotEnough):
            return told
        if told.taught.best_loss >= told.taught.first_loss:
            return NotEnough(
                reason="what was taught made it no better on later pairs", have=len(found)
            )
        held_out = HeldOut(
            measure="loss", pairs=told.judged, before=told.base_loss, after=told.loss
        )
        card = card_for(task, base, place.clock.now_ms(), provenance_of(split.teach))
        method = "full" if base.full else "lora"
        return replace(card, student="causal", method=method, held_out=held_out), None

    return made_version(place, task, (base, how, digest_of(found)), teach)


def split_of(pairs: Sequence[Pair]) -> Split:
    """Pairs in the order of time, cut in three. The same question with the same answer is never on
    two sides: what came again belongs to where it came first."""
    first: dict[tuple[object, str], Pair] = {}
    for pair in pairs:
        first.setdefault((pair.messages, pair.answer), pair)
    distinct = list(first.values())
    stop, judge = round(len(distinct) * _STOP_FROM), round(len(distinct) * _JUDGE_FROM)
    return Split(teach=distinct[:stop], stop=distinct[stop:judge], judge=distinct[judge:])
