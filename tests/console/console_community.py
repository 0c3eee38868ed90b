"""A tiny community with a past, for the console's tests: every page has something to show."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import Catalog, tell
from inhouse.catalog.types import Item, User, text_key
from inhouse.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from inhouse.core.ids import EventId, ItemId, PageId, SnapshotId, UserId
from inhouse.core.random import stream
from inhouse.engagement.experiments.store import Experiments
from inhouse.engagement.experiments.types import Arm, Experiment
from inhouse.events.log import EventLog, set_consumer
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, EventKind, PageItem, RemovedItem, ServedPage
from inhouse.models.ledger.rows import append_attempts
from inhouse.models.types import INHOUSE, Attempt, Usage
from inhouse.moderation.judging.scan import CONSUMER
from inhouse.moderation.reviewing.cases import Concern, open_cases
from inhouse.moderation.types import Evidence, Hit, Label, Verdict
from inhouse.moderation.verdicts.rows import append_verdicts
from inhouse.store import tables
from inhouse.store.database import Database

START_MS = 1_772_323_200_000  # Sun 1 Mar 2026
DAYS = 12
NOW_MS = START_MS + (DAYS - 1) * DAY_MS + 15 * HOUR_MS
CREATORS = ("Mara Lind", "Jonas Okafor", "Yuki Tanaka", "عمر الخطيب", "Ana Sousa", "Tom & Co <b>")
NAMES = ("Ada", "Bilal", "Chen", "Dora", "Emil", "Fatou", "Goran", "Hana", "Ivo", "Juno")
TOPICS = {
    "baking": (
        "First loaf with the new starter",
        "A long cold night makes the crumb",
        "Rye at last",
    ),
    "cycling": ("Why I stopped oiling my chain", "Dawn over the pass", "Two tubes and a good pump"),
    "chess": ("The quiet move that won it", "An endgame to sleep on", "Blunders I am proud of"),
    "astronomy": ("Saturn, ten seconds of luck", "A dark sky an hour from town", "First light"),
}
_SOURCES = ("taste", "similar", "trending", "fresh", "explore", "following")
HOSTILE = (
    ("<img src=x onerror=alert(1)>", '<script>window.hacked = true</script> & "quotes" `${1}`'),
    ("مرحبا بالعالم", "هذا نص من اليمين إلى اليسار \u202e and turned around"),
    ("👩‍🚀🚀🪐", "emoji alone 🥖🔥 and zero\u200bwidth"),
    ("One word", "W" * 10_000),
)


@dataclass
class Community:
    """What the seed made, for tests to name."""

    database: Database
    people: list[UserId] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    cases: dict[ItemId, str] = field(default_factory=dict)  # item -> open case
    now_ms: int = NOW_MS


def seed(database: Database, *, people: int = 240, cover_url: str | None = None) -> Community:
    """Fill an empty, migrated database."""
    made = Community(database)
    draw = stream(7, "console", "seed")
    _catalog(made, people, cover_url)
    _verdicts(made)
    _experiment(made)
    _behaviour(made, draw)
    _pages(made, draw)
    _ledger(made, draw)
    return made


def _catalog(made: Community, people: int, cover_url: str | None) -> None:
    creators = [
        User(user_id=UserId(f"maker-{i}"), name=name, created_ms=START_MS, is_creator=True)
        for i, name in enumerate(CREATORS)
    ]
    readers = [
        User(
            user_id=UserId(f"reader-{i:03}"),
            name=f"{NAMES[i % len(NAMES)]} {i // len(NAMES) + 1}" if i % 7 else None,
            created_ms=START_MS + (i % DAYS) * DAY_MS,
            topics=(list(TOPICS)[i % len(TOPICS)],),
            language="en",
            region="DE",
            birth_year=1990 if i % 3 else None,
        )
        for i in range(people)
    ]
    titles = [(topic, title) for topic, all_ in TOPICS.items() for title in all_]
    for i, (topic, title) in enumerate(titles * 3):
        made.items.append(
            Item(
                item_id=ItemId(f"post-{i:02}"),
                creator_id=creators[i % 3].user_id,
                kind="text" if i % 4 == 0 else "picture",
                title=title if i < len(titles) else f"{title}, part {i // len(titles) + 1}",
                text="It took three tries and a little patience. Ask me anything.\nMore tomorrow.",
                topics=(topic,),
                language="en",
                media_url=f"{cover_url}/cover/{i}.png" if cover_url and i % 4 else None,
                created_ms=START_MS + i * 6 * HOUR_MS,
            )
        )
    for i, (title, text) in enumerate(HOSTILE):
        made.items.append(
            Item(
                item_id=ItemId(f"hostile-{i}"),
                creator_id=creators[3 + i % 3].user_id,
                title=title,
                text=text,
                topics=("<i>topic</i>", "قهوة"),
                created_ms=START_MS + i * DAY_MS,
            )
        )
    catalog = Catalog(made.database)
    catalog.put_users([*creators, *readers])
    catalog.put_items(made.items)
    made.people = [user.user_id for user in readers]


def _verdicts(made: Community) -> None:
    """Most posts are fine; the hostile ones and two more wait for a person; three await one."""
    verdicts = [_verdict(item, i) for i, item in enumerate(made.items[:-1]) if i not in (5, 9, 14)]
    held = [item for item in made.items if item.item_id.startswith("hostile")][:3]
    held += [made.items[7], made.items[11]]
    concerns = [
        Concern(
            item_id=item.item_id,
            queue=("harassment", "spam", "hate", "spam", "harassment")[i],
            kind="rule",
            reason=f"rule {('harassment_possible', 'spam_likely', 'hate_possible')[i % 3]}",
        )
        for i, item in enumerate(held)
    ]

    judged = {verdict.item_id for verdict in verdicts}
    awaiting = [item.item_id for item in made.items if item.item_id not in judged]

    def write(connection: Connection) -> dict[ItemId, str]:
        append_verdicts(connection, verdicts)
        last = connection.execute(sa.select(sa.func.max(tables.changes.c.log_offset))).scalar_one()
        set_consumer(connection, CONSUMER, last, NOW_MS)
        tell(connection, "item", awaiting)
        for i, item in enumerate(held[:3]):
            connection.execute(
                tables.reports.insert(),
                {
                    "report_id": f"report-{i}",
                    "at_ms": NOW_MS - 3 * HOUR_MS,
                    "item_id": item.item_id,
                    "reporter_id": f"reader-{i:03}",
                    "category": "spam",
                    "note": "seen <b>everywhere</b> today",
                },
            )
        return open_cases(connection, concerns, {}, NOW_MS - 5 * HOUR_MS)

    made.cases = made.database.write(write)


def _verdict(item: Item, i: int) -> Verdict:
    bad = item.item_id.startswith("hostile") or i in (7, 11)
    scores = {
        "harassment": 0.71 if bad else 0.02,
        "hate": 0.34 if bad else 0.01,
        "spam": 0.86 if i == 7 else 0.04,
        "violence": 0.03,
    }
    hits = (
        (Hit(signal="terms.harassment", start=0, end=5, detail="term", form="leet"),) if bad else ()
    )
    return Verdict(
        item_id=item.item_id,
        at_ms=item.created_ms + MINUTE_MS,
        text_key=text_key(item.title, item.text),
        evidence=Evidence(
            labels=tuple(Label(category=c, p=p, source="model:demo-1") for c, p in scores.items()),
            signals={"links": 2} if bad else {},
        ),
        hits=hits,
        decided_by="rule:harassment_possible" if bad else "no rule",
        policy_version="default-1",
        model_version="demo-1",
    )


def _experiment(made: Community) -> None:
    experiments = Experiments(made.database)
    experiments.create(
        Experiment(
            key="learned-feed",
            question="does a feed that learns bring people back?",
            arms=(
                Arm(key="popular", settings={"ranker": "popular"}),
                Arm(key="learned", settings={"ranker": "learned"}),
            ),
        ),
        START_MS,
    )
    for i, user_id in enumerate(made.people):
        arms = experiments.arms_for(user_id)
        written = experiments.expose(user_id, arms, START_MS + (i % DAYS) * DAY_MS)
        if written is not None:
            written.result()


def _behaviour(made: Community, draw: np.random.Generator) -> None:
    arms = Experiments(made.database)
    posts = [item for item in made.items if item.item_id.startswith("post")]
    numbers = itertools.count()
    events: list[Event] = []
    for i, user_id in enumerate(made.people):
        learned = arms.arms_for(user_id).get("learned-feed") == "learned"
        for day in range(i % DAYS, DAYS):
            comes = day == i % DAYS or draw.random() < (0.52 if learned else 0.40)
            if comes:
                at_ms = START_MS + day * DAY_MS + int(draw.integers(7, 15)) * HOUR_MS
                seconds = 26.0 if learned else 20.0
                events += _visit(user_id, at_ms, posts, (seconds, numbers), draw)
    events.sort(key=lambda event: event.at_ms)
    log = EventLog(made.database)
    for start in range(0, len(events), 2_000):
        log.append(events[start : start + 2_000])


def _visit(
    user_id: UserId,
    at_ms: int,
    posts: list[Item],
    pace: tuple[float, Iterator[int]],
    draw: np.random.Generator,
) -> list[Event]:
    seconds, numbers = pace
    found: list[Event] = []

    def add(kind: EventKind, post: Item | None = None, value: float | None = None) -> None:
        found.append(
            Event(
                event_id=EventId(f"e{next(numbers)}"),
                at_ms=min(at_ms, NOW_MS),
                kind=kind,
                user_id=user_id,
                item_id=post.item_id if post else None,
                value=value,
            )
        )

    add("visit")
    for _ in range(int(draw.integers(3, 8))):
        post = posts[int(draw.integers(len(posts)))]
        dwell_ms = float(draw.exponential(seconds) * SECOND_MS)
        at_ms += int(dwell_ms)
        add("impression", post)
        add("dwell", post, dwell_ms)
        if draw.random() < 0.18:
            add("like", post)
        if draw.random() < 0.02:
            add("hide", post)
    return found


def _pages(made: Community, draw: np.random.Generator) -> None:
    """Reader 0 follows, mutes, and was served two pages."""
    user_id = made.people[0]
    log, pages = EventLog(made.database), PageLog(made.database)
    wishes: list[tuple[EventKind, str]] = [
        ("follow", "creator:maker-0"),
        ("follow", "creator:maker-1"),
        ("unfollow", "creator:maker-1"),
        ("mute", "topic:chess"),
        ("mute", "word:spoiler <b>"),
    ]
    log.append(
        [
            Event(
                event_id=EventId(f"wish-{i}"),
                at_ms=NOW_MS - HOUR_MS + i,
                kind=kind,
                user_id=user_id,
                target=target,
            )
            for i, (kind, target) in enumerate(wishes)
        ]
    )
    for k in range(2):
        items = tuple(_placed(made, draw, k, position) for position in range(6))
        pages.submit(
            ServedPage(
                page_id=PageId(f"page-{k}"),
                at_ms=NOW_MS - (2 - k) * 20 * MINUTE_MS,
                user_id=user_id,
                surface="for_you",
                items=items,
                removed=(
                    RemovedItem(item_id=made.items[2].item_id, stage="SeenFilter", reason="seen"),
                ),
                arms={"learned-feed": "learned"},
                snapshot_id=SnapshotId("taste-000123") if k else None,
            )
        ).result()


def _placed(made: Community, draw: np.random.Generator, page: int, position: int) -> PageItem:
    item = made.items[(7 * page + 5 * position) % len(made.items)]
    p_like = float(draw.uniform(0.01, 0.2))
    return PageItem(
        item_id=item.item_id,
        position=position,
        source=_SOURCES[position],
        sources=("taste", "fresh") if position == 0 else (_SOURCES[position],),
        value=float(draw.uniform(0.1, 1.0)),
        predicted={"p_click": 3 * p_like, "p_like": p_like, "p_hide": 0.004, "dwell_ms": 9_000.0}
        if page
        else {},
        propensity=0.02 if position == 4 else 1.0,
        explored=position == 4,
        because=(made.items[1].item_id,) if position == 1 else (),
        notes=("explored:40",) if position == 4 else (),
    )


def _ledger(made: Community, draw: np.random.Generator) -> None:
    """Rented at first, owned more and more; one attempt without a price."""
    attempts: list[Attempt] = []
    for day in range(DAYS):
        owned_share = min(1.0, max(0.0, (day - 4) / 6))
        for k in range(40):
            at_ms = min(START_MS + day * DAY_MS + k * 25 * MINUTE_MS, NOW_MS)
            owned = draw.random() < owned_share
            attempts.append(
                _attempt(f"call-{day}-{k}", at_ms, owned=owned, priced=(day, k) != (3, 5))
            )
    made.database.write(lambda connection: append_attempts(connection, attempts))


def _attempt(call_id: str, at_ms: int, *, owned: bool, priced: bool) -> Attempt:
    cost = Decimal(0) if owned else Decimal("0.00184")
    return Attempt(
        call_id=call_id,
        at_ms=at_ms,
        task="text_harm",
        role="primary",
        deployment="owned" if owned else "stand-in",
        host=INHOUSE if owned else "openai",
        owner=INHOUSE if owned else "openai",
        model="text_harm-3f2a" if owned else "gpt-4o-mini",
        inputs=8,
        answered=8,
        usage=None if owned else Usage(tokens_in=2_400, tokens_out=320),
        cost_usd=cost if priced else None,
        price_version="owned" if owned else "list",
        latency_ms=4.0 if owned else 310.0,
        outcome="ok",
        simulated=not owned,
    )


def add_route(made: Community, body: dict[str, object], reason: str, at_ms: int) -> None:
    """Append a route as the gateway's owner would."""
    row = {
        "task": "text_harm",
        "at_ms": at_ms,
        "body": json.dumps(body),
        "decided_by": "cutover",
        "reason": reason,
    }
    made.database.write(lambda connection: connection.execute(tables.routes.insert(), row))
