"""What a person asked of the feed, and how it is written down."""

from concurrent.futures import Future
from dataclasses import dataclass

from inhouse.app.build import Services
from inhouse.core.clock import SystemClock
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import EventId, UserId, is_valid_id, new_id
from inhouse.events.sessions import link
from inhouse.events.types import SESSION_PREFIX, Appended, Event, EventKind
from inhouse.features.state import LiveState


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """What is in force for one person."""

    user_id: str
    paused: bool  # personalisation is off
    history: int  # recent actions that pages and models go by; at most 200
    follows: tuple[str, ...]  # creators
    muted: tuple[str, ...]  # `creator:ID`, `topic:NAME`, `word:TEXT`
    blocked: tuple[str, ...]  # creators


def controls_of(state: LiveState, user_id: UserId) -> Controls:
    """As the state has it; of a stranger nothing is in force."""
    person, table = state.person(user_id), state.items
    creators, topics = table.creators.names, table.topic_names.names
    muted = [f"creator:{creators[code]}" for code in person.muted_creators]
    muted += [f"topic:{topics[code]}" for code in person.muted_topics]
    muted += [f"word:{word}" for word in person.muted_words]
    return Controls(
        user_id=user_id,
        paused=person.paused,
        history=len(person.recent),
        follows=tuple(sorted(creators[code] for code in person.follows)),
        muted=tuple(sorted(muted)),
        blocked=tuple(sorted(creators[code] for code in person.blocked_creators)),
    )


def note(use: Services, user_id: UserId, kind: EventKind) -> "Future[Appended]":
    """Log what a person asked for, as happening now."""
    return use.log.submit([_event(use, user_id, kind)])


def link_session(use: Services, user_id: UserId, session_id: str) -> "Future[Appended]":
    """Log that a session was this person. Raises where that cannot be said."""
    if not session_id.startswith(SESSION_PREFIX) or not is_valid_id(session_id):
        raise InputError(
            f"session: got {session_id[:80]!r}, expected `{SESSION_PREFIX}` and an id of yours"
        )
    if user_id.startswith(SESSION_PREFIX):
        raise InputError(f"user: got the session {user_id!r}, expected the id of a person")
    if UserId(session_id) not in use.state.people:
        raise UnknownError(f"no session {session_id!r}; it did nothing, or was linked already")
    event = _event(use, user_id, "link", session_id)
    received_ms = SystemClock().now_ms()
    return use.database.submit(lambda connection: link(connection, event, received_ms))


def _event(use: Services, user_id: UserId, kind: EventKind, target: str | None = None) -> Event:
    return Event(
        event_id=EventId(new_id("ask")),
        at_ms=use.clock.now_ms(),
        kind=kind,
        user_id=user_id,
        target=target,
    )
