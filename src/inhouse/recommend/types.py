"""The nouns of the feed. Candidates are arrays over item indices, never objects one by one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId, PageId, UserId
from inhouse.recommend.levels import Level
from inhouse.recommend.rule import Rule
from inhouse.recommend.surfaces import SURFACES, Surface

MOST_ITEMS: Final = 100

# In this order: bit b of `Candidates.sources` and column b of `Candidates.offered`.
SourceName = Literal[
    "taste",
    "similar",
    "following",
    "trending",
    "fresh",
    "explore",
    "popular",
    "ordered",
    "reserve",
]
SOURCE_NAMES: Final[tuple[SourceName, ...]] = get_args(SourceName)
SOURCE_BIT: Final[Mapping[str, int]] = {name: bit for bit, name in enumerate(SOURCE_NAMES)}

Rows = NDArray[np.int32]  # item indices
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedQuery:
    """A request for a page. Raises InputError where it cannot be one."""

    user_id: UserId  # whose feed; a stranger's is a cold start
    now_ms: int  # the time of the request
    surface: Surface = "for_you"  # which feed
    n: int = 20  # how many items, 1 to 100
    exclude: tuple[ItemId, ...] = ()  # never these, in this request
    arms: dict[str, str] = field(default_factory=dict)  # experiment -> arm; logged with the page
    settings: Mapping[str, object] = field(default_factory=dict)  # what the arms vary; see `tuning`
    item_id: ItemId | None = None  # for `similar`: to which
    after: tuple[int, ItemId] | None = None  # on `latest`: go on behind this post of that time
    seed: int = 0  # of everything random in this page
    rules: tuple[Rule, ...] = ()  # of operators, in force now, for any surface and audience
    level: Level = 0  # how much to leave out, since more ask than can be served in full

    def __post_init__(self) -> None:
        if self.surface not in SURFACES:
            raise InputError(
                f"surface: got {self.surface!r}, expected one of {', '.join(SURFACES)}"
            )
        if not 1 <= self.n <= MOST_ITEMS:
            raise InputError(f"n: got {self.n}, expected 1 to {MOST_ITEMS}")
        if self.after is not None and self.surface != "latest":
            raise InputError("after: give it with surface latest alone")
        if (self.surface == "similar") != (self.item_id is not None):
            raise InputError("item_id: give one with surface similar, and only with it")

    def at(self, level: Level) -> "FeedQuery":
        """The same request at another level of load."""
        return self if level == self.level else replace(self, level=level)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What one source brings."""

    items: Rows  # [k] each at most once
    scores: Floats  # [k] the source's own number, higher is better
    causes: Rows | None = None  # [k] the recent item that led to each, -1 where none did


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """What the person is expected to do with each candidate."""

    p_click: Floats  # [n] opens it
    p_like: Floats  # [n] likes, comments, shares, saves
    p_hide: Floats  # [n] hides or reports it
    dwell_ms: Floats  # [n] time spent on it
    dwell_even_ms: Floats  # [n] the same if all posts were equally long

    def take(self, rows: NDArray[np.intp]) -> "Predictions":
        """Those of some candidates, in the order given."""
        return Predictions(
            p_click=self.p_click.take(rows),
            p_like=self.p_like.take(rows),
            p_hide=self.p_hide.take(rows),
            dwell_ms=self.dwell_ms.take(rows),
            dwell_even_ms=self.dwell_even_ms.take(rows),
        )


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """Struct of arrays: row r of each array speaks of the same item."""

    items: Rows  # [n] each once
    sources: NDArray[np.uint16]  # [n] bit b set: SOURCE_NAMES[b] offered it
    offered: Floats  # [n, number of sources] each source's own score, nan where it did not offer
    causes: Rows  # [n] the recent item that led to it, -1 where none did
    features: Floats | None = None  # [n, F] what the ranker saw; None where nothing was predicted
    predictions: Predictions | None = None  # None where the plan's order needs none
    value: NDArray[np.float64] | None = None  # [n] what orders them; None before ranking

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: NDArray[np.intp]) -> "Candidates":
        """Some of them, in the order given. `take` copies rows in half the time of `[rows]`."""
        return Candidates(
            items=self.items.take(rows),
            sources=self.sources.take(rows),
            offered=self.offered.take(rows, axis=0),
            causes=self.causes.take(rows),
            features=None if self.features is None else self.features.take(rows, axis=0),
            predictions=None if self.predictions is None else self.predictions.take(rows),
            value=None if self.value is None else self.value.take(rows),
        )

    def with_predictions(self, features: Floats, predictions: Predictions) -> "Candidates":
        """The same candidates and what is expected of them."""
        return msgspec.structs.replace(self, features=features, predictions=predictions)

    def with_value(self, value: NDArray[np.float64]) -> "Candidates":
        """The same candidates and what they are worth."""
        return msgspec.structs.replace(self, value=value)


class Removal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Candidates that one stage took out for one reason."""

    stage: str  # the filter's or arranger's class name
    reason: str  # seen, muted_creator, verdict_remove, …
    items: Rows  # [k] which


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """Why an item is, or is not, on a page."""

    shown: bool  # whether the page shows it
    page_id: PageId  # the page that was asked about
    sentences: tuple[str, ...]  # in words a person understands
    detail: dict[str, object]  # the same for programs; see docs/packages/recommend.md
