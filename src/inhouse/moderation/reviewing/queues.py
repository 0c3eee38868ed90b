"""Queues: which cases lie together, who may take them, and how carefully they are decided.

Without settings each category has a queue of its own. A community's settings are rows of its
database: every process asks them where it needs them, so a change holds from the next case on.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import Fault, SettingError, UnknownError
from inhouse.store import tables
from inhouse.store.database import Database

# Categories so grave that two people must agree, whatever the settings do not say.
GRAVEST: Final = frozenset(("child_safety", "sexual_minors", "terrorism"))
# What opens cases that queues may take by settings. Cases opened to learn or to measure (their
# queue is the point of them) stay where they are.
ROUTED: Final = ("rule", "reported", "edited")
MOST_QUEUES: Final = 200
MOST_NAMED: Final = 200
MOST_GOLD_SHARE: Final = 0.5
LEAST_LOCK_MS: Final = 10_000
MOST_LOCK_MS: Final = 86_400_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Takes:
    """Which cases go into a queue: all that is named must fit, and of each one is enough."""

    categories: tuple[str, ...] = ()  # of the policy, `unscored` or `other`; empty: any
    signals: tuple[str, ...] = ()  # that the post shows, `links` or `terms.hate`; empty: any
    languages: tuple[str, ...] = ()  # of the post, `en`; `en` fits `en-GB` too; empty: any
    reasons: tuple[str, ...] = ()  # rule, reported, edited; empty: any


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueSettings:
    """How a queue differs from what it is by itself."""

    name: str  # lower-case letters, digits, _ and -
    takes: Takes | None = None  # None: the cases of the category it is named after
    reviewers: tuple[str, ...] = ()  # who may take and decide its cases; empty: everybody
    two_person: bool | None = None  # in force when two people agree; None: the gravest alone
    gold_share: float = 0.0  # of the cases given out, how many have a known answer; 0 to 0.5
    lock_ms: int | None = None  # how long a case stays with somebody; None: the general setting
    place: int = 100  # of two queues that take a case, the one with the lower number gets it

    @property
    def asks_two(self) -> bool:
        """Whether two people must agree."""
        return self.name in GRAVEST if self.two_person is None else self.two_person


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingFacts:
    """What decides where a case goes."""

    category: str  # it was opened for
    kind: str  # the first word of its reason
    signals: Collection[str] = ()
    language: str | None = None


def route(facts: RoutingFacts, queues: Sequence[QueueSettings]) -> str:
    """The queue for a case: the first that takes it, else the one named after its category.

    >>> german = QueueSettings(name="german", takes=Takes(languages=("de",)))
    >>> route(RoutingFacts(category="hate", kind="rule", language="de-AT"), [german])
    'german'
    >>> route(RoutingFacts(category="hate", kind="rule", language="en"), [german])
    'hate'
    """
    if facts.kind in ROUTED:
        for queue in sorted(queues, key=lambda queue: (queue.place, queue.name)):
            if queue.takes is not None and _fits(facts, queue.takes):
                return queue.name
    return facts.category


def _fits(facts: RoutingFacts, takes: Takes) -> bool:
    language = (facts.language or "").lower()
    return (
        (not takes.categories or facts.category in takes.categories)
        and (not takes.reasons or facts.kind in takes.reasons)
        and (not takes.signals or any(signal in facts.signals for signal in takes.signals))
        and (
            not takes.languages
            or any(
                language == one.lower() or language.startswith(f"{one.lower()}-")
                for one in takes.languages
            )
        )
    )


class ReviewQueues:
    """The queues' settings of one community."""

    def __init__(self, database: Database, clock: Clock, categories: Collection[str]) -> None:
        """categories: of the policy, for the check of what a queue takes."""
        self._database = database
        self._clock = clock
        self._categories = (*categories, "other", "unscored")

    def list(self) -> list[QueueSettings]:
        """Queues with settings, in the order in which they take cases."""
        with self._database.read() as connection:
            return list(queues_in(connection).values())

    def get(self, name: str) -> QueueSettings:
        """A queue's settings, or what it is by itself."""
        with self._database.read() as connection:
            return queues_in(connection).get(name) or QueueSettings(name=name)

    def put(self, queue: QueueSettings) -> QueueSettings:
        """Set a queue up, or change it; holds for cases that come from now on. Raises SettingError
        that shows every fault."""
        faults = [*_faults(queue), *self._unknown_categories(queue)]
        if faults:
            raise SettingError(f"the queue {queue.name[:80]!r} cannot be set up", faults)
        row = {
            "place": queue.place,
            "body": msgspec.json.encode(queue).decode(),
            "updated_ms": self._clock.now_ms(),
        }
        table = tables.review_queues

        def write(connection: Connection) -> None:
            update = table.update().where(table.c.name == queue.name).values(**row)
            if connection.execute(update).rowcount:
                return
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            if count >= MOST_QUEUES:
                raise SettingError(f"there are {count} queues; expected at most {MOST_QUEUES}")
            connection.execute(table.insert(), {"name": queue.name, **row})

        self._database.write(write)
        return queue

    def remove(self, name: str) -> None:
        """Forget a queue's settings; its cases stay in it until they are decided. Raises
        UnknownError."""
        table = tables.review_queues
        delete = table.delete().where(table.c.name == name)
        if not self._database.write(lambda connection: connection.execute(delete).rowcount):
            raise UnknownError(f"no queue named {name[:80]!r} has settings; list them to see which")

    def _unknown_categories(self, queue: QueueSettings) -> Sequence[Fault]:
        known = ", ".join(self._categories)
        return [
            Fault(field="takes.categories", value=repr(name[:80]), expected=f"one of {known}")
            for name in (queue.takes.categories if queue.takes else ())
            if name not in self._categories
        ]


