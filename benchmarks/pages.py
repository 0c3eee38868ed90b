"""The same pages before and after: what a change of speed alone must leave as it is.

    python -m benchmarks.pages --write FILE      # by the code as it was
    python -m benchmarks.pages --compare FILE    # by the code as it is

Some hundred requests of an invented community go through every surface, level and rule: mutes,
blocks, regions, verdicts, operators' rules, arms, pauses, strangers, with a model that has a head,
one without, and none. A page is compared whole, but for its id and its times: items, order,
propensities, reasons, removals, reserve. Numbers that a model or a formula gives may differ by a
hundred thousandth, since a sum in another order ends in other digits.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.catalog.types import Item, User
from inhouse.core.clock import HOUR_MS, MINUTE_MS
from inhouse.core.ids import EventId, ItemId, PageId, SnapshotId, UserId
from inhouse.events.types import Event, EventKind, LoggedEvent, ServedPage
from inhouse.features.candidates import FEATURE_NAMES
from inhouse.features.content import CONTENT_DIMS
from inhouse.features.state import LiveState
from inhouse.learning.encoding import AGE_CODES, DWELL_CODES
from inhouse.learning.head.arrays import TASKS, HeadWeights
from inhouse.learning.snapshots.snapshot import SnapshotFacts, TasteSnapshot
from inhouse.learning.taste.arrays import KIND_COUNT, TasteWeights, start_gain
from inhouse.moderation.types import CODES, Surface, Viewer
from inhouse.recommend.levels import Level
from inhouse.recommend.permissive import Permissive
from inhouse.recommend.pipeline import Feed
from inhouse.recommend.rule import Rule
from inhouse.recommend.surfaces import SURFACES
from inhouse.recommend.types import FeedQuery

NOW_MS: Final = 1_750_000_000_000
ITEMS, PEOPLE, EVENTS, CREATORS, TOPICS = 4_000, 120, 9_000, 60, 12
_DIMS, _HIDDEN = 32, 16
_APART: Final = 1e-5
_KINDS: Final[tuple[EventKind, ...]] = ("impression", "click", "like", "hide", "watch", "save")
_REGIONS: Final = (None, None, "DE", "FR")
_RULES: Final = (
    Rule(action="pin", target="item:i17", reason="-", rule_id="r1", position=2, surfaces=SURFACES),
    Rule(action="boost", target="topic:t3", reason="-", rule_id="r2", factor=1.5),
    Rule(action="boost", target="creator:c5", reason="-", rule_id="r3", factor=0.5),
    Rule(action="block", target="creator:c9", reason="-", rule_id="r4", surfaces=SURFACES),
)
_ORDERS: Final[tuple[tuple[EventKind, str], ...]] = (
    ("follow", "creator:c"),
    ("follow", "creator:c"),
    ("mute", "creator:c"),
    ("block", "creator:c"),
    ("mute", "topic:t"),
    ("mute", "word:word"),
)


class _Board(Permissive):
    """Every fortieth post has another verdict than most."""

    def column(self, surface: Surface, viewer: Viewer) -> NDArray[np.uint8]:
        """By the row alone."""
        items = np.arange(ITEMS)
        odd = (items // 40 % (max(CODES.values()) + 1)).astype(np.uint8)
        return np.where(items % 40 == 0, odd, np.uint8(CODES["allow"])).astype(np.uint8)


class _Book:
    """The operators' rules, where they are in force."""

    def in_force(self, now_ms: int) -> tuple[Rule, ...]:
        """All of them."""
        return tuple(rule for rule in _RULES if rule.holds_at(now_ms))


def _state(dice: np.random.Generator) -> LiveState:
    state = LiveState()
    state.apply_items(
        Item(
            item_id=ItemId(f"i{i}"),
            creator_id=UserId(f"c{dice.integers(CREATORS)}"),
            title=f"word{i % 91} of topic{i % TOPICS}",
            topics=tuple(dict.fromkeys(f"t{t}" for t in dice.integers(0, TOPICS, 1 + i % 3))),
            region=_REGIONS[i % 7] if i % 7 < len(_REGIONS) else None,
            language="en" if i % 2 else "de",
            created_ms=NOW_MS - int(dice.integers(1, 200 * HOUR_MS)),
            expires_ms=NOW_MS - 1 if i % 97 == 0 else None,
            hidden=i % 89 == 0,
        )
        for i in range(ITEMS)
    )
    state.apply_users(
        User(
            user_id=UserId(f"u{p}"),
            topics=(f"t{p % TOPICS}",) if p % 3 else (),
            region=_REGIONS[p % 4],
            language="en" if p % 2 else None,
            birth_year=(None, 1980, 2015)[p % 3],
        )
        for p in range(PEOPLE)
    )
    state.apply_events(list(_events(dice)))
    return state


def _events(dice: np.random.Generator) -> Iterator[LoggedEvent]:
    for offset in range(1, EVENTS + 1):
        at_ms = NOW_MS - (EVENTS - offset) * MINUTE_MS
        person = UserId(f"u{int((PEOPLE + 1) ** dice.random() - 1)}")
        facts: dict[str, Any] = {"at_ms": at_ms, "user_id": person}
        if offset % 60 == 0:
            kind, target = _ORDERS[int(dice.integers(len(_ORDERS)))]
            facts |= {"kind": kind, "target": f"{target}{dice.integers(CREATORS // 5)}"}
        elif offset % 1_501 == 0:
            facts |= {"kind": "pause"}
        else:
            kind = _KINDS[int(dice.integers(len(_KINDS)))]
            facts |= {"kind": kind, "item_id": ItemId(f"i{int(ITEMS ** dice.random()) - 1}")}
            facts |= {"value": 20_000.0 if kind == "watch" else None}
        event = Event(event_id=EventId(f"e{offset}"), **facts)
        yield LoggedEvent(log_offset=offset, received_ms=at_ms, event=event)


