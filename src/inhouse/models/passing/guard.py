"""Judging what chat models are asked and what they answer, before it is passed on.

The judge is the owned model of a task: it needs no vendor, costs nothing and takes about a
millisecond. Where there is none, calls to a deployment that is to be judged are refused: nothing
goes through unjudged. Each judgement is a row of the ledger, and so is each call that is blocked.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from time import monotonic
from typing import Final, Literal

import msgspec

from inhouse.core.clock import Clock
from inhouse.core.errors import VendorError
from inhouse.models.asking.fleet import Fleet
from inhouse.models.cutover.routes import Routes
from inhouse.models.ledger.keeping import Kept
from inhouse.models.ledger.records import Question, attempt_of
from inhouse.models.ports import Chat, Provider
from inhouse.models.providers.generation import (
    WINDOW_CHARS,
    answered_texts,
    asked_texts,
    refused_end,
    refused_prompt,
    said_in,
    windows,
    without_choices,
)
from inhouse.models.providers.passing import DONE
from inhouse.models.stores import Stores
from inhouse.models.tasks import judgement_named
from inhouse.models.types import INCUMBENT, INHOUSE, OWNED, Attempt, Route, TaskInput

Where = Literal["prompt", "answer"]
_ROUTE_AGE_S: Final = 2.0
_TIMEOUT_MS: Final = 15_000
HELD_CHARS: Final = 200  # of a stream, that wait to be judged together
_MOST_WINDOWS: Final = 10_000  # of one call: two million characters


class Guard:
    """The judge of one process and community."""

    def __init__(
        self, fleet: Fleet, routes: Routes, stores: Stores, clock: Clock, flag_at: float
    ) -> None:
        """flag_at: a category counts as found from this probability on."""
        self.blocked: Counter[Where] = Counter()
        self._fleet = fleet
        self._routes = routes
        self._stores = stores
        self._clock = clock
        self._flag_at = flag_at
        self._known: dict[str, tuple[float, Route]] = {}

    async def refusal(self, chat: Chat, fields: Mapping[str, msgspec.Raw]) -> bytes | None:
        """What a harmful prompt is answered with; None where it may be sent. Raises as `found`."""
        category = await self.found(chat, "prompt", asked_texts(fields))
        return None if category is None else refused_prompt(category)

    async def checked(self, chat: Chat, body: bytes) -> bytes:
        """An answer without those of its choices that are harmful. Raises as `found`."""
        refused = {}
        for place, texts in enumerate(answered_texts(body)):
            category = await self.found(chat, "answer", texts)
            if category is not None:
                refused[place] = category
        return without_choices(body, refused) if refused else body

    async def passed(self, chat: Chat, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events of a stream, each once what it says is judged with what comes around it: when
        HELD_CHARS more are said, or the stream ends. Where something is harmful it ends there."""
        held: list[bytes] = []
        said, fresh = "", 0
        async for piece in pieces:
            held.append(piece)
            more = said_in(piece)
            said, fresh = said[-WINDOW_CHARS:] + more, fresh + len(more)
            if fresh < HELD_CHARS and piece.strip() != DONE:
                continue
            category = await self.found(chat, "answer", [said]) if fresh else None
            if category is not None:
                yield refused_end(category, held[0])
                return
            for one in held:
                yield one
            held, fresh = [], 0

    async def found(self, chat: Chat, where: Where, texts: Sequence[str]) -> str | None:
        """The likeliest category that any of the texts belongs to, which is then on record; None
        where all are harmless.

        Raises VendorError where nobody is there to judge, or there is more than can be judged.
        """
        parts = [part for text in texts if text.strip() for part in windows(text)]
        if not parts:
            return None
        if len(parts) > _MOST_WINDOWS:
            raise VendorError(f"the call is too long to be judged: {len(parts)} parts of a text")
        category, p = await self._worst(chat, parts)
        if p < self._flag_at:
            return None
        self.blocked[where] += 1
        self._stores.keeper.keep(Kept(attempt=_blocked(chat, self._clock.now_ms())))
        return category

    async def _worst(self, chat: Chat, parts: Sequence[str]) -> tuple[str, float]:
        """The likeliest category in any of the parts, and its probability."""
        task = judgement_named(chat.deployment.moderate, self._fleet.tasks)
        provider = await self._provider(await self._route(task.name))
        if provider is None:
            raise VendorError(
                f"what {chat.deployment.name} generates is to be judged by the owned model of "
                f"{task.name}, and there is none; train one with `inhouse models train {task.name}`"
            )
        inputs = [TaskInput(ref=str(place), text=part) for place, part in enumerate(parts)]
        question = Question(call_id=chat.call_id, task=task, at_ms=self._clock.now_ms(), texts={})
        found: list[tuple[float, str]] = [(0.0, "")]
        for some in provider.split(inputs):
            for answer in await provider.answer(task, some, _TIMEOUT_MS):
                row = attempt_of(question, provider.deployment, "primary", answer)
                self._stores.keeper.keep(Kept(attempt=row))
                found.extend((p, c) for scores in answer.scores or () for c, p in scores.items())
        p, category = max(found)
        return category, p

    async def _provider(self, route: Route) -> Provider | None:
        """The owned model that is relied on; the one to replace it where that is damaged."""
        first = await self._fleet.provider(OWNED if route.incumbent is None else INCUMBENT, route)
        return first or await self._fleet.provider(OWNED, route)

    async def _route(self, task: str) -> Route:
        known = self._known.get(task)
        if known is None or monotonic() - known[0] > _ROUTE_AGE_S:
            route = await asyncio.to_thread(self._routes.current, task)
            known = self._known[task] = (monotonic(), route)
        return known[1]


def _blocked(chat: Chat, now_ms: int) -> Attempt:
    """The row of a call that was blocked: no vendor was asked, or what one said is not told."""
    return Attempt(
        call_id=chat.call_id,
        at_ms=now_ms,
        task=chat.task,
        role="primary",
        deployment=chat.deployment.name,
        host=INHOUSE,
        owner=INHOUSE,
        model=chat.deployment.moderate,
        inputs=1,
        answered=0,
        usage=None,
        cost_usd=Decimal(0),
        price_version="owned",
        latency_ms=0.0,
        outcome="content_filter",
        simulated=chat.deployment.simulated,
        key_id=chat.key_id,
    )
