"""Scorers: the gateway of `models`, and none at all."""

from collections.abc import Sequence
from typing import Final

from inhouse.models.asking.gateway import Gateway
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Answer, Manner, Task, TaskInput, UnansweredError
from inhouse.moderation.ports import Scores

_ORDINARY: Final = Manner()


class GatewayScorer:
    """Asks the models that the route of a task names."""

    def __init__(
        self, gateway: Gateway, task: Task = TEXT_HARM, manner: Manner = _ORDINARY
    ) -> None:
        self._gateway = gateway
        self._task = task
        self._manner = manner

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        """Scores in order, None for a text nobody answered while others were. Raises VendorError
        where nobody answered at all."""
        inputs = [TaskInput(ref=ref, text=text) for ref, text in zip(refs, texts, strict=True)]
        try:
            answers: Sequence[Answer] = await self._gateway.ask(self._task, inputs, self._manner)
        except UnansweredError as error:
            if not error.answered:
                raise
            answers = error.answered
        found = {answer.ref: answer for answer in answers}
        return [_scores(found[ref]) if ref in found else None for ref in refs]


class GatewayLooker:
    """Asks the rented models on a task's route that take pictures."""

    def __init__(self, gateway: Gateway, task: Task = TEXT_HARM) -> None:
        self._gateway = gateway
        self._task = task

    async def look(self, pictures: Sequence[str]) -> list[Scores | None]:
        """See `ports.PictureScorer`."""
        inputs = [
            TaskInput(ref=str(place), text="", picture=one) for place, one in enumerate(pictures)
        ]
        answers = await self._gateway.look(self._task, inputs)
        return [None if answer is None else _scores(answer) for answer in answers]


class NoModel:
    """For a community that has neither a rented nor an owned model yet: term banks and signals
    decide alone, and verdicts say that no model scored them."""

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        return [Scores(p={}, model_version=None) for _ in texts]


def _scores(answer: Answer) -> Scores:
    return Scores(p=answer.scores, model_version=f"{answer.host}/{answer.model}"[:96])
