"""A course of learning: join, judge, learn, and decide what may be served; without any I/O.

What is new is learned in lessons, in the order of the log. The examples of a lesson are foreseen
by the learning model and by what serves, then remembered, then steps are done over what is
remembered: half of each batch from the latest. The borders of lessons depend on how much is known,
never on how the log happened to be read, so two courses over one log learn the same; but in a
hurry, when more comes than can be rehearsed, a lesson is what there is.

Published are the rows that changed, as a delta every few seconds, and everything as a snapshot
every few minutes. Both pass the gate first: by the losses above, on what nobody had learned yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.clock import DAY_MS
from inhouse.core.ids import UserId
from inhouse.events.types import LoggedEvent, ServedPage
from inhouse.features.state import LiveState
from inhouse.learning.causal.beside import Beside
from inhouse.learning.examples.types import (
    Impressions,
    NextItems,
    join_impressions,
    join_next_items,
    no_next_items,
)
from inhouse.learning.head.arrays import HeadWeights
from inhouse.learning.head.train import HeadTrainer, HeadTraining, judge_head, judge_rates
from inhouse.learning.joining.joiner import Joiner
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot, new_snapshot_id
from inhouse.learning.taste.arrays import Floats, TasteWeights, aligned
from inhouse.learning.taste.deltas import Delta, DeltaFacts
from inhouse.learning.taste.rows import TableBounds, rows_in
from inhouse.learning.taste.train import TasteTrainer, TasteTraining
from inhouse.learning.train_state import below, under
from inhouse.learning.training.gate import Contest, Record, metrics_of

Progress = Callable[[str, int, int], None]  # what is being done, steps done, steps in all

_GROWTH: Final = 0.15  # a snapshot is due when what is known grew by so much, while it is little
_LEAST_NEW: Final = 200
_FEWEST_NEW: Final = 50  # that tell anything when they are judged
STEPS: Final = 40  # for each `round_size` of new examples
_LEAST_SHOWN: Final = 500  # impressions remembered before there is a head
_HEAD_LESSON: Final = 256  # impressions at least, since a lesson looks at all that is remembered
_HEAD_SHARE: Final = 16  # and one in so many of those
_HEAD_STEPS: Final = 120  # for each `round_size` of wanted examples that usually comes with them
_SHOWN_A_WANTED: Final = 20  # impressions that usually come with one wanted example
_HURRIED: Final = 512  # examples at most of a lesson in a hurry, which is one step over them
_HURRIED_JUDGED: Final = 8  # one lesson in so many is judged then
_OWED_LOOKS: Final = 10  # at most so many at all that is remembered are made up for later
_PAID_AT_ONCE: Final = 8  # steps
_ROWS_JUDGED: Final = 4  # one lesson in so many is foreseen by the rows that may be published
_JUDGED_FOR_ROWS: Final = 1_000  # latest examples that decide about a delta


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What a round of learning came to."""

    wanted: int  # examples learned by the taste model
    shown: int  # examples learned by the head
    contests: tuple[Contest, ...]  # where a snapshot was due: of the parts that learned
    model: TasteSnapshot | None  # what serves from now on; None where none was due or passed


