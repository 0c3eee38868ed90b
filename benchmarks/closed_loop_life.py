"""One community under one feed, hour by hour, and what was true of it."""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.fair_share import Served, Shares, shares_of
from benchmarks.living import House, Judged, Manner
from inhouse.catalog.types import Item, User
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import Event, ServedPage
from inhouse.features.people import SERVED_KEPT
from inhouse.simulator import people, truth
from inhouse.simulator.visit import Reaction, Shown, Visit
from inhouse.simulator.wire import event_rows, item_row, person_id, user_row, visit_row
from inhouse.simulator.world import HOURS_PER_DAY, World

START_MS: Final = 1_780_272_000_000  # Monday, 2026-06-01
RETURN_DAYS: Final = 7
Rows = NDArray[np.int32]


@dataclass(kw_only=True, slots=True)
class Tally:
    """Sums over the pages of one life; `closed_loop` says what they are for."""

    pages: int = 0
    shown: int = 0  # places that came on the screen
    satisfied: float = 0.0  # true chances that the posts on them satisfy, from top to bottom
    new: float = 0.0  # of these places by new creators; below, what `fair_share` says of them
    new_by_merit: float = 0.0
    new_best_peers: float = 0.0
    new_best_page: float = 0.0
    neighbours: int = 0  # pages on which two neighbours are by one creator without need
    repeated: int = 0  # pages that show one of the last 500 posts served to the person
    visits: list[tuple[int, int, float]] = field(default_factory=list)  # person, day, satisfaction

    def add(self, shares: Shares, seen: int) -> None:
        """Of a page whose first `seen` places came on the screen."""
        self.new += float(shares.got[:seen].sum())
        self.new_by_merit += float(shares.by_merit[:seen].sum())
        self.new_best_peers += float(shares.best_peers[:seen].sum())
        self.new_best_page += float(shares.best_page[:seen].sum())


class Life:
    """Owns the world while it is lived."""

    def __init__(self, manner: Manner, world: World, posts: int) -> None:
        """posts: that are there before the first day."""
        self.world, self.tally = world, Tally()
        self.board = Judged(world)
        self.house = House(manner, self.board)
        self.founders = len(world.talents.person)
        self._served: dict[int, deque[ItemId]] = {}
        world.add_past_posts(posts)
        self._tell_people(range(world.people_count))
        self._tell_posts(range(world.post_count))

    def live(self, days: int) -> None:
        """Play so many days."""
        for hour in range(days * HOURS_PER_DAY):
            self._tell_people(self.world.begin_hour(hour))
            self._visits(hour)
            self._tell_posts(self.world.write_posts(hour))

    def _tell_people(self, newcomers: Sequence[int]) -> None:
        rows = [user_row(self.world, person) for person in newcomers]
        self.house.state.apply_users(msgspec.convert(rows, list[User]))

    def _tell_posts(self, posts: Sequence[int]) -> None:
        """Without their region: a few dozen creators would leave some regions next to nothing."""
        rows = [{**item_row(self.world, post, None), "region": None} for post in posts]
        self.board.read(posts)
        self.house.state.apply_items(msgspec.convert(rows, list[Item]))

    def _visits(self, hour: int) -> None:
        """All visits of the hour side by side, in the order of time."""
        callings = self.world.callings(hour)
        visits = {calling.person: Visit(self.world, calling) for calling in callings}
        unheard = {
            calling.person: [
                msgspec.convert(visit_row(self.world, calling.person, calling.start_ms), Event)
            ]
            for calling in callings
        }
        turns = [(calling.start_ms, calling.person) for calling in callings]
        heapq.heapify(turns)
        while turns:
            now_ms, person = heapq.heappop(turns)
            self.house.hear(unheard.pop(person), now_ms)
            visit = visits[person]
            if visit.is_over:
                continue
            unheard[person] = self._turn(visit, person, now_ms)
            heapq.heappush(turns, (visit.clock_ms, person))
        outcomes = [visit.outcome() for visit in visits.values()]
        self.world.absorb(outcomes)
        day = hour // HOURS_PER_DAY
        self.tally.visits += [
            (outcome.person, day, outcome.satisfaction)
            for outcome in outcomes
            if outcome.satisfaction is not None
        ]

    def _turn(self, visit: Visit, person: int, now_ms: int) -> list[Event]:
        """Serve a page, judge it, let it be looked at; what the person did."""
        may = self.eligible(person)
        page = self.house.page(person, now_ms)
        rows = self._rows(page)
        values = self.world.page_values(person, rows, visit.mind)
        asked = Served(person=person, rows=rows, may=may, founders=self.founders)
        shares = shares_of(self.world, asked, visit.mind)
        shown = Shown(
            page_id=page.page_id,
            at_ms=now_ms,
            item_ids=tuple(item.item_id for item in page.items),
            posts=tuple(rows.tolist()),
        )
        reaction = visit.look(shown)
        seen = sum(act.kind == "impression" for act in reaction.acts)
        self.tally.pages += 1
        self.tally.shown += seen
        self.tally.satisfied += float(values[:seen].sum())
        self.tally.add(shares, seen)
        self._count_faults(person, page, rows, may)
        return events_of(self.world, person, shown, reaction)

    def _rows(self, page: ServedPage) -> Rows:
        """A post's row in the table is its number, since posts come in their order."""
        index = self.house.state.items.index
        return np.array([index[item.item_id] for item in page.items], dtype=np.int32)

    def eligible(self, person: int) -> Rows:
        """What the rules let the feed show now: judged harmless, of others, unseen, not served."""
        state, world = self.house.state, self.world
        known = state.person(UserId(person_id(person)))
        may = ~self.board.flagged
        may &= world.talents.person[world.posts.creator] != person
        may[known.seen.rows()] = False
        may[known.served.rows()] = False
        return np.flatnonzero(may).astype(np.int32)

    def _count_faults(self, person: int, page: ServedPage, rows: Rows, may: Rows) -> None:
        creator = self.world.posts.creator
        if (creator[rows][1:] == creator[rows][:-1]).any():
            self.tally.neighbours += can_stand_apart(creator[may], len(rows))
        before = self._served.setdefault(person, deque(maxlen=SERVED_KEPT))
        names = [item.item_id for item in page.items]
        self.tally.repeated += not set(before).isdisjoint(names) or len(set(names)) < len(names)
        before.extend(names)


