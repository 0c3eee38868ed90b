"""A rented model made of labels: right about 95 texts of 100, priced as a real one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from inhouse.models.types import Deployment, ProviderAnswer, Scores, Task, TaskInput, Usage

Errors = Literal["random", "text"]
ERRORS: Final[tuple[Errors, ...]] = get_args(Errors)
WRONG_SHARE: Final = 0.05
_CHARS_A_TOKEN: Final = 4
_ANSWER_TOKENS: Final = 30  # a text
_BATCH: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What is so of a text."""

    scores: Scores  # 0 or 1 for each category
    confused: str  # the category in which whoever errs about it errs


class SimulatedTeacher:
    """Says what the labels say, but for one text in twenty: drawn by lot for each text (`random`),
    or all texts whose longest word falls into one of twenty parts, so that the errors hang on the
    words and can be learned (`text`). The same text is always judged the same."""

    def __init__(self, truth: Mapping[str, Truth], errors: Errors) -> None:
        """truth: by text."""
        self._truth = truth
        self._errors = errors
        self._deployment = Deployment(
            name="teacher",
            host="openai",
            owner="openai",
            model="gpt-4o-mini",
            batch=_BATCH,
            terms="simulated",
            simulated=True,
        )

    @property
    def deployment(self) -> Deployment:
        return self._deployment

    def is_wrong(self, text: str) -> bool:
        """Whether it errs about a text."""
        words = text.lower().split() or [""]
        drawn = text if self._errors == "random" else max(words, key=len)
        digest = hashlib.blake2b(drawn.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64 < WRONG_SHARE

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        return [tuple(inputs[at : at + _BATCH]) for at in range(0, len(inputs), _BATCH)]

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        told = len(task.instructions) + sum(len(given.text) for given in inputs)
        usage = Usage(tokens_in=told // _CHARS_A_TOKEN, tokens_out=_ANSWER_TOKENS * len(inputs))
        return [
            ProviderAnswer(
                refs=tuple(given.ref for given in inputs),
                scores=tuple(self._said(given.text) for given in inputs),
                outcome="ok",
                latency_ms=300.0,
                usage=usage,
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""

    def _said(self, text: str) -> Scores:
        truth, wrong = self._truth[text], self.is_wrong(text)
        return {
            name: 0.95 if (value >= 0.5) != (wrong and name == truth.confused) else 0.05
            for name, value in truth.scores.items()
        }
