"""What all vendors' answers share: statuses, the wish to wait, usage. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, TypeVar

import msgspec

from inhouse.models.providers.transport import HttpRequest, HttpResponse
from inhouse.models.types import Deployment, Outcome, Scores, Task, TaskInput, Usage

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A vendor's answer, understood."""

    outcome: Outcome
    scores: tuple[Scores, ...] | None = None  # for each input; None where it failed
    usage: Usage | None = None  # None where it was not told
    retry_after_ms: int | None = None
    spillover: str | None = None


class Wire(Protocol):
    """A vendor's dialect."""

    @property
    def most_chars(self) -> int:
        """Most characters of text in one request of several texts."""

    def request(
        self, deployment: Deployment, task: Task, inputs: Sequence[TaskInput]
    ) -> HttpRequest:
        """The request that asks for all inputs at once."""

    def read(self, task: Task, inputs: Sequence[TaskInput], response: HttpResponse) -> Reading:
        """What the answer to it means."""


def joined(base: str, *parts: str) -> str:
    """An address below a base, whether or not that ends in a slash."""
    return "/".join((base.rstrip("/"), *parts))


def decoded(body: bytes, kind: type[T]) -> T | None:
    """JSON of exactly that shape (fields not asked about are ignored), or None."""
    try:
        return msgspec.json.decode(body, type=kind, strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def failure_of(response: HttpResponse) -> Outcome | None:
    """The outcome of an answer that carries no result, None where it is 200."""
    if response.fault == "timeout" or response.status == 408:
        return "timeout"
    if response.status == 0:
        return "unreachable"
    if response.status == 200:
        return None
    if response.status == 429:
        return "rate_limited"
    if response.status in (401, 403):
        return "denied"
    return "server_error" if response.status >= 500 else "refused"


def retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """`retry-after-ms`, else `retry-after` in seconds or as a date, else None."""
    exact = _whole(headers.get("retry-after-ms"), 1)
    if exact is not None:
        return exact
    given = headers.get("retry-after")
    seconds = _whole(given, 1_000)
    return seconds if seconds is not None or given is None else _until(given, headers.get("date"))


def _whole(text: str | None, scale: int) -> int | None:
    try:
        value = float(text) * scale if text is not None else -1.0
    except ValueError:
        return None
    return round(value) if 0 <= value <= _LONGEST_WAIT_MS else None


def _until(given: str, sent: str | None) -> int | None:
    """Milliseconds from the answer's own date to the one it names."""
    if sent is None:
        return None
    try:
        moments = [parsedate_to_datetime(text).replace(tzinfo=UTC) for text in (given, sent)]
    except ValueError:
        return None
    return max(0, round((moments[0] - moments[1]).total_seconds() * 1_000))


_LONGEST_WAIT_MS: Final = 24 * 3_600_000


class PromptTokens(msgspec.Struct):
    """Part of a chat answer's usage."""

    cached_tokens: int | None = None
    audio_tokens: int | None = None


class CompletionTokens(msgspec.Struct):
    """Part of a chat answer's usage."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class ChatUsage(msgspec.Struct):
    """Usage as OpenAI's chat completions tell it."""

    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: PromptTokens | None = None
    completion_tokens_details: CompletionTokens | None = None

    def usage(self) -> Usage | None:
        """Our usage; None where the counts are impossible."""
        prompt = self.prompt_tokens_details or PromptTokens()
        completion = self.completion_tokens_details or CompletionTokens()
        parts = {
            "tokens_cached": (prompt.cached_tokens, self.prompt_tokens),
            "tokens_audio_in": (prompt.audio_tokens, self.prompt_tokens),
            "tokens_reasoning": (completion.reasoning_tokens, self.completion_tokens),
            "tokens_audio_out": (completion.audio_tokens, self.completion_tokens),
        }
        counts = {name: min(count or 0, whole) for name, (count, whole) in parts.items()}
        if min(self.prompt_tokens, self.completion_tokens, *counts.values()) < 0:
            return None
        return Usage(tokens_in=self.prompt_tokens, tokens_out=self.completion_tokens, **counts)
