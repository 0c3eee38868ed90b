"""Pages are made in the order in which they were asked for, those that wait together in step."""

import asyncio
import contextvars
import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from inhouse.app.feeds.serving import FeedRequest
from inhouse.app.feeds.shedding import Shedder
from inhouse.events.types import ServedPage
from inhouse.recommend.levels import Level

# More would save little more, and keep the loop from others for longer.
TOGETHER: Final = 4


class Maker(Protocol):
    """A community's feed."""

    def serve_all(
        self, wanted: Sequence[tuple[FeedRequest, Level]]
    ) -> Sequence[ServedPage | Exception]:
        """The page of each, or its error."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A page, and how long it was waited for."""

    page: ServedPage
    waited_s: float  # from the request's arrival until it was begun


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Asked:
    maker: Maker
    wanted: FeedRequest
    arrived_s: float
    answer: asyncio.Future[Made]
    context: contextvars.Context  # of the request, for what is logged


class Turns:
    """The queue for the one thread that makes pages.

    Without it requests would wait unseen: all that arrive while a page is made would have theirs
    made before the loop reads the next socket. Between two rounds the loop reads sockets and
    answers others, so an arrival is noticed within about one round's time, and its wait is known.
    """

    def __init__(self, shedder: Shedder) -> None:
        self.shedder = shedder
        self._waiting: deque[_Asked] = deque()
        self._roused = False  # a round is due

    def retry_after_s(self) -> int | None:
        """Hear of an arrival; seconds after which to ask again where it would wait too long.

        That is where nothing is left to leave out and the wait would be longer than people wait.
        """
        self.shedder.arrived()
        if not self.shedder.is_hopeless(len(self._waiting)):
            return None
        return math.ceil(self.shedder.wait_s(len(self._waiting)))

    async def page(self, maker: Maker, wanted: FeedRequest, arrived_s: float) -> Made:
        """Wait for a page. Raises what `FeedService.serve` does.

        arrived_s: by `time.perf_counter`.
        """
        answer: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        asked = _Asked(
            maker=maker,
            wanted=wanted,
            arrived_s=arrived_s,
            answer=answer,
            context=contextvars.copy_context(),
        )
        self._waiting.append(asked)
        self._rouse()
        try:
            return await answer
        except asyncio.CancelledError:
            if asked in self._waiting:
                self._waiting.remove(asked)  # whoever leaves is not counted
            raise

    def _rouse(self) -> None:
        if self._waiting and not self._roused:
            self._roused = True
            # Not at once: whoever is next in this round of the loop would not wait for a new one.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._round)

    def _round(self) -> None:
        """Make the pages of those who have waited longest."""
        self._roused = False
        turn: list[_Asked] = []
        while self._waiting and len(turn) < TOGETHER:
            asked = self._waiting.popleft()
            if not asked.answer.done():  # else they have left
                turn.append(asked)
        for maker in {id(asked.maker): asked.maker for asked in turn}.values():
            self._make([asked for asked in turn if asked.maker is maker])
        self._rouse()

    def _make(self, turn: list[_Asked]) -> None:
        """Pages of one community. An error of one request is not everybody's."""
        now_s = time.perf_counter()
        waited_s = [now_s - asked.arrived_s for asked in turn]
        wanted = [
            (asked.wanted, self.shedder.turn(waited))
            for asked, waited in zip(turn, waited_s, strict=True)
        ]
        made: Sequence[ServedPage | Exception]
        try:
            made = turn[0].context.run(turn[0].maker.serve_all, wanted)
        except Exception as error:  # noqa: BLE001 - handed to those who asked
            made = [error] * len(turn)
        for asked, waited, page in zip(turn, waited_s, made, strict=True):
            if asked.answer.done():
                continue
            if isinstance(page, Exception):
                asked.answer.set_exception(page)
            else:
                asked.answer.set_result(Made(page=page, waited_s=waited))
