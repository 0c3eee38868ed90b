"""A text classifier from the Hugging Face hub, run by this process (extra `hf`).

Others made it, we run it: no vendor is called and nothing is paid. Weights are read from
safetensors alone, and code that comes with a checkpoint is never run. A text longer than the model
reads is read in overlapping windows, and the highest probability of each label counts.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any, Final

from inhouse.core.errors import SettingError
from inhouse.core.logs import logger
from inhouse.models.owned.hub import load_judge, load_tokens
from inhouse.models.providers.cutting import split_by_size
from inhouse.models.types import Deployment, Outcome, ProviderAnswer, Scores, Task, TaskInput

_BATCH_CHARS: Final = 40_000
_MOST_TOKENS: Final = 512
_OVERLAP_TOKENS: Final = 32
_WINDOWS_AT_ONCE: Final = 16
_LOG = logger("models")


class Checkpoint:
    """A loaded classifier. Not thread-safe: `HuggingFaceProvider` asks it under a lock."""

    def __init__(self, deployment: Deployment) -> None:
        """Raises SettingError where the extra is missing, the checkpoint cannot be read or it has
        no label of the deployment's map."""
        self._tokens = load_tokens(deployment.model)
        self._model = load_judge(deployment.model)
        import torch  # noqa: PLC0415

        self._torch = torch
        self._columns = _columns(self._model.config.id2label, deployment)

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """A probability for each mapped category of each text."""
        longest = min(_MOST_TOKENS, self._tokens.model_max_length)
        told = self._tokens(
            list(texts),
            truncation=True,
            max_length=longest,
            stride=min(_OVERLAP_TOKENS, longest // 4),
            return_overflowing_tokens=True,
            padding=False,
        )
        owners = told.pop("overflow_to_sample_mapping")
        highest: list[dict[str, float]] = [{} for _ in texts]
        for owner, row in zip(owners, self._probabilities(told), strict=True):
            for category, column in self._columns:
                highest[owner][category] = max(highest[owner].get(category, 0.0), row[column])
        return list(highest)

    def _probabilities(self, told: Mapping[str, list[Any]]) -> list[list[float]]:
        """[windows][labels], windows of like length together."""
        lengths = [len(ids) for ids in told["input_ids"]]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        rows: list[list[float]] = [[] for _ in order]
        for start in range(0, len(order), _WINDOWS_AT_ONCE):
            places = order[start : start + _WINDOWS_AT_ONCE]
            batch = {name: [column[place] for place in places] for name, column in told.items()}
            padded = self._tokens.pad(batch, return_tensors="pt")
            with self._torch.inference_mode():
                logits = self._model(**padded).logits.float()  # [windows, labels]
            for place, row in zip(places, self._squashed(logits).tolist(), strict=True):
                rows[place] = row
        return rows

    def _squashed(self, logits: Any) -> Any:
        """Labels beside each other get a sigmoid each, labels that exclude each other a softmax."""
        kind = self._model.config.problem_type
        if kind == "multi_label_classification" or logits.shape[1] == 1:
            return self._torch.sigmoid(logits)
        return self._torch.softmax(logits, dim=1)


def _columns(id2label: Mapping[int, str], deployment: Deployment) -> list[tuple[str, int]]:
    """Which category each mapped label speaks of, and its column."""
    places = {label: int(place) for place, label in id2label.items()}
    missing = [label for label in deployment.labels if label not in places]
    if missing:
        raise SettingError(
            f"the checkpoint {deployment.model!r} has no label {missing[0]!r};"
            f" its labels are {', '.join(sorted(places))}"
        )
    return [(category, places[label]) for label, category in deployment.labels.items()]


class HuggingFaceProvider:
    """One checkpoint, loaded when it is first asked."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._gate = threading.Lock()
        self._checkpoint: Checkpoint | None = None

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return split_by_size(inputs, self._deployment.batch, _BATCH_CHARS)

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        """Work in a thread; what cannot be loaded is `unreachable`, and the log says why."""
        started = perf_counter()
        outcome, scores = await asyncio.to_thread(self._scores, task, [i.text for i in inputs])
        return [
            ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=scores,
                outcome=outcome,
                latency_ms=(perf_counter() - started) * 1000,
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""

    def _scores(
        self, task: Task, texts: Sequence[str]
    ) -> tuple[Outcome, tuple[Scores, ...] | None]:
        with self._gate:
            try:
                self._checkpoint = self._checkpoint or Checkpoint(self._deployment)
            except SettingError as error:
                _LOG.error(
                    "checkpoint_unusable", deployment=self._deployment.name, reason=str(error)
                )
                return "unreachable", None
            told = self._checkpoint.scores(texts)
        wanted = set(task.categories)
        return "ok", tuple({c: p for c, p in one.items() if c in wanted} for one in told)
