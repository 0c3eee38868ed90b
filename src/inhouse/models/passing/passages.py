"""The nouns of calls passed on: one let in, an attempt on its way, what came of it, its row in the
ledger. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

import msgspec

from inhouse.core.errors import BusyError, VendorError
from inhouse.models.bounds.budgets import Hold
from inhouse.models.bounds.limits import Lease, Standing
from inhouse.models.ledger.prices import estimate_of, price_of
from inhouse.models.ports import Chat
from inhouse.models.providers.passing import Passed
from inhouse.models.providers.transport import HttpResponse
from inhouse.models.providers.wire import Reading
from inhouse.models.types import Attempt, Deployment, Role

P = TypeVar("P")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A call that was let in."""

    call_id: str
    call: Passed
    task: str  # that the call is for; its service where it is for none of the community's tasks
    deployments: Sequence[Deployment]  # who is asked in turn
    lease: Lease | None  # what it counts against the key's rate limit; None without one


# Structs, where all else is a dataclass: each call makes some, and they take a fifth of the time.
class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt on its way to a deployment."""

    call_id: str
    call: Passed
    task: str  # that the call is for; its service where it is for none of the community's tasks
    deployment: Deployment
    role: Role
    started: float  # on the monotonic clock, in seconds
    timeout_ms: int
    lease: Lease | None = None  # what it counts against the key's rate limit; None without one
    hold: Hold | None = None  # money set aside for it; None where the key has no budget
    failed: tuple[Deployment, ...] = ()  # asked before it in this call, in vain
    since: float = 0.0  # when the call began, on the monotonic clock


class Sent(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """What came of an attempt."""

    passage: Passage
    reading: Reading
    payload: P  # the answer's body, or the stream that has begun


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A vendor's answer as it came."""

    status: int
    body: bytes
    deployment: str  # who gave it
    standing: Standing | None = None  # of the key's rate limit; None where it has none
    cached: bool = False  # it was kept from an earlier call


def is_judged(passage: Passage) -> bool:
    """Whether what is asked and answered is to be judged."""
    return bool(passage.deployment.moderate) and passage.call.service == "chat"


def chat_of(passage: Passage) -> Chat:
    return Chat(
        call_id=passage.call_id,
        task=passage.task,
        key_id=passage.call.key_id,
        deployment=passage.deployment,
    )


def body_of(passage: Passage, response: HttpResponse) -> Body:
    return Body(
        status=response.status,
        body=response.body,
        deployment=passage.deployment.name,
        standing=None if passage.lease is None else passage.lease.standing,
    )


def row_of(passage: Passage, reading: Reading, now_ms: int, pieces: int = 0) -> Attempt:
    deployment = passage.deployment
    price, estimate_usd = price_of(deployment, reading, now_ms), None
    if price.cost_usd is None and reading.usage is None:
        estimate_usd = estimate_of(deployment, passage.call.seen(pieces), now_ms)
    return Attempt(
        call_id=passage.call_id,
        at_ms=now_ms,
        task=passage.task,
        role=passage.role,
        deployment=deployment.name,
        host=deployment.host,
        owner=deployment.owner,
        model=deployment.model,
        inputs=1,
        answered=int(reading.outcome == "ok"),
        usage=reading.usage,
        cost_usd=price.cost_usd,
        price_version=price.version,
        latency_ms=(monotonic() - passage.started) * 1000,
        outcome=reading.outcome,
        simulated=deployment.simulated,
        spillover=reading.spillover,
        key_id=passage.call.key_id,
        estimate_usd=estimate_usd,
    )


def nobody(call: Passed, asked: Sequence[Deployment], last: Reading | None) -> Exception:
    """What a caller is told where nobody answered."""
    names = ", ".join(deployment.name for deployment in asked)
    if last is not None and last.outcome == "rate_limited":
        retry_after_s = max(1, -(-(last.retry_after_ms or 1_000) // 1_000))
        return BusyError(f"all of {names} are full; ask again later", retry_after_s=retry_after_s)
    why = "not asked, for they failed just now" if last is None else last.outcome
    return VendorError(f"nobody answered for the model {call.model[:80]!r}: {names}: {why}")
