"""Playing known texts, and a few calls of our own, through a gateway whose vendor is cut off."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, Final

import msgspec

from inhouse.core.clock import SystemClock
from inhouse.core.errors import BusyError, VendorError
from inhouse.models.asking.gateway import Gateway
from inhouse.models.drill.notes import is_of, noted_of
from inhouse.models.drill.types import Drill, Noted
from inhouse.models.harvest.labels import Example
from inhouse.models.passing.passages import Body
from inhouse.models.passing.passer import Passer
from inhouse.models.providers.faults import Cut, Heard, Switch
from inhouse.models.providers.http import HttpProvider
from inhouse.models.providers.passing import read_call
from inhouse.models.providers.transport import HttpRequest, HttpResponse, Transport
from inhouse.models.types import (
    Answer,
    Deployment,
    Manner,
    ProviderAnswer,
    Scores,
    Service,
    Task,
    TaskInput,
)

_MANNER: Final = Manner(keep_texts=False, durable=False)
_LEAST_PER_S: Final = 1.0
_MOST_PER_S: Final = 20.0
_MOST_OUT: Final = 64  # calls at the same time
_PASSED_ON: Final = 10  # calls of our own for each deployment and service
_PROMPT: Final = "Answer with the single word: yes"
_BODIES: Final[Mapping[Service, Mapping[str, object]]] = {
    "chat": {"messages": [{"role": "user", "content": _PROMPT}], "max_tokens": 16},
    "embeddings": {"input": _PROMPT},
}
_Call = Callable[[], Coroutine[Any, Any, None]]
Tell = Callable[[str, int, int], None]  # what is done, how much of how much


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a drill is played with."""

    tasks: Mapping[str, Task]  # by name
    texts: Mapping[str, Sequence[Example]]  # by task, newest first; the vendor's word is known
    services: Sequence[tuple[Service, Deployment]]  # that the vendor's deployments serve


class Noting(Switch):
    """Cuts the vendor while it is told to, and notes every call."""

    def __init__(self, cut: Cut) -> None:
        super().__init__()
        self.listens = True
        self.noted: list[Noted] = []
        self._of = cut
        self._clock = SystemClock()

    def hear(self, heard: Heard) -> None:
        self.noted.append(noted_of(self._of, heard, "copy", self._clock.now_ms()))


class Nowhere(Transport):
    """Sends nothing."""

    async def post(self, request: HttpRequest, timeout_ms: int) -> HttpResponse:
        return HttpResponse(status=0, headers={}, body=b"", latency_ms=0.0, fault="unreachable")


class Recalled:
    """A vendor that answers what it is known to have said, and fails as its line does."""

    def __init__(self, inner: HttpProvider, said: Mapping[str, Scores], switch: Switch) -> None:
        """inner: the same over a line that leads nowhere. said: by text."""
        self._inner = inner
        self._said = said
        self._switch = switch

    @property
    def deployment(self) -> Deployment:
        return self._inner.deployment

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return self._inner.split(inputs)

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        known = all(given.text in self._said for given in inputs)
        if not known or self._switch.fault_of(self.deployment) is not None:
            return await self._inner.answer(task, inputs, timeout_ms)
        return [
            ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=tuple(self._said[given.text] for given in inputs),
                outcome="ok",
                latency_ms=0.0,
            )
        ]

    async def close(self) -> None:
        await self._inner.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """What is played on."""

    gateway: Gateway
    passer: Passer
    switch: Noting
    after_s: float  # at most so long the vendor is waited for when it is back


