"""A model of one's own as a provider: in process, no vendor, nothing to pay."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from inhouse.models.owned.registry import Judging
from inhouse.models.providers.cutting import split_by_size
from inhouse.models.types import INHOUSE, OWNED, Deployment, ProviderAnswer, Task, TaskInput

_BATCH = 256
_BATCH_CHARS = 200_000


class OwnedProvider:
    """One version of a judging model. More than a few posts are scored in a thread, so that the
    loop stays free."""

    def __init__(self, version: str, model: Judging) -> None:
        self._deployment = Deployment(
            name=OWNED, host=INHOUSE, owner=INHOUSE, model=version, batch=_BATCH, harvest=False
        )
        self._model = model

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return split_by_size(inputs, _BATCH, _BATCH_CHARS)

    async def answer(
        self,
        task: Task,
        inputs: Sequence[TaskInput],
        timeout_ms: int,
    ) -> list[ProviderAnswer]:
        started = perf_counter()
        texts = [given.text for given in inputs]
        if sum(map(len, texts)) <= self._model.at_once_chars:
            told = self._model.scores(texts)
        else:
            told = await asyncio.to_thread(self._model.scores, texts)
        wanted = set(task.categories)
        scores = tuple({name: p for name, p in one.items() if name in wanted} for one in told)
        return [
            ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=scores,
                outcome="ok",
                latency_ms=(perf_counter() - started) * 1000,
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""
