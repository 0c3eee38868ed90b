"""Who may read which items of a thread: what filters ask of a feed, as far as it fits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import UserId
from inhouse.features.state import LiveState
from inhouse.moderation.types import Surface
from inhouse.recommend.filters.muted import by_word
from inhouse.recommend.ports import Decisions
from inhouse.recommend.types import Mask, Rows
from inhouse.recommend.viewers import shown_codes, viewer_of
from inhouse.recommend.worth import on_topic


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Who reads a thread, and where."""

    user_id: UserId | None  # None for somebody of whom nothing is known
    surface: Surface  # whose moderation rules apply
    now_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Readable:
    """What somebody may read of some items."""

    shown: Mask  # [n] whether they may read it
    actions: NDArray[np.uint8]  # [n] moderation's action on it, for the label


def readable(state: LiveState, board: Decisions, reader: Reader, rows: Rows) -> Readable:
    """Which of the items are alive, allowed there for this reader, and by nobody and about nothing
    that they muted or blocked. Whoever opens a thread asked for it: seen, own and from another
    region are no reasons."""
    table = state.items
    person = state.person(reader.user_id or UserId(""))
    viewer = viewer_of(person.birth_year, reader.now_ms)
    actions = board.column(reader.surface, viewer).take(rows, mode="clip")
    shown: Mask = shown_codes(reader.surface, viewer)[actions]
    shown = shown & ~table.hidden[rows] & (table.expires_ms[rows] > reader.now_ms)
    silenced = person.muted_creators | person.blocked_creators | person.blocked_by
    shown &= ~np.isin(table.creator[rows], np.array(sorted(silenced), dtype=np.int32))
    if person.muted_topics:
        muted = np.zeros(len(table.topic_names) + 1, dtype=np.bool_)
        muted[list(person.muted_topics)] = True
        shown &= ~on_topic(rows, table.topics, muted)
    if person.muted_words:
        shown &= ~by_word(table, person.muted_words, rows)
    return Readable(shown=shown, actions=actions)
