"""Rate limits of keys: what is let in, exactly, by however many processes at once."""

import asyncio
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.app.keys import Keys
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import InputError, LimitedError, UnknownError
from inhouse.models.bounds.limits import Lease, Limits
from inhouse.models.bounds.windows import PLACES, WINDOW_S, Share, Used, Windows, share_of
from inhouse.store.database import Database

NOW_S = 1_767_225_600
NOW_MS = NOW_S * 1_000


@pytest.fixture
def clock() -> FollowingClock:
    """Stands still until it is moved."""
    return FollowingClock(NOW_MS)


@pytest.fixture
def limits(database: Database, clock: FollowingClock, tmp_path: Path) -> Limits:
    """Those of a database of its own."""
    return Limits(database, clock, tmp_path)


@pytest.fixture
def key_id(database: Database) -> str:
    """A key that exists."""
    return Keys(database).create("app", ["models"])[0].key_id


def _asked(limits: Limits, key_id: str, calls: Sequence[tuple[int, int]]) -> list[Lease | None]:
    async def play() -> list[Lease | None]:
        return [await limits.let_in(key_id, size, out) for size, out in calls]

    return asyncio.run(play())


def test_calls_are_let_in_until_the_minute_is_full(
    limits: Limits, key_id: str, clock: FollowingClock
) -> None:
    """Three a minute are three; the fourth hears when one is free again, and then is let in. A key
    without a limit is never counted."""
    limits.set(key_id, 3, None)
    leases = _asked(limits, key_id, [(40, 0)] * 3)
    left = [lease.standing.requests for lease in leases if lease]
    with pytest.raises(LimitedError) as full:
        _asked(limits, key_id, [(40, 0)])
    clock.advance(NOW_MS + 60_999)
    with pytest.raises(LimitedError, match=r"ask again in 1 s"):
        _asked(limits, key_id, [(40, 0)])
    clock.advance(NOW_MS + 61_000)
    (again,) = _asked(limits, key_id, [(40, 0)])

    assert left == [Share(limit=3, left=n, reset_s=61, wait_s=0) for n in (2, 1, 0)]
    assert str(full.value) == ("the key may use 3 calls a minute and 0 are left; ask again in 61 s")
    assert (full.value.retry_after_s, full.value.headers) == (
        61,
        {
            "x-ratelimit-limit-requests": "3",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "61s",
        },
    )
    assert again is not None
    assert _asked(limits, "key_other", [(40, 0)]) == [None]


def test_tokens_are_guessed_and_then_counted(
    limits: Limits, key_id: str, clock: FollowingClock
) -> None:
    """A quarter of the bytes and the answer asked for, until the usage is told; a call larger than
    the limit goes when nothing else went."""
    limits.set(key_id, None, 1_000)

    def left() -> int:
        with Windows(limits._windows._file).locked(0) as counts:
            return 1_000 - sum(one.tokens for one in counts.used(clock.now_ms() // 1_000))

    (lease,) = _asked(limits, key_id, [(400, 500)])
    assert lease is not None
    assert left() == 400
    lease.settle(150)
    lease.settle(50)
    assert left() == 800
    with pytest.raises(LimitedError, match=r"1,000 tokens a minute and 800 are left"):
        _asked(limits, key_id, [(400, 100_000)])
    clock.advance(NOW_MS + 61_000)
    lease.settle(10_000)  # its second is out of the window
    (large,) = _asked(limits, key_id, [(400, 100_000)])
    assert large is not None
    with pytest.raises(LimitedError, match="0 are left"):
        _asked(limits, key_id, [(1, 0)])


def test_limits_are_set_changed_and_ended(limits: Limits, key_id: str, database: Database) -> None:
    """Another number keeps what was counted; ending it and setting one anew begins anew; two keys
    never share a place."""
    other = Keys(database).create("other", ["models"])[0].key_id
    limits.set(key_id, 2, None)
    _asked(limits, key_id, [(1, 0)] * 2)
    second = limits.set(other, 5, 7)
    changed = limits.set(key_id, 3, 9)
    fresh = Limits(database, FollowingClock(NOW_MS), limits._windows._file.parent)
    _asked(fresh, key_id, [(1, 0)])
    with pytest.raises(LimitedError):
        _asked(fresh, key_id, [(1, 0)])
    limits.remove(key_id)
    anew = limits.set(key_id, 1, None)
    last = Limits(database, FollowingClock(NOW_MS), limits._windows._file.parent)

    assert {changed.place, second.place} == {0, 1}
    assert limits.all() == sorted([anew, second], key=lambda limit: limit.key_id)
    assert _asked(last, key_id, [(1, 0)]) != [None]
    limits.remove(other)
    with pytest.raises(UnknownError, match="has no rate limit"):
        limits.remove(other)


@pytest.mark.parametrize(
    ("requests", "tokens", "told"),
    [
        (0, None, "requests a minute: got 0, expected 1 to 1,000,000,000"),
        (None, -1, "tokens a minute: got -1, expected 1 to 1,000,000,000"),
        (None, None, "a limit needs requests a minute, tokens a minute, or both"),
    ],
)
def test_a_limit_out_of_range(
    limits: Limits, key_id: str, requests: int | None, tokens: int | None, told: str
) -> None:
    """Is refused with the range; so is one of a key that is not there."""
    with pytest.raises(InputError) as refused:
        limits.set(key_id, requests, tokens)
    assert str(refused.value) == told
    with pytest.raises(UnknownError, match="no key 'nobody'"):
        limits.set("nobody", 1, None)


def _count(file: str, times: int) -> None:
    windows = Windows(Path(file))
    for _ in range(times):
        with windows.locked(PLACES - 1) as counts:
            before = sum(one.calls for one in counts.used(NOW_S))
            counts.add(NOW_S, NOW_S, 1, before)


def test_processes_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes of 500 calls each are 2,000, and each saw all that were counted before it."""
    file = str(tmp_path / "limits.bin")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count, args=(file, 500)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    with Windows(Path(file)).locked(PLACES - 1) as counts:
        assert counts.used(NOW_S) == [Used(second=NOW_S, calls=2_000, tokens=sum(range(2_000)))]


@given(st.lists(st.integers(0, 40), max_size=80), st.integers(1, 10))
def test_no_minute_ever_holds_more_than_the_limit(gaps: list[int], limit: int) -> None:
    """Whenever calls come, those let in within any 60 seconds are at most the limit; who waits as
    long as told is let in."""
    now_s, let_in = 0, list[int]()
    for gap in gaps:
        now_s += gap
        used = [(s, let_in.count(s)) for s in sorted(set(let_in)) if now_s - s <= WINDOW_S]
        share = share_of(limit, 1, used, now_s)
        if share.wait_s:
            then = [(s, n) for s, n in used if now_s + share.wait_s - s <= WINDOW_S]
            assert share_of(limit, 1, then, now_s + share.wait_s).wait_s == 0
        else:
            let_in.append(now_s)
    assert all(sum(start <= s <= start + 60 for s in let_in) <= limit for start in let_in)


def test_a_clock_that_was_set_back_locks_nobody_out(
    limits: Limits, key_id: str, database: Database
) -> None:
    """What was counted in what is now the future does not count."""
    limits.set(key_id, 1, None)
    _asked(limits, key_id, [(1, 0)])
    earlier = Limits(database, FollowingClock(NOW_MS - 7_200_000), limits._windows._file.parent)
    assert _asked(earlier, key_id, [(1, 0)]) != [None]
