"""The one door to every model: who is asked, what it cost, what was learned.

Every request becomes a ledger row before its answer is returned, or, where the caller cannot wait
for a disk, within 50 ms and a commit; answers of rented models become
labels; what an owned and a rented model both said becomes a comparison. The database is written by
its own thread and read in others: the loop never waits for a disk.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Final

from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.errors import InputError
from inhouse.core.ids import new_id
from inhouse.core.logs import logger
from inhouse.models.asking.asker import Asker, Call
from inhouse.models.asking.fleet import Fleet, version_of
from inhouse.models.asking.resilience import Patience
from inhouse.models.asking.routing import Plan, plans, rented_of
from inhouse.models.bounds.shadow_budget import ShadowBudget
from inhouse.models.cascade.bands import within
from inhouse.models.cutover.routes import Routes
from inhouse.models.harvest.comparisons import add_comparisons
from inhouse.models.ledger.keeping import Keeper
from inhouse.models.ledger.records import Question, comparison_of
from inhouse.models.providers.faults import Heard
from inhouse.models.settings import ModelSettings
from inhouse.models.stores import Stores
from inhouse.models.types import (
    INHOUSE,
    OURS,
    USABLE,
    Answer,
    Manner,
    Role,
    Route,
    Task,
    TaskInput,
    UnansweredError,
)
from inhouse.store.database import Database

_LOG = logger("models")
_ORDINARY: Final = Manner()
_ROUTE_AGE_S: Final = 2.0  # how long a route is used before the store is asked again


class Gateway:
    """Asks models on behalf of everybody else. One loop at a time; `close` before another."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        fleet: Fleet,
        settings: ModelSettings,
        patience: Patience | None = None,
    ) -> None:
        self._stores = Stores(database=database, keeper=Keeper(database))
        self._clock = clock
        self._fleet = fleet
        self._settings = settings
        self._patience = patience or Patience()
        self._routes = Routes(database, fleet.vendors)
        self._known_routes: dict[str, tuple[float, Route]] = {}
        budget = ShadowBudget(database, clock, settings)
        self._asker = Asker(fleet, settings, self._patience, budget)
        self._shadows: set[asyncio.Task[None]] = set()

    async def ask(
        self, task: Task, inputs: Sequence[TaskInput], manner: Manner = _ORDINARY
    ) -> list[Answer]:
        """An answer for each input, in order. Refs must differ.

        Raises UnansweredError, which carries the answers there are, where for some input nobody
        answered in time; StoreError where the ledger cannot be written.
        """
        _check(inputs)
        if not inputs:
            return []
        switch = self._fleet.switch
        if switch.is_stale():
            await switch.look()
        question = Question(
            call_id=new_id("call"),
            task=task,
            at_ms=self._clock.now_ms(),
            texts={given.ref: given.text for given in inputs},
            manner=manner,
        )
        call, started = Call(question, await self.route(task.name), self._stores), monotonic()
        answers = await self._answers(call, inputs)
        if switch.listens:
            switch.hear(_heard(call, inputs, answers, started))
        return _in_order(call, inputs, answers)

    async def look(self, task: Task, pictures: Sequence[TaskInput]) -> list[Answer | None]:
        """What those rented models on the task's route that take pictures say of each, in order;
        None for one that they refused. Nothing at all where none of them takes any.

        Nothing is kept to learn from, nobody is asked besides, and no model trained here is: it
        knows words alone. Raises UnansweredError where of some picture nobody said anything.
        """
        route = await self.route(task.name)
        takers = [name for name in rented_of(route) if self._fleet.takes_pictures(name)]
        if not takers:
            return []
        switch = self._fleet.switch
        if switch.is_stale():
            await switch.look()
        return list(await asyncio.gather(*(self._look(task, takers, one) for one in pictures)))

    async def _look(self, task: Task, takers: Sequence[str], picture: TaskInput) -> Answer | None:
        question = Question(
            call_id=new_id("call"),
            task=task,
            at_ms=self._clock.now_ms(),
            texts={picture.ref: ""},
            manner=Manner(keep_texts=False, durable=False),
        )
        call = Call(question, await self.route(task.name), self._stores)
        answers = await self._asker.first_answer(call, takers, [picture])
        await call.kept()
        if answers or any(outcome != "refused" for _, outcome in call.tried):
            return _in_order(call, [picture], answers)[0]
        return None

    async def _answers(self, call: Call, inputs: Sequence[TaskInput]) -> dict[str, Answer]:
        """By ref, as far as there are any; all rows are kept."""
        route, aside = call.route, call.question.manner.aside
        groups = plans(route, inputs)
        found = await asyncio.gather(
            *(
                self._asker.first_answer(
                    call, way.candidates, members, "shadow" if aside else "primary"
                )
                for way, members in groups.items()
            )
        )
        answers = {ref: answer for some in found for ref, answer in some.items()}
        if not aside:
            self._start_shadows(call, groups, answers)
        answers = {**answers, **await self._asked_again(call, inputs, answers)}
        await call.kept()
        return answers

    @property
    def tasks(self) -> Mapping[str, Task]:
        """What may be asked, by name."""
        return self._fleet.tasks

    async def drain(self) -> None:
        """Wait for the shadow calls that are still out."""
        while self._shadows:
            await asyncio.gather(*self._shadows, return_exceptions=True)

    async def close(self) -> None:
        """Finish the shadow calls and close the connections; asking again opens new ones."""
        await self.drain()
        await self._fleet.switch.close()
        await self._fleet.close()
        self._asker.leave_loop()

    async def route(self, task: str) -> Route:
        """Who answers a task, as of at most two seconds ago."""
        known = self._known_routes.get(task)
        if known is None or monotonic() - known[0] > _ROUTE_AGE_S:
            route = await asyncio.to_thread(self._routes.current, task)
            known = self._known_routes[task] = (monotonic(), route)
        return known[1]

    async def _asked_again(
        self, call: Call, inputs: Sequence[TaskInput], answers: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        """What rented models say of the texts that the owned one is unsure of. Where none of them
        answers, the owned one's word stands."""
        route = call.route
        unsure = [
            given
            for given in inputs
            if given.ref in answers
            and answers[given.ref].host == INHOUSE
            and within(route.bands_of(answers[given.ref].model), answers[given.ref].scores)
        ]
        if not unsure:
            return {}
        # No comparison is kept: of the unsure alone, agreement would look worse than it is.
        role: Role = "shadow" if call.question.manner.aside else "escalation"
        return await self._asker.first_answer(call, rented_of(route), unsure, role, hurried=True)

    def _start_shadows(
        self, call: Call, groups: Mapping[Plan, Sequence[TaskInput]], answers: Mapping[str, Answer]
    ) -> None:
        for way, members in groups.items():
            for shadow in way.shadows:
                served = [
                    given
                    for given in members
                    if given.ref in answers and _differs(call.route, answers[given.ref], shadow)
                ]
                if served:
                    task = asyncio.create_task(self._shadow(call, shadow, served, answers))
                    self._shadows.add(task)
                    task.add_done_callback(self._shadow_ended)

    async def _shadow(
        self, call: Call, name: str, inputs: Sequence[TaskInput], served: Mapping[str, Answer]
    ) -> None:
        """Ask somebody else too, and keep what both said. The caller does not wait for it."""
        apart = Call(call.question, call.route, self._stores)
        told = await self._asker.once(apart, name, inputs)
        found = [
            comparison_of(call.question, call.route, served[ref], answer)
            for ref, answer in told.items()
        ]

        def write(connection: Connection) -> None:
            add_comparisons(connection, found)

        apart.keep(write)
        await apart.kept()

    def _shadow_ended(self, task: "asyncio.Task[None]") -> None:
        self._shadows.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("shadow_call_failed", error=type(task.exception()).__name__)


def ask_now(gateway: Gateway, task: Task, inputs: Sequence[TaskInput]) -> list[Answer]:
    """`ask` for callers without a loop, such as the command line. Finishes shadow calls too."""

    async def once() -> list[Answer]:
        try:
            return await gateway.ask(task, inputs)
        finally:
            await gateway.close()

    return asyncio.run(once())


def _differs(route: Route, answer: Answer, shadow: str) -> bool:
    """Whether a shadow is somebody else to hold an answer against: whoever had to stand in for the
    first may be the shadow itself, and rented models are not held against each other."""
    if shadow not in OURS:
        return answer.host == INHOUSE
    return answer.host != INHOUSE or answer.model != version_of(shadow, route)


def _check(inputs: Sequence[TaskInput]) -> None:
    refs = [given.ref for given in inputs]
    if len(set(refs)) < len(refs):
        twice = next(ref for ref in refs if refs.count(ref) > 1)
        raise InputError(f"the ref {twice!r} is given twice; each input needs its own")


def _heard(
    call: Call, inputs: Sequence[TaskInput], answers: Mapping[str, Answer], started: float
) -> Heard:
    return Heard(
        task=call.question.task.name,
        inputs=inputs,
        answers=answers,
        asked=len(inputs),
        answered=len(answers),
        tried=tuple(deployment for deployment, _ in call.tried),
        failed=tuple(one for one, outcome in call.tried if outcome not in USABLE),
        latency_ms=(monotonic() - started) * 1000,
    )


def _in_order(
    call: Call, inputs: Sequence[TaskInput], answers: Mapping[str, Answer]
) -> list[Answer]:
    missing = [given.ref for given in inputs if given.ref not in answers]
    found = [answers[given.ref] for given in inputs if given.ref in answers]
    if not missing:
        return found
    route = call.route
    asked = [
        name for name in (route.primary, *route.fallbacks, route.incumbent, route.owned) if name
    ]
    raise UnansweredError(
        f"nobody answered {len(missing)} of {len(inputs)} inputs of {route.task}; asked: "
        + (", ".join(asked) or "nobody, for no model is configured or trained"),
        answered=found,
        missing=missing,
    )