def whole(rounds: Sequence[Round]) -> Round:
    """One after the other, taken for one."""
    return Round(
        wanted=sum(held.wanted for held in rounds),
        shown=sum(held.shown for held in rounds),
        contests=tuple(contest for held in rounds for contest in held.contests),
        model=next((held.model for held in reversed(rounds) if held.model is not None), None),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsHeld:
    """Whether a delta may be published, and what it is."""

    contest: Contest  # of the learning rows against the published ones
    delta: Delta | None  # None where it did not pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """What may be learned from no more."""

    people: tuple[UserId, ...] = ()  # whose pages that wait for an outcome
    offsets: Sequence[int] = ()  # of events
    page_ms: Sequence[int] = ()  # when pages were served


def no_progress(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Course:
    """The learning of one community, without any I/O."""

    def __init__(
        self,
        state: LiveState,
        settings: LearningSettings,
        training: TasteTraining | None = None,
    ) -> None:
        """training: of the taste model; by default what the settings make of it."""
        self.state = state
        self.serving: TasteSnapshot | None = None
        self.beside: Beside | None = None  # stands beside the taste of snapshots to come
        self._settings = settings
        self._taste = TasteTrainer(training or training_of(settings))
        self._head = HeadTrainer(HeadTraining(threads=settings.threads, seed=settings.seed))
        self._length = self._taste.training.shape.length
        self.joiner = Joiner(state, wait_ms=settings.outcome_wait_ms, length=self._length)
        self._wanted = no_next_items(self._length)  # not yet learned from
        self._arrived: list[NextItems] = []  # behind these
        self._shown: list[Impressions] = []
        self._waiting = (0, 0)  # examples in all of these
        self._due_steps = 0.0  # of the taste model, when less than one
        self._owed = 0  # steps left out in a hurry
        self._lessons = 0
        self._since = 0  # examples learned since a snapshot was due
        self._records = {part: Record(part) for part in ("taste", "head")}
        self._recent = Record("rows", most=_JUDGED_FOR_ROWS)
        self._snapshot_ms = self._delta_ms = -1  # when one was last due

    def resume(self, snapshot: TasteSnapshot, remembered: Impressions) -> None:
        """Go on from a published snapshot; then `recall` the log up to its offset."""
        self.serve(snapshot)
        self.joiner.skip_until(snapshot.facts.watermark_ms)
        self._taste.grow(self._content())
        self._taste.resume(aligned(snapshot.taste, self.state.items.ids), snapshot.facts.created_ms)
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

    def forget(self, forgotten: Forgotten) -> None:
        """Rehearse no example that comes from these, and learn from none that still waits.

        What the weights have taken from them stays until later rounds have worn it away.
        """
        for user_id in forgotten.people:
            self.joiner.forget(user_id)
        offsets = np.array(forgotten.offsets, dtype=np.int64)
        page_ms = np.array(forgotten.page_ms, dtype=np.int64)
        self._taste.memory.forget(offsets)
        self._head.memory.forget(page_ms)
        wanted = join_next_items([self._wanted, *self._arrived], self._length)
        shown = join_impressions(self._shown)
        self._wanted, self._arrived, self._shown = no_next_items(self._length), [], []
        self._waiting = (0, 0)
        self._set_aside(
            wanted.take(np.flatnonzero(~np.isin(wanted.offsets, offsets))),
            shown.take(np.flatnonzero(~np.isin(shown.at_ms, page_ms))),
        )

    def waiting(self) -> tuple[int, int]:
        """How many new examples there are: wanted, shown."""
        return self._waiting

    def is_due(self) -> bool:
        """Whether enough is new for a lesson."""
        wanted, _ = self._waiting
        known = len(self._taste.memory)
        if known == 0:
            return wanted >= self._settings.first_positives
        return wanted >= self._lesson_size()

    def is_worthwhile(self) -> bool:
        """Whether a snapshot may be published although none is due: the end of a batch."""
        return len(self._taste.memory) > 0 and self._since + self._waiting[0] >= _FEWEST_NEW

    def learn(
        self, now_ms: int, progress: Progress = no_progress, *, hurried: bool = False
    ) -> Round:
        """All lessons that are due. What passes the gate serves from then on.

        hurried: look at each example once and rehearse nothing, to come up with the log; `rehearse`
        makes up for it later.
        """
        self._taste.grow(self._content())
        # The first model is worth its time: until it serves nothing is gained by haste.
        hurried = hurried and self.serving is not None
        wanted = self._taste_lessons(progress, hurried=hurried)
        self._since += wanted
        if not self._is_snapshot_due(now_ms):
            shown = self._head_lessons(whole_only=True)
            return Round(wanted=wanted, shown=shown, contests=(), model=None)
        return self._settled(wanted, now_ms)

    def rehearse(self) -> bool:
        """Some of the steps that were left out in a hurry; returns whether there were any."""
        if not self._owed:
            return False
        steps = min(self._owed, _PAID_AT_ONCE)
        self._owed -= steps
        self._taste.learn(steps)
        return True

    def finish(self, now_ms: int) -> Round:
        """Learn the rest at the end of a batch, and let the gate decide."""
        self._taste.grow(self._content())
        wanted = self._taste_lesson(self._cut(self._waiting[0]), hurried=False)
        return self._settled(wanted, now_ms)

    def changes(self, now_ms: int) -> RowsHeld | None:
        """The rows that changed, where a delta is due and they pass; then `serve_delta`.

        None where nothing is due: before a snapshot, soon after the last delta, or while what
        serves has learned from more of the log than this course has.
        """
        due = now_ms >= self._delta_ms + self._settings.delta_every_ms
        if self.serving is None or not due or not self._recent.n or self._is_behind():
            return None
        names, rows = self._taste.changed(self.state.items.ids)
        if not names:
            return None
        self._delta_ms = now_ms
        held = self._recent.contest(self._settings.gate_margin)
        if not held.passed:
            return RowsHeld(contest=held, delta=None)
        facts = DeltaFacts(
            base=self.serving.snapshot_id,
            sequence=self.serving.sequence + 1,
            created_ms=now_ms,
            log_offset=self.state.log_offset,
        )
        return RowsHeld(contest=held, delta=Delta(facts=facts, item_ids=names, rows=rows))

    def serve_delta(self, delta: Delta) -> NDArray[np.int32]:
        """Hear that it serves, before anything else is learned; the items whose vectors moved."""
        if self.serving is None:
            return np.empty(0, dtype=np.int32)
        moved = self.serving.apply(delta)
        self._taste.mark_published()
        return moved

    def remembered(self) -> Impressions:
        """What the head rehearses from."""
        return self._head.memory.all()

    def serve(self, snapshot: TasteSnapshot) -> None:
        """Hear that this is what serves."""
        self.serving = snapshot
        self.joiner.model = snapshot

    def adopt(self, snapshot: TasteSnapshot) -> None:
        """Hear that this serves, whoever published it: rows that differ are due to be published."""
        taste, index = snapshot.taste, self.state.items.index
        known = [row for row, name in enumerate(taste.item_ids) if name in index]
        keys = np.array([index[taste.item_ids[row]] for row in known], dtype=np.int64)
        self._taste.set_published(keys, taste.id_part[known])
        self.serve(snapshot)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the state and what the joiner holds, for a checkpoint."""
        waiting = join_next_items([self._wanted, *self._arrived], self._length)
        return {
            **under("taste", self._taste.arrays()),
            **under("head", self._head.arrays()),
            **under("wanted", waiting.arrays()),
            **under("shown", join_impressions(self._shown).arrays()),
            **under("judged", {part: record.array() for part, record in self._all().items()}),
            "due_steps": np.array([self._due_steps]),
            "counts": np.array(
                [self._lessons, self._since, self._owed, self._snapshot_ms, self._delta_ms]
            ),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Be the course whose arrays these are. Raises what a wrong array makes of it:
        KeyError, TypeError, ValueError or RuntimeError."""
        self._taste.grow(self._content())
        self._taste.restore(below("taste", arrays))
        self._head.restore(below("head", arrays))
        self._set_aside(
            NextItems.of(below("wanted", arrays)), Impressions(**below("shown", arrays))
        )
        for part, record in self._all().items():
            record.restore(arrays[f"judged/{part}"])
        self._due_steps = float(arrays["due_steps"][0])
        counts = arrays["counts"].tolist()
        self._lessons, self._since, self._owed, self._snapshot_ms, self._delta_ms = counts

    def _taste_lessons(self, progress: Progress, *, hurried: bool) -> int:
        """Lessons while there is enough for one; returns how many examples that were."""
        if len(self._taste.memory) == 0 and self._waiting[0] < self._settings.first_positives:
            return 0
        done, total = 0, self._waiting[0]
        while self._waiting[0] >= (size := self._lesson_size()):
            part = self._cut(_HURRIED if hurried else size)
            done += self._taste_lesson(part, hurried=hurried)
            progress("taste", done, total)
        return done

    def _taste_lesson(self, part: NextItems, *, hurried: bool) -> int:
        if not hurried or self._lessons % _HURRIED_JUDGED == 0:
            self._judge_taste(part)
        self._lessons += 1
        self._taste.remember(part)
        usual = round_size(len(self._taste.memory), self._settings.every_positives)
        self._due_steps += STEPS * len(part) / usual
        steps = int(self._due_steps)
        self._due_steps -= steps
        if hurried:
            looks = len(self._taste.memory) // self._taste.training.batch + 1
            self._owed = min(self._owed + steps, _OWED_LOOKS * looks)
            self._taste.learn_latest(len(part))
        elif steps:
            self._taste.learn(steps)
        return len(part)

    def _judge_taste(self, part: NextItems) -> None:
        if not len(part) or not len(self._taste.memory):
            return
        if self.serving is not None and part.offsets[0] <= self.serving.log_offset:
            return  # it may have learned them already
        ours = self._taste.judge(part)
        if self.serving is None:
            self._records["taste"].add(ours, self._taste.judge_popularity(part))
            return
        dense = self.serving.dense
        theirs = self._taste.judge_published(part, dense)
        self._records["taste"].add(ours, theirs)
        if self._lessons % _ROWS_JUDGED == 0:
            self._recent.add(self._taste.judge_delta(part, dense), theirs)

    def _head_lessons(self, *, whole_only: bool) -> int:
        """Lessons over the impressions that wait; returns how many that were."""
        size = max(_HEAD_LESSON, len(self._head.memory) // _HEAD_SHARE)
        if whole_only and self._waiting[1] < size:
            return 0
        shown = join_impressions(self._shown)
        done = 0
        while len(shown) - done >= (size if whole_only else 1):
            done += self._head_lesson(shown.slice(done, done + size))
        self._shown = [shown.slice(done, len(shown))]
        self._waiting = (self._waiting[0], len(shown) - done)
        return done

    def _head_lesson(self, part: Impressions) -> int:
        weights = self._head.weights
        if weights is not None and not self._is_behind():
            serving = self.serving.head if self.serving is not None else None
            self._records["head"].add(
                judge_head(weights, part),
                judge_head(serving, part)
                if serving is not None
                else judge_rates(self._head.memory.all(), part),
            )
        self._head.remember(part)
        if len(self._head.memory) >= _LEAST_SHOWN:
            usual = round_size(len(self._taste.memory), self._settings.every_positives)
            self._head.learn(max(1, _HEAD_STEPS * len(part) // (_SHOWN_A_WANTED * usual)))
        return len(part)

    def _is_snapshot_due(self, now_ms: int) -> bool:
        if self._is_behind() or self._since == 0:
            return False
        if self.serving is None:
            return True
        usual = round_size(len(self._taste.memory), self._settings.every_positives)
        late = now_ms >= self._snapshot_ms + self._settings.snapshot_every_ms
        return self._since >= usual and late

    def _is_behind(self) -> bool:
        """Whether what serves learned from more of the log, as after a kill."""
        return self.serving is not None and self.state.log_offset < self.serving.log_offset

    def _settled(self, wanted: int, now_ms: int) -> Round:
        """Learn every impression, then let the gate decide on a snapshot."""
        shown = self._head_lessons(whole_only=False)
        margin = self._settings.gate_margin
        judged = [record for record in self._records.values() if record.n]
        contests = tuple(record.contest(margin) for record in judged)
        model = self._passed(contests, now_ms)
        self._undo(contests)
        self._since, self._snapshot_ms, self._delta_ms = 0, now_ms, now_ms
        for record in (*judged, self._recent):
            record.clear()
        if model is not None:
            self.serve(model)
        return Round(wanted=wanted, shown=shown, contests=contests, model=model)

    def _passed(self, contests: Sequence[Contest], now_ms: int) -> TasteSnapshot | None:
        """The parts that passed with the serving ones for the rest; None where none passed."""
        passed = {contest.part for contest in contests if contest.passed}
        taste: TasteWeights | None = self.serving.taste if self.serving is not None else None
        head: HeadWeights | None = self.serving.head if self.serving is not None else None
        if "taste" in passed:
            taste = self._taste.export_rows(self.state.items.ids)
            self._taste.mark_published()
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
            metrics=metrics_of(contests),
        )
        return TasteSnapshot(facts, taste, head, self.beside)

    def _undo(self, contests: Sequence[Contest]) -> None:
        """What was refused starts again from what serves; what it saw is still remembered."""
        for contest in contests:
            if contest.passed or self.serving is None:
                continue
            if contest.part == "taste":
                self._taste.revert(self.serving.dense)
            elif self.serving.head is not None:
                self._head.start(self.serving.head)

    def _set_aside(self, wanted: NextItems, shown: Impressions) -> None:
        """Keep new examples for the next lessons."""
        if len(wanted):
            self._arrived.append(wanted)
        if len(shown):
            self._shown.append(shown)
        self._waiting = (self._waiting[0] + len(wanted), self._waiting[1] + len(shown))

    def _cut(self, size: int) -> NextItems:
        """Take the next examples out of those that wait."""
        if len(self._wanted) < size and self._arrived:
            self._wanted = join_next_items([self._wanted, *self._arrived], self._length)
            self._arrived = []
        part, self._wanted = self._wanted.slice(0, size), self._wanted.rest(size)
        self._waiting = (self._waiting[0] - len(part), self._waiting[1])
        return part

    def _lesson_size(self) -> int:
        """New examples for which one step is done."""
        return round_size(len(self._taste.memory), self._settings.every_positives) // STEPS

    def _all(self) -> dict[str, Record]:
        return {**self._records, "rows": self._recent}

    def _content(self) -> Floats:
        items = self.state.items
        return items.content[: items.count]


def round_size(known: int, most: int) -> int:
    """How many new examples make a snapshot due, when so many are known."""
    return min(max(_LEAST_NEW, int(_GROWTH * known)), most)


def training_of(settings: LearningSettings) -> TasteTraining:
    """The usual training within the bounds that the settings set."""
    dims = TasteTraining().shape.dims
    return TasteTraining(
        memory=settings.memory,
        threads=settings.threads,
        seed=settings.seed,
        table=TableBounds(
            most=rows_in(settings.table_mb, dims),
            admit_after=settings.admit_after,
            unused_ms=settings.row_unused_days * DAY_MS,
        ),
    )
