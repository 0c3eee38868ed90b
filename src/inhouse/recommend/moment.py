"""Everything the stages may look at, read once at the start of a request."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InhouseError, UnknownError
from inhouse.core.logs import logger
from inhouse.features.candidate_kernels import products
from inhouse.features.candidates import leaning
from inhouse.features.history import history_arrays
from inhouse.features.items import ItemTable
from inhouse.features.machine import plain
from inhouse.features.nearness import ANCHORS, latest_positives
from inhouse.features.people import Person
from inhouse.features.reserves import Reserve
from inhouse.features.state import LiveState
from inhouse.moderation.types import AWAITING
from inhouse.recommend.levels import level_for
from inhouse.recommend.plans import Plan, lighter, plan_for
from inhouse.recommend.ports import Decisions, TasteModel
from inhouse.recommend.retrieval.space import Space
from inhouse.recommend.retrieval.spaces import Spaces
from inhouse.recommend.rules.orders import Orders, named_by, orders_for
from inhouse.recommend.shared import SharedTrending
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import FeedQuery, Floats, Mask, Rows
from inhouse.recommend.viewers import shown_codes, viewer_of
from inhouse.recommend.worth import (
    ANY_REGION,
    BLOCKED,
    BLOCKED_BY,
    BY_ROW,
    MUTED_CREATOR,
    NEVER,
    OWN,
    Bars,
    against,
    among,
    marks_of,
    on_topic,
)

# What may go wrong inside one source or model without taking the page down.
PART_FAULTS: Final = (InhouseError, ArithmeticError, LookupError, ValueError, OSError)
_NOBODYS: Final = np.empty(0, dtype=np.int32)
_NO_REASONS: Final = np.empty(0, dtype=np.uint8)
_NO_TOPICS: Final = np.empty(0, dtype=np.bool_)
_INTERESTS_FROM: Final = 12  # latest positives whose topics count as interests
_LOG = logger("feed")


class Taste(msgspec.Struct, frozen=True, kw_only=True):
    """Where the person and every item lie, so that a dot product says how well they fit."""

    person: Floats  # [d]
    space: Space  # of all items
    learned: bool  # from a snapshot; else content alone

    def of(self, rows: Rows) -> Floats:
        """float32[n]: how well these items fit the person."""
        return products(self.space.vectors, rows, self.person)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What a feed reads and does not own."""

    state: LiveState
    board: Decisions
    model: TasteModel | None  # None before the first snapshot
    spaces: Spaces
    trending: SharedTrending = field(default_factory=SharedTrending)


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One request's view. What is asked of items is answered for the rows given, no more."""

    query: FeedQuery
    plan: Plan
    tuning: Tuning
    person: Person  # without any behaviour where the plan may not use it
    state: LiveState
    model: TasteModel | None  # None before the first snapshot, or where it failed
    taste: Taste | None  # None for a stranger
    space: Space  # in which neighbours are looked for: the taste's, else content
    anchors: Rows  # items the person wanted last, newest first; for `similar` the item asked for
    interests: Mask  # [topics + 1] by topic, the last for none: those chosen at sign-up, and of
    # what was wanted last; empty where there are none
    policy_version: str  # of moderation, by which items are decided
    orders: Orders  # of operators, for this request
    served_rows: Rows  # sorted: on one of the last pages
    excluded_rows: Rows  # sorted: named by the request; for `similar` also the item asked about
    bars: Bars  # what speaks against an item
    handed: Bars  # the same for compiled steps, see `machine.plain`
    reserve: Reserve | None  # of the person's page before, where the plan may use it
    trending: SharedTrending

    @property
    def table(self) -> ItemTable:
        """The items."""
        return self.state.items

    @property
    def is_stranger(self) -> bool:
        """Whether nothing the person did is known."""
        return len(self.person.recent) == 0

    def actions(self, rows: Rows) -> NDArray[np.uint8]:
        """uint8[n]: moderation's action on each item, for this surface and viewer."""
        actions: NDArray[np.uint8] = self.bars.verdicts.take(rows, mode="clip")
        return actions

    def seen(self, rows: Rows) -> Mask:
        """bool[n]: with an impression, or anything stronger, by this person."""
        return among(rows, self.person.seen.rows())

    def served(self, rows: Rows) -> Mask:
        """bool[n]: on one of the last pages."""
        return among(rows, self.served_rows)

    def excluded(self, rows: Rows) -> Mask:
        """bool[n]: named by the request, or on a page before the one it asks for."""
        excluded = among(rows, self.excluded_rows)
        return excluded if self.query.after is None else excluded | self._passed(rows)

    def against(self, rows: Rows) -> NDArray[np.uint8]:
        """uint8[n]: why each item is not shown, as far as that is cheap to know; see `worth`."""
        return against(rows, BY_ROW, self.handed)

    def worthwhile(self, rows: Rows) -> Mask:
        """bool[n]: worth a place in a source's quota: nothing cheap to know speaks against it."""
        good: Mask = against(rows, self.verdicts(rows), self.handed) == 0
        return good

    def verdicts(self, rows: Rows) -> NDArray[np.uint8]:
        """`actions` for sources, which need no reason: what an operator blocks is as if it still
        awaited its verdict. `BY_ROW` where nothing is blocked."""
        if not self.orders.blocks:
            return BY_ROW
        actions = self.actions(rows)
        actions[named_by(self.table, self.orders.blocks, rows)] = AWAITING
        return actions

    def shared_trending(self, k: int) -> tuple[Rows, Floats]:
        """The first k of what trends in the person's region, the same for all of the region."""
        region = self.person.region if self.plan.regional else None
        return self.trending.first(self.state, region, self.query.now_ms, k)

    def by_creators(self, rows: Rows, creators: Collection[int]) -> Mask:
        """bool[n]: which of the items are by one of the creators."""
        if not creators:
            return np.zeros(len(rows), dtype=np.bool_)
        return among(self.table.creator[rows], np.array(sorted(creators), dtype=np.int32))

    def on_topic(self, rows: Rows, wanted: Mask) -> Mask:
        """bool[n]: which of the items have one of the topics. wanted: [topics + 1] by topic, the
        last for none."""
        return on_topic(rows, self.table.topics, wanted)

    def _passed(self, rows: Rows) -> Mask:
        """bool[n]: what stands before the place from which the request goes on in time."""
        at_ms, created = self.bars.after_ms, self.table.created_ms[rows]
        passed: Mask = (created > at_ms) | ((created == at_ms) & (rows <= self.bars.after_row))
        return passed


