"""Everything the stages may look at, read once at the start of a request."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InhouseError, UnknownError
from inhouse.core.logs import logger
from inhouse.features.candidates import leaning
from inhouse.features.history import history_arrays
from inhouse.features.items import ItemTable
from inhouse.features.nearness import ANCHORS, latest_positives
from inhouse.features.people import Person
from inhouse.features.state import LiveState
from inhouse.moderation.types import Viewer
from inhouse.recommend.plans import Plan, plan_for
from inhouse.recommend.ports import Decisions, TasteModel
from inhouse.recommend.tuning import Tuning
from inhouse.recommend.types import FeedQuery, Floats, Mask, Rows
from inhouse.recommend.viewers import shown_codes, viewer_of

# What may go wrong inside one source or model without taking the page down.
PART_FAULTS: Final = (InhouseError, ArithmeticError, LookupError, ValueError, OSError)
_INTERESTS_FROM: Final = 12  # latest positives whose topics count as interests
_LOG = logger("feed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Taste:
    """Where the person and every item lie, so that a dot product says how well they fit."""

    person: Floats  # [d]
    items: Floats  # [count, d]
    learned: bool  # from a snapshot; else content alone

    def of(self, rows: Rows) -> Floats:
        """float32[n]: how well these items fit the person."""
        fit: Floats = self.items[rows] @ self.person
        return fit


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One request's view. Masks and `actions` have an entry for each of `count` items."""

    query: FeedQuery
    plan: Plan
    tuning: Tuning
    person: Person  # without any behaviour where the plan may not use it
    state: LiveState
    count: int  # items there were when the request began
    viewer: Viewer  # adult, minor or unknown
    model: TasteModel | None  # None before the first snapshot, or where it failed
    taste: Taste | None  # None for a stranger
    anchors: Rows  # items the person wanted last, newest first; for `similar` the item asked for
    interests: NDArray[np.int16]  # topics: chosen at sign-up, and of what was wanted last
    actions: NDArray[np.uint8]  # moderation's action on each item
    policy_version: str  # of moderation, by which they were decided
    live: Mask  # neither hidden nor expired
    seen: Mask
    served: Mask  # on one of the last pages
    excluded: Mask  # named by the request; for `similar` also the item asked about
    worthwhile: Mask  # worth a place in a source's quota: nothing cheap to know speaks against it

    @property
    def table(self) -> ItemTable:
        """The items."""
        return self.state.items

    @property
    def is_stranger(self) -> bool:
        """Whether nothing the person did is known."""
        return not self.person.recent


