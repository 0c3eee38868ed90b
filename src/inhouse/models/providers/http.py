"""A vendor over HTTP: sends what its dialect writes and returns what its dialect reads."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from inhouse.core.logs import logger
from inhouse.models.providers.azure import AzureWire
from inhouse.models.providers.cutting import split_by_size
from inhouse.models.providers.faults import Line
from inhouse.models.providers.moderations import ModerationsWire
from inhouse.models.providers.openai_compatible import ChatWire
from inhouse.models.providers.wire import Wire
from inhouse.models.types import Deployment, Dialect, ProviderAnswer, Task, TaskInput

WIRES: Final[Mapping[Dialect, Wire]] = MappingProxyType(
    {"openai": ChatWire(), "moderations": ModerationsWire(), "azure": AzureWire()}
)
_LOG = logger("models")


class HttpProvider:
    """One deployment of a vendor."""

    def __init__(self, deployment: Deployment, transport: Line) -> None:
        self._deployment = deployment
        self._wire = WIRES[deployment.dialect]
        self._transport = transport

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        """Short texts together, long ones alone, and each picture."""
        if any(given.picture for given in inputs):
            return [(given,) for given in inputs]
        return split_by_size(inputs, self._deployment.batch, self._wire.most_chars)

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        """Ask; where a filter refuses several texts at once, ask for each alone."""
        first = await self._ask(task, inputs, timeout_ms)
        if first.outcome != "content_filter" or len(inputs) == 1:
            return [first]
        return [first, *[await self._ask(task, [one], timeout_ms) for one in inputs]]

    async def close(self) -> None:
        await self._transport.close()

    async def _ask(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> ProviderAnswer:
        request = self._wire.request(self._deployment, task, inputs)
        response = await self._transport.post(request, timeout_ms)
        reading = self._wire.read(task, inputs, response)
        if reading.outcome not in ("ok", "content_filter"):
            _LOG.warning(
                "model_attempt_failed",
                deployment=self._deployment.name,
                outcome=reading.outcome,
                status=response.status,
                inputs=len(inputs),
            )
        return ProviderAnswer(
            refs=tuple(given.ref for given in inputs),
            scores=reading.scores,
            outcome=reading.outcome,
            latency_ms=response.latency_ms,
            usage=reading.usage,
            retry_after_ms=reading.retry_after_ms,
            spillover=reading.spillover,
        )
