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
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
from msgspec import structs

from inhouse.core.clock import Clock, SystemClock
from inhouse.core.errors import (
    BusyError,
    InputError,
    LimitedError,
    SpentError,
    UnknownError,
    VendorError,
)
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.models.breakers import Breakers
from inhouse.models.budgets import Budgets, Hold
from inhouse.models.cache import MB, AnswerCache, KeptAnswer, cache_key
from inhouse.models.draining import Drains
from inhouse.models.keeping import Kept, Stores
from inhouse.models.limits import Lease, Standing
from inhouse.models.ports import Chat, Hearing, Watchful
from inhouse.models.prices import CACHED, estimate_of, price_of, warm_prices
from inhouse.models.providers.azure import spillover_of
from inhouse.models.providers.faults import Heard, Line, Opened
from inhouse.models.providers.passing import (
    Event,
    Events,
    Passed,
    read_whole,
    request_to,
)
from inhouse.models.providers.transport import HttpResponse, Transport
from inhouse.models.providers.wire import Reading, failure_of
from inhouse.models.resilience import Failure, Patience, retry_delay_ms
from inhouse.models.settings import ModelSettings
from inhouse.models.tally import Tally
from inhouse.models.types import (
    USABLE,
    Attempt,
    Deployment,
    Role,
    Service,
    Usage,
)

if TYPE_CHECKING:
    from inhouse.models.students.book import StudentBook

_SHORTEST_MS: Final = 20  # with less time left nobody is asked
_LOG = logger("models")
P = TypeVar("P")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A call that was let in."""

    call_id: str
    call: Passed
    deployments: Sequence[Deployment]  # who is asked in turn
    lease: Lease | None  # what it counts against the key's rate limit; None without one


# Structs, where all else is a dataclass: each call makes some, and they take a fifth of the time.
class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt on its way to a deployment."""

    call_id: str
    call: Passed
    deployment: Deployment
    role: Role
    started: float  # on the monotonic clock, in seconds
    timeout_ms: int
    lease: Lease | None = None  # what it counts against the key's rate limit; None without one
    hold: Hold | None = None  # money set aside for it; None where the key has no budget
    failed: tuple[Deployment, ...] = ()  # asked before it in this call, in vain
    since: float = 0.0  # when the call began, on the monotonic clock


