"""When to ask again and when to leave a deployment alone. Pure: time and chance are given."""

from dataclasses import dataclass, field, replace

from inhouse.models.types import RETRYABLE, USABLE, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How patiently one deployment is asked again."""

    most_attempts: int = 3  # the first included
    first_ms: int = 400  # longest wait after the first failure; doubles each time
    most_ms: int = 8_000  # longest wait of our own choosing
    patience_ms: int = 1_000  # longest wait while another deployment could answer at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What is known when one has to decide."""

    outcome: Outcome
    attempts: int  # made so far, 1 or more
    retry_after_ms: int | None  # the vendor's wish
    remaining_ms: int  # until the deadline
    has_fallback: bool  # another deployment could answer


def retry_delay_ms(policy: RetryPolicy, failure: Failure, chance: float) -> int | None:
    """How long to wait before asking again; None to give this deployment up.

    The wait is the vendor's wish where there is one, else exponential with jitter: 50 to 100% of
    first_ms * 2^(attempts - 1), at most most_ms. chance: uniform in [0, 1).
    """
    if failure.outcome not in RETRYABLE or failure.attempts >= policy.most_attempts:
        return None
    if failure.outcome == "timeout" and failure.has_fallback:
        return None  # whoever is slow is slow again, and a caller has waited long enough
    wanted = failure.retry_after_ms
    if wanted is None:
        longest = min(policy.most_ms, policy.first_ms * 2 ** (failure.attempts - 1))
        wanted = round(longest * (0.5 + 0.5 * chance))
    allowed = failure.remaining_ms
    if failure.has_fallback:
        allowed = min(allowed, policy.patience_ms)
    return wanted if wanted <= allowed else None


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerPolicy:
    """When a deployment counts as broken."""

    failures: int = 5  # in a row
    first_ms: int = 5_000  # how long it is then left alone; doubles while probes fail
    most_ms: int = 120_000
    probe_ms: int = 30_000  # a probe nobody heard of again stops counting


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """What is remembered of one deployment. Closed while `failures` is below the policy's."""

    failures: int = 0  # in a row
    open_ms: int = 0  # length of the present break
    until_ms: int = 0  # end of the present break or of a pause the vendor asked for
    probing_until_ms: int = 0  # one request is out to see whether it is well again


def admit(policy: BreakerPolicy, breaker: Breaker, now_ms: int) -> tuple[Breaker, int]:
    """The breaker after asking leave, and how long to wait before asking again; 0 means go."""
    if now_ms < breaker.until_ms:
        return breaker, breaker.until_ms - now_ms
    if breaker.failures < policy.failures:
        return breaker, 0
    if now_ms < breaker.probing_until_ms:
        return breaker, breaker.probing_until_ms - now_ms
    return replace(breaker, probing_until_ms=now_ms + policy.probe_ms), 0


def after(
    policy: BreakerPolicy,
    breaker: Breaker,
    outcome: Outcome,
    retry_after_ms: int | None,
    now_ms: int,
) -> Breaker:
    """The breaker after a request came back.

    A wish to wait is a pause and no more: a full deployment is not a broken one. A content filter
    that refuses a text shows a deployment in good health. A caller who went away shows nothing.
    """
    if outcome in USABLE:
        return Breaker()
    if outcome == "aborted":
        return replace(breaker, probing_until_ms=0)
    if outcome == "rate_limited" and retry_after_ms is not None:
        until_ms = max(breaker.until_ms, now_ms + retry_after_ms)
        return replace(breaker, until_ms=until_ms, probing_until_ms=0)
    failures = breaker.failures + 1
    if failures < policy.failures:
        return replace(breaker, failures=failures)
    open_ms = min(policy.most_ms, max(policy.first_ms, 2 * breaker.open_ms))
    if now_ms < breaker.until_ms:  # late news of requests sent before it opened
        return replace(breaker, failures=failures)
    return Breaker(failures=failures, open_ms=open_ms, until_ms=now_ms + open_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How failures are met."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
