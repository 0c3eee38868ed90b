"""People, posts and what they do as the rows that the server's HTTP interface takes."""

from collections.abc import Iterator
from typing import Final

from inhouse.core.random import stream
from inhouse.simulator.client import Row
from inhouse.simulator.creators import ONE_CREATOR_IN
from inhouse.simulator.people import REGIONS, UNKNOWN_YEAR
from inhouse.simulator.topics import HARMS, KINDS, NO_HARM, TOPICS
from inhouse.simulator.visit import Reaction, Shown
from inhouse.simulator.words import name_of
from inhouse.simulator.world import World

LANGUAGE: Final = "en"
P_TELLS_TOPICS: Final = 0.6  # chance that a person picks topics at sign-up
MOST_TOLD_TOPICS: Final = 2

P_RIGHT_CATEGORY: Final = 0.85  # chance that a report names the true category
NOTES: Final = (
    "",
    "please have a look",
    "this does not belong here",
    "not the first time",
    "my kids read along",
)

_PERSON: Final = "person-"
_POST: Final = "post-"


def person_id(person: int) -> str:
    return f"{_PERSON}{person:05d}"


def post_id(post: int) -> str:
    return f"{_POST}{post:06d}"


def post_number(item_id: str, count: int) -> int:
    """The number of a post of this world, -1 for an id it did not give out."""
    digits = item_id.removeprefix(_POST)
    if digits == item_id or not digits.isascii() or not digits.isdigit():
        return -1
    number = int(digits)
    return number if number < count and post_id(number) == item_id else -1


def user_row(world: World, person: int) -> Row:
    """A person as the app knows them: nothing of the hidden truth but topics chosen at sign-up."""
    random = stream(world.seed, "sign-up", person)
    year = int(world.traits.birth_year[person])
    topics: list[str] = []
    if random.random() < P_TELLS_TOPICS:
        liked = (-world.traits.taste_home[person]).argsort()
        topics = [TOPICS[topic] for topic in liked[: int(random.integers(1, MOST_TOLD_TOPICS + 1))]]
    return {
        "user_id": person_id(person),
        "name": name_of(random),
        "created_ms": int(world.moods.joined_ms[person]),
        "topics": topics,
        "language": LANGUAGE,
        "region": REGIONS[int(world.traits.region[person])],
        "birth_year": None if year == UNKNOWN_YEAR else year,
        "is_creator": person % ONE_CREATOR_IN == 0,
    }


def item_row(world: World, post: int, media_url: str | None) -> Row:
    """A post as the app knows it. `media_url`: address of the folder of covers."""
    posts, words = world.posts, world.words(post)
    topics = [TOPICS[posts.topic[post]]]
    if posts.second[post] != posts.topic[post]:
        topics.append(TOPICS[posts.second[post]])
    kind = KINDS[posts.kind[post]]
    return {
        "item_id": post_id(post),
        "creator_id": person_id(int(world.talents.person[posts.creator[post]])),
        "kind": kind,
        "title": words.title,
        "text": words.text,
        "topics": topics,
        "language": LANGUAGE,
        "region": REGIONS[int(world.traits.region[world.talents.person[posts.creator[post]]])],
        "media_url": None if media_url is None else f"{media_url}/{post_id(post)}.svg",
        "duration_ms": int(posts.duration_ms[post]) if kind == "video" else None,
        "created_ms": int(posts.created_ms[post]),
    }


def visit_row(world: World, person: int, start_ms: int) -> Row:
    """The event that opens a visit."""
    return {
        "event_id": f"visit.{world.seed}.{person_id(person)}.{start_ms}",
        "at_ms": start_ms,
        "kind": "visit",
        "user_id": person_id(person),
    }


def event_rows(world: World, person: int, page: Shown, reaction: Reaction) -> Iterator[Row]:
    """The events of a page. Ids follow from page, place and kind: sent twice, they count once."""
    user_id = person_id(person)
    for act in reaction.acts:
        if act.kind == "report":  # sent to /v1/reports, which tells the log of it
            continue
        row: dict[str, object] = {
            "event_id": f"{page.page_id}.{act.place}.{act.kind}",
            "at_ms": act.at_ms,
            "kind": act.kind,
            "user_id": user_id,
            "page_id": page.page_id,
            "position": act.place,
        }
        if act.creator is None:
            row["item_id"] = page.item_ids[act.place]
        else:
            row["target"] = f"creator:{person_id(int(world.talents.person[act.creator]))}"
        if act.value is not None:
            row["value"] = act.value
        yield row


def report_row(world: World, person: int, page: Shown, place: int) -> Row:
    """A report of harm; most people name the right category."""
    post = page.posts[place]
    random = stream(world.seed, "report", person, post)
    harm = int(world.posts.harm[post])
    if harm == NO_HARM or random.random() >= P_RIGHT_CATEGORY:
        harm = int(random.integers(len(HARMS)))
    return {
        "item_id": page.item_ids[place],
        "reporter_id": person_id(person),
        "category": HARMS[harm],
        "note": NOTES[int(random.integers(len(NOTES)))],
    }