def read_moment(world: World, query: FeedQuery, tuning: Tuning) -> Moment:
    """Read what the request needs. Raises UnknownError where `similar` names an unknown item."""
    state, table = world.state, world.state.items
    known = state.person(query.user_id)
    plan = plan_for(query.surface, tuning.ranker, paused=known.paused)
    reserve = state.reserves.of(query.user_id) if plan.profiled else None
    level = level_for(query.surface, query.level, has_reserve=reserve is not None)
    query = query.at(level)
    plan = lighter(plan, query)
    person = known if plan.profiled else unprofiled(known)
    positives = latest_positives(table, person, _INTERESTS_FROM) if plan.tastes else _NOBODYS
    usable, taste = _taste(world, person, query.now_ms) if plan.tastes else (None, None)
    served, excluded = person.served.rows(), _excluded(table, query)
    served.sort()  # they are a copy
    seen = _NOBODYS if plan.repeats else person.seen.rows()
    shown = _NOBODYS if plan.repeats else served
    bars = _bars(world, query, plan, person, (excluded, seen, shown))
    return Moment(
        query=query,
        plan=plan,
        tuning=tuning,
        person=person,
        state=state,
        model=usable,
        taste=taste,
        space=world.spaces.content(table) if taste is None else taste.space,
        anchors=positives[:ANCHORS] if query.item_id is None else _row(table, query),
        interests=interests_of(table, person, positives),
        policy_version=world.board.policy.version,
        orders=orders_for(table, query, person.region if plan.regional else None),
        served_rows=served,
        excluded_rows=excluded,
        bars=bars,
        handed=plain(bars),
        reserve=reserve,
        trending=world.trending,
    )


def unprofiled(person: Person) -> Person:
    """The person with nothing but their own orders: follows, mutes and blocks.

    The year of birth stays, since age-gated posts depend on it by law, not by taste.
    """
    return Person(
        user_id=person.user_id,
        follows=person.follows,
        muted_creators=person.muted_creators,
        blocked_creators=person.blocked_creators,
        blocked_by=person.blocked_by,
        muted_topics=person.muted_topics,
        muted_words=person.muted_words,
        birth_year=person.birth_year,
    )


def interests_of(table: ItemTable, person: Person, positives: Rows) -> Mask:
    """bool[topics + 1] by topic, the last for none: those chosen at sign-up and those of what was
    wanted last; empty where there are none."""
    if not (person.topics or len(positives)):
        return _NO_TOPICS
    found = _by_topic(table, person.topics)
    found[table.topics[positives]] = True
    found[-1] = False
    return found if found.any() else _NO_TOPICS


