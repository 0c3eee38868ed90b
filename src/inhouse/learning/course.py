"""A course of learning: join, judge, learn, judge again, and decide what may be served.

A round takes what is new since the last one in parts, in the order of time. Each part is foreseen
by the learning model and by the serving one before it is learned from; the last part is only
foreseen, so what passes the gate was measured on data later than everything it learned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from inhouse.events.types import LoggedEvent, ServedPage
from inhouse.features.state import LiveState
from inhouse.learning.examples import (
    Impressions,
    Judgement,
    NextItems,
    join_impressions,
    join_next_items,
    no_next_items,
    pooled,
)
from inhouse.learning.head import HeadWeights
from inhouse.learning.joiner import Joiner
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshot import SnapshotFacts, TasteSnapshot, new_snapshot_id
from inhouse.learning.taste import Floats, TasteWeights, aligned
from inhouse.learning.train_head import HeadTrainer, HeadTraining, judge_head, judge_rates
from inhouse.learning.train_taste import TasteTrainer, TasteTraining

Progress = Callable[[str, int, int], None]  # what is being done, steps done, steps in all

_PARTS: Final = 4
_GROWTH: Final = 0.15  # a round is due when what is known grew by so much, while it is little
_LEAST_NEW: Final = 200
_FEWEST_NEW: Final = 50  # that tell anything when they are judged
STEPS: Final = 40  # of a round with up to every_positives new examples, more for more
_LEAST_SHOWN: Final = 500  # impressions remembered before there is a head
_HEAD_STEPS: Final = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """How one part of the model did against what serves now, on data neither had learned."""

    part: str  # taste or head
    learner: Judgement  # the learning model
    rival: Judgement  # the serving model; before there is one, the simplest there is
    passed: bool  # whether the learning one may serve


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What a round of learning came to."""

    wanted: int  # new examples for the taste model
    shown: int  # new examples for the head
    contests: tuple[Contest, ...]  # of the parts that learned
    model: TasteSnapshot | None  # what serves from now on; None where nothing passed