def can_stand_apart(creators: Rows, places: int) -> bool:
    """Whether so many places can be filled by posts of these creators without neighbours."""
    counts = np.unique(creators, return_counts=True)[1]
    return int(np.minimum(counts, -(-places // 2)).sum()) >= places


def events_of(world: World, person: int, page: Shown, reaction: Reaction) -> list[Event]:
    """What the app hears of a page, reports included, which the log is told of too."""
    rows = [dict(row) for row in event_rows(world, person, page, reaction)]
    at_ms = {act.place: act.at_ms for act in reaction.acts if act.kind == "report"}
    rows += [
        {
            "event_id": f"{page.page_id}.{place}.report",
            "at_ms": at_ms[place],
            "kind": "report",
            "user_id": person_id(person),
            "item_id": page.item_ids[place],
            "page_id": page.page_id,
            "position": place,
        }
        for place in reaction.reports
    ]
    return msgspec.convert(rows, list[Event])


def returned(active: NDArray[np.bool_], days: int) -> tuple[int, int]:
    """(active so many days after their first, people whose first day has such a day).

    active: [people, days].
    """
    first = active.argmax(axis=1)
    rows = np.flatnonzero(active.any(axis=1) & (first + days < active.shape[1]))
    return int(np.count_nonzero(active[rows, first[rows] + days])), len(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large a community, and how long it lives."""

    people: int  # at the start
    posts: int  # at the start
    joining: float  # share of the people at the start who join each day
    days: int

    def world(self, seed: int) -> World:
        """At its beginning, still without posts."""
        return World(
            seed=seed,
            start_ms=START_MS,
            people_at_start=self.people,
            join_share_per_day=self.joining,
        )


def lived(manner: Manner, seed: int, size: Size) -> dict[str, Any]:
    """The figures of one life; None where nothing stands behind one."""
    life, days = Life(manner, size.world(seed), size.posts), size.days
    life.live(days)
    world, tally = life.world, life.tally
    here = world.moods.visits > 0
    satisfactions = np.array([value for _, _, value in tally.visits])
    late = np.array([day >= days // 2 for _, day, _ in tally.visits])
    sums = asdict(tally)
    sums.pop("visits")
    return {
        **sums,
        "visits": len(tally.visits),
        "satisfaction": _mean(satisfactions),
        "late_satisfaction": _mean(satisfactions[late]),
        "place_satisfaction": tally.satisfied / tally.shown if tally.shown else None,
        "day_7": _ratio(returned(world.active, RETURN_DAYS)),
        "next_day": _ratio(truth.next_day_return(world.active)),
        "p_return": _mean(people.return_chances(world.moods, world.traits)[here]),
        "left": _mean(world.moods.churned[here]),
        "posts": world.post_count,
        "new_creators": len(world.talents.person) - life.founders,
    }


def _ratio(counts: tuple[int, int]) -> float | None:
    return counts[0] / counts[1] if counts[1] else None


def _mean(values: NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
