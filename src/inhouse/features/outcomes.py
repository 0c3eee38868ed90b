"""What an event amounts to: one rule for what counts as wanted, shared by every part."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from inhouse.events.types import EVENT_KINDS, NEGATIVE_KINDS, POSITIVE_KINDS, TIMED_KINDS, EventKind

# Long view: KuaiRand's `long_view`, played at least min(duration, 18 s).
LONG_VIEW_MS: Final = 18_000
_LIKES: Final = frozenset(("like", "comment", "share", "save", "more"))

KIND_CODES: Final[dict[EventKind, int]] = {kind: code for code, kind in enumerate(EVENT_KINDS)}

# How much an action says about taste; the strongest one on an item stands for the others.
STRENGTH: Final[dict[EventKind, float]] = {
    "watch": 1.0,
    "dwell": 1.0,
    "click": 1.5,
    "like": 3.0,
    "comment": 3.0,
    "save": 4.0,
    "share": 4.0,
    "more": 4.0,
    "hide": -4.0,
    "report": -5.0,
}

_TIMED_CODES: Final = np.array([kind in TIMED_KINDS for kind in EVENT_KINDS])
_POSITIVE_CODES: Final = np.array([kind in POSITIVE_KINDS for kind in EVENT_KINDS])
CODE_STRENGTH: Final[tuple[float, ...]] = tuple(abs(STRENGTH.get(kind, 0.0)) for kind in KIND_CODES)


def is_positive(kind: EventKind, value: float | None, duration_ms: int | None = None) -> bool:
    """Whether the event says that the person wanted the item."""
    if kind in TIMED_KINDS:
        enough = LONG_VIEW_MS if not duration_ms else min(duration_ms, LONG_VIEW_MS)
        return value is not None and value >= enough
    return kind in POSITIVE_KINDS


def are_positive(
    kinds: NDArray[np.int8], values: NDArray[np.float32], duration_ms: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """bool[n]: `is_positive` for actions in columns; a duration of 0 is one that is not known."""
    enough = np.where(duration_ms > 0, np.minimum(duration_ms, LONG_VIEW_MS), LONG_VIEW_MS)
    timed = _TIMED_CODES[kinds] & (values >= enough)
    positive: NDArray[np.bool_] = timed | (_POSITIVE_CODES[kinds] & ~_TIMED_CODES[kinds])
    return positive


@njit(cache=True)
def last_wanted(
    items: NDArray[np.int32],
    kinds: NDArray[np.int8],
    values: NDArray[np.float32],
    duration_ms: NDArray[np.int32],
    most: int,
) -> NDArray[np.int32]:
    """int32[at most `most`]: the last different items whose actions `are_positive`, the last first.

    items, kinds, values: [n] of actions; duration_ms: of all items, of which few are looked at.
    """
    found = np.empty(most, dtype=np.int32)
    count = 0
    for place in range(len(items) - 1, -1, -1):
        if count == most:
            break
        kind, item = kinds[place], items[place]
        if _TIMED_CODES[kind]:
            whole = duration_ms[item]
            enough = min(whole, LONG_VIEW_MS) if whole > 0 else LONG_VIEW_MS
            wanted = values[place] >= enough
        else:
            wanted = _POSITIVE_CODES[kind]
        if wanted and item not in found[:count]:
            found[count] = item
            count += 1
    return found[:count]


def is_negative(kind: EventKind) -> bool:
    """Whether the event says that the person did not want the item."""
    return kind in NEGATIVE_KINDS


@dataclass(slots=True)
class Outcome:
    """What came of one impression, gathered event by event."""

    clicked: bool = False  # opened it, or anything stronger
    liked: bool = False  # liked, commented, shared, saved or asked for more
    hidden: bool = False  # hid or reported it
    dwell_ms: float = 0.0  # the longest look or watch

    def add(self, kind: EventKind, value: float | None) -> None:
        """Take one more event of the same person and item into account."""
        if kind in TIMED_KINDS:
            self.dwell_ms = max(self.dwell_ms, value or 0.0)
        elif kind == "undo":
            self.clicked = self.liked = self.hidden = False
        elif kind in NEGATIVE_KINDS:
            self.hidden = True
        elif kind in POSITIVE_KINDS:
            self.clicked = True
            self.liked = self.liked or kind in _LIKES
