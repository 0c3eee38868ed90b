"""A model of one's own as a provider: in process, no vendor, nothing to pay."""

import asyncio
from collections.abc import Sequence
from math import isfinite
from time import perf_counter

from inhouse.core.logs import logger
from inhouse.models.owned.registry import Judging
from inhouse.models.providers.cutting import split_by_size
from inhouse.models.types import (
    INHOUSE,
    OWNED,
    Deployment,
    ProviderAnswer,
    Scores,
    Task,
    TaskInput,
)

_BATCH = 256
_BATCH_CHARS = 200_000


# What weights that are not what they should be can do to arithmetic and look-ups.
_BROKEN = (ValueError, ArithmeticError, LookupError, TypeError, MemoryError)
_LOG = logger("models")


def owned_deployment(version: str) -> Deployment:
    """How a version stands in the ledger."""
    return Deployment(
        name=OWNED, host=INHOUSE, owner=INHOUSE, model=version, batch=_BATCH, harvest=False
    )


class OwnedProvider:
    """One version of a judging model. More than a few posts are scored in a thread, so that the
    loop stays free."""

    def __init__(self, version: str, model: Judging) -> None:
        self._deployment = owned_deployment(version)
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
        scores = await self._scores(task, [given.text for given in inputs])
        return [
            ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=scores,
                outcome="bad_answer" if scores is None else "ok",
                latency_ms=(perf_counter() - started) * 1000,
            )
        ]

    async def _scores(self, task: Task, texts: list[str]) -> tuple[Scores, ...] | None:
        """None where the model is broken: a fault in it, or a probability that is no number."""
        try:
            if sum(map(len, texts)) <= self._model.at_once_chars:
                told = self._model.scores(texts)
            else:
                told = await asyncio.to_thread(self._model.scores, texts)
        except _BROKEN as error:  # others can still be asked
            _LOG.error(
                "owned_model_failed", version=self._deployment.model, kind=type(error).__name__
            )
            return None
        wanted = set(task.categories)
        scores = tuple({name: p for name, p in one.items() if name in wanted} for one in told)
        sound = all(isfinite(p) for one in scores for p in one.values())
        return scores if sound else None

    async def close(self) -> None:
        """Nothing is open."""
