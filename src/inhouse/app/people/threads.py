"""What answers an item, as somebody may read it.

Which items there are is the store's to say, and a thread's; which of them are shown is decided in
memory, as for a feed. So a page of replies is made in turns: `listed` and `told` read the store and
may be called from any thread, `chosen` and `counted` look at the state, where its owner alone may.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from inhouse.app.build import Services
from inhouse.catalog.threads import Order, Place, above, answered, replies
from inhouse.catalog.types import Item, User
from inhouse.core.errors import UnknownError
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.types import AWAITING, CODES
from inhouse.recommend.threads import Readable, Reader, readable
from inhouse.recommend.types import Rows

LOOKED_AT: Final = 200  # replies in one request, to find those that are shown
MOST_COUNTED: Final = 2_000  # replies to the ones on a page, together
_LABELS: Final = MappingProxyType({CODES[name]: name for name in ("warn", "age_gate")})

# shown: the reader may read it; gone: no item has that id, yet or any more; closed: the reader may
# not read it, or one that it answers, and so nothing below it.
State = Literal["shown", "gone", "closed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for a page of replies."""

    item_id: ItemId  # to which
    n: int  # how many
    order: Order
    after: Place | None  # behind which; None for the first page


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """What is stored of a thread around one item."""

    way: tuple[ItemId, ...]  # the item and those above it, as far as they are there
    found: tuple[Place, ...]  # what answers it, in order, none of the way
    last: Place | None  # where the look ended; None where nothing lies behind it
    is_gone: bool  # whether no item has the id


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What of it is shown."""

    state: State
    places: tuple[Place, ...]  # in order, n at most
    labels: tuple[str | None, ...]  # of each: warn, age_gate or none
    after: Place | None  # where the next page begins; None where this is the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What the shown ones say, by whom, and what answers them."""

    items: dict[ItemId, Item]
    people: dict[UserId, User]
    below: list[tuple[ItemId, ItemId]] | None  # who answers whom; None where there are too many


def listed(use: Services, asked: Asked) -> Listed:
    """From the store. Raises UnknownError where no item has the id and none answers it."""
    item = use.catalog.item(asked.item_id)
    with use.database.read() as connection:
        way = [] if item is None else [item, *above(connection, item).items]
        found = replies(connection, asked.item_id, asked.order, asked.after, LOOKED_AT + 1)
    if item is None and not found and asked.after is None:
        raise UnknownError(f"no item {asked.item_id!r}, and none answers it; post it first")
    ids = tuple(each.item_id for each in way)
    more = len(found) > LOOKED_AT
    return Listed(
        way=ids,
        found=tuple(each for each in found[:LOOKED_AT] if each.item_id not in ids),
        last=found[LOOKED_AT - 1] if more else None,
        is_gone=item is None,
    )


def chosen(use: Services, asked: Asked, reader: Reader, there: Listed) -> Chosen:
    """By the state of this process."""
    if not _all_read(use, reader, there.way):
        return Chosen(state="closed", places=(), labels=(), after=None)
    read = _read(use, reader, [place.item_id for place in there.found])
    fine: list[int] = np.flatnonzero(read.shown).tolist()
    places = tuple(there.found[at] for at in fine[: asked.n])
    return Chosen(
        state="gone" if there.is_gone else "shown",
        places=places,
        labels=tuple(_LABELS.get(int(read.actions[at])) for at in fine[: asked.n]),
        after=places[-1] if len(fine) > asked.n else there.last,
    )


def told(use: Services, shown: Chosen) -> Told:
    """From the store."""
    ids = [place.item_id for place in shown.places]
    items = use.catalog.items(ids)
    people = use.catalog.users({item.creator_id for item in items.values()})
    with use.database.read() as connection:
        below = answered(connection, ids, MOST_COUNTED)
    return Told(items=items, people=people, below=below)


def counted(use: Services, reader: Reader, about: Told) -> Counter[ItemId] | None:
    """How many replies to each the reader may read; None where there are too many to look at. By
    the state of this process."""
    if about.below is None:
        return None
    read = _read(use, reader, [reply for reply, _ in about.below])
    return Counter(of for (_, of), shown in zip(about.below, read.shown, strict=True) if shown)


def _all_read(use: Services, reader: Reader, ids: Sequence[ItemId]) -> bool:
    return bool(_read(use, reader, ids).shown.all())


def _read(use: Services, reader: Reader, ids: Sequence[ItemId]) -> Readable:
    """An item that this process has not heard of yet awaits its verdict as far as it knows."""
    index = use.state.items.index
    rows: Rows = np.array([index.get(item_id, -1) for item_id in ids], dtype=np.int32)
    known = np.flatnonzero(rows >= 0)
    read = readable(use.state, use.board, reader, rows[known])
    shown = np.zeros(len(ids), dtype=np.bool_)
    actions = np.full(len(ids), AWAITING, dtype=np.uint8)
    shown[known], actions[known] = read.shown, read.actions
    return Readable(shown=shown, actions=actions)
