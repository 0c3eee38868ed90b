"""Passing calls on to rented models: chat and embeddings, at once or in pieces.

A call goes to the deployment it names, and where that fails to its stand-ins in turn: retried with
jitter or as the vendor wishes, past open breakers, all within one deadline. Every attempt is a row
of the ledger, written soon and not waited for. Once a piece of an answer has gone out there is no
turning to another: a stream that breaks ends with an error. Where a caller leaves, the answer is
read on for a moment, for the usage at its end; then the vendor is let go, and the row has an
estimate of its cost instead.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from msgspec import structs

from inhouse.core.clock import Clock, SystemClock
from inhouse.core.errors import (
    InputError,
    LimitedError,
    SpentError,
    UnknownError,
    VendorError,
)
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.models.asking.breakers import Breakers
from inhouse.models.asking.resilience import Failure, Patience, retry_delay_ms
from inhouse.models.bounds.budgets import Budgets, Hold
from inhouse.models.ledger.keeping import Kept
from inhouse.models.ledger.prices import CACHED, price_of, warm_prices
from inhouse.models.passing.cache import MB, AnswerCache, KeptAnswer, cache_key
from inhouse.models.passing.draining import Drains
from inhouse.models.passing.passages import (
    Body,
    Entry,
    Passage,
    Sent,
    body_of,
    chat_of,
    is_judged,
    nobody,
    row_of,
)
from inhouse.models.passing.streaming import JudgedStream, PassedStream
from inhouse.models.passing.tally import Tally
from inhouse.models.ports import Hearing, Watchful
from inhouse.models.providers.faults import Heard, Line
from inhouse.models.providers.passing import (
    Passed,
    read_whole,
    request_to,
)
from inhouse.models.providers.transport import HttpResponse, Transport
from inhouse.models.providers.wire import Reading, failure_of
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import (
    USABLE,
    Attempt,
    Deployment,
    Service,
    Usage,
)

if TYPE_CHECKING:
    from inhouse.models.students.book import StudentBook

_SHORTEST_MS: Final = 20  # with less time left nobody is asked
_LOG = logger("models")
P = TypeVar("P")


class Passer:
    """Passes calls on. One loop at a time; `close` before another."""

    def __init__(
        self,
        deployments: Sequence[Deployment],
        stores: Stores,
        clock: Clock,
        settings: ModelSettings,
        patience: Patience | None = None,
        students: "StudentBook | None" = None,
    ) -> None:
        """students: the models trained here that calls may name."""
        self._students = students
        self._budgets = Budgets(stores.database, SystemClock())
        self._deployments = {one.name: one for one in deployments}
        self._stores = stores
        self._clock = clock
        self._settings = settings
        self._patience = patience or Patience()
        self._breakers = Breakers(self._patience.breaker)
        self._transport = Transport()
        self.guard: Watchful | None = None  # judges chats with deployments that say `moderate`
        self._switch = stores.switch
        self._lines = {one.name: Line(self._transport, one, self._switch) for one in deployments}
        self.drains = Drains()
        self._limits = stores.limits
        self._cache = AnswerCache(stores.database, settings.cache_mb * MB)
        self.tally = Tally()

    @property
    def drain_s(self) -> float:
        """How long an answer is read on whose caller has left."""
        return self._settings.drain_ms / 1000

    def warm_up(self) -> None:
        """Read the price list once, which takes some 25 ms, before somebody waits for it."""
        now_ms = self._clock.now_ms()
        for deployment in self.models():
            warm_prices(deployment, now_ms)

    def models(self) -> list[Deployment]:
        """The deployments that calls may be passed on to."""
        return [d for d in self._everybody().values() if set(d.serves) - {"scores"}]

    async def ask(self, call: Passed) -> Body:
        """The answer of the first deployment that has one, or that says the call is wrong.

        Raises UnknownError where the model is not known, SpentError and LimitedError where the
        key's budget or rate limit does not allow it, BusyError where vendors are full, VendorError
        where nobody answered.
        """
        entry = await self._enter(call)
        key = self._cache_key(entry)
        if key is not None and (kept := await self._cache.find(key)) is not None:
            return await self._from_cache(entry, kept)
        sent = await self._in_turn(entry, self._whole)
        self._remember(key, sent, entry)
        self.tell(sent.passage, answered=True)
        return sent.payload

    async def open(self, call: Passed) -> "PassedStream | Body":
        """A stream whose first piece is there, or a vendor's word that the call is wrong.

        Raises as `ask` does.
        """
        sent = await self._in_turn(await self._enter(call), self._stream)
        if isinstance(sent.payload, Body):  # a stream tells when it ends
            self.tell(sent.passage, answered=True)
        return sent.payload

    async def close(self) -> None:
        """Let go of connections and of kept answers; asking again opens new ones."""
        await self.drains.close()
        self._cache.clear()
        if self._limits is not None:
            self._limits.close()
        await self._transport.close()

    def tell(self, passage: Passage, *, answered: bool) -> None:
        """A call came to its end with that attempt: tell whoever listens."""
        tried = (*passage.failed, passage.deployment)
        self._tell(passage.task, passage.failed if answered else tried, tried, passage.since)

    def _tell(
        self,
        task: str,
        failed: tuple[Deployment, ...],
        tried: tuple[Deployment, ...],
        since: float,
    ) -> None:
        if self._switch.listens:
            heard = Heard(
                task=task,
                inputs=(),
                answers={},
                asked=1,
                answered=int(len(tried) > len(failed)),
                tried=tried,
                failed=failed,
                latency_ms=(monotonic() - since) * 1000,
            )
            self._switch.hear(heard)

    def candidates(self, name: str, service: Service) -> list[Deployment]:
        """Who is asked in turn: the deployment of that name, or that runs the model of that name,
        then its stand-ins. Raises UnknownError."""
        able = {n: d for n, d in self._everybody().items() if service in d.serves}
        first = able.get(name) or next((d for d in able.values() if d.model == name), None)
        if first is None:
            behind = self._students.stand_ins(name, service) if self._students else ()
            if behind:
                return [able[other] for other in behind if other in able]
            known = ", ".join(able) or "none: list some in vendors.toml"
            raise UnknownError(
                f"no model {name[:80]!r} here for {service}; known are {known}", field="model"
            )
        return [first, *(able[other] for other in first.stand_ins if other in able)]

    def _line_to(self, deployment: Deployment) -> Line:
        line = self._lines.get(deployment.name)
        return line or Line(self._transport, deployment, self._switch)

    def _everybody(self) -> Mapping[str, Deployment]:
        """Rented deployments, and models trained here, by name."""
        if self._students is None:
            return self._deployments
        return {**self._deployments, **self._students.deployments}

    async def _enter(self, call: Passed) -> Entry:
        """A call that is known and within its key's rate limit."""
        if self._students is not None:
            await self._students.look()
        deployments, limits, lease = self.candidates(call.model, call.service), self._limits, None
        if limits is not None:
            out = call.most_tokens_out or 0
            try:
                lease = await limits.let_in(call.key_id, call.most_tokens_in, out)
            except LimitedError:
                self.tally.limited += 1
                raise
        return Entry(
            call_id=new_id("call"),
            call=call,
            task=self._task_of(call),
            deployments=deployments,
            lease=lease,
        )

    def _task_of(self, call: Passed) -> str:
        """What a call is for: the task it names as its model, else the one that a caller whose
        calls may be kept says it is for, where the community has declared that; else its service.
        """
        if self._students is None:
            return call.service
        said = call.about.task if call.about is not None else ""
        named = (self._students.task_of(name, call.service) for name in (call.model, said) if name)
        return next((task for task in named if task is not None), call.service)

    async def _in_turn(
        self, entry: Entry, send: Callable[[Passage], Awaitable[Sent[P]]]
    ) -> Sent[P]:
        if self._switch.is_stale():
            await self._switch.look()
        call, deployments, since = entry.call, entry.deployments, monotonic()
        deadline = since + self._settings.deadline_ms / 1000
        last: Reading | None = None
        failed: tuple[Deployment, ...] = ()
        for place, deployment in enumerate(deployments):
            left = len(deployments) - place
            until = monotonic() + (deadline - monotonic()) / left
            first = Passage(
                call_id=entry.call_id,
                call=call,
                task=entry.task,
                deployment=deployment,
                role="primary" if place == 0 else "fallback",
                started=monotonic(),
                timeout_ms=0,
                lease=entry.lease,
                failed=failed,
                since=since,
            )
            sent = await self._persist(first, until, send, has_fallback=left > 1)
            if sent is not None and sent.reading.outcome in USABLE:
                return sent
            if sent is not None:
                last, failed = sent.reading, (*failed, deployment)
        self._tell(entry.task, failed, failed, since)
        raise nobody(call, deployments, last)

    def _cache_key(self, entry: Entry) -> bytes | None:
        """What the first deployment's answer is kept by; None where it is not to be."""
        return cache_key(entry.deployments[0], entry.call) if self._settings.cache_mb else None

    async def _from_cache(self, entry: Entry, kept: KeptAnswer) -> Body:
        """A kept answer, and a row that says what it saved."""
        deployment = entry.deployments[0]
        passage = Passage(
            call_id=entry.call_id,
            call=entry.call,
            task=entry.task,
            deployment=deployment,
            role="primary",
            started=monotonic(),
            timeout_ms=0,
            lease=entry.lease,
        )
        if entry.lease is not None:
            entry.lease.settle(0)
        row = row_of(passage, Reading(outcome="ok"), self._clock.now_ms())
        row = replace(row, cost_usd=Decimal(0), price_version=CACHED, saved_usd=kept.cost_usd)
        self.tally.cached[deployment.name] += 1
        await self._write(row)
        return Body(
            status=200,
            body=kept.body,
            deployment=deployment.name,
            standing=None if entry.lease is None else entry.lease.standing,
            cached=True,
        )

    def _remember(self, key: bytes | None, sent: Sent[Body], entry: Entry) -> None:
        """Keep an answer for the next call like it, where the deployment asked first gave it."""
        deployment = sent.passage.deployment
        if key is None or sent.reading.outcome != "ok" or deployment is not entry.deployments[0]:
            return
        cost_usd = price_of(deployment, sent.reading, self._clock.now_ms()).cost_usd
        answer = KeptAnswer(
            body=sent.payload.body,
            key_id=entry.call.key_id,
            cost_usd=cost_usd,
            until=monotonic() + deployment.cache_s,
        )
        self._cache.keep(key, answer)

    async def _persist(
        self,
        first: Passage,
        until: float,
        send: Callable[[Passage], Awaitable[Sent[P]]],
        *,
        has_fallback: bool,
    ) -> Sent[P] | None:
        """Ask one deployment until it answers, refuses for good, or patience ends; None where it
        was not asked at all."""
        attempts, sent = 0, None
        while not first.call.caller.left and await self._admitted(
            first.deployment.name, until, has_fallback=has_fallback
        ):
            attempts += 1
            hold = await self._hold(first)
            timeout_ms = min(self._settings.timeout_ms, _left_ms(until))
            sent = await send(
                structs.replace(first, started=monotonic(), timeout_ms=timeout_ms, hold=hold)
            )
            if sent.reading.outcome in USABLE:
                break
            failure = Failure(
                outcome=sent.reading.outcome,
                attempts=attempts,
                retry_after_ms=sent.reading.retry_after_ms,
                remaining_ms=max(0, _left_ms(until) - _SHORTEST_MS),
                has_fallback=has_fallback,
            )
            delay_ms = retry_delay_ms(self._patience.retry, failure, random.random())
            if delay_ms is None:
                break
            await asyncio.sleep(delay_ms / 1000)
        return sent

    async def _hold(self, passage: Passage) -> Hold | None:
        """Set aside the most an attempt can cost, where the key has a budget."""
        call, deployment = passage.call, passage.deployment
        if not await self._budgets.bounds(call.key_id):
            return None
        most_out = call.most_tokens_out
        usage = Usage(
            tokens_in=call.most_tokens_in,
            tokens_out=self._settings.reserve_tokens_out if most_out is None else most_out,
        )
        most = row_of(passage, Reading(outcome="ok", usage=usage), self._clock.now_ms()).cost_usd
        if most is None:
            raise InputError(
                f"the price of {deployment.name} is not known, so a key with a budget cannot call "
                "it; give it a contract in vendors.toml",
                field="model",
            )
        try:
            return await self._budgets.hold(call.key_id, most)
        except SpentError:
            self.tally.spent += 1
            raise

    async def _admitted(self, name: str, until: float, *, has_fallback: bool) -> bool:
        while _left_ms(until) >= _SHORTEST_MS:
            wait_ms = self._breakers.wait_ms(name)
            if wait_ms == 0:
                return True
            if has_fallback or wait_ms > _left_ms(until):
                return False
            await asyncio.sleep(wait_ms / 1000)
        return False

    async def _whole(self, passage: Passage) -> Sent[Body]:
        """Send, and wait for all of the answer."""
        if (refusal := await self._refusal(passage)) is not None:
            return refusal
        request = request_to(passage.deployment, passage.call)
        try:
            response = await self._line_to(passage.deployment).post(request, passage.timeout_ms)
        except asyncio.CancelledError:
            await self.keep(passage, Reading(outcome="aborted"))
            raise
        reading = read_whole(response)
        unheard = reading.outcome == "ok" and passage.call.caller.left
        await self.keep(passage, replace(reading, outcome="aborted") if unheard else reading)
        if reading.outcome == "ok" and is_judged(passage):
            checked = await self.guard_of(passage).checked(chat_of(passage), response.body)
            response = replace(response, body=checked)
        hearing = self.hearing(passage)
        if hearing is not None and reading.outcome == "ok":
            hearing.hear(response.body)
            hearing.done()
        return Sent(passage=passage, reading=reading, payload=body_of(passage, response))

    async def _refusal(self, passage: Passage) -> Sent[Body] | None:
        """What a harmful prompt is answered with; nothing is sent then, or paid."""
        if not is_judged(passage):
            return None
        guard = self.guard_of(passage)
        body = await guard.refusal(chat_of(passage), passage.call.fields)
        if body is None:
            return None
        if passage.hold is not None:
            self._budgets.settle(passage.hold, Decimal(0))
        refusal = Body(status=400, body=body, deployment=passage.deployment.name)
        return Sent(passage=passage, reading=Reading(outcome="content_filter"), payload=refusal)

    def guard_of(self, passage: Passage) -> Watchful:
        """Whoever judges it. Raises VendorError where nobody does."""
        if self.guard is None:
            raise VendorError(f"nobody is here to judge what {passage.deployment.name} generates")
        return self.guard

    async def _stream(self, passage: Passage) -> "Sent[PassedStream | Body]":
        """Send, and wait for the first piece of the answer."""
        refusal = await self._refusal(passage)
        if refusal is not None:
            return Sent(passage=passage, reading=refusal.reading, payload=refusal.payload)
        stack = AsyncExitStack()
        try:
            reading, payload = await self._begin(passage, stack)
        except asyncio.CancelledError:
            await stack.aclose()
            await self.keep(passage, Reading(outcome="aborted"))
            raise
        except (TimeoutError, OSError, ValueError) as error:
            late = isinstance(error, TimeoutError)
            reading = Reading(outcome="timeout" if late else "unreachable")
            payload = Body(status=0, body=b"", deployment=passage.deployment.name)
        if isinstance(payload, Body):  # a stream keeps its row when it ends
            await stack.aclose()
            await self.keep(passage, reading)
        return Sent(passage=passage, reading=reading, payload=payload)

    async def _begin(
        self, passage: Passage, stack: AsyncExitStack
    ) -> "tuple[Reading, PassedStream | Body]":
        request = request_to(passage.deployment, passage.call)
        line = self._line_to(passage.deployment)
        opened = await stack.enter_async_context(line.open(request, passage.timeout_ms))
        headers: Mapping[str, str] = opened.headers
        response = HttpResponse(status=opened.status, headers=headers, body=b"", latency_ms=0.0)
        if failure_of(response) is not None:
            response = replace(response, body=await opened.whole())
            return read_whole(response), body_of(passage, response)
        kind = JudgedStream if is_judged(passage) else PassedStream
        stream = kind(self, passage, opened, stack)
        if not await stream.begin():
            return Reading(outcome="bad_answer"), body_of(passage, response)
        return Reading(outcome="ok"), stream

    def hearing(self, passage: Passage) -> Hearing | None:
        """Who keeps this answer to learn from; None where nobody may."""
        listener = self._stores.listener
        if listener is None or passage.call.about is None:
            return None
        return listener.listen(passage.call, passage.call_id, passage.deployment)

    async def keep(self, passage: Passage, reading: Reading, pieces: int = 0) -> None:
        """Tell the breaker; hand the row over. Waits only where the ledger refused rows before.

        pieces: of an answer, that came.
        """
        deployment = passage.deployment
        self._breakers.heard(deployment.name, reading.outcome, reading.retry_after_ms)
        if reading.outcome not in ("ok", "content_filter", "aborted"):
            _LOG.warning(
                "model_attempt_failed", deployment=deployment.name, outcome=reading.outcome
            )
        row = row_of(passage, reading, self._clock.now_ms(), pieces)
        if passage.lease is not None and reading.usage is not None:
            passage.lease.settle(reading.usage.tokens_in + reading.usage.tokens_out)
        self.tally.attempt(row)
        if passage.hold is not None:
            self._budgets.settle(passage.hold, row.cost_usd)
        await self._write(row)

    async def _write(self, row: Attempt) -> None:
        waiting = self._stores.keeper.keep(Kept(attempt=row))
        if waiting is not None:
            await asyncio.shield(asyncio.wrap_future(waiting))


def _left_ms(until: float) -> int:
    return max(0, round((until - monotonic()) * 1000))
