"""What will a known person click next? Asked before each click, in the order of time.

`--events PARQUET` with columns user, item, at_ms. Before a click on something new to the person the
rankers order every item that has come so far but what the person clicked already; the place of the
one that was clicked counts, ties against the ranker. All know the person's own clicks at once and
those of others `--delay` seconds later. Online is the learner's own course (`learning.training`),
served from what it publishes as it goes; "published daily" serves until the next midnight (24 h
after the first click, and so on) from what it had published at the last. Retrained daily is the
same model trained anew each night on the day's clicks (`nightly.py`), frozen that of the first
night for ever. Intervals resample people.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.common import Report, arguments, console
from benchmarks.nightly import Nightly, Nights
from benchmarks.online_course import OnlineCourse, Published
from benchmarks.rankers import Neighbours, Popularity, Question, Ranker, SessionNeighbours
from inhouse.core.clock import DAY_MS, HOUR_MS, SECOND_MS
from inhouse.core.random import stream
from inhouse.stats.intervals import bootstrap
from inhouse.stats.types import Interval

K = 20
DRAWS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Clicks:
    """In the order of time; items are numbered in the order in which they came."""

    users: NDArray[np.int64]  # [n]
    items: NDArray[np.int64]  # [n]
    at_ms: NDArray[np.int64]  # [n]
    arrivals_ms: NDArray[np.int64]  # [items] first click of each


@dataclass(slots=True)
class Answers:
    """What was asked and how each ranker placed the answer."""

    users: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    ranks: list[list[int]] = field(default_factory=list)  # [questions][rankers]
    took_s: list[float] = field(default_factory=list)  # [rankers]


def clicks_of(path: Path, *, days: int | None) -> Clicks:
    """Read a file; only the first days of it where they are given."""
    frame = pl.read_parquet(path, columns=["user", "item", "at_ms"])
    frame = frame.sort("at_ms", maintain_order=True)
    if days is not None:
        frame = frame.filter(pl.col("at_ms") < pl.col("at_ms").min() + days * DAY_MS)
    at_ms = frame["at_ms"].to_numpy().astype(np.int64)
    _, first, numbers = np.unique(frame["item"].to_numpy(), return_index=True, return_inverse=True)
    order = np.argsort(first)
    renumbered = np.empty(len(order), dtype=np.int64)
    renumbered[order] = np.arange(len(order))
    return Clicks(
        users=np.unique(frame["user"].to_numpy(), return_inverse=True)[1].astype(np.int64),
        items=renumbered[numbers],
        at_ms=at_ms,
        arrivals_ms=at_ms[first[order]],
    )


class Replay:
    """Plays the clicks to all rankers, and asks now and then."""

    def __init__(self, clicks: Clicks, options: argparse.Namespace) -> None:
        items = len(clicks.arrivals_ms)
        self._clicks, self._delay_ms = clicks, options.delay * SECOND_MS
        self._share, self._dice = options.share, stream(options.seed, "prequential", "asked")
        self._online = OnlineCourse(items, clicks.arrivals_ms)
        self._daily = Published("published daily", self._online, kept=True)
        self._nights = Nights(items)
        self._nightly = Nightly("retrained daily", self._nights)
        self._frozen = Nightly("frozen after day 1", self._nights)
        peers: list[Ranker] = [Popularity(items, hours * HOUR_MS // 4) for hours in (1, 4, 96)]
        self.rankers: list[Ranker] = [
            Published("online", self._online, kept=False),
            self._daily,
            self._nightly,
            self._frozen,
            *peers,
            SessionNeighbours(items),
            Neighbours(items),
        ]
        self.answers = Answers(took_s=[0.0] * len(self.rankers))
        self._history: dict[int, list[tuple[int, int]]] = {}
        self._heard = self._day = 0

    def run(self) -> None:
        """From the first click to the last."""
        clicks, start_ms = self._clicks, int(self._clicks.at_ms[0])
        for event in range(len(clicks.users)):
            user, item, at_ms = self._click(event)
            self._hear_until(at_ms)
            day = (at_ms - start_ms) // DAY_MS
            if day > self._day:
                self._begin(day, at_ms)
            history = self._history.setdefault(user, [])
            if day > 0 and history and self._dice.random() < self._share:
                self._ask(Question(user=user, at_ms=at_ms, history=history), item, day)
            history.append((item, at_ms))
            self._online.see(user, item, at_ms)

    def _click(self, event: int) -> tuple[int, int, int]:
        clicks = self._clicks
        return int(clicks.users[event]), int(clicks.items[event]), int(clicks.at_ms[event])

    def _hear_until(self, now_ms: int) -> None:
        while self._clicks.at_ms[self._heard] <= now_ms - self._delay_ms:
            user, item, at_ms = self._click(self._heard)
            for ranker in self.rankers:
                ranker.hear(user, item, at_ms)
            self._online.hear(user, item, at_ms, now_ms)
            self._nights.hear(user, item, at_ms)
            self._heard += 1

    def _begin(self, day: int, now_ms: int) -> None:
        """Midnight."""
        self._daily.keep()
        self._nightly.model = self._nights.train(now_ms)
        if self._day == 0:
            self._frozen.model = self._nightly.model
        self._day = day
        console.print(f"day {day + 1}, {len(self.answers.users):,} questions so far")

    def _ask(self, question: Question, answer: int, day: int) -> None:
        known = [item for item, _ in question.history]
        if answer in known:
            return
        allowed = self._clicks.arrivals_ms <= question.at_ms
        allowed[known] = False
        ranks: list[int] = []
        for place, ranker in enumerate(self.rankers):
            began = time.perf_counter()
            scores = ranker.scores(question)
            self.answers.took_s[place] += time.perf_counter() - began
            ranks.append(int(np.count_nonzero(scores[allowed] >= scores[answer])))
        self.answers.users.append(question.user)
        self.answers.days.append(day)
        self.answers.ranks.append(ranks)


def rows_of(answers: Answers, names: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """HR and NDCG of each ranker with intervals, by day, and what online has more than each."""
    ranks = np.array(answers.ranks)  # [questions, rankers]
    hits = (ranks <= K).astype(np.float64)
    gains = np.where(ranks <= K, 1 / np.log2(ranks + 1), 0.0)
    _, people = np.unique(answers.users, return_inverse=True)
    days = np.array(answers.days)
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        row: dict[str, Any] = {"ranker": name, "questions": len(ranks)}
        for what, values in (("HR@20", hits), ("NDCG@20", gains)):
            row[what], row[f"{what} range"] = _told(values[:, place], people, seed)
            if place:
                less, between = _told(values[:, 0] - values[:, place], people, seed)
                row[f"online {what} more"], row[f"online {what} more, range"] = less, between
        for day in np.unique(days).tolist():
            row[f"day {day + 1}"] = float(hits[days == day, place].mean())
        row["ms a question"] = 1_000 * answers.took_s[place] / len(ranks)
        rows.append(row)
    return rows


def _told(values: NDArray[np.float64], people: NDArray[np.int64], seed: int) -> tuple[float, str]:
    """Mean over questions and its interval; people are resampled, since one's clicks are alike."""
    sums = np.stack([np.bincount(people, values), np.bincount(people)], axis=1)
    found = bootstrap(
        sums, lambda drawn: float(drawn[:, 0].sum() / drawn[:, 1].sum()), seed, draws=DRAWS
    )
    between = f"{found.low:+.4f} to {found.high:+.4f}" if isinstance(found, Interval) else "none"
    return float(values.mean()), between


