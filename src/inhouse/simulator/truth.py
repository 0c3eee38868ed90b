"""The true report: how good the served pages were, and whether people will come back, by arm.

Only the world knows this. Sums are kept by `experiment=arm` and for everybody (`all`).
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inhouse.core.random import stream
from inhouse.simulator import appeal, people
from inhouse.simulator.appeal import Mind
from inhouse.simulator.arrays import Flags, Ints
from inhouse.simulator.topics import NO_HARM
from inhouse.simulator.world import World

ALL: Final = "all"
COMPARED_SHARE: Final = 0.1  # of pages that are compared with the best and a random page
_GRAIN: Final = 2**20
Sums = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PageTruth:
    """What was true of one served page when it was served."""

    shown: int  # posts on it
    satisfaction: float  # mean true satisfaction of its posts, looked at from top to bottom
    harmful: int  # posts on it that are harmful
    bait: float  # mean lure of its posts
    best: float | None  # the same of the best page of that length; None where not compared
    random: float | None  # the same of a page of unseen posts drawn by chance


def page_truth(
    world: World, person: int, posts: tuple[int, ...], mind: Mind, compares: bool
) -> PageTruth | None:
    """Judge a page before the person looks at it; None where it holds no post of this world."""
    rows: Ints = np.asarray([post for post in posts if post >= 0], np.int32)
    if len(rows) == 0:
        return None
    best = by_chance = None
    if compares:
        best = _mean(world, person, world.best_feed(person, len(rows), mind), mind)
        by_chance = _mean(world, person, _random_page(world, person, len(rows), mind), mind)
    values, harms = world.page_values(person, rows, mind).tolist(), world.posts.harm[rows].tolist()
    return PageTruth(
        shown=len(rows),
        satisfaction=sum(values) / len(rows),
        harmful=len(rows) - harms.count(NO_HARM),
        bait=sum(world.posts.bait[rows].tolist()) / len(rows),
        best=best,
        random=by_chance,
    )


def compares(seed: int, person: int, start_ms: int, page: int) -> bool:
    """Whether the page of that visit is among those compared: a cheap draw by digest."""
    name = f"compared {seed} {person} {start_ms} {page}".encode()
    return zlib.crc32(name) < COMPARED_SHARE * 2**32


def add_page(sums: Sums, arms: Mapping[str, str], page: PageTruth) -> None:
    """Count a page for its arms and for everybody."""
    for name in _groups(arms):
        group = sums.setdefault(name, {})
        _add(group, "pages", 1)
        _add(group, "shown", page.shown)
        _add(group, "satisfaction", page.satisfaction)
        _add(group, "harmful", page.harmful)
        _add(group, "bait", page.bait)
        if page.best is not None and page.random is not None:
            _add(group, "compared", 1)
            _add(group, "compared_satisfaction", page.satisfaction)
            _add(group, "best", page.best)
            _add(group, "random", page.random)


def report(
    world: World, sums: Sums, arms_of: Mapping[str, Mapping[str, str]], whole_days: int
) -> dict[str, Any]:
    """Everything that is true, ready for JSON. A figure without a basis is null.

    `whole_days`: days that are over; returns are counted among them alone.
    """
    members: dict[str, list[int]] = {ALL: np.flatnonzero(world.moods.visits > 0).tolist()}
    for person, arms in arms_of.items():
        for name in _groups(arms):
            if name != ALL:
                members.setdefault(name, []).append(int(person))
    return {
        "seed": world.seed,
        "people": world.people_count,
        "posts": world.post_count,
        "groups": {
            name: {**_pages(sums.get(name, {})), **_people(world, who, whole_days)}
            for name, who in sorted(members.items())
        },
    }


def next_day_return(active: Flags) -> tuple[int, int]:
    """(came back the day after, active days that have a day after), over all people and days."""
    if active.shape[1] < 2:
        return 0, 0
    today, tomorrow = active[:, :-1], active[:, 1:]
    return int(np.count_nonzero(today & tomorrow)), int(np.count_nonzero(today))


def first_day_return(active: Flags) -> tuple[int, int]:
    """(came back the day after their first, people whose first day has a day after)."""
    if active.shape[1] < 2:
        return 0, 0
    first = active.argmax(axis=1)
    counts = active.any(axis=1) & (first + 1 < active.shape[1])
    rows = np.flatnonzero(counts)
    return int(np.count_nonzero(active[rows, first[rows] + 1])), len(rows)


def _pages(sums: Mapping[str, float]) -> dict[str, float | None]:
    pages, compared = sums.get("pages", 0.0), sums.get("compared", 0.0)
    ours, best, chance = (
        _share(sums.get(name, 0.0), compared)
        for name in ("compared_satisfaction", "best", "random")
    )
    closeness = None
    if ours is not None and best is not None and chance is not None and best > chance:
        closeness = (ours - chance) / (best - chance)
    return {
        "pages": pages,
        "satisfaction": _share(sums.get("satisfaction", 0.0), pages),
        "harmful_per_1000_shown": _share(1_000 * sums.get("harmful", 0.0), sums.get("shown", 0.0)),
        "bait": _share(sums.get("bait", 0.0), pages),
        "compared_pages": compared,
        "compared_satisfaction": ours,
        "best_satisfaction": best,
        "random_satisfaction": chance,
        "closeness_to_best": closeness,
    }


def _people(world: World, who: list[int], whole_days: int) -> dict[str, float | None]:
    rows = np.asarray(who, np.int64)
    active = world.active[rows, :whole_days]
    next_day, first_day = next_day_return(active), first_day_return(active)
    count = len(rows)
    accumulated = world.moods.satisfaction[rows]
    return {
        "people": count,
        "accumulated_satisfaction": _share(float(accumulated.sum()), count),
        "p_visit_on_average_day": _share(
            float(people.return_chances(world.moods, world.traits)[rows].sum()), count
        ),
        "churn_hazard_per_day": _share(
            float(people.churn_hazards(world.moods)[rows].sum()),
            float(np.count_nonzero(~world.moods.churned[rows])),
        ),
        "churned_share": _share(float(np.count_nonzero(world.moods.churned[rows])), count),
        "next_day_return": _share(*next_day),
        "first_day_return": _share(*first_day),
    }


def _random_page(world: World, person: int, n: int, mind: Mind) -> Ints:
    random = stream(world.seed, "random page", person, len(mind.seen), world.post_count)
    unseen = appeal.unseen(np.arange(world.post_count, dtype=np.int32), mind.seen)
    return random.permutation(unseen)[:n]


def _mean(world: World, person: int, posts: Ints, mind: Mind) -> float | None:
    return float(world.page_values(person, posts, mind).mean()) if len(posts) else None


def _groups(arms: Mapping[str, str]) -> Iterable[str]:
    return (ALL, *(f"{experiment}={arm}" for experiment, arm in arms.items()))


def _add(group: dict[str, float], name: str, value: float) -> None:
    # Multiples of 2^-20 add up exactly, so the order in which pages come in is immaterial.
    group[name] = group.get(name, 0.0) + round(value * _GRAIN) / _GRAIN


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
