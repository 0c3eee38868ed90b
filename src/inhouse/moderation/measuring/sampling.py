"""Random samples of judged posts for people to look at, so that what is counted can be believed.

For each category the posts of a period are cut by what was thought of them; from each part a simple
random sample is drawn, denser where the category is likely. The draw is kept with the size of every
part, so each post's chance of being drawn is known, and counts follow from the draw alone: no model
has to be right (`stats.prevalence`).

A sampled post is shown as before. A person is asked about it in the queue `sample`, without being
told of which category; where somebody has decided on the text already, that is the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from inhouse.core.clock import DAY_MS, Clock
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import ItemId, new_id
from inhouse.core.random import stream
from inhouse.moderation.policy.match import MISSING, Number
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.reviewing.cases import Concern, open_cases
from inhouse.moderation.types import CODES, P_SCALE
from inhouse.moderation.verdicts.history import Window, read_history
from inhouse.stats.prevalence import allocate
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

KIND: Final = "sample"  # of the cases, of the job that keeps the draw, and the queue's name
LEAST_PER_CATEGORY: Final = 20
MOST_PER_CATEGORY: Final = 1_000
MOST_DAYS: Final = 366
_CUTS: Final = (0.02, 0.2)  # borders of the parts below the threshold
_MOST_POSTS: Final = 1_000_000  # the newest of a period
_REASON: Final = f"{KIND} drawn at random"
_HELD: Final = CODES["review"] + 1
_CHUNK: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """What to draw."""

    per_category: int  # posts for each category, 20 to 1,000
    days: int  # judged in so many days, 1 to 366
    flag_at: float  # probability from which on a model flags; more than 0, less than 1
    seed: int  # the same draws the same posts again


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Posts of which about the same was thought. Each was drawn with the chance drawn / posts."""

    low_p: float  # their probability of the category, from here; unknown counts as 0
    posts: int  # how many there were
    views: int  # how often they were shown in the period
    item_ids: tuple[str, ...]  # the drawn
    item_views: tuple[int, ...]  # of each of these


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """The sample for one category."""

    category: str
    parts: tuple[Part, ...]  # by rising probability


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A draw."""

    sample_id: str
    since_ms: int  # of posts judged from here
    drawn_ms: int  # to here
    flag_at: float
    seed: int
    posts: int  # there were in the period
    categories: tuple[Drawn, ...]

    @property
    def item_ids(self) -> list[str]:
        """All that were drawn, each once."""
        drawn = (part.item_ids for one in self.categories for part in one.parts)
        return list(dict.fromkeys(item_id for ids in drawn for item_id in ids))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Frame:
    """The posts of a period."""

    item_ids: list[str]
    called: NDArray[np.bool_]  # a person has decided on it
    views: NDArray[np.int64]
    p: Mapping[str, NDArray[np.float64]]  # by category, 0 where unknown


def draw_sample(database: Database, clock: Clock, policy: Policy, draw: Draw) -> tuple[Sample, int]:
    """Draw for every category of which any post has a probability, and ask people about the posts;
    returns the sample and how many are asked about.

    Raises InputError where a number is out of range or no post was judged by then.
    """
    _check(draw)
    now_ms = clock.now_ms()
    since_ms = max(0, now_ms - draw.days * DAY_MS)
    frame = _frame(database, policy, since_ms)
    if not frame.p:
        raise InputError(
            f"no post of the last {draw.days} days has a probability of any category; judge some "
            "first, or look further back"
        )
    sample = Sample(
        sample_id=new_id(KIND),
        since_ms=since_ms,
        drawn_ms=now_ms,
        flag_at=draw.flag_at,
        seed=draw.seed,
        posts=len(frame.item_ids),
        categories=tuple(_drawn(frame, name, draw) for name in frame.p),
    )
    called = {frame.item_ids[place] for place in np.flatnonzero(frame.called)}
    unknown = [item_id for item_id in sample.item_ids if item_id not in called]
    return sample, database.write(lambda connection: _keep(connection, sample, unknown))


def find_sample(connection: Connection, sample_id: str | None = None) -> Sample:
    """One draw, the latest where none is named. Raises UnknownError."""
    table = tables.jobs
    query = sa.select(table.c.cursor).where(table.c.kind == KIND)
    if sample_id is not None:
        known = sample_id if sample_id.isprintable() else ""  # databases differ on a NUL
        query = query.where(table.c.job_id == known)
    newest = query.order_by(table.c.updated_ms.desc(), table.c.job_id.desc()).limit(1)
    found = connection.execute(newest).scalar()
    if found is None:
        which = "no sample was drawn yet" if sample_id is None else f"no sample {sample_id[:80]!r}"
        raise UnknownError(f"{which}; draw one with `inhouse moderate sample`")
    return msgspec.json.decode(found, type=Sample)


def existing(connection: Connection, item_ids: Sequence[str]) -> set[str]:
    """Those of the posts that are still there."""
    c, found = tables.items.c, set[str]()
    for start in range(0, len(item_ids), _CHUNK):
        query = sa.select(c.item_id).where(c.item_id.in_(item_ids[start : start + _CHUNK]))
        found.update(connection.execute(query).scalars())
    return found


def _check(draw: Draw) -> None:
    for name, value, least, most in (
        ("per_category", draw.per_category, LEAST_PER_CATEGORY, MOST_PER_CATEGORY),
        ("days", draw.days, 1, MOST_DAYS),
    ):
        if not least <= value <= most:
            raise InputError(f"{name} is {value}, expected {least:,} to {most:,}", field=name)
    if not 0 < draw.flag_at < 1:
        raise InputError(f"flag_at is {draw.flag_at}, expected more than 0 and less than 1")


def _frame(database: Database, policy: Policy, since_ms: int) -> _Frame:
    numbers: list[Number] = [("p", name) for name in policy.categories]
    window = Window(since_ms=since_ms, newest=_MOST_POSTS)
    parts = list(read_history(database, numbers, window))
    judged = [item_id for part in parts for item_id in part.item_ids]
    # By id: a seed draws the same, in whichever order posts were judged and decided.
    order = sorted(range(len(judged)), key=judged.__getitem__)
    ids = [judged[place] for place in order]
    calls = (
        np.concatenate([part.calls for part in parts])[order] if parts else np.zeros(0, np.uint8)
    )
    columns = {
        name: np.concatenate([part.columns["p", name] for part in parts])[order]
        for name in policy.categories
        if parts
    }
    with database.read() as connection:
        seen = _views(connection, since_ms)
    return _Frame(
        item_ids=ids,
        called=(calls > 0) & (calls != _HELD),
        views=np.array([seen.get(item_id, 0) for item_id in ids], np.int64),
        p={
            name: np.where(column == MISSING, 0.0, column / P_SCALE)
            for name, column in columns.items()
            if (column != MISSING).any()
        },
    )


def _views(connection: Connection, since_ms: int) -> dict[str, int]:
    """How often each post was shown since then."""
    c = tables.events.c
    query = (
        sa.select(c.item_id, sa.func.count())
        .where(c.kind == "impression", c.at_ms >= since_ms, c.item_id.is_not(None))
        .group_by(c.item_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _drawn(frame: _Frame, category: str, draw: Draw) -> Drawn:
    p = frame.p[category]
    cuts = [*(cut for cut in _CUTS if cut < draw.flag_at), draw.flag_at]
    place = np.searchsorted(cuts, p, side="right")
    parts = [np.flatnonzero(place == index) for index in range(len(cuts) + 1)]
    means = [float(p[part].mean()) if len(part) else 0.0 for part in parts]
    counts = allocate([len(part) for part in parts], means, draw.per_category)
    random = stream(draw.seed, KIND, category)
    return Drawn(
        category=category,
        parts=tuple(
            _part(frame, low_p, part, random.choice(part, count, replace=False))
            for low_p, part, count in zip((0.0, *cuts), parts, counts, strict=True)
        ),
    )


def _part(frame: _Frame, low_p: float, part: NDArray[np.int64], chosen: NDArray[np.int64]) -> Part:
    return Part(
        low_p=low_p,
        posts=len(part),
        views=int(frame.views[part].sum()),
        item_ids=tuple(frame.item_ids[index] for index in chosen),
        item_views=tuple(int(frame.views[index]) for index in chosen),
    )


def _keep(connection: Connection, sample: Sample, unknown: Iterable[str]) -> int:
    """The draw and its cases, all or nothing; returns how many cases."""
    row = {
        "job_id": sample.sample_id,
        "kind": KIND,
        "state": "done",
        "cursor": msgspec.json.encode(sample).decode(),
        "counts": "{}",
        "updated_ms": sample.drawn_ms,
    }
    upsert(connection, tables.jobs, [row])
    wanted = list(unknown)
    there = existing(connection, wanted)
    concerns = [
        Concern(item_id=ItemId(item_id), queue=KIND, kind=KIND, reason=_REASON)
        for item_id in wanted
        if item_id in there
    ]
    return len(open_cases(connection, concerns, {}, sample.drawn_ms))
