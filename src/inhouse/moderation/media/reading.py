"""Reading the media that waits: a few files at a time, beside everything else, none for long."""

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from sqlalchemy.engine import Connection

from inhouse.core.clock import SystemClock
from inhouse.core.ids import ItemId
from inhouse.core.logs import logger
from inhouse.moderation.media.decoder import DecodeLimits, Decoder
from inhouse.moderation.media.fetch import Fetcher, FetchLimits
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.records import (
    due,
    give_up,
    postpone,
    release,
    retry,
    save_hashes,
    waiting,
)
from inhouse.moderation.media.stored import NOTHING_READ
from inhouse.moderation.media.types import MediaHashes, MediaRow, Unread
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.types import MediaEvidence
from inhouse.store.database import Database

_DECODERS: Final = 2
_LOOKED_AT: Final = 200  # rows, to find some of hosts that do not fail
_STEP_BACK_MS: Final = 5_000  # of rows whose host fails
_OF_FAILING: Final = 2  # files at a time of a host that fails
_LEFT_FREE: Final = 2  # threads that no host takes alone
_REMEMBERED_S: Final = 60.0
_MOST_REMEMBERED: Final = 10_000  # hosts
_SPARE_MS: Final = 60_000  # beyond the limits, before somebody else takes up a row
_BACKOFF_MS: Final = 5_000  # after the first try, six times as long after each further one
_RELEASED: Final = 500
_log = logger("media")


class Reader(Protocol):
    """Reads what a URL names. Called from several threads."""

    def read(self, url: str) -> MediaHashes | Unread:
        """Its hashes, or why there are none."""

    def close(self) -> None:
        """Let go of what it holds."""


class FetchingReader:
    """Fetches, then lets one of a few processes read the file."""

    def __init__(self, settings: ModerationSettings, fetcher: Fetcher | None = None) -> None:
        limits = FetchLimits(most_bytes=settings.media_most_bytes, most_ms=settings.media_fetch_ms)
        cost = DecodeLimits(
            most_pixels=settings.media_most_pixels,
            most_frames=settings.media_frames,
            most_ms=settings.media_decode_ms,
        )
        self._fetcher = fetcher or Fetcher(limits)
        self._all = [Decoder(cost) for _ in range(_DECODERS)]
        self._free: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
        for decoder in self._all:
            self._free.put(decoder)

    def read(self, url: str) -> MediaHashes | Unread:
        """See `Reader.read`."""
        data = self.fetch(url)
        return data if isinstance(data, Unread) else self.hashes(data)

    def fetch(self, url: str) -> bytes | Unread:
        """What it names, or why that was not got."""
        return self._fetcher.fetch(url)

    def hashes(self, data: bytes) -> MediaHashes | Unread:
        """Of a file that is here, its hashes, or why there are none."""
        with self._decoder() as decoder:
            return decoder.hashes(data)

    def close(self) -> None:
        """End the processes."""
        for decoder in self._all:
            decoder.close()

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        decoder = self._free.get()
        try:
            yield decoder
        finally:
            self._free.put(decoder)


@dataclass(frozen=True, kw_only=True, slots=True)
class _InHand:
    row: MediaRow
    host: str
    answer: "Future[MediaHashes | Unread]"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """What becomes of media that was read."""

    is_wanted: Callable[[], bool]  # whether any is to be read; where not, what waits is let go
    known: KnownHashes  # the banks
    rejudge: Callable[[Connection, Mapping[ItemId, MediaEvidence]], object]  # see `MediaRescan`