class Play:
    """One drill, played."""

    def __init__(self, stage: Stage, drill: Drill, known: Known) -> None:
        self.stage = stage
        self.answers: dict[tuple[str, str], Scores] = {}  # of the survivors, by task and ref
        self._drill = drill
        self._known = known
        self._out: set[asyncio.Task[None]] = set()
        self._clock = SystemClock()

    async def run(self, tell: Tell) -> Drill:
        """With the vendor away until the drill's time is up, then with it back; returns the drill
        with the times as they were."""
        length_s = (self._drill.until_ms - self._drill.started_ms) / 1000
        texts = sum(map(len, self._known.texts.values()))
        pause_s = 1 / min(_MOST_PER_S, max(_LEAST_PER_S, texts / length_s))
        started_ms, started = self._clock.now_ms(), monotonic()
        self.stage.switch.cut = replace(self._drill.cut(), until_ms=None)
        passed_on = itertools.chain(self._passed_on(), itertools.repeat(None))
        for place, (judged, passed) in enumerate(zip(self._judged(), passed_on, strict=False)):
            left_s = started + length_s - monotonic()
            if left_s <= 0:
                break
            tell(f"{self._drill.vendor} is away", round(length_s - left_s), round(length_s))
            await self._start(judged)
            await self._start(passed)
            due = started + (place + 1) * pause_s
            await asyncio.sleep(max(0.0, min(left_s, due - monotonic())))
        self.stage.switch.cut, ended_ms = None, self._clock.now_ms()
        await self._until_back(pause_s, tell)
        return replace(
            self._drill,
            started_ms=started_ms,
            until_ms=ended_ms,
            ended_ms=ended_ms,
            why_ended="its time was up",
        )

    async def close(self) -> None:
        """Finish what is out, and let go."""
        await asyncio.gather(*self._out, return_exceptions=True)
        await self.stage.gateway.close()
        await self.stage.passer.close()

    async def _until_back(self, pause_s: float, tell: Tell) -> None:
        """Go on asking until the vendor has answered, or it has been waited for long enough."""
        since, away = monotonic(), len(self.stage.switch.noted)
        after_s = self.stage.after_s if self._known.texts else 0.0
        for judged in self._judged():
            waited_s = monotonic() - since
            back = any(noted.by_vendor for noted in self.stage.switch.noted[away:])
            if back or waited_s >= after_s:
                return
            tell(f"waiting for {self._drill.vendor}", round(waited_s), round(after_s))
            await self._start(judged)
            await asyncio.sleep(max(0.1, pause_s))

    async def _start(self, call: "_Call | None") -> None:
        if call is None:
            return
        while len(self._out) >= _MOST_OUT:
            await asyncio.wait(self._out, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(call())
        self._out.add(task)
        task.add_done_callback(self._out.discard)

    def _judged(self) -> "Iterator[_Call | None]":
        """Every text in turn, task by task, again and again; none where none is known."""
        known = self._known
        found = [(known.tasks[name], one) for name, some in known.texts.items() for one in some]
        if not found:
            yield from itertools.repeat(None)
        for task, example in itertools.cycle(found):
            yield partial(self._judge, task, example)

    async def _judge(self, task: Task, example: Example) -> None:
        given = TaskInput(ref=example.ref, text=example.text)
        try:
            (answer,) = await self.stage.gateway.ask(task, [given], _MANNER)
        except VendorError:
            return  # noted as unanswered
        self._keep(task, answer)

    def _keep(self, task: Task, answer: Answer) -> None:
        if not is_of(self._drill.cut(), answer):
            self.answers[task.name, answer.ref] = answer.scores

    def _passed_on(self) -> "Iterator[_Call]":
        """A few calls to each deployment of the vendor; every second chat in pieces."""
        for number in range(_PASSED_ON):
            for service, deployment in self._known.services:
                body = {**_BODIES[service], "model": deployment.name}
                if service == "chat" and number % 2:
                    body["stream"] = True
                yield partial(self._pass_on, service, msgspec.json.encode(body))

    async def _pass_on(self, service: Service, body: bytes) -> None:
        call, passer = read_call(service, body, key_id=""), self.stage.passer
        try:
            if not call.stream:
                await passer.ask(call)
                return
            stream = await passer.open(call)
            if isinstance(stream, Body):
                return
            try:
                async for _ in stream.pieces():
                    pass
            finally:
                await stream.close()
        except (VendorError, BusyError):
            return  # noted as unanswered
