"""When to ask again and when to leave a deployment alone: tables of cases."""

from dataclasses import replace

import pytest

from inhouse.models.asking.resilience import (
    Breaker,
    BreakerPolicy,
    Failure,
    RetryPolicy,
    admit,
    after,
    retry_delay_ms,
)
from inhouse.models.types import Outcome

RETRY = RetryPolicy(most_attempts=3, first_ms=400, most_ms=1_000, patience_ms=1_000)
FAILED = Failure(
    outcome="server_error", attempts=1, retry_after_ms=None, remaining_ms=60_000, has_fallback=False
)


@pytest.mark.parametrize(
    ("failure", "chance", "expected"),
    [
        (FAILED, 0.0, 200),
        (FAILED, 1.0, 400),
        (replace(FAILED, attempts=2), 1.0, 800),
        (replace(FAILED, attempts=3), 0.5, None),
        (replace(FAILED, outcome="timeout"), 1.0, 400),
        (replace(FAILED, outcome="unreachable"), 1.0, 400),
        (replace(FAILED, outcome="bad_answer"), 1.0, 400),
        (replace(FAILED, outcome="refused"), 0.5, None),
        (replace(FAILED, outcome="denied"), 0.5, None),
        (replace(FAILED, outcome="content_filter"), 0.5, None),
        (replace(FAILED, outcome="aborted"), 0.5, None),
        (replace(FAILED, remaining_ms=150), 0.0, None),
        (replace(FAILED, outcome="rate_limited", retry_after_ms=5_000), 0.5, 5_000),
        (replace(FAILED, outcome="rate_limited", retry_after_ms=0), 0.5, 0),
        (replace(FAILED, outcome="rate_limited", retry_after_ms=90_000), 0.5, None),
        (
            replace(FAILED, outcome="rate_limited", retry_after_ms=5_000, has_fallback=True),
            0.5,
            None,
        ),
        (replace(FAILED, outcome="rate_limited", retry_after_ms=900, has_fallback=True), 0.5, 900),
    ],
)
def test_waits(failure: Failure, chance: float, expected: int | None) -> None:
    """Exponential with jitter, the vendor's wish first, never past the deadline, and short where
    somebody else could answer."""
    assert expected == retry_delay_ms(RETRY, failure, chance)


def test_waits_are_bounded() -> None:
    """However many attempts, never longer than the policy says."""
    patient = replace(RETRY, most_attempts=99)
    assert retry_delay_ms(patient, replace(FAILED, attempts=50), 1.0) == 1_000


BREAKER = BreakerPolicy(failures=3, first_ms=1_000, most_ms=3_000, probe_ms=500)
_Event = tuple[int, Outcome, int | None]


def _play(events: list[_Event], breaker: Breaker | None = None) -> Breaker:
    breaker = breaker or Breaker()
    for at_ms, outcome, retry_after_ms in events:
        breaker = after(BREAKER, breaker, outcome, retry_after_ms, at_ms)
    return breaker


@pytest.mark.parametrize(
    ("events", "at_ms", "wait_ms"),
    [
        ([], 0, 0),
        ([(1, "server_error", None), (2, "timeout", None)], 3, 0),
        ([(1, "server_error", None), (2, "timeout", None), (3, "unreachable", None)], 3, 1_000),
        ([(1, "server_error", None), (2, "ok", None), (3, "server_error", None)], 3, 0),
        ([(1, "denied", None)] * 3, 1, 1_000),
        ([(1, "bad_answer", None)] * 3, 1, 1_000),
        ([(1, "content_filter", None)] * 9, 1, 0),
        ([(1, "refused", None)] * 9, 1, 0),
        ([(1, "aborted", None)] * 9, 1, 0),
        ([(1, "server_error", None)] * 2 + [(1, "content_filter", None)], 1, 0),
        ([(1, "rate_limited", 700)], 1, 700),
        ([(1, "rate_limited", 700)], 701, 0),
        ([(1, "rate_limited", 700), (2, "rate_limited", 100)], 2, 699),
        ([(1, "rate_limited", 700)] * 9, 800, 0),
        ([(1, "rate_limited", None)] * 3, 1, 1_000),
    ],
)
def test_when_a_deployment_is_left_alone(events: list[_Event], at_ms: int, wait_ms: int) -> None:
    """Failures in a row open it; a filter, a refusal and a caller who left never do; a wish to
    wait pauses it for that long and no more."""
    assert wait_ms == admit(BREAKER, _play(events), at_ms)[1]


def test_one_probe_at_a_time() -> None:
    """After the break one request goes out; the others wait for its fate."""
    broken = _play([(0, "server_error", None)] * 3)
    probing, first = admit(BREAKER, broken, 1_000)
    _, second = admit(BREAKER, probing, 1_001)
    _, later = admit(BREAKER, probing, 1_500)
    assert (first, second, later) == (0, 499, 0)


def test_a_good_probe_closes_it() -> None:
    """All is forgotten."""
    broken = _play([(0, "server_error", None)] * 3)
    probing, _ = admit(BREAKER, broken, 1_000)
    assert Breaker() == _play([(1_010, "ok", None)], probing)


def test_bad_probes_lengthen_the_break() -> None:
    """Twice as long each time, up to the policy's longest."""
    breaker = _play([(0, "server_error", None)] * 3)
    lengths = [breaker.open_ms]
    for _ in range(3):
        breaker, _ = admit(BREAKER, breaker, breaker.until_ms)
        breaker = _play([(breaker.until_ms + 1, "timeout", None)], breaker)
        lengths.append(breaker.open_ms)
    assert lengths == [1_000, 2_000, 3_000, 3_000]


def test_late_news_does_not_lengthen_the_break() -> None:
    """Requests sent before it opened fail in its first moments."""
    broken = _play([(0, "server_error", None)] * 3)
    assert _play([(5, "server_error", None)] * 20, broken).until_ms == 1_000
