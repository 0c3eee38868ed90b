"""What a person's page shows, gathered from the log, the catalog and the served pages."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.app.feeds.serving import titles_of
from inhouse.catalog.types import Item, User
from inhouse.console.moments import community_now
from inhouse.console.person.history import (
    Controls,
    Done,
    Leaning,
    actions_of,
    controls_of,
    is_paused,
    leanings,
)
from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import PageItem, ServedPage
from inhouse.recommend.explain import Why, explain
from inhouse.store import tables

PAGES_SHOWN: Final = 5
PAGES_WEIGHED: Final = 20
LATEST_PEOPLE: Final = 40
_EVENTS_LOOKED_AT: Final = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """One place of a served page, and why."""

    shown: PageItem
    item: Item | None  # None where it was withdrawn for good since
    why: Why  # in words


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page that was served to the person."""

    page: ServedPage
    places: tuple[Placed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What the ranker expected of the person for posts of one topic."""

    topic: str
    p_like: float  # mean over the places served
    places: int  # how many those were


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonFacts:
    """Everything the page shows."""

    now_ms: int
    user_id: UserId
    user: User | None  # None for somebody only seen in events
    actions: tuple[Done, ...]  # newest first
    topics: tuple[Leaning, ...]  # heaviest first
    creators: tuple[Leaning, ...]  # heaviest first
    expected: tuple[Expectation, ...]  # most wanted first
    p_like_overall: float | None  # mean over all places weighed; None where nothing was predicted
    pages: tuple[Page, ...]  # newest first
    controls: Controls
    paused: bool  # personalisation is off
    items: Mapping[ItemId, Item]  # all that are named
    names: Mapping[UserId, str | None]  # of the creators that are named

    @property
    def known(self) -> bool:
        """Whether anything at all is known of this id."""
        return self.user is not None or bool(self.actions) or bool(self.pages)


def gather(services: Services, user_id: UserId) -> PersonFacts:
    """Read what the log and the catalog know of one person."""
    now_ms = community_now(services)
    actions = actions_of(services.database, user_id)
    served = services.pages.pages_of(user_id, limit=PAGES_WEIGHED)
    controls = controls_of(services.database, user_id)
    items = services.catalog.items(_named_items(actions, served))
    topics, creators = leanings(actions, items, now_ms)
    expected, overall = expectations(served, items)
    return PersonFacts(
        now_ms=now_ms,
        user_id=user_id,
        user=services.catalog.user(user_id),
        actions=tuple(actions),
        topics=tuple(topics),
        creators=tuple(creators),
        expected=tuple(expected),
        p_like_overall=overall,
        pages=tuple(_page(page, items) for page in served[:PAGES_SHOWN]),
        controls=controls,
        paused=is_paused(services.database, user_id),
        items=items,
        names=_names(services, items, controls),
    )


def expectations(
    served: Sequence[ServedPage], items: Mapping[ItemId, Item]
) -> tuple[list[Expectation], float | None]:
    """Mean p_like by topic over served places, the most wanted topic first, and over all."""
    by_topic: dict[str, list[float]] = defaultdict(list)
    whole: list[float] = []
    for shown in (shown for page in served for shown in page.items):
        p_like = shown.predicted.get("p_like")
        item = items.get(shown.item_id)
        if p_like is None or item is None:
            continue
        whole.append(p_like)
        for topic in item.topics:
            by_topic[topic].append(p_like)
    found = [
        Expectation(topic=topic, p_like=sum(values) / len(values), places=len(values))
        for topic, values in by_topic.items()
    ]
    found.sort(key=lambda one: (-one.p_like, one.topic))
    return found, sum(whole) / len(whole) if whole else None


def _named_items(actions: Iterable[Done], served: Iterable[ServedPage]) -> set[ItemId]:
    named = {done.item_id for done in actions if done.item_id is not None}
    for shown in (shown for page in served for shown in page.items):
        named.add(shown.item_id)
        named.update(shown.because)
    return named


def _page(page: ServedPage, items: Mapping[ItemId, Item]) -> Page:
    named = {i for shown in page.items for i in (shown.item_id, *shown.because)}
    titles = titles_of(items, sorted(named))
    places = tuple(
        Placed(
            shown=shown,
            item=items.get(shown.item_id),
            why=explain(page, shown.item_id, titles),
        )
        for shown in page.items
    )
    return Page(page=page, places=places)


def _names(
    services: Services, items: Mapping[ItemId, Item], controls: Controls
) -> dict[UserId, str | None]:
    muted = (target.removeprefix("creator:") for target in controls.muted)
    ids = {item.creator_id for item in items.values()}
    ids |= {UserId(name) for name in (*controls.follows, *controls.blocked, *muted)}
    return {user_id: user.name for user_id, user in services.catalog.users(ids).items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Somebody in the list of people."""

    user_id: UserId
    name: str | None
    last_ms: int | None  # latest event looked at; None where there is none among them
    actions: int  # among the events looked at


def latest_people(services: Services, most: int = LATEST_PEOPLE) -> list[Seen]:
    """Who did something lately, the latest first."""
    c = tables.events.c
    newest = (
        sa.select(c.user_id, c.at_ms)
        .order_by(c.log_offset.desc())
        .limit(_EVENTS_LOOKED_AT)
        .subquery()
    )
    last = sa.func.max(newest.c.at_ms).label("last_ms")
    query = (
        sa.select(newest.c.user_id, last, sa.func.count())
        .group_by(newest.c.user_id)
        .order_by(last.desc(), newest.c.user_id)
        .limit(most)
    )
    with services.database.read() as connection:
        rows = connection.execute(query).all()
    users = services.catalog.users([row[0] for row in rows])
    return [
        Seen(
            user_id=UserId(row[0]),
            name=users[row[0]].name if row[0] in users else None,
            last_ms=row[1],
            actions=row[2],
        )
        for row in rows
    ]
