"""Asking deployments with patience: retries, breakers, deadlines, and a row for every request."""

import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic
from typing import Final

from inhouse.models.asking.breakers import Breakers
from inhouse.models.asking.fleet import Fleet, version_of
from inhouse.models.asking.resilience import Failure, Patience, retry_delay_ms
from inhouse.models.bounds.shadow_budget import ShadowBudget
from inhouse.models.ledger.keeping import Kept, keep_all
from inhouse.models.ledger.prices import price_of
from inhouse.models.ledger.records import Question, answers_of, attempt_of, labels_of
from inhouse.models.ports import Provider
from inhouse.models.providers.owned import owned_deployment
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import (
    INHOUSE,
    OURS,
    RETRYABLE,
    Answer,
    Deployment,
    Outcome,
    ProviderAnswer,
    Role,
    Route,
    TaskInput,
)
from inhouse.store.database import Write

_SHORTEST_MS: Final = 20  # with less time left nobody is asked


class Call:
    """One question on its way: whom it may go to, and the rows it has caused."""

    def __init__(self, question: Question, route: Route, stores: Stores) -> None:
        self.question = question
        self.route = route
        self._stores = stores
        self._writes: list[Future[None]] = []
        self.tried: list[tuple[Deployment, Outcome]] = []  # whoever was sent a request, in turn

    def keep(self, write: Write[None]) -> None:
        """Hand rows to the database's writer at once: they outlive a caller who goes away."""
        self._writes.append(self._stores.database.submit(write))

    def keep_row(self, kept: Kept) -> None:
        """The same for what is kept of a request; where the question is not to wait for the disk,
        `kept` does not."""
        if self.question.manner.durable:
            self.keep(lambda connection: keep_all(connection, [kept])[0])
            return
        waiting = self._stores.keeper.keep(kept)
        if waiting is not None:
            self._writes.append(waiting)

    async def kept(self) -> None:
        """Wait until all rows so far are durable, but for those that need not be waited for."""
        writes, self._writes = self._writes, []
        for write in writes:
            await asyncio.shield(asyncio.wrap_future(write))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turn:
    """One deployment's turn at one call."""

    call: Call
    provider: Provider
    role: Role
    until: float  # on the monotonic clock, in seconds
    has_fallback: bool  # somebody else could be asked instead

    @property
    def deployment(self) -> Deployment:
        return self.provider.deployment

    @property
    def breaker(self) -> str:
        """Under which name its health is remembered: what ails one version here ails no other."""
        deployment = self.deployment
        return f"{INHOUSE}/{deployment.model}" if self.is_owned else deployment.name

    @property
    def is_owned(self) -> bool:
        """Needs no network, so it is asked even when the time is up."""
        return self.deployment.host == INHOUSE

    def remaining_ms(self) -> int:
        return max(0, round((self.until - monotonic()) * 1000))


