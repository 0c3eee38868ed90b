"""What the gateway asks of whoever answers, and of whoever listens to answers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from inhouse.models.providers.passing import Passed
from inhouse.models.types import Deployment, ProviderAnswer, Task, TaskInput


class Provider(Protocol):
    """One deployment that can be asked. Failures are outcomes, not exceptions."""

    @property
    def deployment(self) -> Deployment: ...

    def split(self, inputs: Sequence[TaskInput]) -> list[tuple[TaskInput, ...]]:
        """The inputs in order, cut into as many as one request should carry."""

    async def answer(
        self, task: Task, inputs: Sequence[TaskInput], timeout_ms: int
    ) -> list[ProviderAnswer]:
        """Ask for one such cut. One answer for each request that was sent: a vendor's filter can
        force a second round, text by text, and then a later answer replaces an earlier one."""

    async def close(self) -> None:
        """Let go of connections; asking again opens new ones."""


class Hearing(Protocol):
    """Hears one answer of a call passed on. Cheap, for calls wait for it."""

    def hear(self, piece: bytes) -> None:
        """A piece of the answer, in order."""

    def done(self) -> None:
        """The answer came to its end. Where it did not this is not called, and nothing is kept."""


class Listener(Protocol):
    """Keeps answers to learn from."""

    def listen(self, call: Passed, call_id: str, deployment: Deployment) -> Hearing | None:
        """Who hears this answer; None where it may not be kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """A call that is judged."""

    call_id: str
    task: str  # that it is for, as the ledger names it
    key_id: str  # whose call it is
    deployment: Deployment  # that is asked; names the task that it is judged by


class Watchful(Protocol):
    """Judges chats; see `guard.Guard`."""

    async def refusal(self, chat: Chat, fields: Mapping[str, msgspec.Raw]) -> bytes | None:
        """What a harmful prompt is answered with; None where it may be sent."""

    async def checked(self, chat: Chat, body: bytes) -> bytes:
        """An answer without those of its choices that are harmful."""

    def passed(self, chat: Chat, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The events of a stream, up to the first harm."""
