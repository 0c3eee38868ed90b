"""Plays the community against a server, hour by hour, faster than real time."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from inhouse.core.clock import HOUR_MS
from inhouse.core.files import write_atomically
from inhouse.simulator import checkpoint, truth
from inhouse.simulator.checkpoint import Origin, Progress
from inhouse.simulator.client import Api, Row, StoppedError
from inhouse.simulator.replies import reply_rows
from inhouse.simulator.visit import Shown, Visit
from inhouse.simulator.wire import (
    event_rows,
    item_row,
    person_id,
    post_id,
    post_number,
    report_row,
    user_row,
    visit_row,
)
from inhouse.simulator.world import HOURS_PER_DAY, Calling, VisitOutcome, World

PAGE_ITEMS: Final = 10  # asked of the feed at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How to play."""

    origin: Origin  # of the community
    state: Path  # the checkpoint
    truth: Path | None  # the true report; None writes none
    media_url: str | None  # address of the folder of covers; None gives posts no picture
    replies: bool  # whether some posts are answered
    days: int  # to play at `pace_s`
    pace_s: float  # least real time of a simulated hour
    live_pace_s: float | None  # real time of an hour after those days; None stops there
    in_flight: int  # visits at the same time


@dataclass(kw_only=True, slots=True)
class _Tally:
    """What happened in the hour on the wire."""

    pages: int = 0
    events: int = 0
    reports: int = 0