class Asker:
    """Asks the deployments of a fleet. Its breakers remember who is unwell."""

    def __init__(
        self, fleet: Fleet, settings: ModelSettings, patience: Patience, budget: ShadowBudget
    ) -> None:
        """budget: for asking rented models only to check."""
        self._fleet = fleet
        self._settings = settings
        self._budget = budget
        self._patience = patience
        self._breakers = Breakers(patience.breaker)
        self._slots = asyncio.Semaphore(settings.in_flight)

    def leave_loop(self) -> None:
        """Forget the loop that was used so far; the next one may be another."""
        self._slots = asyncio.Semaphore(self._settings.in_flight)

    async def first_answer(
        self,
        call: Call,
        candidates: Sequence[str],
        inputs: Sequence[TaskInput],
        role: Role = "primary",
        hurried: bool = False,
    ) -> dict[str, Answer]:
        """Ask one deployment after the other until every input is answered or all have had their
        turn; answers by ref. The inputs are cut into requests that run side by side. role: of the
        first one asked; of all where it is an escalation. hurried: there is an answer already that
        stands where nobody gives another one."""
        first = await self._first_present(call, candidates)
        if first is None:
            return {}
        parts = await asyncio.gather(
            *(self._in_turn(call, candidates, part, role, hurried) for part in first.split(inputs))
        )
        return {ref: answer for part in parts for ref, answer in part.items()}

    async def once(self, call: Call, name: str, inputs: Sequence[TaskInput]) -> dict[str, Answer]:
        """Ask one deployment without retries, as a shadow; answers by ref."""
        provider = await self._fleet.provider(name, call.route)
        answers: dict[str, Answer] = {}
        if provider is None:
            self._keep_absence(call, name, inputs, "shadow")
            return answers
        for part in provider.split(inputs):
            async with self._slots:
                turn = _Turn(
                    call=call,
                    provider=provider,
                    role="shadow",
                    until=monotonic() + self._settings.timeout_ms / 1000,
                    has_fallback=True,
                )
                if await self._admitted(turn):
                    answers.update(await self._checked(turn, part))
        return answers

    async def _checked(self, turn: _Turn, inputs: Sequence[TaskInput]) -> dict[str, Answer]:
        """Ask once, within the budget for asking only to check."""
        question, deployment = turn.call.question, turn.deployment
        if turn.is_owned:
            return self._keep_each(turn, await self._attempt(turn, inputs))
        hold = await self._budget.hold(deployment, question.task, inputs)
        if hold is None:
            return {}
        cost_usd: Decimal | None = None
        try:
            told = await self._attempt(turn, inputs)
            costs = [price_of(deployment, one, question.at_ms).cost_usd for one in told]
            known = [cost for cost in costs if cost is not None]
            cost_usd = sum(known, Decimal(0)) if len(known) == len(costs) else None
        finally:
            self._budget.settle(hold, cost_usd)
        return self._keep_each(turn, told)

    def _keep_each(self, turn: _Turn, told: Sequence[ProviderAnswer]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        for answer in told:
            answers.update(self._keep(turn, answer))
        return answers

    async def _first_present(self, call: Call, candidates: Sequence[str]) -> Provider | None:
        for name in candidates:
            provider = await self._fleet.provider(name, call.route)
            if provider is not None:
                return provider
        return None

    async def _in_turn(
        self,
        call: Call,
        candidates: Sequence[str],
        inputs: Sequence[TaskInput],
        first: Role,
        hurried: bool,
    ) -> dict[str, Answer]:
        """While others are left to ask, no vendor may use more than its share of the time, and all
        of them together little where a model that runs here can answer or has answered."""
        answers: dict[str, Answer] = {}
        async with self._slots:
            deadline = monotonic() + self._settings.deadline_ms / 1000
            if hurried or await self._ours_stands_in(call, candidates):
                deadline = min(deadline, monotonic() + self._settings.hurry_ms / 1000)
            for place, name in enumerate(candidates):
                pending = [given for given in inputs if given.ref not in answers]
                if not pending:
                    break
                role: Role = "fallback" if place > 0 and first == "primary" else first
                provider = await self._fleet.provider(name, call.route)
                if provider is None:
                    self._keep_absence(call, name, pending, role)
                    continue
                later = candidates[place + 1 :]
                vendors_left = 1 + sum(other not in OURS for other in later)
                turn = _Turn(
                    call=call,
                    provider=provider,
                    role=role,
                    until=monotonic() + (deadline - monotonic()) / vendors_left,
                    has_fallback=hurried or bool(later),
                )
                for part in provider.split(pending):
                    answers.update(await self._persist(turn, part))
        return answers

    async def _ours_stands_in(self, call: Call, candidates: Sequence[str]) -> bool:
        """Whether a model trained here comes after a rented one, and can be asked."""
        for name in candidates[1:]:
            if name in OURS and await self._fleet.provider(name, call.route) is not None:
                return True
        return False

    async def _persist(self, turn: _Turn, inputs: Sequence[TaskInput]) -> dict[str, Answer]:
        """Ask one deployment until it answers, refuses for good, or patience ends."""
        answers: dict[str, Answer] = {}
        pending, attempts = list(inputs), 0
        while pending and await self._admitted(turn):
            attempts += 1
            last: dict[str, ProviderAnswer] = {}
            for answer in await self._attempt(turn, pending):
                last.update(dict.fromkeys(answer.refs, answer))
                answers.update(self._keep(turn, answer))
            pending = [given for given in pending if last[given.ref].outcome in RETRYABLE]
            if pending:
                delay_ms = self._delay_ms(turn, last[pending[0].ref], attempts)
                if delay_ms is None:
                    break
                await asyncio.sleep(delay_ms / 1000)
        return answers

    async def _admitted(self, turn: _Turn) -> bool:
        """Whether the deployment may be asked now. An open breaker is waited for only where there
        is nobody else to ask."""
        while turn.is_owned or turn.remaining_ms() >= _SHORTEST_MS:
            wait_ms = self._breakers.wait_ms(turn.breaker)
            if wait_ms == 0:
                return True
            if turn.has_fallback or wait_ms > turn.remaining_ms():
                return False
            await asyncio.sleep(wait_ms / 1000)
        return False

    async def _attempt(self, turn: _Turn, inputs: Sequence[TaskInput]) -> list[ProviderAnswer]:
        """Send once. A caller who goes away leaves a row too: the vendor may charge for it."""
        started = monotonic()
        timeout_ms = min(self._settings.timeout_ms, max(_SHORTEST_MS, turn.remaining_ms()))
        try:
            return await turn.provider.answer(turn.call.question.task, inputs, timeout_ms)
        except asyncio.CancelledError:
            gone = ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=None,
                outcome="aborted",
                latency_ms=(monotonic() - started) * 1000,
            )
            self._keep(turn, gone)
            raise

    def _keep(self, turn: _Turn, answer: ProviderAnswer) -> dict[str, Answer]:
        """Tell the breaker; hand row and labels to the database; return the answers by ref."""
        call = turn.call
        self._breakers.heard(turn.breaker, answer.outcome, answer.retry_after_ms)
        call.tried.append((turn.deployment, answer.outcome))
        attempt = attempt_of(call.question, turn.deployment, turn.role, answer)
        labels = labels_of(call.question, turn.deployment, answer)
        call.keep_row(Kept(attempt=attempt, labels=labels))
        return answers_of(attempt, answer)

    def _keep_absence(self, call: Call, name: str, inputs: Sequence[TaskInput], role: Role) -> None:
        """A row for a version that is routed and cannot be loaded: to whoever watches it, a request
        that failed."""
        version = version_of(name, call.route) if name in OURS else None
        if version is None:
            return
        gone = ProviderAnswer(
            refs=tuple(given.ref for given in inputs),
            scores=None,
            outcome="unreachable",
            latency_ms=0.0,
        )
        call.keep_row(
            Kept(attempt=attempt_of(call.question, owned_deployment(version), role, gone))
        )

    def _delay_ms(self, turn: _Turn, answer: ProviderAnswer, attempts: int) -> int | None:
        failure = Failure(
            outcome=answer.outcome,
            attempts=attempts,
            retry_after_ms=answer.retry_after_ms,
            remaining_ms=max(0, turn.remaining_ms() - _SHORTEST_MS),
            has_fallback=turn.has_fallback,
        )
        return retry_delay_ms(self._patience.retry, failure, random.random())
