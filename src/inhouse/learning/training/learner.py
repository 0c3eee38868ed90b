"""The learner: tails the log, learns as it comes, publishes what passes the gate.

What it knows is the log, its own checkpoint and what it published. After `kill -9` it goes on from
the checkpoint, and learns again what came after it; without one that can be used it reads the log
again up to the newest snapshot's offset, to be rehearsed, and goes on from there.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from inhouse.catalog.erasures import Whom
from inhouse.core.clock import Clock
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import SnapshotId, UserId
from inhouse.core.logs import logger
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.examples.types import Impressions, no_impressions
from inhouse.learning.joining.tail import Stretch, Tail
from inhouse.learning.settings import CONSUMER, LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore, TasteSnapshot, with_beside
from inhouse.learning.taste.deltas import Delta
from inhouse.learning.training import kept
from inhouse.learning.training.course import Course, Forgotten, Progress, Round, no_progress, whole
from inhouse.learning.training.gate import Contest

_EVENTS_AT_ONCE: Final = 4_000
_MANY: Final = 1_000  # new events, from which on each example is looked at once, to keep up
_LOG = logger("learner")


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnReport:
    """What one step did."""

    events: int  # read from the log
    pages: int  # read from the log of pages
    round: Round | None  # what was learned, where anything was due
    published: SnapshotId | None  # the new snapshot, where one passed the gate
    caught_up: bool  # whether the log was read to its end
    delta: int | None = None  # sequence number of the delta, where one was published
    rehearsed: bool = False  # whether steps that were left out in a hurry were made up for

    @property
    def was_busy(self) -> bool:
        """Whether it is worth calling again at once."""
        return not self.caught_up or self.round is not None or self.rehearsed


class Learner:
    """One per community. Not thread-safe: one loop calls `step`."""

    def __init__(
        self,
        logs: Logs,
        store: SnapshotStore,
        clock: Clock,
        settings: LearningSettings,
        checkpoint: Path | None = None,
    ) -> None:
        """checkpoint: the file that `keep` writes and a start goes on from; None for neither."""
        self._logs, self._store, self._clock = logs, store, clock
        self._settings, self._path = settings, checkpoint
        self._started = False
        # Passed, but not on disk yet: a snapshot with what the head rehearses from, or a delta.
        self._unpublished: tuple[TasteSnapshot, Impressions] | Delta | None = None
        self._rows_refused = False
        self._begin(LiveState(), 0)

    @property
    def state(self) -> LiveState:
        """What the log told so far."""
        return self._course.state

    def start(self) -> None:
        """Go on from the checkpoint; or from the newest snapshot and the log."""
        serving = self._store.load_current()
        if not self._resume(serving):
            self._begin(LiveState(), 0)
            self._tail.load_catalog()
            if serving is not None:
                self._course.resume(serving, self._memory_of(serving))
                self._recall(serving.facts.log_offset)
        self._started = True
        _LOG.info(
            "learner_ready",
            snapshot=None if serving is None else serving.snapshot_id,
            log_offset=self.state.log_offset,
        )

    def step(self, progress: Progress = no_progress) -> LearnReport:
        """Read what is new, learn from it, and publish what is due and passes."""
        self._publish_rest()
        stretch = self._read()
        published = self._take_up()
        held: Round | None = None
        if self._course.is_due():
            hurried = len(stretch.events) >= _MANY
            held = self._told(self._course.learn(self._clock.now_ms(), progress, hurried=hurried))
        if held is not None and held.model is not None:
            published = self._publish(held.model, self._course.remembered())
        rehearsed = held is None and stretch.ended and self._course.rehearse()
        return LearnReport(
            events=len(stretch.events),
            pages=len(stretch.pages),
            round=held,
            published=published,
            delta=None if published else self._publish_changes(),
            caught_up=stretch.ended,
            rehearsed=rehearsed,
        )

    def run_to_end(self, progress: Progress = no_progress) -> LearnReport:
        """Learn the whole log, and publish at its end the last model that passed the gate."""
        events = pages = 0
        rounds: list[Round] = []
        ended = False
        if not self._started:
            self.start()
        before = self._course.serving
        self._course.beside = self._store.causal.newest()
        while not ended:
            stretch = self._read()
            events, pages = events + len(stretch.events), pages + len(stretch.pages)
            ended = stretch.ended
            progress("log", self.state.log_offset, self._logs.events.last_offset())
            if self._course.is_due():
                rounds.append(self._told(self._course.learn(self._clock.now_ms(), progress)))
        if self._course.is_worthwhile():
            rounds.append(self._told(self._course.finish(self._clock.now_ms())))
        model = self._course.serving
        published = (
            self._take_up()
            if model is None or model is before
            else self._publish(model, self._course.remembered())
        )
        return LearnReport(
            events=events,
            pages=pages,
            round=whole(rounds) if rounds else None,
            published=published,
            caught_up=True,
        )

    def keep(self) -> None:
        """Write the checkpoint. Raises StoreError."""
        if self._path is None or self._unpublished is not None or not self.state.log_offset:
            return
        kept.save(
            kept.Kept(
                event_id=self._event_at(self.state.log_offset),
                page_offset=self._tail.page_offset,
                state=self.state,
                joiner=self._course.joiner.keep(),
                arrays=self._course.arrays(),
            ),
            self._path,
        )

    def _begin(self, state: LiveState, page_offset: int) -> None:
        self._course = Course(state, self._settings)
        self._tail = Tail(self._logs, state, page_offset)

    def _resume(self, serving: TasteSnapshot | None) -> bool:
        """Whether the checkpoint could be used."""
        try:
            found = None if self._path is None else kept.load(self._path)
            if found is None:
                return False
            if self._event_at(found.state.log_offset) != found.event_id:
                raise SnapshotError("the checkpoint is of another log")
            self._begin(found.state, found.page_offset)
            self._course.joiner.restore(found.joiner)
            self._course.restore(found.arrays)
        except (SnapshotError, KeyError, TypeError, ValueError, RuntimeError) as error:
            _LOG.warning("checkpoint_refused", reason=str(error)[:200])
            return False
        if serving is not None:
            self._course.adopt(serving)
        return True

    def _event_at(self, offset: int) -> str:
        found = self._logs.events.read(offset - 1, 1)
        return found[0].event.event_id if found and found[0].log_offset == offset else ""

    def _read(self) -> Stretch:
        if not self._started:
            self.start()
        stretch = self._tail.next(_EVENTS_AT_ONCE)
        if stretch.forgotten:
            self._course.forget(Forgotten(people=tuple(stretch.forgotten)))
        self._course.take(stretch.events, stretch.pages)
        self._forget(stretch)
        self._clock.advance(self.state.last_event_ms)
        if stretch.ended:
            self._course.mature(self._clock.now_ms())
        return stretch

    def _forget(self, stretch: Stretch) -> None:
        """Learn no more from what came before somebody's reset, or from anybody erased."""
        resets = {e.event.user_id: e for e in stretch.events if e.event.kind == "reset"}
        for user_id, reset in resets.items():
            times = self._logs.pages.times_of([user_id])
            self._course.forget(
                Forgotten(page_ms=[at_ms for at_ms in times if at_ms <= reset.event.at_ms])
            )
        if resets:
            told = self._logs.events.told_by(list(resets))
            before = [m for m in told if m.log_offset <= resets[UserId(m.user_id)].log_offset]
            self._course.forget(Forgotten(offsets=[mention.log_offset for mention in before]))
        erasures = self._logs.catalog.erasures
        for erasure, whom in erasures.in_state("told"):
            self._course.forget(Forgotten(offsets=whom.offsets, page_ms=whom.page_ms))
            if self._path is not None:
                self._path.unlink(missing_ok=True)  # it may have been written after they were gone
            self.keep()
            erasures.save(replace(erasure, state="done"), Whom())

    def _told(self, held: Round) -> Round:
        """Say what passed the gate and what did not."""
        for contest in held.contests:
            _tell(contest)
        return held

    def _take_up(self) -> SnapshotId | None:
        """Publish what serves anew where another causal model is to stand beside it from now on.

        It has learned nothing more, so it needs no gate; the causal model has passed one.
        """
        beside = self._course.beside = self._store.causal.newest()
        serving = self._course.serving
        if serving is None or serving.facts.causal == (beside and beside.causal_id):
            return None
        model = with_beside(serving, beside, self._clock.now_ms())
        remembered = self._memory_of(serving)
        self._course.serve(model)
        return self._publish(model, remembered)

    def _publish(self, model: TasteSnapshot, remembered: Impressions) -> SnapshotId:
        self._unpublished = (model, remembered)
        published = self._store.publish(model, remembered.arrays())
        self._unpublished = None
        self._logs.events.commit_offset(CONSUMER, model.facts.log_offset)
        _LOG.info(
            "snapshot_published",
            snapshot=published,
            causal=model.facts.causal,
            log_offset=model.facts.log_offset,
            late_pages=self._course.joiner.late_pages,
        )
        return published

    def _publish_changes(self) -> int | None:
        """A delta, where one is due and passes; that rows are refused is said once."""
        held = self._course.changes(self._clock.now_ms())
        if held is None:
            return None
        if held.contest.passed == self._rows_refused:
            _tell(held.contest)
        self._rows_refused = not held.contest.passed
        if held.delta is None:
            return None
        self._course.serve_delta(held.delta)
        self._publish_delta(held.delta)
        return held.delta.facts.sequence

    def _publish_delta(self, delta: Delta) -> None:
        self._unpublished = delta
        self._store.publish_delta(delta)
        self._unpublished = None

    def _publish_rest(self) -> None:
        """What could not be written, before anything that builds on it."""
        if isinstance(self._unpublished, Delta):
            self._publish_delta(self._unpublished)
        elif self._unpublished is not None:
            self._publish(*self._unpublished)

    def _recall(self, until: int) -> None:
        while self.state.log_offset < until:
            stretch = self._tail.next(_EVENTS_AT_ONCE, until)
            self._course.recall(stretch.events, stretch.pages)
            self._forget(stretch)
            if not stretch.events:
                break

    def _memory_of(self, snapshot: TasteSnapshot) -> Impressions:
        """What the head rehearses from; nothing where the file is torn, which serving survives."""
        try:
            arrays = self._store.memory(snapshot.snapshot_id)
            return Impressions(**arrays) if arrays else no_impressions()
        except (SnapshotError, TypeError) as error:
            _LOG.warning("memory_refused", snapshot=snapshot.snapshot_id, reason=str(error)[:200])
            return no_impressions()


def _tell(contest: Contest) -> None:
    told = _LOG.info if contest.passed else _LOG.warning
    told(
        "gate_passed" if contest.passed else "gate_refused",
        model=contest.part,
        loss=round(contest.learner.loss, 4),
        rival_loss=round(contest.rival.loss, 4),
        judged=contest.learner.n,
    )