def _by_topic(table: ItemTable, topics: Collection[int]) -> Mask:
    """bool[topics + 1]: which of them are named; the last stands for none."""
    found = np.zeros(len(table.topic_names) + 1, dtype=np.bool_)
    found[list(topics)] = True
    return found


def _bars(
    world: World, query: FeedQuery, plan: Plan, person: Person, barred: tuple[Rows, Rows, Rows]
) -> Bars:
    """What speaks against an item in this request. barred: what is excluded, was seen, was served,
    each sorted."""
    table, viewer = world.state.items, viewer_of(person.birth_year, query.now_ms)
    of_region = plan.regional and person.region is not None
    after_ms, after_id = (NEVER, None) if query.after is None else query.after
    excluded, seen, _ = barred
    together = np.concatenate(barred)
    together.sort()
    silenced, silenced_for = _silenced(table, person)
    return Bars(
        now_ms=query.now_ms,
        expires_ms=table.expires_ms,
        hidden=table.hidden,
        is_reply=table.is_reply,
        shown=shown_codes(plan.verdicts, viewer),
        verdicts=world.board.column(plan.verdicts, viewer),
        creator=table.creator,
        silenced=silenced,
        silenced_for=silenced_for,
        topics=table.topics,
        muted=_by_topic(table, person.muted_topics) if person.muted_topics else _NO_TOPICS,
        region=table.region,
        my_region=table.regions.find(person.region) if of_region else ANY_REGION,
        barred=together,
        marks=marks_of(together),
        excluded=excluded,
        seen=seen,
        created_ms=table.created_ms,
        after_ms=after_ms,
        after_row=-1 if after_id is None else table.index.get(after_id, -1),
    )


def _silenced(table: ItemTable, person: Person) -> tuple[Rows, NDArray[np.uint8]]:
    """Creators who are blocked, blocking or muted, and the person, sorted; and for which of these
    reasons, the first of several."""
    me = table.creators.find(person.user_id)
    why = {} if me < 0 else {me: OWN}
    for creators, reason in (
        (person.muted_creators, MUTED_CREATOR),
        (person.blocked_by, BLOCKED_BY),
        (person.blocked_creators, BLOCKED),
    ):
        why.update(dict.fromkeys(creators, reason))
    if not why:
        return _NOBODYS, _NO_REASONS
    silenced = sorted(why)
    reasons = np.array([why[creator] for creator in silenced], dtype=np.uint8)
    return np.array(silenced, dtype=np.int32), reasons


def _excluded(table: ItemTable, query: FeedQuery) -> Rows:
    """Rows of the ids the request names, sorted; ids that no item has are passed over."""
    named = query.exclude if query.item_id is None else (*query.exclude, query.item_id)
    known = sorted(table.index[name] for name in named if name in table.index)
    return np.array(known, dtype=np.int32)


def _row(table: ItemTable, query: FeedQuery) -> Rows:
    row = None if query.item_id is None else table.index.get(query.item_id)
    if row is None:
        raise UnknownError(f"no item {query.item_id!r}; send it to /v1/items first")
    return np.array([row], dtype=np.int32)


def _taste(world: World, person: Person, now_ms: int) -> tuple[TasteModel | None, Taste | None]:
    """The model if it works, and the taste by it; by content alone where there is none."""
    table, model = world.state.items, world.model
    if model is not None:
        try:
            return model, _learned_taste(world, model, person, now_ms)
        except PART_FAULTS:
            _LOG.warning("taste_model_failed", snapshot=model.snapshot_id, exc_info=True)
    if not len(person.recent):
        return None, None
    leans = leaning(table, person, now_ms).content
    taste = Taste(person=leans, space=world.spaces.content(table), learned=False)
    return None, taste if leans.any() else None


def _learned_taste(world: World, model: TasteModel, person: Person, now_ms: int) -> Taste | None:
    if not len(person.recent):
        return None
    space = world.spaces.learned(model, world.state.items)  # first: a person stands among the items
    vector = model.user_vector(history_arrays(person, now_ms))
    if space.vectors.shape[1:] != vector.shape:
        raise ValueError(f"item vectors are {space.vectors.shape}; a person's is {vector.shape}")
    if not math.isfinite(vector @ vector):
        raise ArithmeticError("the person's taste vector is not finite")
    return Taste(person=vector, space=space, learned=True)
