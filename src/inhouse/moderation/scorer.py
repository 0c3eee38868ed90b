"""Scorers: the gateway of `models`, and none at all."""

from collections.abc import Sequence

from inhouse.models.gateway import Gateway
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Answer, Task, TaskInput, UnansweredError
from inhouse.moderation.ports import Scores


class GatewayScorer:
    """Asks the models that the route of a task names."""

    def __init__(
        self, gateway: Gateway, task: Task = TEXT_HARM, *, keep_texts: bool = True
    ) -> None:
        """keep_texts: whether they may be kept with what rented models say of them."""
        self._gateway = gateway
        self._task = task
        self._keep_texts = keep_texts

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        """Scores in order, None for a text nobody answered while others were. Raises VendorError
        where nobody answered at all."""
        inputs = [TaskInput(ref=ref, text=text) for ref, text in zip(refs, texts, strict=True)]
        try:
            answers: Sequence[Answer] = await self._gateway.ask(
                self._task, inputs, keep_texts=self._keep_texts
            )
        except UnansweredError as error:
            if not error.answered:
                raise
            answers = error.answered
        found = {answer.ref: answer for answer in answers}
        return [_scores(found[ref]) if ref in found else None for ref in refs]


class NoModel:
    """For a community that has neither a rented nor an owned model yet: term banks and signals
    decide alone, and verdicts say that no model scored them."""

    async def score(self, texts: Sequence[str], refs: Sequence[str]) -> list[Scores | None]:
        return [Scores(p={}, model_version=None) for _ in texts]


def _scores(answer: Answer) -> Scores:
    return Scores(p=answer.scores, model_version=f"{answer.host}/{answer.model}"[:96])
