"""Keeps what calls passed on asked and were answered, without holding any of them up.

Whoever passes a call on hands over the vendor's pieces as they came; everything else (reading them,
taking personal data and secrets out, writing) happens in a thread of its own after the answer has
ended. The thread rests as long as it works, and where it cannot keep up calls are not kept: there
are always more. Nothing is written that has not been redacted.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.engine import Connection

from inhouse.catalog.erasures import News, marked
from inhouse.core.clock import Clock
from inhouse.core.errors import InhouseError
from inhouse.core.logs import logger
from inhouse.models.harvest.conversations import Conversation, NotKeptError, read_conversation
from inhouse.models.harvest.labels import source_of
from inhouse.models.harvest.near import Recent
from inhouse.models.harvest.pairs import Pair, add_pairs, keys_keeping, trim_pairs
from inhouse.models.providers.passing import About, Passed
from inhouse.models.settings import ModelSettings
from inhouse.models.types import Deployment
from inhouse.store.database import Database

Redactor = Callable[[str], str]  # a text without personal data and secrets; given by `app`

MEGABYTE: Final = 1_000_000
_MOST_WAITING: Final = 64  # answers that were heard and not read yet; others are passed over
_MOST_BYTES: Final = 1 * MEGABYTE  # of an answer as it came
_AT_ONCE: Final = 16  # pairs written together
_REMEMBERED: Final = 4_000  # pairs of a task; nearly the same as one of them is not kept
_ALIKE: Final = 0.95
_MOST_TASKS: Final = 16  # whose pairs are remembered
_MARKED_S: Final = 900.0  # longer than any answer takes
_TRIMMED_EACH: Final = 16  # a part of the bound is written before it is looked at again
_LOG = logger("models")


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """An answer that came to its end, as it came."""

    call: Passed
    call_id: str
    deployment: Deployment
    begun_s: float  # on the monotonic clock
    pieces: tuple[bytes, ...]


class _Hearing:
    """Keeps the pieces that it is told; see `ports.Hearing`."""

    def __init__(self, harvest: "CallHarvest", heard: Heard) -> None:
        self._harvest, self._heard = harvest, heard
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def hear(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes <= _MOST_BYTES:
            self._pieces.append(piece)

    def done(self) -> None:
        if self._size_bytes <= _MOST_BYTES:
            self._harvest.take(replace(self._heard, pieces=tuple(self._pieces)))


class CallHarvest:
    """Listens to calls of one community and keeps those it may. Thread-safe."""

    def __init__(
        self, database: Database, redact: Redactor, clock: Clock, settings: ModelSettings
    ) -> None:
        """clock: the machine's; how long words are kept is a promise in real time."""
        self._redact, self._clock = redact, clock
        self._writing = _Writing(database, settings.pairs_mb * MEGABYTE)
        self._recent: dict[str, Recent] = {}
        self._waiting: queue.Queue[Heard | None] = queue.Queue(_MOST_WAITING)
        self._gate = threading.Lock()
        self._thread: threading.Thread | None = None
        self._passed_over: Counter[str] = Counter()

    def listen(self, call: Passed, call_id: str, deployment: Deployment) -> _Hearing | None:
        """Who hears this answer; None where it may not be kept."""
        if call.about is None or not deployment.keep_calls or call.service != "chat":
            return None
        heard = Heard(
            call=call,
            call_id=call_id,
            deployment=deployment,
            begun_s=time.monotonic(),
            pieces=(),
        )
        return _Hearing(self, heard)

    def take(self, heard: Heard) -> None:
        """Keep it soon, or not at all where too many wait."""
        with self._gate:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pairs", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(heard)
        except queue.Full:
            self._passed_over["too many at once"] += 1

    def close(self) -> None:
        """Write what waits, and end."""
        with self._gate:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()
        if self._passed_over:
            counts = {why.replace(" ", "_"): n for why, n in sorted(self._passed_over.items())}
            _LOG.info("calls_not_kept", **counts)
            self._passed_over.clear()

    def _run(self) -> None:
        while (heard := self._waiting.get()) is not None:
            started = time.monotonic()
            batch = [heard]
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    self._keep(batch)
                    return
                batch.append(following)
            self._keep(batch)
            time.sleep(min(1.0, time.monotonic() - started))  # calls come first

    def _keep(self, batch: Sequence[Heard]) -> None:
        pairs = [(heard.begun_s, pair) for heard in batch if (pair := self._pair(heard))]
        try:
            self._writing.write(pairs)
        except InhouseError as error:
            _LOG.warning("pairs_refused", reason=str(error), pairs=len(pairs))

    def _pair(self, heard: Heard) -> Pair | None:
        call = heard.call
        try:
            about = call.about or About()
            said = read_conversation(call.fields, about, heard.pieces, streamed=call.stream)
        except NotKeptError as why:
            self._passed_over[str(why)] += 1
            return None
        said = said.map(self._clean)
        if not self._is_new(said):
            self._passed_over["nearly the same"] += 1
            return None
        deployment = heard.deployment
        return Pair(
            task=said.task,
            messages=said.messages,
            answer=said.answer,
            person=said.person,
            ref=said.item,
            call_id=heard.call_id,
            key_id=call.key_id,
            deployment=deployment.name,
            source=source_of(deployment.host, deployment.owner, deployment.model),
            terms=deployment.terms,
            at_ms=self._clock.now_ms(),
        )

    def _clean(self, text: str) -> str:
        return self._redact(text).replace("\0", "")  # which PostgreSQL cannot hold

    def _is_new(self, said: Conversation) -> bool:
        if said.task not in self._recent:
            if len(self._recent) >= _MOST_TASKS:
                del self._recent[next(iter(self._recent))]
            self._recent[said.task] = Recent(_REMEMBERED, _ALIKE)
        return self._recent[said.task].is_new(said.gist())


class _Writing:
    """Writes pairs, but for those of people who were erased, and of keys that were told to keep
    none, while they were on their way."""

    def __init__(self, database: Database, most_bytes: int) -> None:
        self._database, self._most_bytes = database, most_bytes
        self._news = News(database)
        self._marks: list[tuple[float, str]] = []  # when an erasure was heard of, and its mark
        self._since_trim_bytes = most_bytes  # what another process left is looked at once

    def write(self, pairs: Sequence[tuple[float, Pair]]) -> None:
        """Pairs, each with when its call began on the monotonic clock."""
        if pairs:
            self._database.write(lambda connection: self._write(connection, pairs))

    def _write(self, connection: Connection, pairs: Sequence[tuple[float, Pair]]) -> None:
        # Write transactions take turns, so every erasure before this one is heard of here, and
        # every later one finds the rows.
        now_s = time.monotonic()
        self._marks += [(now_s, mark) for mark in self._news.fresh()]
        self._marks = [(at_s, mark) for at_s, mark in self._marks if now_s - at_s < _MARKED_S]
        keeping = keys_keeping(connection, {pair.key_id for _, pair in pairs})
        kept = [
            pair
            for begun_s, pair in pairs
            if pair.key_id in keeping and not self._is_gone(begun_s, pair)
        ]
        add_pairs(connection, kept)
        self._since_trim_bytes += sum(len(p.answer) + len(p.gist()) for p in kept)
        if self._since_trim_bytes >= self._most_bytes // _TRIMMED_EACH:
            trim_pairs(connection, self._most_bytes)
            self._since_trim_bytes = 0

    def _is_gone(self, begun_s: float, pair: Pair) -> bool:
        return pair.person is not None and any(
            marked(mark, [pair.person]) for at_s, mark in self._marks if begun_s <= at_s
        )