class MediaReading:
    """One community's media, read as its rows fall due. `step` never waits for anybody."""

    def __init__(
        self,
        database: Database,
        reader: Reader,
        settings: ModerationSettings,
        judging: Judging,
    ) -> None:
        self._database, self._reader, self._settings = database, reader, settings
        self._judging = judging
        self._wall = SystemClock()
        self._threads = ThreadPoolExecutor(settings.media_threads, thread_name_prefix="media")
        self._in_hand: list[_InHand] = []
        self._failing: dict[str, float] = {}  # hosts that failed for now, and until when to care

    def step(self) -> bool:
        """Write what has been read, take up what is due; returns whether anything was written."""
        if not self._judging.is_wanted():
            return self._let_go()
        done = [one for one in self._in_hand if one.answer.done()]
        if done:
            self._in_hand = [one for one in self._in_hand if one not in done]
            answers = [(one.row, _answer_of(one.answer)) for one in done]
            self._remember(answers)
            self._keep(answers)
        return self._take_up() or bool(done)

    def waiting(self) -> int:
        """How many posts wait for their media."""
        with self._database.read() as connection:
            return waiting(connection)

    def close(self) -> None:
        """Give up what is in hand; it falls due again."""
        self._threads.shutdown(cancel_futures=True)
        self._reader.close()

    def _let_go(self) -> bool:
        """Let what waits be judged without its media; returns whether anything did."""
        if self.waiting() == 0:
            return False
        return self._database.write(lambda connection: release(connection, _RELEASED)) > 0

    def _take_up(self) -> bool:
        """Begin with rows that are due; returns whether any was given up."""
        now_ms = self._wall.now_ms()
        if len(self._in_hand) >= self._settings.media_threads:
            return False
        with self._database.read() as connection:
            rows = due(connection, now_ms, _LOOKED_AT)
        if not rows:
            return False
        # Whoever took these up the last time did not live to say what became of them.
        lost = [row for row in rows if row.tries >= self._settings.media_tries]
        taken, stepping_back = self._sorted_out([row for row in rows if row not in lost])
        limit_ms = self._settings.media_fetch_ms + self._settings.media_decode_ms + _SPARE_MS

        def write(connection: Connection) -> None:
            for row in lost:
                give_up(connection, row, "whoever read it did not come back")
            postpone(connection, taken, now_ms + limit_ms, tried=True)
            postpone(connection, stepping_back, now_ms + _STEP_BACK_MS, tried=False)

        if lost or taken or stepping_back:
            self._database.write(write)
        for row in taken:
            answer = self._threads.submit(self._reader.read, row.url)
            self._in_hand.append(_InHand(row=row, host=_host(row.url), answer=answer))
        return bool(lost)

    def _sorted_out(self, rows: Sequence[MediaRow]) -> tuple[list[MediaRow], list[MediaRow]]:
        """Those that are taken up now, and those that step back since their host fails and has
        its few threads. A host that does not fail leaves some free for the others too."""
        room = self._settings.media_threads - len(self._in_hand)
        busy = Counter(one.host for one in self._in_hand)
        taken: list[MediaRow] = []
        stepping_back: list[MediaRow] = []
        for row in rows:
            host = _host(row.url)
            failing = self._failing.get(host, 0.0) > time.monotonic()
            most = _OF_FAILING if failing else max(1, self._settings.media_threads - _LEFT_FREE)
            if busy[host] < most and len(taken) < room:
                busy[host] += 1
                taken.append(row)
            elif failing:
                stepping_back.append(row)
        return taken, stepping_back

    def _remember(self, answers: Sequence[tuple[MediaRow, MediaHashes | Unread]]) -> None:
        """Which hosts fail for now."""
        until_s = time.monotonic() + _REMEMBERED_S
        for row, answer in answers:
            if isinstance(answer, Unread) and answer.again:
                self._failing[_host(row.url)] = until_s
            else:
                self._failing.pop(_host(row.url), None)
        if len(self._failing) > _MOST_REMEMBERED:
            self._failing.clear()

    def _keep(self, done: Sequence[tuple[MediaRow, MediaHashes | Unread]]) -> None:
        """Write what became of files; posts that were judged without them are judged again."""
        found = {
            row.item_id: self._judging.known.evidence(answer)
            if isinstance(answer, MediaHashes)
            else NOTHING_READ
            for row, answer in done
            if not self._goes_on(row, answer)
        }

        def write(connection: Connection) -> None:
            for row, answer in done:
                self._settle(connection, row, answer)
            self._judging.rejudge(connection, found)

        self._database.write(write)

    def _settle(self, connection: Connection, row: MediaRow, answer: MediaHashes | Unread) -> None:
        if isinstance(answer, MediaHashes):
            save_hashes(connection, row, answer)
        elif self._goes_on(row, answer):
            wait_ms = _BACKOFF_MS * 6**row.tries
            retry(connection, row, answer.reason, self._wall.now_ms() + wait_ms)
        else:
            _log.info("media_unread", reason=answer.reason, tries=row.tries + 1)
            give_up(connection, row, answer.reason)

    def _goes_on(self, row: MediaRow, answer: MediaHashes | Unread) -> bool:
        """Whether there will be another try."""
        more = row.tries + 1 < self._settings.media_tries
        return isinstance(answer, Unread) and answer.again and more


def _answer_of(answer: "Future[MediaHashes | Unread]") -> MediaHashes | Unread:
    error = answer.exception()
    if error is None:
        return answer.result()
    # A fault of ours with one file is no reason to stop reading the others.
    _log.error("media_reader_failed", kind=type(error).__name__, exc_info=error)
    return Unread(reason=f"not read: {type(error).__name__}", again=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