def queues_in(connection: Connection) -> dict[str, QueueSettings]:
    """Queues with settings by name, in the order in which they take cases."""
    table = tables.review_queues
    query = sa.select(table.c.body).order_by(table.c.place, table.c.name)
    found = (
        msgspec.json.decode(body, type=QueueSettings)
        for body in connection.execute(query).scalars()
    )
    return {queue.name: queue for queue in found}


def queue_in(connection: Connection, name: str) -> QueueSettings:
    """One queue's settings, or what it is by itself."""
    table = tables.review_queues
    query = sa.select(table.c.body).where(table.c.name == name)
    body = connection.execute(query).scalar()
    return (
        QueueSettings(name=name) if body is None else msgspec.json.decode(body, type=QueueSettings)
    )


def closed_to(reviewer: str, queues: Mapping[str, QueueSettings]) -> list[str]:
    """Names of the queues that somebody may not take from."""
    return [q.name for q in queues.values() if q.reviewers and reviewer not in q.reviewers]


def _faults(queue: QueueSettings) -> list[Fault]:
    takes = queue.takes or Takes()
    lists = {
        "reviewers": queue.reviewers,
        "takes.signals": takes.signals,
        "takes.languages": takes.languages,
        "takes.categories": takes.categories,
    }
    checks = [
        (
            "name",
            queue.name,
            _NAME.fullmatch(queue.name),
            "1 to 64 lower-case letters, digits, _ and -",
        ),
        (
            "gold_share",
            queue.gold_share,
            0 <= queue.gold_share <= MOST_GOLD_SHARE,
            f"0 to {MOST_GOLD_SHARE}",
        ),
        (
            "lock_ms",
            queue.lock_ms,
            queue.lock_ms is None or LEAST_LOCK_MS <= queue.lock_ms <= MOST_LOCK_MS,
            f"{LEAST_LOCK_MS} to {MOST_LOCK_MS}",
        ),
        ("place", queue.place, abs(queue.place) <= 1_000_000, "-1000000 to 1000000"),
        *(
            ("takes.reasons", reason, reason in ROUTED, f"one of {', '.join(ROUTED)}")
            for reason in takes.reasons
        ),
        *(
            (field, f"{len(names)} of them", False, f"at most {MOST_NAMED} of at most 128 letters")
            for field, names in lists.items()
            if len(names) > MOST_NAMED or any(not 1 <= len(name) <= 128 for name in names)
        ),
    ]
    if queue.asks_two and len(set(queue.reviewers)) == 1:
        checks.append(
            ("reviewers", queue.reviewers[0], False, "two people or more where two must agree")
        )
    return [
        Fault(field=field, value=repr(value)[:100], expected=expected)
        for field, value, holds, expected in checks
        if not holds
    ]