def no_progress(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Course:
    """The learning of one community, without any I/O."""

    def __init__(self, state: LiveState, settings: LearningSettings) -> None:
        self.state = state
        self.serving: TasteSnapshot | None = None
        self._settings = settings
        self._taste = TasteTrainer(
            TasteTraining(memory=settings.memory, threads=settings.threads, seed=settings.seed)
        )
        self._head = HeadTrainer(HeadTraining(threads=settings.threads, seed=settings.seed))
        self._length = self._taste.training.shape.length
        self.joiner = Joiner(state, wait_ms=settings.outcome_wait_ms, length=self._length)
        self._wanted: list[NextItems] = []  # not yet learned from
        self._shown: list[Impressions] = []
        self._waiting = (0, 0)  # examples in these two

    def resume(self, snapshot: TasteSnapshot, remembered: Impressions) -> None:
        """Go on from a published snapshot; then `recall` the log up to its offset."""
        self._serve(snapshot)
        self.joiner.skip_until(snapshot.facts.watermark_ms)
        self._taste.grow(self._content())
        self._taste.resume(aligned(snapshot.taste, self.state.items.ids))
        self._head.remember(remembered)
        if snapshot.head is not None:
            self._head.start(snapshot.head)

    def recall(
        self, events: Sequence[LoggedEvent], pages: Sequence[tuple[int, ServedPage]]
    ) -> None:
        """Fold in what an earlier process learned from: to be rehearsed, not to be judged."""
        joined = self.joiner.take(events, pages)
        self._taste.grow(self._content())
        self._taste.remember(joined.wanted)
        self._set_aside(no_next_items(self._length), joined.shown)

    def take(self, events: Sequence[LoggedEvent], pages: Sequence[tuple[int, ServedPage]]) -> None:
        """Fold in what is new."""
        joined = self.joiner.take(events, pages)
        self._set_aside(joined.wanted, joined.shown)

    def mature(self, now_ms: int) -> None:
        """Hear that the whole log is read: pages mature by the clock though all is quiet."""
        self._set_aside(no_next_items(self._length), self.joiner.mature(now_ms))

    def waiting(self) -> tuple[int, int]:
        """How many new examples there are: wanted, shown."""
        return self._waiting

    def is_due(self) -> bool:
        """Whether enough is new for a round."""
        wanted, _ = self._waiting
        known = len(self._taste.memory)
        if known == 0:
            return wanted >= self._settings.first_positives
        return wanted >= round_size(known, self._settings.every_positives)

    def is_worthwhile(self) -> bool:
        """Whether a round may be held although none is due: the end of a batch."""
        return len(self._taste.memory) > 0 and self._waiting[0] >= _FEWEST_NEW

    def learn(self, now_ms: int, progress: Progress = no_progress) -> Round:
        """A round over everything new. What passes the gate serves from then on."""
        wanted = join_next_items(self._wanted, self._length)
        shown = join_impressions(self._shown)
        self._wanted, self._shown, self._waiting = [], [], (0, 0)
        taste = self._learn_taste(wanted, progress)
        head = self._learn_head(shown, progress)
        contests = tuple(contest for contest in (taste, head) if contest is not None)
        model = self._passed(contests, now_ms)
        self._undo(contests)
        if model is not None:
            self._serve(model)
        return Round(wanted=len(wanted), shown=len(shown), contests=contests, model=model)

    def remembered(self) -> Impressions:
        """What the head rehearses from."""
        return self._head.memory.all()

    def _learn_taste(self, wanted: NextItems, progress: Progress) -> Contest | None:
        self._taste.grow(self._content())
        if len(wanted) < _PARTS:
            self._taste.remember(wanted)
            return None
        serving: TasteWeights | None = None
        if self.serving is not None:
            serving = aligned(self.serving.taste, self.state.items.ids)
        steps = _steps(STEPS, len(wanted), self._settings.every_positives)
        ours: list[Judgement] = []
        theirs: list[Judgement] = []
        for place, (start, stop) in enumerate(_parts(len(wanted))):
            part = wanted.slice(start, stop)
            if place > 0:
                ours.append(self._taste.judge(part))
                theirs.append(
                    self._taste.judge(part, serving)
                    if serving is not None
                    else self._taste.judge_popularity(part)
                )
            self._taste.remember(part)
            if place < _PARTS - 1:
                done = place * steps
                self._taste.learn(
                    steps,
                    lambda step, done=done: progress("taste", done + step, (_PARTS - 1) * steps),  # type: ignore[misc]
                )
        return self._contest("taste", ours, theirs)

    def _learn_head(self, shown: Impressions, progress: Progress) -> Contest | None:
        if len(self._head.memory) + len(shown) < _LEAST_SHOWN or len(shown) < _PARTS:
            self._head.remember(shown)
            return None
        serving = self.serving.head if self.serving is not None else None
        steps = _steps(_HEAD_STEPS, len(shown), 20 * self._settings.every_positives)
        ours: list[Judgement] = []
        theirs: list[Judgement] = []
        for place, (start, stop) in enumerate(_parts(len(shown))):
            part = shown.slice(start, stop)
            if place > 0 and self._head.weights is not None:
                ours.append(judge_head(self._head.weights, part))
                theirs.append(
                    judge_head(serving, part)
                    if serving is not None
                    else judge_rates(self._head.memory.all(), part)
                )
            self._head.remember(part)
            if place < _PARTS - 1:
                self._head.learn(steps)
                progress("head", place + 1, _PARTS - 1)
        return self._contest("head", ours, theirs)

    def _contest(self, part: str, ours: list[Judgement], theirs: list[Judgement]) -> Contest:
        learner, rival = pooled(ours), pooled(theirs)
        most = rival.loss * (1 + self._settings.gate_margin)
        # A loss that is not a number is not below anything.
        return Contest(part=part, learner=learner, rival=rival, passed=learner.loss <= most)

    def _passed(self, contests: Sequence[Contest], now_ms: int) -> TasteSnapshot | None:
        """The parts that passed with the serving ones for the rest; None where none passed."""
        passed = {contest.part for contest in contests if contest.passed}
        taste: TasteWeights | None = self.serving.taste if self.serving is not None else None
        head: HeadWeights | None = self.serving.head if self.serving is not None else None
        if "taste" in passed:
            taste = self._taste.export(tuple(self.state.items.ids))
        if "head" in passed:
            head = self._head.weights
        if not passed or taste is None:
            return None
        facts = SnapshotFacts(
            snapshot_id=new_snapshot_id(),
            created_ms=now_ms,
            log_offset=self.state.log_offset,
            page_offset=self.state.page_offset,
            watermark_ms=self.joiner.watermark_ms,
            metrics=_metrics(contests),
        )
        return TasteSnapshot(facts, taste, head)

    def _undo(self, contests: Sequence[Contest]) -> None:
        """What was refused starts again from what serves; what it saw is still remembered."""
        for contest in contests:
            if contest.passed or self.serving is None:
                continue
            if contest.part == "taste":
                self._taste.resume(aligned(self.serving.taste, self.state.items.ids))
            elif self.serving.head is not None:
                self._head.start(self.serving.head)

    def _set_aside(self, wanted: NextItems, shown: Impressions) -> None:
        """Keep new examples for the next round."""
        if len(wanted):
            self._wanted.append(wanted)
        if len(shown):
            self._shown.append(shown)
        self._waiting = (self._waiting[0] + len(wanted), self._waiting[1] + len(shown))

    def _serve(self, snapshot: TasteSnapshot) -> None:
        self.serving = snapshot
        self.joiner.model = snapshot

    def _content(self) -> Floats:
        items = self.state.items
        return items.content[: items.count]


def round_size(known: int, most: int) -> int:
    """How many new examples make a round due, when so many are known."""
    return min(max(_LEAST_NEW, int(_GROWTH * known)), most)


def _parts(n: int) -> list[tuple[int, int]]:
    """n examples cut into `_PARTS` stretches of nearly one length."""
    cuts = np.linspace(0, n, _PARTS + 1).astype(int).tolist()
    return list(pairwise(cuts))


def _steps(least: int, new: int, usual: int) -> int:
    """Steps after each part that is learned from: more where more than usual is new."""
    return max(least, least * new // usual) // (_PARTS - 1)


def _metrics(contests: Sequence[Contest]) -> dict[str, float]:
    told: dict[str, float] = {}
    for contest in contests:
        told[f"{contest.part}_loss"] = contest.learner.loss
        told[f"{contest.part}_rival_loss"] = contest.rival.loss
        told[f"{contest.part}_judged"] = contest.learner.n
    return told
