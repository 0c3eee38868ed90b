"""Posts: what they truly are. Their words and pictures are drawn from this, never the reverse."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.random import stream
from inhouse.simulator.arrays import Floats, Ints, Times
from inhouse.simulator.creators import TOPIC_SHARE, Talents
from inhouse.simulator.people import STYLE_DIMS, angle_styles, unit
from inhouse.simulator.topics import ANGLES, HARMS, NO_HARM, TOPICS
from inhouse.simulator.words import Plan, Wording, write

P_STRAY_TOPIC: Final = 0.06  # of posts: on a topic that is not the creator's
P_SECOND_TOPIC: Final = 0.3  # of posts: they touch a second topic
SECOND_TOPIC_WEIGHT: Final = 0.3  # of it in the match, the rest is the first topic's
P_FAVOURITE_ANGLE: Final = 0.6  # of posts: written the creator's usual way
P_OWN_HARM: Final = 0.8  # of a harmful creator's harmful posts: the category they keep to
KIND_SHARE: Final = (0.2, 0.5, 0.3)  # text, picture, video
VIDEO_MS: Final = (6_000, 90_000)  # shortest and longest video


@dataclass(frozen=True, kw_only=True, slots=True)
class Posts:
    """Hidden truth by post; row = post. Attention counts change in place; all is saved."""

    creator: Ints  # [m] creator number
    created_ms: Times  # [m]
    topic: Ints  # [m] index into TOPICS
    second: Ints  # [m] another topic, the same as `topic` where there is none
    angle: Ints  # [m] index into ANGLES
    style: Floats  # [m, STYLE_DIMS] unit vector
    quality: Floats  # [m] what everybody likes or not, about standard normal
    bait: Floats  # [m] how much it lures, 0 to 1
    harm: Ints  # [m] index into HARMS, or NO_HARM
    severity: Floats  # [m] of the harm, 0 to 1
    kind: Ints  # [m] index into KINDS
    duration_ms: Ints  # [m] of a video, else 0
    key: NDArray[np.uint64]  # [m] of the words, see `text_key`
    impressions: Ints  # [m] times shown so far
    clicks: Ints  # [m]
    likes: Ints  # [m]


def text_key(words: str) -> int:
    """Identifies a text whatever its case, spaces and punctuation."""
    letters = "".join(letter for letter in words.lower() if letter.isalnum())
    return int.from_bytes(hashlib.blake2b(letters.encode(), digest_size=8).digest(), "little")


def draw_posts(seed: int, first: int, creators: Ints, created_ms: Times, talents: Talents) -> Posts:
    """Posts number `first` and on, by the given creators at the given times."""
    angles = angle_styles(seed)
    rows = [
        _draw(seed, first + row, int(creator), talents, angles)
        for row, creator in enumerate(creators)
    ]
    n = len(rows)

    def column(name: str, kind: type) -> NDArray[Any]:
        return np.asarray([row[name] for row in rows], kind)

    return Posts(
        creator=creators.astype(np.int32),
        created_ms=created_ms.astype(np.int64),
        style=column("style", np.float32).reshape(n, STYLE_DIMS),
        impressions=np.zeros(n, np.int32),
        clicks=np.zeros(n, np.int32),
        likes=np.zeros(n, np.int32),
        key=column("key", np.uint64),
        **{name: column(name, np.float32) for name in ("quality", "bait", "severity")},
        **{
            name: column(name, np.int32)
            for name in ("topic", "second", "angle", "harm", "kind", "duration_ms")
        },
    )


def wording(seed: int, number: int, posts: Posts) -> Wording:
    """The words of a post, drawn again from its truth."""
    plan = Plan(
        topic=int(posts.topic[number]),
        angle=int(posts.angle[number]),
        bait=float(posts.bait[number]),
        harm=int(posts.harm[number]),
        severity=float(posts.severity[number]),
    )
    return write(plan, stream(seed, "words", number))


def _draw(
    seed: int, number: int, creator: int, talents: Talents, angles: Floats
) -> dict[str, object]:
    random = stream(seed, "post", number)
    topic, second = _topics(random, talents.topics[creator])
    angle = int(talents.angle[creator])
    if random.random() >= P_FAVOURITE_ANGLE:
        angle = int(random.integers(len(ANGLES)))
    style = (
        0.6 * angles[angle]
        + 0.6 * talents.style[creator]
        + 0.45 * unit(random.normal(size=STYLE_DIMS))
    )
    harm, severity = _harm(random, creator, talents)
    kind = int(random.choice(len(KIND_SHARE), p=KIND_SHARE))
    low, high = np.log(VIDEO_MS)
    # As float32, so that the words drawn from the saved row are the words drawn here.
    bait = float(np.float32(np.clip(random.normal(1.3 * talents.bait[creator] - 0.1, 0.2), 0, 1)))
    severity = float(np.float32(severity))
    plan = Plan(topic=topic, angle=angle, bait=bait, harm=harm, severity=severity)
    words = write(plan, stream(seed, "words", number))
    return {
        "topic": topic,
        "second": second,
        "angle": angle,
        "style": unit(style),
        "quality": 0.7 * float(talents.skill[creator]) + 0.7 * random.normal(),
        "bait": bait,
        "harm": harm,
        "severity": severity,
        "kind": kind,
        "duration_ms": int(np.exp(random.uniform(low, high))) if kind == 2 else 0,
        "key": text_key(words.title + words.text),
    }


def _topics(random: np.random.Generator, own: Ints) -> tuple[int, int]:
    topic = int(own[random.choice(len(TOPIC_SHARE), p=TOPIC_SHARE)])
    if random.random() < P_STRAY_TOPIC:
        topic = int(random.integers(len(TOPICS)))
    second = int(random.integers(len(TOPICS))) if random.random() < P_SECOND_TOPIC else topic
    return topic, second


def _harm(random: np.random.Generator, creator: int, talents: Talents) -> tuple[int, float]:
    p_harm, p_own, category, severity = random.random(4)
    if p_harm >= talents.p_harm[creator]:
        return NO_HARM, 0.0
    own = int(talents.harm[creator])
    harm = own if own != NO_HARM and p_own < P_OWN_HARM else int(category * len(HARMS))
    return harm, 0.25 + 0.75 * float(severity)
