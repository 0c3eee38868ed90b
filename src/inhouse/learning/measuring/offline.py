"""The causal model judged on files, beside popularity and item-item neighbours.

The baselines learn from just what the model learned from, and all answer the same questions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from inhouse.core.errors import InputError
from inhouse.learning.causal.fit import (
    Fitting,
    Progress,
    SequenceFit,
    fit_sequences,
    fit_whole,
    training_for,
)
from inhouse.learning.causal.serving import read_causal, taught_of
from inhouse.learning.measuring.baselines import RecentPopularity, neighbours_of, same_for_all
from inhouse.learning.measuring.history_model import scores_of
from inhouse.learning.sequences.flat import Catalogue, Longs, Named, Sequences
from inhouse.learning.sequences.holdout import (
    Difference,
    Floats,
    HoldOut,
    HoldOutReport,
    Scores,
    difference,
    ranked,
    report_on,
)
from inhouse.learning.sequences.time_split import Split, Target, Wants, split_at

OURS: Final = "causal model"
NEIGHBOURS: Final = "item-item neighbours"
# The square of so many items takes 1.6 GB.
MOST_NEIGHBOURS: Final = 20_000
_HALF_LIVES_DAYS: Final = (1.0, 7.0)
_WAY_OUT: Final = "train it with `inhouse train --sequences FILE --hold-out --to MODEL`"
Tell = Callable[[str, int, int], None]  # what is being done, done so far, in all


@dataclass(frozen=True, kw_only=True, slots=True)
class Standings:
    """Several recommenders on the same questions."""

    rows: tuple[HoldOutReport, ...]  # the model first
    differences: tuple[Difference, ...]  # of the model from each other
    left_out: tuple[str, ...]  # who could not take part, and why


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceReport:
    """A trained model on the last item of each person of a file."""

    people: int
    items: int
    standings: Standings


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeSplitReport:
    """A model trained on what came before a moment, asked for what came after it."""

    at_ms: int  # the moment
    target: Target  # what of each person is asked for
    learned: int  # first wants before it
    later: int  # after it
    repeats: int  # wants of what the person had wanted before, neither learned nor asked for
    people_learned: int  # who wanted something before
    people_asked: int
    strangers: int  # questions of people who had wanted nothing before the moment
    questions: int
    possible: int  # questions there were; `questions` are drawn by chance of very many
    fit: SequenceFit  # how training went
    standings: Standings


def judge_sequences(named: Named, path: Path, tell: Tell) -> SequenceReport:
    """The model of a file on the sequences that it was trained on.

    Raises InputError where it was trained on others, or on the answers too.
    """
    weights, taught = read_causal(path), taught_of(path)
    if taught is None or taught.digest != named.digest():
        raise InputError(
            f"{path} was not trained on these sequences, so it may know the answers; {_WAY_OUT}"
        )
    if not taught.held_back:
        raise InputError(f"{path} has learned the answers too; {_WAY_OUT}")
    # What the model knows by content and nobody had competes too, behind the items of the file.
    count, whole = len(weights.item_ids), named.sequences
    learned = whole.without_last(1)
    questions = HoldOut(sequences=whole, counts=learned.counts(count))
    ours = scores_of(weights, taught.content)
    contestants = {OURS: ours, "popular, of all time": same_for_all(questions.counts)}
    return SequenceReport(
        people=len(whole),
        items=count,
        standings=standings_of(questions, contestants, learned, tell),
    )


def judge_after(
    wants: Wants, at_ms: int, target: Target, training: tuple[int, int], tell: Tell
) -> TimeSplitReport:
    """Train on what came before a moment, then ask. training: most epochs, and the seed."""
    epochs, seed = training
    split = split_at(wants, at_ms, target, seed)

    def learned(progress: Progress) -> None:
        tell(str(progress), progress.step, progress.steps)

    border = split.learned_wants.stop
    known = int(wants.items[:border].max()) + 1  # items that had come
    catalogue = Catalogue.of_ids(wants.item_names[:known])
    how = training_for(split.learned, known, seed)
    _, fit = fit_sequences(split.learned, catalogue, how, Fitting(most_epochs=epochs), learned)
    whole = Fitting(most_epochs=fit.best_epoch)
    weights = fit_whole(split.learned, catalogue, how, whole, learned)
    ours = _widened(scores_of(weights), len(wants.item_names))
    contestants = {OURS: ours, **_popular(wants, split)}
    return TimeSplitReport(
        at_ms=at_ms,
        target=target,
        learned=border,
        later=len(wants.users) - border,
        repeats=wants.repeats,
        people_learned=len(split.learned),
        people_asked=len(np.unique(split.users)),
        strangers=split.strangers,
        questions=len(split.users),
        possible=split.possible,
        fit=fit,
        standings=standings_of(split.questions, contestants, split.learned, tell),
    )


def standings_of(
    questions: HoldOut, contestants: Mapping[str, Scores], learned: Sequences, tell: Tell
) -> Standings:
    """All of them and item-item neighbours of what was learned; the first is the model."""
    count = len(questions.counts)
    everybody, left_out = dict(contestants), []
    if count <= MOST_NEIGHBOURS:
        tell("neighbours", 0, 1)
        everybody[NEIGHBOURS] = neighbours_of(learned, count)
    else:
        reason = f"{count:,} items, and the square of more than {MOST_NEIGHBOURS:,} is not kept"
        left_out.append(f"{NEIGHBOURS}: {reason}")
    rows: list[HoldOutReport] = []
    ranks: dict[str, Longs] = {}
    for done, (name, scores) in enumerate(everybody.items()):
        tell(f"asking {name}", done, len(everybody))
        ranks[name], listed = ranked(questions, scores)
        rows.append(report_on(name, questions, ranks[name], listed))
    ours, *rivals = ranks
    return Standings(
        rows=tuple(rows),
        differences=tuple(
            difference(questions, ranks[ours], rival, ranks[rival]) for rival in rivals
        ),
        left_out=tuple(left_out),
    )


def _widened(scores: Scores, count: int) -> Scores:
    """The same over more items; those that the model has never heard of come last."""

    def wide(histories: Sequences) -> Floats:
        table = scores(histories)
        unknown = count - table.shape[1]
        return np.pad(table, ((0, 0), (0, unknown)), constant_values=-np.inf)

    return wide


def _popular(wants: Wants, split: Split) -> dict[str, Scores]:
    """What was wanted of late, as it stood at the split."""
    found: dict[str, Scores] = {}
    rows, count = split.learned_wants, len(wants.item_names)
    for days in _HALF_LIVES_DAYS:
        popular = RecentPopularity(count, days)
        popular.learn_all(wants.items[rows], wants.at_ms[rows])
        found[popular.name] = same_for_all(popular.scores(0, split.at_ms))
    return found