def main() -> None:
    """Replay, and print one line for each ranker."""

    def extra(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--events", type=Path, required=True, help="Parquet: user, item, at_ms")
        parser.add_argument("--share", type=float, default=0.03, help="of moments that are asked")
        parser.add_argument(
            "--delay", type=int, default=60, help="seconds until others' clicks tell"
        )
        parser.add_argument("--days", type=int, help="replay so many only")
        parser.add_argument(
            "--seed", type=int, default=0, help="of what is asked, and of intervals"
        )

    options = arguments(__doc__ or "", extra)
    days = 2 if options.quick and options.days is None else options.days
    replay = Replay(clicks_of(options.events, days=days), options)
    began = time.monotonic()
    replay.run()
    names = [ranker.name for ranker in replay.rankers]
    rows = rows_of(replay.answers, names, options.seed)
    days_asked = [key for key in rows[0] if key.startswith("day ")]
    by_day = Report("HR@20 by day", ("ranker", *days_asked))
    report = Report(
        "prequential",
        ("ranker", "HR@20", "HR@20 range", "NDCG@20", "NDCG@20 range", "online HR@20 more, range"),
    )
    for row in rows:
        by_day.add(**row)
        report.add(**row)
    by_day.finish(argparse.Namespace(quick=options.quick, json=None))
    report.finish(options)
    console.print(f"{rows[0]['questions']:,} questions")
    console.print(f"{time.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    main()
