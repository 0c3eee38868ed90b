"""OpenAI's moderations endpoint: free, one result a text, its own thirteen categories.

Ours are the highest of theirs:

| ours        | theirs                                                          |
|-------------|-----------------------------------------------------------------|
| harassment  | harassment, harassment/threatening                              |
| hate        | hate, hate/threatening                                          |
| sexual      | sexual, sexual/minors                                           |
| violence    | violence, violence/graphic, illicit/violent                     |
| self_harm   | self-harm, self-harm/intent, self-harm/instructions             |

Of a picture the vendor says for each category whether it looked; else the score is absent.
`illicit` (advice on wrongdoing without violence) has no counterpart. Nothing of theirs speaks of
spam: that score is absent, which means unknown.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from inhouse.models.providers.transport import HttpRequest, HttpResponse
from inhouse.models.providers.wire import Reading, decoded, failure_of, joined, retry_after_ms
from inhouse.models.types import Deployment, Scores, Task, TaskInput

FROM_OPENAI: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "harassment": ("harassment", "harassment/threatening"),
        "hate": ("hate", "hate/threatening"),
        "sexual": ("sexual", "sexual/minors"),
        "violence": ("violence", "violence/graphic", "illicit/violent"),
        "self_harm": ("self-harm", "self-harm/intent", "self-harm/instructions"),
    }
)


class ModerationsWire:
    """POST {url}/moderations with a bearer key."""

    most_chars: Final = 40_000

    def request(
        self, deployment: Deployment, task: Task, inputs: Sequence[TaskInput]
    ) -> HttpRequest:
        headers = {"content-type": "application/json"}
        if deployment.key:
            headers["authorization"] = f"Bearer {deployment.key}"
        body = {"model": deployment.model, "input": [_input(given) for given in inputs]}
        return HttpRequest(
            url=joined(deployment.url, "moderations"),
            headers=headers,
            body=msgspec.json.encode(body),
        )

    def read(self, task: Task, inputs: Sequence[TaskInput], response: HttpResponse) -> Reading:
        failure = failure_of(response)
        if failure is not None:
            return Reading(outcome=failure, retry_after_ms=retry_after_ms(response.headers))
        answer = decoded(response.body, _Moderations)
        if answer is None or len(answer.results) != len(inputs):
            return Reading(outcome="bad_answer")
        scores = tuple(
            from_openai(task, result.of_pictures() if given.picture else result.category_scores)
            for given, result in zip(inputs, answer.results, strict=True)
        )
        if not all(scores):
            return Reading(outcome="bad_answer")
        return Reading(outcome="ok", scores=scores)


def _input(given: TaskInput) -> object:
    """A picture is asked about alone: an input of parts has one result, whatever they are."""
    if not given.picture:
        return given.text
    return {"type": "image_url", "image_url": {"url": given.picture}}


class _Result(msgspec.Struct):
    category_scores: dict[str, float | None]
    category_applied_input_types: dict[str, list[str]] | None = None

    def of_pictures(self) -> dict[str, float | None]:
        """The scores that are of what a picture shows."""
        types = self.category_applied_input_types or {}
        return {
            name: p for name, p in self.category_scores.items() if "image" in types.get(name, ())
        }


class _Moderations(msgspec.Struct):
    results: list[_Result]


def from_openai(task: Task, theirs: Mapping[str, float | None]) -> Scores:
    """Our categories from theirs; empty where a score is no probability.

    >>> from inhouse.models.tasks import TEXT_HARM
    >>> from_openai(TEXT_HARM, {"hate": 0.25, "hate/threatening": 0.5, "illicit": None})
    {'hate': 0.5}
    """
    if not all(0 <= p <= 1 for p in theirs.values() if p is not None):
        return {}
    ours: dict[str, float] = {}
    for category, names in FROM_OPENAI.items():
        told = [p for p in map(theirs.get, names) if p is not None]
        if told and category in task.categories:
            ours[category] = max(told)
    return ours