class Driver:
    """Owns the world while it is played. `stop` ends the play after the visits under way."""

    def __init__(
        self, plan: Plan, world: World, progress: Progress, api: Api, stop: asyncio.Event
    ) -> None:
        self._plan = plan
        self._world = world
        self._progress = progress
        self._api = api
        self._stop = stop
        self._outcomes: list[VisitOutcome] = []
        self._tally = _Tally()

    async def play(self, out: TextIO = sys.stdout) -> None:
        """Play to the end, or until stopped; the checkpoint then says where to go on."""
        try:
            await self._api.wait_until_ready()
            await self._introduce()
            while not self._is_over():
                began = time.monotonic()
                await self._hour(began)
                self._print_hour(out, time.monotonic() - began)
                self._next_hour()
        except StoppedError:
            pass
        finally:
            self._save()

    def _is_over(self) -> bool:
        ends = self._plan.live_pace_s is None
        return self._stop.is_set() or (
            ends and self._progress.hour >= self._plan.days * HOURS_PER_DAY
        )

    async def _introduce(self) -> None:
        """The people and posts of the start; on a restart the server finds them unchanged."""
        if self._progress.introduced and await self._api.knows_item(post_id(0)):
            return
        if self._world.post_count == 0:
            self._world.add_past_posts(self._plan.origin.posts)
        await self._api.put_users(
            [user_row(self._world, person) for person in range(self._world.people_count)]
        )
        await self._put_posts(range(self._world.post_count))
        self._progress.introduced = True
        self._save()

    async def _hour(self, began: float) -> None:
        """One simulated hour, or what a stop has left of it."""
        world, progress = self._world, self._progress
        self._tally = _Tally()
        hour_ms = world.hour_ms(progress.hour)
        if not progress.begun:
            world.begin_hour(progress.hour)
            progress.begun = True
        joined = np.flatnonzero(world.moods.joined_ms == hour_ms)
        await self._api.put_users([user_row(world, int(person)) for person in joined])
        if not progress.posted:
            await self._visits(began)
            world.write_posts(progress.hour)
            progress.posted = True
        await self._put_posts(np.flatnonzero(world.posts.created_ms >= hour_ms).tolist())
        await self._rest(began + self._pace_s())

    async def _visits(self, began: float) -> None:
        done = set(self._progress.done)
        waiting = (c for c in self._world.callings(self._progress.hour) if c.person not in done)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._plan.in_flight):
                    group.create_task(self._receive(waiting, began))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        finally:
            self._world.absorb(self._outcomes)
            self._outcomes.clear()
        if self._stop.is_set():
            raise StoppedError("stopped between visits")

    async def _receive(self, waiting: Iterator[Calling], began: float) -> None:
        """One of several hosts: takes the next person in line until the line is empty."""
        hour_ms = self._world.hour_ms(self._progress.hour)
        for calling in waiting:
            await self._rest(began + self._pace_s() * (calling.start_ms - hour_ms) / HOUR_MS)
            if self._stop.is_set():
                return
            visit = Visit(self._world, calling)
            try:
                await self._visit(visit, calling)
            except StoppedError:
                self._stop.set()
            self._progress.done.append(calling.person)
            self._outcomes.append(visit.outcome())

    async def _visit(self, visit: Visit, calling: Calling) -> None:
        """Page after page until the person has had enough."""
        person = calling.person
        first: tuple[Row, ...] = (visit_row(self._world, person, calling.start_ms),)
        leaves = False
        while not leaves:
            page = await self._page(visit, calling)
            reaction = visit.look(page)
            rows = [*first, *event_rows(self._world, person, page, reaction)]
            first = ()
            await self._api.send_events(rows)
            for place in reaction.reports:
                await self._api.report(report_row(self._world, person, page, place))
            self._tally.pages += 1
            self._tally.events += len(rows)
            self._tally.reports += len(reaction.reports)
            leaves = reaction.leaves

    async def _page(self, visit: Visit, calling: Calling) -> Shown:
        world, person = self._world, calling.person
        served = await self._api.feed(person_id(person), PAGE_ITEMS)
        page = Shown(
            page_id=served.page_id,
            at_ms=served.at_ms,
            item_ids=tuple(place.item_id for place in served.items),
            posts=tuple(post_number(place.item_id, world.post_count) for place in served.items),
            labels=tuple(place.label for place in served.items),
        )
        self._progress.arms[str(person)] = served.arms
        compares = truth.compares(world.seed, person, calling.start_ms, visit.pages)
        judged = truth.page_truth(world, person, page.posts, visit.mind, compares)
        if judged is not None:
            truth.add_page(self._progress.truth, served.arms, judged)
        return page

    async def _put_posts(self, posts: Sequence[int]) -> None:
        world = self._world
        rows = [item_row(world, post, self._plan.media_url) for post in posts]
        if self._plan.replies:
            rows += [row for post in posts for row in reply_rows(world, post)]
        await self._api.put_items(rows)

    def _pace_s(self) -> float:
        playing = self._progress.hour < self._plan.days * HOURS_PER_DAY
        if playing or self._plan.live_pace_s is None:
            return self._plan.pace_s
        return self._plan.live_pace_s

    async def _rest(self, until: float) -> None:
        """Wait for a moment of `time.monotonic`, or for the stop."""
        seconds = until - time.monotonic()
        if seconds <= 0:
            return
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    def _next_hour(self) -> None:
        progress = self._progress
        progress.hour += 1
        progress.begun = progress.posted = False
        progress.done = []
        self._save()

    def _save(self) -> None:
        if self._progress.introduced:
            checkpoint.save(self._plan.state, self._plan.origin, self._world, self._progress)
        if self._plan.truth is not None:
            progress = self._progress
            days = progress.hour // HOURS_PER_DAY
            report = truth.report(self._world, progress.truth, progress.arms, days)
            body = {"hours": progress.hour, **report}
            write_atomically(self._plan.truth, json.dumps(body, indent=1).encode())

    def _print_hour(self, out: TextIO, seconds: float) -> None:
        world, hour = self._world, self._progress.hour
        here = world.moods.visits > 0
        satisfaction = float(world.moods.satisfaction[here].mean()) if here.any() else None
        line = {
            "sim_day": hour // HOURS_PER_DAY,
            "hour": hour % HOURS_PER_DAY,
            "visits": len(self._progress.done),
            "pages": self._tally.pages,
            "events": self._tally.events,
            "events_per_s": round(self._tally.events / seconds, 1) if seconds > 0 else None,
            "reports": self._tally.reports,
            "people": world.people_count,
            "churned": int(world.moods.churned.sum()),
            "posts": world.post_count,
            "satisfaction": None if satisfaction is None else round(satisfaction, 4),
            "live": hour >= self._plan.days * HOURS_PER_DAY,
            "wall_s": round(seconds, 3),
        }
        out.write(json.dumps(line) + "\n")
        out.flush()
