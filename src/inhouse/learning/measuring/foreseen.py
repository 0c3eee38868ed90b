"""What was predicted of the places that people saw, and what came of them, read from the log.

Nothing is predicted anew: the numbers are those that the page log holds, so no later knowledge can
get into them. Outcomes are the learner's own (`joining/page_replay.py`), within its time of
waiting.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import ItemId, UserId
from inhouse.events.types import PageItem, ServedPage
from inhouse.features.outcomes import Outcome
from inhouse.features.ports import Logs
from inhouse.features.state import LiveState
from inhouse.learning.head.arrays import LONGEST_S
from inhouse.learning.joining.page_replay import RANKED_SURFACES, PageReplay
from inhouse.learning.joining.tail import Tail
from inhouse.learning.joining.waiting import Waiting

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[str, int, int], None]  # what is being done, done so far, in all

PROBABILITIES: Final = ("p_click", "p_like", "p_hide")
DWELL: Final = "dwell_ms"
_PREDICTED: Final = (*PROBABILITIES, DWELL)
_COLUMNS: Final = 15  # numbers of a place that was seen
_EVENTS_AT_ONCE: Final = 4_000
_MOST_DWELL_MS: Final = 1_000 * LONGEST_S  # a longer one is taught, and judged, as this


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """n places of served pages that people saw."""

    people: Longs  # [n] number of the person who saw it
    models: Longs  # [n] number of the snapshot that predicted, a place of `snapshot_ids`
    snapshot_ids: tuple[str | None, ...]  # in the order in which they first served; None for none
    position: Longs  # [n] place on the page, 0 first
    explored: Bools  # [n] whether chance put it there
    propensity: Floats  # [n] probability that it came to its place, in (0, 1]
    item_impressions: Floats  # [n] of its post, before the page
    person_actions: Floats  # [n] in the person's history, before the page, at most 200
    predicted: Mapping[str, Floats]  # [n] each: p_click, p_like, p_hide in [0, 1], dwell_ms
    happened: Mapping[str, Bools]  # [n] each: p_click, p_like, p_hide
    dwell_ms: Floats  # [n] longest look or watch, at most the 300 s that are taught

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What the log gave."""

    foreseen: Foreseen
    pages: int  # for_you pages served in the time that was asked about
    judged: int  # of those: pages whose outcomes are known
    unfinished: int  # of those: still within the time of waiting
    late: int  # of those: in the log only after their reader had acted again, so not joined
    left_out: int  # of those: empty, without profile, reset or erased, or of unknown posts
    unseen: int  # places of judged pages that nobody is known to have looked at
    unpredicted: int  # places that were seen, but without predictions on record


def read_foreseen(
    logs: Logs, *, now_ms: int, since_ms: int, wait_ms: int, progress: Progress
) -> Reading:
    """Replay the whole log, and join pages served at `since_ms` or later with their outcomes.

    now_ms: by when a page must have waited `wait_ms`. The whole log is read whatever `since_ms`,
    since who and what was cold depends on all that came before.
    """
    state = LiveState()
    tail = Tail(logs, state)
    tail.load_catalog()

    def look(
        page: ServedPage, rows: NDArray[np.int32], _: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        actions = np.full(len(rows), len(state.person(page.user_id).recent))
        return np.stack([state.items.impressions[rows], actions], axis=1).astype(np.float32)

    replay = PageReplay(state, wait_ms=wait_ms, look=look)
    replay.skip_until(since_ms + wait_ms - 1)
    seen, pages, ended = _Seen(), 0, False
    while not ended:
        stretch = tail.next(_EVENTS_AT_ONCE)
        for user_id in stretch.forgotten:
            replay.forget(user_id)
        pages += sum(
            page.surface in RANKED_SURFACES and page.at_ms >= since_ms for _, page in stretch.pages
        )
        seen.add(replay.take(stretch.events, stretch.pages), state.items.ids)
        ended = stretch.ended
        progress("log", state.log_offset, logs.events.last_offset())
    seen.add(replay.mature(now_ms), state.items.ids)
    return Reading(
        foreseen=seen.foreseen(),
        pages=pages,
        judged=seen.pages,
        unfinished=replay.waiting(),
        late=replay.late_pages,
        left_out=pages - seen.pages - replay.waiting() - replay.late_pages,
        unseen=seen.unseen,
        unpredicted=seen.unpredicted,
    )


class _Seen:
    """Places gathered page by page, a row of numbers each."""

    def __init__(self) -> None:
        self.pages = self.unseen = self.unpredicted = 0
        self._people: dict[UserId, int] = {}
        self._models: dict[str | None, int] = {}
        self._rows = array("d")

    def add(self, done: Sequence[Waiting], ids: Sequence[ItemId]) -> None:
        """Take in pages whose outcomes are known."""
        for waiting in done:
            rows, shown = waiting.seen().tolist(), waiting.shown(ids)
            self.pages += 1
            self.unseen += len(shown) - len(rows)
            for row in rows:
                noted = waiting.features[row].tolist()
                self._add(waiting.page, shown[row], waiting.outcomes[row], noted)

    def _add(
        self, page: ServedPage, shown: PageItem, outcome: Outcome, noted: Sequence[float]
    ) -> None:
        said = [shown.predicted.get(name, np.nan) for name in _PREDICTED]
        if not np.isfinite(said).all():
            self.unpredicted += 1
            return
        person = self._people.setdefault(page.user_id, len(self._people))
        model = self._models.setdefault(page.snapshot_id, len(self._models))
        came = (outcome.clicked, outcome.liked, outcome.hidden, outcome.dwell_ms)
        self._rows.extend((person, model, shown.position, shown.explored, shown.propensity))
        self._rows.extend((*noted, *said, *came))

    def foreseen(self) -> Foreseen:
        """All of them."""
        table = np.array(self._rows, dtype=np.float64).reshape(-1, _COLUMNS)
        who, about, predicted, came = np.split(table, (2, 7, 11), axis=1)
        return Foreseen(
            people=who[:, 0].astype(np.int64),
            models=who[:, 1].astype(np.int64),
            snapshot_ids=tuple(self._models),
            position=about[:, 0].astype(np.int64),
            explored=about[:, 1] > 0,
            propensity=about[:, 2],
            item_impressions=about[:, 3],
            person_actions=about[:, 4],
            predicted={name: predicted[:, column] for column, name in enumerate(_PREDICTED)},
            happened={name: came[:, column] > 0 for column, name in enumerate(PROBABILITIES)},
            dwell_ms=np.minimum(came[:, 3], _MOST_DWELL_MS),
        )
