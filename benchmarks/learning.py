"""How fast the learner joins and learns, and how much its table takes.

A synthetic log is played to the learner's course as fast as it goes: pages of 20 items, everything
on them seen, a tenth clicked; people have tastes, items come by popularity. A joined example is an
impression with its outcome, or a moment at which somebody wanted something. `--ids` distinct ids
then pass through a table of rows of `--table-mb`.
"""

import argparse
import resource
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.common import Report, arguments
from inhouse.core.ids import EventId, ItemId, PageId, UserId
from inhouse.core.random import stream
from inhouse.events.types import Event, EventKind, LoggedEvent, PageItem, ServedPage
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.state import LiveState
from inhouse.learning.settings import LearningSettings
from inhouse.learning.taste.rows import RowTable, TableBounds, rows_in
from inhouse.learning.training.course import Course

START_MS, PAGE, EVENTS_AT_ONCE = 1_700_000_000_000, 20, 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A part of the log."""

    events: list[LoggedEvent]
    pages: list[tuple[int, ServedPage]]


class World:
    """Makes the log."""

    def __init__(self, items: int, people: int) -> None:
        self._numbers = stream(1, "learning", "world")
        self._items, self._people = items, people
        self._events = self._pages = 0

    def state(self) -> LiveState:
        """All items, with content of unit length."""
        state, table = LiveState(), None
        table = state.items
        table.restore(
            [ItemId(f"i{k}") for k in range(self._items)],
            (np.empty(0, dtype=np.uint32), np.zeros(self._items, dtype=np.int32)),
        )
        while len(table.creator) < self._items:
            table._grow()
        content = self._numbers.normal(size=(self._items, CONTENT_DIMS)).astype(np.float32)
        table.content[: self._items] = content / np.linalg.norm(content, axis=1, keepdims=True)
        table.created_ms[: self._items] = START_MS
        table.creator[: self._items] = np.arange(self._items) % 10_000
        for creator in range(10_000):
            table.creators.code(f"c{creator}")
        return state

    def stretch(self, pages: int) -> Stretch:
        """So many pages with what came of them, a page every 100 ms."""
        events: list[LoggedEvent] = []
        served: list[tuple[int, ServedPage]] = []
        for _ in range(pages):
            person = UserId(f"u{int(self._numbers.integers(self._people))}")
            shown = np.unique((self._items * self._numbers.random(PAGE) ** 3).astype(np.int64))
            self._pages += 1
            page = self._page(person, shown)
            served.append((self._pages, page))
            for place, item in enumerate(shown.tolist()):
                events.append(self._event("impression", person, item, page, place))
                if self._numbers.random() < 0.1:
                    events.append(self._event("click", person, item, page, place))
        return Stretch(events=events, pages=served)

    def _page(self, person: UserId, shown: NDArray[np.int64]) -> ServedPage:
        return ServedPage(
            page_id=PageId(f"p{self._pages}"),
            at_ms=START_MS + 100 * self._pages,
            user_id=person,
            surface="for_you",
            items=tuple(
                PageItem(
                    item_id=ItemId(f"i{item}"),
                    position=place,
                    source="taste",
                    sources=("taste",),
                    value=0.0,
                    predicted={},
                    propensity=0.5,
                    explored=False,
                )
                for place, item in enumerate(shown.tolist())
            ),
            log_offset=self._events,
        )

    def _event(
        self, kind: EventKind, person: UserId, item: int, page: ServedPage, place: int
    ) -> LoggedEvent:
        self._events += 1
        event = Event(
            event_id=EventId(str(self._events)),
            at_ms=page.at_ms + 1,
            kind=kind,
            user_id=person,
            item_id=ItemId(f"i{item}"),
            page_id=page.page_id,
            position=place,
        )
        return LoggedEvent(log_offset=self._events, received_ms=0, event=event)


def joined_and_learned(report: Report, options: argparse.Namespace) -> None:
    """Examples for each second that the core worked on them, and by the wall beside it."""
    world = World(options.items, options.people)
    settings = LearningSettings(outcome_wait_ms=10_000)
    course = Course(world.state(), settings)
    pages = EVENTS_AT_ONCE // (PAGE + 2)
    spent = {"join": 0.0, "learn": 0.0, "publish": 0.0}
    examples = {"wanted": 0, "shown": 0}
    wall_s = 0.0
    for turn in range(options.turns + options.warm):
        part = world.stretch(pages)
        if turn == options.warm:
            spent, examples = dict.fromkeys(spent, 0.0), dict.fromkeys(examples, 0)
            wall_s = 0.0
        before = course.waiting()
        wall_began = time.perf_counter()
        began = time.process_time()
        course.take(part.events, part.pages)
        joined = time.process_time()
        examples["wanted"] += course.waiting()[0] - before[0]
        examples["shown"] += course.waiting()[1] - before[1]
        now_ms = course.joiner.now_ms
        if course.is_due():
            course.learn(now_ms, hurried=True)
        learned = time.process_time()
        held = course.changes(now_ms)
        if held is not None and held.delta is not None:
            course.serve_delta(held.delta)
        wall_s += time.perf_counter() - wall_began
        spent["join"] += joined - began
        spent["learn"] += learned - joined
        spent["publish"] += time.process_time() - learned
    total = sum(examples.values())
    report.add(
        what="join and learn",
        examples=total,
        examples_per_s=total / sum(spent.values()),
        by_wall=total / wall_s,
        share_wanted=examples["wanted"] / total,
        join_us=1e6 * spent["join"] / total,
        learn_us=1e6 * spent["learn"] / total,
        publish_us=1e6 * spent["publish"] / total,
        resident_mb=_resident_mb(),
    )


def bounded(report: Report, options: argparse.Namespace) -> None:
    """Distinct ids through one table: what it holds and takes."""
    before = _resident_mb()
    rows = rows_in(options.table_mb, 64)
    table = RowTable(64, rate=1e-3, decay=0.0, bounds=TableBounds(most=rows))
    dice = torch.Generator().manual_seed(0)
    gradient = torch.ones((10_000, 64))
    began = time.perf_counter()
    for start in range(0, options.ids, 10_000):
        ids = np.arange(start, start + 10_000, dtype=np.int64) * 7_919
        for _ in range(2):  # twice, so that they are admitted
            table.hear(ids, np.full(len(ids), start, dtype=np.int64), dice)
        table.update(ids, gradient)
        table.mark_published()
    report.add(
        what="ids through a table",
        examples=options.ids,
        examples_per_s=options.ids / (time.perf_counter() - began),
        rows=len(table),
        most=rows,
        table_mb=table.size_bytes / 2**20,
        grown_mb=_resident_mb() - before,
        resident_mb=_resident_mb(),
    )


def _resident_mb() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """The table first, since the most that a process ever held does not fall."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--items", type=int, default=1_000_000)
        parser.add_argument("--people", type=int, default=100_000)
        parser.add_argument("--turns", type=int, default=40, help="stretches of 4,000 events")
        parser.add_argument("--warm", type=int, default=10, help="stretches before the clock runs")
        parser.add_argument("--ids", type=int, default=10_000_000)
        parser.add_argument("--table-mb", type=int, default=128)

    options = arguments(__doc__ or "", extra)
    if options.quick:
        options.items, options.people = options.items // 20, options.people // 20
        options.turns, options.ids = options.turns // 2, options.ids // 10
    columns = ("what", "examples_per_s", "by_wall", "join_us", "learn_us", "publish_us")
    report = Report("learning", (*columns, "rows", "table_mb", "grown_mb"))
    with threadpool_limits(1):  # as every role runs, and the target is one core's
        bounded(report, options)
        joined_and_learned(report, options)
    report.finish(options)


if __name__ == "__main__":
    main()
