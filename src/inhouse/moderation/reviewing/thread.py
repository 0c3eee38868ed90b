"""The thread that a post of a case stands in: what it answers, and what others answered there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import items_by_id
from inhouse.catalog.threads import End, Place, above, replies
from inhouse.catalog.types import Item, key_of, post_text
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.types import Verdict
from inhouse.moderation.verdicts.decide import decide
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import tables

BESIDE: Final = 3  # of the other replies, before the post and after it
WORDS_SHOWN: Final = 1_000

# withdrawn: by the app, and whatever is sealed; gone: no item has the id, yet or any more.
PostState = Literal["there", "withdrawn", "gone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadPost:
    """One item of the thread."""

    item_id: ItemId
    state: PostState
    creator_id: UserId | None = None  # None where it is gone
    creator_name: str | None = None  # None where none is known
    created_ms: int | None = None
    words: str = ""  # how it begins
    action: str | None = None  # in feeds for adults; None where it awaits a verdict or is gone


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """What stands around a post that answers another."""

    above: tuple[ThreadPost, ...]  # the first of the thread first, the one it answers last
    end: End  # how far the look upwards came: root, gone, cut, circle
    before: tuple[ThreadPost, ...]  # the last other replies before it, in order
    after: tuple[ThreadPost, ...]  # the first ones after it
    beside: int  # other replies to the same item, all of them


def thread_around(
    connection: Connection, policy: Policy, item: Item, until_ms: int
) -> Thread | None:
    """None for a post that answers nothing. What came from `until_ms` on is left out."""
    if item.reply_to is None:
        return None
    way = above(connection, item)
    place = Place(item_id=item.item_id, created_ms=item.created_ms)
    met = {each.item_id for each in way.items}
    before, after = (
        [
            each.item_id
            for each in replies(connection, item.reply_to, order, place, BESIDE)
            if each.item_id not in met and each.created_ms < until_ms
        ]
        for order in ("newest", "oldest")
    )
    told = _told(connection, policy, [*way.items, *_read(connection, [*before, *after])])
    gone = [ThreadPost(item_id=way.missing, state="gone")] if way.missing else []
    return Thread(
        above=(*gone, *(told[each.item_id] for each in reversed(way.items))),
        end=way.end,
        before=tuple(told[item_id] for item_id in reversed(before)),
        after=tuple(told[item_id] for item_id in after),
        beside=_beside(connection, item, until_ms),
    )


def _read(connection: Connection, ids: Sequence[ItemId]) -> Iterable[Item]:
    return items_by_id(connection, ids).values()


def _told(
    connection: Connection, policy: Policy, items: Sequence[Item]
) -> Mapping[ItemId, ThreadPost]:
    verdicts = latest_verdicts(connection, [item.item_id for item in items])
    people = tables.users.c
    query = sa.select(people.user_id, people.name)
    asked = query.where(people.user_id.in_({item.creator_id for item in items}))
    names = {row.user_id: row.name for row in connection.execute(asked)}
    return {
        item.item_id: ThreadPost(
            item_id=item.item_id,
            state="withdrawn" if item.hidden else "there",
            creator_id=item.creator_id,
            creator_name=names.get(item.creator_id),
            created_ms=item.created_ms,
            words=post_text(item.title, item.text)[:WORDS_SHOWN],
            action=_action(policy, item, verdicts.get(item.item_id)),
        )
        for item in items
    }


def _action(policy: Policy, item: Item, verdict: Verdict | None) -> str | None:
    if verdict is None or verdict.text_key != key_of(item):
        return None
    return decide(verdict.evidence, policy, "feed", "adult").action


def _beside(connection: Connection, item: Item, until_ms: int) -> int:
    c = tables.items.c
    others = (c.reply_to == item.reply_to) & (c.item_id != item.item_id)
    query = sa.select(sa.func.count()).where(others, c.created_ms < until_ms)
    return connection.execute(query).scalar_one()
