"""What people answer below posts, for whoever wants to see threads.

Everything is drawn from streams of its own and nothing of it is part of the hidden truth: nobody is
served a reply, so a community plays the same with replies and without.
"""

from typing import Final

import numpy as np

from inhouse.core.clock import HOUR_MS, MINUTE_MS
from inhouse.core.random import stream
from inhouse.simulator.client import Row
from inhouse.simulator.topics import ANGLES, HARMS, NO_HARM
from inhouse.simulator.wire import LANGUAGE, person_id, post_id
from inhouse.simulator.words import Plan, write
from inhouse.simulator.world import World

P_ANSWERED: Final = 0.12  # of posts
MOST_REPLIES: Final = 4  # to a post, those to its replies included
P_DEEPER: Final = 0.6  # of a post's later replies: they answer the one before
P_HARM: Final = 0.1  # of replies
_LATER_MS: Final = 8 * MINUTE_MS  # from one to the next at most, and never out of the hour


def reply_rows(world: World, post: int) -> list[Row]:
    """A post's replies as the app knows them, the first first; for most posts there are none."""
    random = stream(world.seed, "replies", post)
    if random.random() >= P_ANSWERED:
        return []
    posted_ms = int(world.posts.created_ms[post])
    last_ms = posted_ms - posted_ms % HOUR_MS + HOUR_MS - 1
    rows: list[Row] = []
    answered, at_ms = post_id(post), posted_ms
    for number in range(int(random.integers(1, MOST_REPLIES + 1))):
        at_ms = min(last_ms, at_ms + int(random.integers(1, _LATER_MS)))
        if random.random() >= P_DEEPER:
            answered = post_id(post)
        item_id = f"reply-{post:06d}-{number}"
        rows.append(
            {
                "item_id": item_id,
                "creator_id": person_id(int(random.integers(world.people_at_start))),
                "text": _words(world, post, random),
                "language": LANGUAGE,
                "created_ms": at_ms,
                "reply_to": answered,
            }
        )
        answered = item_id
    return rows


def _words(world: World, post: int, random: np.random.Generator) -> str:
    harmful = random.random() < P_HARM
    plan = Plan(
        topic=int(world.posts.topic[post]),
        angle=int(random.integers(len(ANGLES))),
        bait=0.0,
        harm=int(random.integers(len(HARMS))) if harmful else NO_HARM,
        severity=float(random.random()),
    )
    return write(plan, random).text
