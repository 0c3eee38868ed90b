"""The learner: tails the log, learns in rounds, publishes what passes the gate.

What it knows is the log and the last snapshot: after `kill -9` it reads the log again up to the
snapshot's offset, to be rehearsed, and goes on from there with everything behind it as new.
"""

from dataclasses import dataclass
from typing import Final

from inhouse.core.clock import Clock
from inhouse.core.errors import SnapshotError
from inhouse.core.ids import SnapshotId
from inhouse.core.logs import logger
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.course import Course, Progress, Round, no_progress
from inhouse.learning.examples import Impressions, no_impressions
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshot import SnapshotStore, TasteSnapshot
from inhouse.learning.tail import Stretch, Tail

CONSUMER: Final = "learner"
_EVENTS_AT_ONCE: Final = 10_000
_LOG = logger("learner")


@dataclass(frozen=True, kw_only=True, slots=True)
class LearnReport:
    """What one step did."""

    events: int  # read from the log
    pages: int  # read from the log of pages
    round: Round | None  # the round of learning, where one was due
    published: SnapshotId | None  # the new snapshot, where one passed the gate
    caught_up: bool  # whether the log was read to its end

    @property
    def was_busy(self) -> bool:
        """Whether it is worth calling again at once."""
        return not self.caught_up or self.round is not None


class Learner:
    """One per community. Not thread-safe: one loop calls `step`."""

    def __init__(
        self, logs: Logs, store: SnapshotStore, clock: Clock, settings: LearningSettings
    ) -> None:
        self.state = LiveState()
        self._logs, self._store, self._clock = logs, store, clock
        self._course = Course(self.state, settings)
        self._tail = Tail(logs, self.state)
        self._started = False

    def start(self) -> None:
        """Load the catalog, and read the log again up to where the last snapshot stands."""
        self._tail.load_catalog()
        snapshot = self._store.load_current()
        if snapshot is not None:
            self._course.resume(snapshot, self._memory_of(snapshot))
            self._recall(snapshot.facts.log_offset)
        self._started = True
        _LOG.info(
            "learner_ready",
            snapshot=None if snapshot is None else snapshot.snapshot_id,
            log_offset=self.state.log_offset,
        )

    def step(self, progress: Progress = no_progress) -> LearnReport:
        """Read what is new; where enough is, hold a round and publish what passes."""
        stretch = self._read()
        held = self._learn(progress) if self._course.is_due() else None
        return LearnReport(
            events=len(stretch.events),
            pages=len(stretch.pages),
            round=held,
            published=None if held is None or held.model is None else self._publish(held.model),
            caught_up=stretch.ended,
        )

    def run_to_end(self, progress: Progress = no_progress) -> LearnReport:
        """Read and learn until the log ends, then publish once what serves by then."""
        before = self._course.serving
        events = pages = 0
        held: Round | None = None
        ended = False
        while not ended:
            stretch = self._read()
            events, pages = events + len(stretch.events), pages + len(stretch.pages)
            ended = stretch.ended
            progress("log", self.state.log_offset, self._logs.events.last_offset())
            if self._course.is_due() or (ended and self._course.is_worthwhile()):
                held = self._learn(progress)
        model = self._course.serving
        return LearnReport(
            events=events,
            pages=pages,
            round=held,
            published=None if model is None or model is before else self._publish(model),
            caught_up=True,
        )

    def _read(self) -> Stretch:
        if not self._started:
            self.start()
        stretch = self._tail.next(_EVENTS_AT_ONCE)
        self._course.take(stretch.events, stretch.pages)
        self._clock.advance(self.state.last_event_ms)
        if stretch.ended:
            self._course.mature(self._clock.now_ms())
        return stretch

    def _learn(self, progress: Progress) -> Round:
        """One round; says what passed the gate and what did not."""
        held = self._course.learn(self._clock.now_ms(), progress)
        for contest in held.contests:
            told = _LOG.info if contest.passed else _LOG.warning
            told(
                "gate_passed" if contest.passed else "gate_refused",
                model=contest.part,
                loss=round(contest.learner.loss, 4),
                rival_loss=round(contest.rival.loss, 4),
                judged=contest.learner.n,
            )
        return held

    def _publish(self, model: TasteSnapshot) -> SnapshotId:
        published = self._store.publish(model, self._course.remembered().arrays())
        self._logs.events.commit_offset(CONSUMER, model.facts.log_offset)
        _LOG.info(
            "snapshot_published",
            snapshot=published,
            log_offset=model.facts.log_offset,
            late_pages=self._course.joiner.late_pages,
        )
        return published

    def _recall(self, until: int) -> None:
        while self.state.log_offset < until:
            stretch = self._tail.next(_EVENTS_AT_ONCE, until)
            self._course.recall(stretch.events, stretch.pages)
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
