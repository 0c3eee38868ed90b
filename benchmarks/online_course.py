"""A community that is learned while it is replayed, by the learner's own course.

Clicks reach the course when their delay is over. The person's own clicks are known at once, as the
server knows them from the log; the model is whatever was published by then.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.rankers import Floats, Question
from inhouse.catalog.types import Item
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.events.types import Event, LoggedEvent
from inhouse.features.history import history_arrays
from inhouse.features.state import LiveState
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import TasteSnapshot
from inhouse.learning.taste.arrays import TasteShape
from inhouse.learning.training.course import Course, training_of

# A news site: what is wanted changes within the hour, so memory is short. A step is done
# for 256 clicks, a fifth of what is usual, so that the week takes minutes.
# Chosen on the first 300,000 clicks of the week by HR@20 (docs/lab.md).
SETTINGS: Final = LearningSettings(
    memory=70_000,
    every_positives=10_240,
    delta_every_ms=5_000,
    snapshot_every_ms=600_000,
    gate_margin=0.1,
)
SHAPE: Final = TasteShape(length=20)
_AT_ONCE: Final = 256  # clicks that the course takes in together


class OnlineCourse:
    """The course, the state that it learns on, and the state that serves."""

    def __init__(self, items: int, arrivals_ms: NDArray[np.int64]) -> None:
        """arrivals_ms: int64[items], never falling: when each item came."""
        self.items = items
        self._arrivals_ms = arrivals_ms
        self._arrived = 0
        self._clicks = 0
        self._new: list[LoggedEvent] = []
        self._now = LiveState()
        training = replace(
            training_of(SETTINGS),
            shape=SHAPE,
            rate=2e-2,
            decay=0.0,
            dropout=0.1,
            forget_id=0.0,
            recent=1_000,
        )
        self.course = Course(LiveState(), SETTINGS, training)

    def see(self, user: int, item: int, at_ms: int) -> None:
        """A click, known at once to whoever serves the person."""
        self._arrive(at_ms)
        self._now.apply_events([logged(self._now.log_offset + 1, user, item, at_ms)])

    def hear(self, user: int, item: int, at_ms: int, now_ms: int) -> None:
        """A click whose delay is over; learned from with its like."""
        self._clicks += 1
        self._new.append(logged(self._clicks, user, item, at_ms))
        if len(self._new) < _AT_ONCE:
            return
        self.course.take(self._new, [])
        self._new = []
        if self.course.is_due():
            self.course.learn(now_ms)
        held = self.course.changes(now_ms)
        if held is not None and held.delta is not None:
            self.course.serve_delta(held.delta)

    def scores(self, model: TasteSnapshot | None, question: Question) -> Floats:
        """float32[items] by a published model; zeros before there is one."""
        scores = np.full(self.items, -np.inf, dtype=np.float32)
        count = self._now.items.count
        scores[:count] = 0.0
        if model is not None:
            vectors = model.item_vectors(self._now.items)
            person = self._now.person(UserId(str(question.user)))
            scores[:count] = vectors @ model.user_vector(history_arrays(person, question.at_ms))
        return scores

    def copy(self) -> TasteSnapshot | None:
        """What serves, as it is now."""
        serving = self.course.serving
        return None if serving is None else TasteSnapshot(serving.facts, serving.taste, None)

    def _arrive(self, now_ms: int) -> None:
        until = int(np.searchsorted(self._arrivals_ms, now_ms, side="right"))
        new = [
            Item(
                item_id=ItemId(str(item)),
                creator_id=UserId("publisher"),
                created_ms=int(self._arrivals_ms[item]),
            )
            for item in range(self._arrived, until)
        ]
        for state in (self._now, self.course.state):
            state.apply_items(new)
        self._arrived = until


class Published:
    """A ranker that serves from the course's model: the newest, or one that was kept."""

    def __init__(self, name: str, online: OnlineCourse, *, kept: bool) -> None:
        self.name = name
        self._online, self._kept = online, kept
        self._model: TasteSnapshot | None = None

    def keep(self) -> None:
        """Serve from what is published now, until told again."""
        self._model = self._online.copy()

    def hear(self, user: int, item: int, at_ms: int) -> None:
        """The course hears it once, for all who serve from it."""

    def scores(self, question: Question) -> Floats:
        """By the model that serves."""
        model = self._model if self._kept else self._online.course.serving
        return self._online.scores(model, question)


def logged(offset: int, user: int, item: int, at_ms: int) -> LoggedEvent:
    """A click as it stands in the log."""
    event = Event(
        event_id=EventId(str(offset)),
        at_ms=at_ms,
        kind="click",
        user_id=UserId(str(user)),
        item_id=ItemId(str(item)),
    )
    return LoggedEvent(log_offset=offset, received_ms=at_ms, event=event)
