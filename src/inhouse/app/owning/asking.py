"""Asking people about what the owned model is least sure of, so that each label teaches most.

The posts judged last are read again by the newest version of the task's owned model; those it is
unsure of, and one in five at random, become cases in the queue `learning`. A decision on one is a
decision like any other: it is in force, and it is a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy.engine import Connection

from inhouse.app.build import Services
from inhouse.app.owning.posts import latest_posts
from inhouse.core.errors import ConflictError, InputError
from inhouse.core.ids import ItemId
from inhouse.models.harvest.uncertain import choose
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.training.judging import Judge
from inhouse.models.types import Task
from inhouse.moderation.measuring.sampling import existing
from inhouse.moderation.reviewing.cases import Concern, count_open, open_cases, open_cases_of

QUEUE: Final = "learning"  # and the kind of its cases
MOST_OPEN: Final = 500  # cases in it: what waits for weeks teaches a model that has moved on
_REASON: Final = f"{QUEUE} the model wants to know"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What people are asked now."""

    version: str  # of the model that was unsure
    among: int  # posts that nobody has decided on or is asked about
    opened: int  # cases
    waiting: int  # cases in the queue, with these


@dataclass(frozen=True, kw_only=True, slots=True)
class _Post:
    item_id: ItemId
    text: str  # as the model is shown it


def ask_people(services: Services, task: Task, texts: int, seed: int) -> Asked:
    """Open at most so many cases, and never more than the queue holds.

    texts: 1 to 500. Raises InputError without a trained model, ConflictError while the queue is
    full.
    """
    _check(texts, task)
    versions = services.registry.versions(task.name)
    if not versions:
        raise InputError(
            f"no model is trained for {task.name}; train one with `inhouse models train "
            f"{task.name}`, or begin with `inhouse moderate sample`"
        )
    version = versions[0].version
    with services.database.read() as connection:
        room = _room(connection)
    model, posts = services.registry.load(version), _candidates(services)
    words = [post.text for post in posts]
    p = model.probabilities(words) if words else np.zeros((0, len(model.categories)))
    chosen = choose(words, p, min(texts, room), services.settings.models.flag_at, seed)
    asked = [posts[place].item_id for place in chosen]
    now_ms = services.clock.now_ms()
    opened, waiting = services.database.write(
        lambda connection: _open(connection, asked, now_ms),
    )
    return Asked(version=version, among=len(posts), opened=opened, waiting=waiting)


def ask_differences(services: Services, task: Task, texts: int) -> Asked:
    """The same about the posts on which the owned and the rented model differ, of those held out to
    judge the owned one: what people say of them settles parity (`models.parity.gate`)."""
    _check(texts, task)
    judge = Judge(services.database, services.registry, services.settings.models)
    cases = judge.differences(task)
    known = services.catalog.items([case.ref for case in cases])
    with services.database.read() as connection:
        room = _room(connection)
        waiting = open_cases_of(connection, list(known))
    among = [ItemId(case.ref) for case in cases if ItemId(case.ref) in known]
    asked = [item_id for item_id in among if item_id not in waiting][: min(texts, room)]
    now_ms = services.clock.now_ms()
    opened, in_queue = services.database.write(
        lambda connection: _open(connection, asked, now_ms),
    )
    version = services.registry.versions(task.name)[0].version
    return Asked(version=version, among=len(among), opened=opened, waiting=in_queue)


def _check(texts: int, task: Task) -> None:
    if not 1 <= texts <= MOST_OPEN:
        raise InputError(f"texts is {texts}, expected 1 to {MOST_OPEN}", field="texts")
    if task.name != TEXT_HARM.name:
        raise InputError(
            f"people's decisions on posts are labels of {TEXT_HARM.name}, not of {task.name}; "
            f"send labels of {task.name} to /v1/models/{task.name}/labels"
        )


def _room(connection: Connection) -> int:
    waiting = count_open(connection, QUEUE)
    if waiting >= MOST_OPEN:
        raise ConflictError(
            f"{waiting} cases wait in the queue {QUEUE}, which holds {MOST_OPEN}; decide some first"
        )
    return MOST_OPEN - waiting


def _candidates(services: Services) -> list[_Post]:
    """The latest judged posts with words that no person has decided on or is asked about."""
    posts = latest_posts(services, undecided=True)
    with services.database.read() as connection:
        asked = open_cases_of(connection, list(posts))
    return [
        _Post(item_id=item_id, text=text) for item_id, text in posts.items() if item_id not in asked
    ]


def _open(connection: Connection, item_ids: Sequence[ItemId], now_ms: int) -> tuple[int, int]:
    """Cases opened and waiting; whoever asked in the meantime has taken of the room."""
    taken, there = open_cases_of(connection, item_ids), existing(connection, item_ids)
    free = [item_id for item_id in item_ids if item_id in there and item_id not in taken]
    concerns = [
        Concern(item_id=item_id, queue=QUEUE, kind=QUEUE, reason=_REASON)
        for item_id in free[: _room(connection)]
    ]
    return len(open_cases(connection, concerns, {}, now_ms)), count_open(connection, QUEUE)