class Sent(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """What came of an attempt."""

    passage: Passage
    reading: Reading
    payload: P  # the answer's body, or the stream that has begun


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A vendor's answer as it came."""

    status: int
    body: bytes
    deployment: str  # who gave it
    standing: Standing | None = None  # of the key's rate limit; None where it has none
    cached: bool = False  # it was kept from an earlier call


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
        self._tell(passage.call, passage.failed if answered else tried, tried, passage.since)

    def _tell(
        self,
        call: Passed,
        failed: tuple[Deployment, ...],
        tried: tuple[Deployment, ...],
        since: float,
    ) -> None:
        if self._switch.listens:
            heard = Heard(
                task=call.service,
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
        return Entry(call_id=new_id("call"), call=call, deployments=deployments, lease=lease)

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
        self._tell(call, failed, failed, since)
        raise _nobody(call, deployments, last)

    def _cache_key(self, entry: Entry) -> bytes | None:
        """What the first deployment's answer is kept by; None where it is not to be."""
        return cache_key(entry.deployments[0], entry.call) if self._settings.cache_mb else None

    async def _from_cache(self, entry: Entry, kept: KeptAnswer) -> Body:
        """A kept answer, and a row that says what it saved."""
        deployment = entry.deployments[0]
        passage = Passage(
            call_id=entry.call_id,
            call=entry.call,
            deployment=deployment,
            role="primary",
            started=monotonic(),
            timeout_ms=0,
            lease=entry.lease,
        )
        if entry.lease is not None:
            entry.lease.settle(0)
        row = _row(passage, Reading(outcome="ok"), self._clock.now_ms())
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
        self._cache.keep(key, sent.payload.body, cost_usd, deployment.cache_s)

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
        most = _row(passage, Reading(outcome="ok", usage=usage), self._clock.now_ms()).cost_usd
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
            checked = await self.guard_of(passage).checked(_chat(passage), response.body)
            response = replace(response, body=checked)
        hearing = self.hearing(passage)
        if hearing is not None and reading.outcome == "ok":
            hearing.hear(response.body)
            hearing.done()
        return Sent(passage=passage, reading=reading, payload=_body(passage, response))

    async def _refusal(self, passage: Passage) -> Sent[Body] | None:
        """What a harmful prompt is answered with; nothing is sent then, or paid."""
        if not is_judged(passage):
            return None
        guard = self.guard_of(passage)
        body = await guard.refusal(_chat(passage), passage.call.fields)
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
            return read_whole(response), _body(passage, response)
        kind = JudgedStream if is_judged(passage) else PassedStream
        stream = kind(self, passage, opened, stack)
        if not await stream.begin():
            return Reading(outcome="bad_answer"), _body(passage, response)
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
        row = _row(passage, reading, self._clock.now_ms(), pieces)
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


class PassedStream:
    """An answer in pieces, of which the first is there."""

    def __init__(
        self, passer: Passer, passage: Passage, opened: Opened, stack: AsyncExitStack
    ) -> None:
        self.deployment = passage.deployment.name
        self.standing = None if passage.lease is None else passage.lease.standing
        self._passer, self._passage, self._stack = passer, passage, stack
        self._opened, self._cutter = opened, Events()
        self._events = self._read()
        self._first: Event | None = None
        self._pieces = 0  # that told something else than usage
        self._hearing = passer.hearing(passage)
        # What is kept where nobody reads to the end.
        self._reading = Reading(outcome="aborted", spillover=spillover_of(opened.headers))

    async def begin(self) -> bool:
        """Wait for the first event; False where there is none, or it tells of an error."""
        self._first = await anext(self._events, None)
        if self._first is None or self._first.failed:
            await self._events.aclose()
            return False
        return True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What goes to the caller. Raises VendorError where the answer does not come to its end."""
        event: Event | None = self._first
        try:
            while event is not None:
                self._note(event)
                if not event.only_usage or self._passage.call.wants_usage:
                    yield event.raw
                if event.last:
                    self._reading = replace(self._reading, outcome="ok")
                    return
                if event.failed:
                    break
                event = await anext(self._events, None)
        except (TimeoutError, OSError, ValueError):
            event = None
        self._reading = replace(self._reading, outcome="broken")
        if event is None:
            raise VendorError(
                f"the answer of {self.deployment} broke off before its end; ask again"
            )

    async def close(self) -> None:
        """Keep the row and let the vendor go, at once or, where the caller left before the usage
        was told, once it is. To be called once, however it ended."""
        reading = self._reading
        left = reading.outcome == "aborted" and reading.usage is None
        if not (left and self._passer.drain_s > 0 and self._passer.drains.begin(self._drain())):
            await self._end()

    async def _drain(self) -> None:
        """Read on, with nobody to pass it to."""
        try:
            async with asyncio.timeout(self._passer.drain_s):
                for _ in range(2):
                    async for event in self._events:
                        self._note(event)
                        if event.last or event.failed:
                            return
                    self._events = self._read()  # the caller's leaving may have ended the first
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            await asyncio.shield(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        await self._events.aclose()
        if self._reading.outcome == "ok":
            await self._opened.finish()
        await self._stack.aclose()
        if self._reading.outcome != "aborted":
            self._passer.tell(self._passage, answered=self._reading.outcome == "ok")
        await self._passer.keep(self._passage, self._reading, self._pieces)
        if self._hearing is not None and self._reading.outcome == "ok":
            self._hearing.done()

    def _note(self, event: Event) -> None:
        if self._hearing is not None:
            self._hearing.hear(event.raw)
        if event.usage is not None:
            self._reading = replace(self._reading, usage=event.usage)
        self._pieces += not (event.only_usage or event.last or event.failed)

    async def _read(self) -> AsyncGenerator[Event, None]:
        async for piece in self._opened.pieces():
            for event in self._cutter.feed(piece):
                yield event


class JudgedStream(PassedStream):
    """The same, judged before it is passed on (see `Guard.passed`)."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        guard = self._passer.guard_of(self._passage)
        async with aclosing(super().pieces()) as pieces:
            async for piece in guard.passed(_chat(self._passage), pieces):
                yield piece


def is_judged(passage: Passage) -> bool:
    """Whether what is asked and answered is to be judged."""
    return bool(passage.deployment.moderate) and passage.call.service == "chat"


def _chat(passage: Passage) -> Chat:
    return Chat(call_id=passage.call_id, key_id=passage.call.key_id, deployment=passage.deployment)


def _left_ms(until: float) -> int:
    return max(0, round((until - monotonic()) * 1000))


def _body(passage: Passage, response: HttpResponse) -> Body:
    return Body(
        status=response.status,
        body=response.body,
        deployment=passage.deployment.name,
        standing=None if passage.lease is None else passage.lease.standing,
    )


def _row(passage: Passage, reading: Reading, now_ms: int, pieces: int = 0) -> Attempt:
    deployment = passage.deployment
    price, estimate_usd = price_of(deployment, reading, now_ms), None
    if price.cost_usd is None and reading.usage is None:
        estimate_usd = estimate_of(deployment, passage.call.seen(pieces), now_ms)
    return Attempt(
        call_id=passage.call_id,
        at_ms=now_ms,
        task=passage.call.service,
        role=passage.role,
        deployment=deployment.name,
        host=deployment.host,
        owner=deployment.owner,
        model=deployment.model,
        inputs=1,
        answered=int(reading.outcome == "ok"),
        usage=reading.usage,
        cost_usd=price.cost_usd,
        price_version=price.version,
        latency_ms=(monotonic() - passage.started) * 1000,
        outcome=reading.outcome,
        simulated=deployment.simulated,
        spillover=reading.spillover,
        key_id=passage.call.key_id,
        estimate_usd=estimate_usd,
    )


def _nobody(call: Passed, asked: Sequence[Deployment], last: Reading | None) -> Exception:
    """What a caller is told where nobody answered."""
    names = ", ".join(deployment.name for deployment in asked)
    if last is not None and last.outcome == "rate_limited":
        retry_after_s = max(1, -(-(last.retry_after_ms or 1_000) // 1_000))
        return BusyError(f"all of {names} are full; ask again later", retry_after_s=retry_after_s)
    why = "not asked, for they failed just now" if last is None else last.outcome
    return VendorError(f"nobody answered for the model {call.model[:80]!r}: {names}: {why}")