def _model(dice: np.random.Generator, *, head: bool) -> TasteSnapshot:
    """One whose numbers are chance."""
    names = tuple(ItemId(f"i{i}") for i in range(0, ITEMS, 5))

    def some(*shape: int) -> NDArray[np.float32]:
        return np.float32(0.3) * dice.normal(size=shape).astype(np.float32)

    taste = TasteWeights(
        item_ids=names,
        id_part=some(len(names), _DIMS),
        content_map=some(CONTENT_DIMS, _DIMS) * np.float32(3),
        place=some(2, 64),
        kind=some(2, KIND_COUNT),
        age=some(2, AGE_CODES),
        dwell=some(2, DWELL_CODES),
        gain=start_gain(2),
        mix=some(2, _DIMS, _DIMS),
        start=some(_DIMS),
    )
    count = len(FEATURE_NAMES)
    weights = HeadWeights(
        mean=some(count),
        spread=np.ones(count, dtype=np.float32),
        straight=some(count, len(TASKS)) / np.float32(3),
        inward=some(count, _HIDDEN),
        inward_bias=some(_HIDDEN),
        outward=some(_HIDDEN, len(TASKS)) / np.float32(3),
        bias=np.linspace(-4, 1, len(TASKS), dtype=np.float32),
    )
    facts = SnapshotFacts(
        snapshot_id=SnapshotId(f"snap-{head}"),
        created_ms=NOW_MS,
        log_offset=0,
        page_offset=0,
        watermark_ms=0,
    )
    return TasteSnapshot(facts, taste, weights if head else None)


def _queries(dice: np.random.Generator, count: int) -> Iterator[FeedQuery]:
    for number in range(count):
        surface = SURFACES[number // 3 % len(SURFACES)] if number % 3 == 0 else "for_you"
        varied: dict[str, object] = {}
        if number % 11 == 0:
            varied = {"ranker": "popular"} if number % 2 else {"explore_share": 0.3}
        elif number % 13 == 0:
            varied = {"diversity": 0.0, "creator_cap": 1, "weight_p_like": 9.0}
        row = int(dice.integers(ITEMS))
        level: Level = (0, 0, 0, 0, 1, 2, 3)[number % 7]
        yield FeedQuery(
            user_id=UserId(f"u{int((PEOPLE + 20) ** dice.random() - 1)}"),
            now_ms=NOW_MS + number,
            surface=surface,
            n=(20, 20, 5, 60, 1)[number % 5],
            exclude=tuple(ItemId(f"i{i}") for i in range(row, row + number % 4)),
            arms={"arm": "a"} if varied else {},
            settings=varied,
            item_id=ItemId(f"i{row}") if surface == "similar" else None,
            after=(NOW_MS - HOUR_MS, ItemId("i1")) if surface == "latest" and number % 2 else None,
            seed=number,
            level=level,
        )


def pages(count: int) -> Iterator[ServedPage]:
    """Pages one after another, each shown before the next is asked for."""
    for with_model, head, rules in ((True, True, True), (True, False, False), (False, False, True)):
        dice = np.random.default_rng(5)
        state = _state(dice)
        feed = Feed(state, _Board())
        if rules:
            feed.obey(_Book())
        if with_model:
            feed.use(_model(dice, head=head))
        for offset, query in enumerate(_queries(dice, count), start=1):
            page = feed.serve(query)
            yield dataclasses.replace(page, page_id=PageId(f"page_{offset}"), took_ms={})
            state.apply_page(offset, dataclasses.replace(page, page_id=PageId(f"page_{offset}")))


def _plain(page: ServedPage) -> tuple[Any, list[float]]:
    """As built-in types, and the numbers that may differ in their last digits."""
    told = msgspec.to_builtins(page)
    numbers: list[float] = []
    for place in told["items"]:
        numbers += [place.pop("value"), *place.pop("predicted").values()]
    return told, numbers


def _are_same(one: tuple[Any, list[float]], other: tuple[Any, list[float]]) -> bool:
    return one[0] == other[0] and np.allclose(one[1], other[1], rtol=_APART, atol=0)


def main() -> None:
    """Write them down, or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", type=Path, help="keep the pages of this code here")
    parser.add_argument("--compare", type=Path, help="the pages that another code has kept")
    parser.add_argument("--requests", type=int, default=240, help="of each of three communities")
    options = parser.parse_args()
    made = [_plain(page) for page in pages(options.requests)]
    if options.write:
        options.write.write_bytes(msgspec.msgpack.encode(made))
    if options.compare:
        kept = msgspec.msgpack.decode(options.compare.read_bytes())
        same = msgspec.msgpack.decode(msgspec.msgpack.encode(made))
        pairs = enumerate(zip(same, kept, strict=True))
        other = [i for i, (one, two) in pairs if not _are_same(one, two)]
        print(f"{len(made)} pages, {len(other)} differ: {other[:20]}")
        sys.exit(bool(other))
    print(f"{len(made)} pages, {sum(len(page['items']) for page, _ in made)} places")


if __name__ == "__main__":
    main()
