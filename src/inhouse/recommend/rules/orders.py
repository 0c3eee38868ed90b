"""The rules that apply to one request, as rows and codes of its catalogue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import ItemId
from inhouse.features.items import ItemTable
from inhouse.features.state import LiveState
from inhouse.recommend.rule import LEAST_FACTOR, MOST_FACTOR, Rule
from inhouse.recommend.types import FeedQuery, Mask, Rows

_LOOKED_THROUGH: Final = 4_000  # newest posts, for a boosted topic


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    """What operators want of one page."""

    pins: tuple[tuple[int, int, Rule], ...] = ()  # place, item row, rule; by place
    boosts: tuple[Rule, ...] = ()
    blocks: tuple[Rule, ...] = ()


def orders_for(table: ItemTable, query: FeedQuery, region: str | None) -> Orders:
    """Of the rules in force, those for this surface, region and arm."""
    rules = [
        rule
        for rule in query.rules
        if query.surface in rule.surfaces
        and rule.region in (None, region)
        and all(query.arms.get(key) == arm for key, arm in rule.arms.items())
    ]
    pins = [
        (rule.position, row, rule)
        for rule in rules
        if rule.action == "pin" and (row := table.index.get(_item(rule))) is not None
    ]
    if query.after is not None:  # pins stand on the first page, and on no other
        pins = []
    return Orders(
        pins=tuple(sorted(pins, key=lambda pin: pin[:2])),
        boosts=tuple(rule for rule in rules if rule.action == "boost"),
        blocks=tuple(rule for rule in rules if rule.action == "block"),
    )


def named_by(table: ItemTable, rules: Iterable[Rule], items: Rows) -> Mask:
    """bool[n]: which of the items any of the rules is about."""
    named = np.zeros(len(items), dtype=np.bool_)
    for rule in rules:
        named |= is_about(table, rule, items)
    return named


def is_about(table: ItemTable, rule: Rule, items: Rows) -> Mask:
    """bool[n]: which of the items a rule is about."""
    sort, _, name = rule.target.partition(":")
    if sort == "item":
        mask: Mask = items == table.index.get(ItemId(name), -1)
    elif sort == "creator":
        mask = table.creator[items] == _known(table.creators.find(name))
    else:
        mask = (table.topics[items] == _known(table.topic_names.find(name))).any(axis=1)
    return mask


def factors(table: ItemTable, boosts: Sequence[Rule], items: Rows) -> NDArray[np.float64]:
    """float64[n]: what each item's value is multiplied with, all rules together 0.2 to 5."""
    found = np.ones(len(items))
    for rule in boosts:
        found[is_about(table, rule, items)] *= rule.factor
    return np.clip(found, LEAST_FACTOR, MOST_FACTOR)


def boosted(value: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[n]: a factor above 1 raises a value below nothing too, by dividing it."""
    return np.where(value >= 0, value * factor, value / factor)


def brought(state: LiveState, rule: Rule) -> Rows:
    """int32[k]: what a boost brings, newest first: the item, the creator's latest, or those of the
    topic among the latest of all."""
    table = state.items
    sort, _, name = rule.target.partition(":")
    if sort == "item":
        row = table.index.get(ItemId(name))
        return np.array([] if row is None else [row], dtype=np.int32)
    if sort == "creator":
        return state.shelves.creators.of([table.creators.find(name)])[::-1]
    newest = state.shelves.newest.first(_LOOKED_THROUGH)
    return newest[is_about(table, rule, newest)]


def _item(rule: Rule) -> ItemId:
    return ItemId(rule.target.partition(":")[2])


def _known(code: int) -> int:
    """A name nobody has equals nothing, not what is missing."""
    return -2 if code < 0 else code
