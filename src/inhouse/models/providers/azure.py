"""Azure OpenAI: the same chat answers at other addresses, and a filter in front of the model.

With an `api_version` the address is {url}/openai/deployments/{model}/chat/completions, without one
{url}/openai/v1/chat/completions; url is the resource's, https://NAME.openai.azure.com.

A prompt that the filter blocks comes back as 400 `content_filter` with a severity for each of its
categories. Whoever judges harm sends harm: that answer is evidence. Severities become scores by the
table below (a blocked category is at least 0.9); they are ranks, not calibrated probabilities. The
filter does not speak of harassment and spam: these stay unknown. Only single texts are read so; a
blocked request of several is asked again one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import msgspec

from inhouse.models.providers.openai_compatible import chat_body, read_chat
from inhouse.models.providers.transport import HttpRequest, HttpResponse
from inhouse.models.providers.wire import Reading, decoded, joined
from inhouse.models.types import Deployment, Scores, Task, TaskInput

SEVERITIES: Final[Mapping[str, float]] = MappingProxyType(
    {"safe": 0.05, "low": 0.35, "medium": 0.75, "high": 0.95}
)
BLOCKED: Final = 0.9
FILTERED: Final = ("hate", "sexual", "violence", "self_harm")  # the filter's names are ours too
_SPILLOVER: Final = "x-ms-spillover-deployment"
_LONGEST_NAME: Final = 96  # what the ledger keeps of it


class AzureWire:
    """Chat completions of an Azure deployment with an api-key header."""

    most_chars: Final = 6_000

    def request(
        self, deployment: Deployment, task: Task, inputs: Sequence[TaskInput]
    ) -> HttpRequest:
        return HttpRequest(
            url=address_of(deployment, "chat", "completions"),
            headers={"content-type": "application/json", "api-key": deployment.key},
            body=chat_body(deployment, task, inputs),
        )

    def read(self, task: Task, inputs: Sequence[TaskInput], response: HttpResponse) -> Reading:
        reading = read_chat(task, len(inputs), response)
        evidence = None
        if response.status == 400:
            evidence = _of_refusal(task, response.body)
        elif reading.outcome == "content_filter":
            evidence = _of_completion(task, response.body)
        if evidence is not None:
            one = len(inputs) == 1 and bool(evidence)
            reading = replace(
                reading, outcome="content_filter", scores=(evidence,) if one else None
            )
        return replace(reading, spillover=spillover_of(response.headers))


def address_of(deployment: Deployment, *service: str) -> str:
    """Where a deployment answers: `chat`, `completions`, or `embeddings`."""
    if not deployment.api_version:
        return joined(deployment.url, "openai", "v1", *service)
    name = quote(deployment.model, safe="")
    path = joined(deployment.url, "openai", "deployments", name, *service)
    return f"{path}?api-version={quote(deployment.api_version, safe='')}"


def spillover_of(headers: Mapping[str, str]) -> str | None:
    """The deployment that really answered, where Azure moved the call."""
    spillover = headers.get(_SPILLOVER)
    return spillover[:_LONGEST_NAME] if spillover else None


class _Finding(msgspec.Struct):
    filtered: bool = False
    severity: str | None = None


class _InnerError(msgspec.Struct):
    content_filter_result: dict[str, msgspec.Raw] = {}
    content_filter_results: dict[str, msgspec.Raw] = {}


class _Error(msgspec.Struct):
    code: str | None = None
    innererror: _InnerError | None = None


class _Refusal(msgspec.Struct):
    error: _Error


class _Findings(msgspec.Struct):
    content_filter_results: dict[str, msgspec.Raw] = {}


class _Completion(msgspec.Struct):
    prompt_filter_results: list[_Findings] = []
    choices: list[_Findings] = []


def _of_refusal(task: Task, body: bytes) -> Scores | None:
    """Evidence of a blocked prompt; None where the 400 means something else."""
    refusal = decoded(body, _Refusal)
    if refusal is None or refusal.error.code != "content_filter":
        return None
    inner = refusal.error.innererror or _InnerError()
    return evidence_of(task, [inner.content_filter_result or inner.content_filter_results])


def _of_completion(task: Task, body: bytes) -> Scores:
    """Evidence on a prompt whose completion was cut off."""
    completion = decoded(body, _Completion) or _Completion()
    both = (*completion.prompt_filter_results, *completion.choices)
    return evidence_of(task, [part.content_filter_results for part in both])


def evidence_of(task: Task, found: Sequence[Mapping[str, msgspec.Raw]]) -> Scores:
    """Scores from the filter's findings, the highest of each category. Empty unless one of our
    categories was blocked: a block for other reasons (jailbreak, block lists) says nothing of harm.

    >>> from inhouse.models.tasks import TEXT_HARM
    >>> raw = msgspec.Raw(b'{"filtered": true, "severity": "medium"}')
    >>> evidence_of(TEXT_HARM, [{"hate": raw}])
    {'hate': 0.9}
    """
    scores: dict[str, float] = {}
    blocked = False
    for findings in found:
        for category in FILTERED:
            finding = decoded(bytes(findings.get(category, b"")), _Finding)
            if finding is None or category not in task.categories:
                continue
            blocked |= finding.filtered
            told = SEVERITIES.get(finding.severity or "", 0.0)
            told = max(BLOCKED, told) if finding.filtered else told
            if told > 0:
                scores[category] = max(told, scores.get(category, 0.0))
    return scores if blocked else {}