def read_moment(
    state: LiveState, board: Decisions, model: TasteModel | None, query: FeedQuery, tuning: Tuning
) -> Moment:
    """Read what the request needs. Raises UnknownError where `similar` names an unknown item."""
    plan = plan_for(query.surface, tuning.ranker)
    table, count = state.items, state.items.count
    known = state.person(query.user_id)
    person = known if plan.profiled else unprofiled(known)
    viewer = viewer_of(person.birth_year, query.now_ms)
    actions = board.actions(np.arange(count, dtype=np.int32), plan.verdicts, viewer)
    live = ~table.hidden[:count] & (table.expires_ms[:count] > query.now_ms)
    seen = mask_of(person.seen, count)
    served = mask_of([item for item, _ in person.served], count)
    excluded = mask_of(_excluded(table, query), count)
    worthwhile: Mask = live & shown_codes(plan.verdicts, viewer)[actions] & ~excluded
    if not plan.repeats:
        worthwhile &= ~(seen | served)
    worthwhile &= _welcome(table, person, plan, count)
    positives = latest_positives(table, person, _INTERESTS_FROM)
    usable, taste = _taste(state, model, person, query.now_ms)
    return Moment(
        query=query,
        plan=plan,
        tuning=tuning,
        person=person,
        state=state,
        count=count,
        viewer=viewer,
        model=usable,
        taste=taste,
        anchors=positives[:ANCHORS] if query.item_id is None else _row(table, query),
        interests=interests_of(table, person, positives),
        actions=actions,
        policy_version=board.policy.version,
        live=live,
        seen=seen,
        served=served,
        excluded=excluded,
        worthwhile=worthwhile,
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


def mask_of(rows: Collection[int], size: int) -> Mask:
    """bool[size], true at `rows`; rows beyond the size are left out."""
    mask = np.zeros(size, dtype=np.bool_)
    if rows:
        given = np.fromiter(rows, dtype=np.int64, count=len(rows))
        mask[given[given < size]] = True
    return mask


def interests_of(table: ItemTable, person: Person, positives: Rows) -> NDArray[np.int16]:
    """int16[k], sorted: the topics chosen at sign-up and those of what was wanted last."""
    chosen = np.array(person.topics, dtype=np.int16)
    found = np.unique(np.concatenate([chosen, table.topics[positives].ravel()]))
    return found[found >= 0]


def topic_mask(table: ItemTable, rows: Rows, topics: NDArray[np.int16]) -> Mask:
    """bool[n]: which of the items have one of the topics."""
    among = np.zeros(len(table.topic_names) + 1, dtype=np.bool_)  # the last stands for -1, none
    among[topics] = True
    hit: Mask = np.logical_or.reduce(among[table.topics[rows]], axis=1)
    return hit


def _excluded(table: ItemTable, query: FeedQuery) -> list[int]:
    """Rows of the ids the request names; ids that no item has are passed over."""
    named = query.exclude if query.item_id is None else (*query.exclude, query.item_id)
    return [table.index[name] for name in named if name in table.index]


def _welcome(table: ItemTable, person: Person, plan: Plan, count: int) -> Mask:
    """Items that neither their creator, nor their topics, nor their region speak against."""
    welcome: Mask = np.ones(count, dtype=np.bool_)
    me = table.creators.find(person.user_id)
    silenced = person.muted_creators | person.blocked_creators | person.blocked_by | {me} - {-1}
    if silenced:
        welcome &= ~mask_of(silenced, len(table.creators))[table.creator[:count]]
    if person.muted_topics:
        muted = np.fromiter(person.muted_topics, dtype=np.int16)
        welcome &= ~topic_mask(table, np.arange(count, dtype=np.int32), muted)
    if plan.regional and person.region is not None:
        regions = table.region[:count]
        welcome &= (regions < 0) | (regions == table.regions.find(person.region))
    return welcome


def _row(table: ItemTable, query: FeedQuery) -> Rows:
    row = None if query.item_id is None else table.index.get(query.item_id)
    if row is None:
        raise UnknownError(f"no item {query.item_id!r}; send it to /v1/items first")
    return np.array([row], dtype=np.int32)


def _taste(
    state: LiveState, model: TasteModel | None, person: Person, now_ms: int
) -> tuple[TasteModel | None, Taste | None]:
    """The model if it works, and the taste by it; by content alone where there is none."""
    if model is not None:
        try:
            return model, _learned_taste(state.items, model, person, now_ms)
        except PART_FAULTS:
            _LOG.warning("taste_model_failed", snapshot=model.snapshot_id, exc_info=True)
    if not person.recent:
        return None, None
    leans = leaning(state.items, person, now_ms).content
    taste = Taste(person=leans, items=state.items.content[: state.items.count], learned=False)
    return None, taste if leans.any() else None


def _learned_taste(
    table: ItemTable, model: TasteModel, person: Person, now_ms: int
) -> Taste | None:
    if not person.recent:
        return None
    vectors = model.item_vectors(table)[: table.count]  # first: a person stands among the items
    vector = model.user_vector(history_arrays(person, now_ms))
    if vectors.shape != (table.count, len(vector)):
        raise ValueError(f"item vectors are {vectors.shape}; expected {(table.count, len(vector))}")
    if not np.isfinite(vector).all():
        raise ArithmeticError("the person's taste vector is not finite")
    return Taste(person=vector, items=vectors, learned=True)
