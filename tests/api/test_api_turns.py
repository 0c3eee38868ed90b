"""The queue for pages: first come, first served, and the loop hears others in between."""

import asyncio
import time

import pytest

from inhouse.api.turns import Turns
from inhouse.app.feeds.shedding import Shedder


def _turns(target_s: float = 60.0) -> Turns:
    return Turns(Shedder(target_s, time.perf_counter))


def test_pages_are_made_in_the_order_of_arrival_with_the_loop_in_between() -> None:
    """What else the loop has to do waits for one page, not for all that wait."""
    told: list[object] = []

    async def page(turns: Turns, number: int) -> None:
        async with turns.next(time.perf_counter()):
            told.append(number)
            asyncio.get_running_loop().call_soon(told.append, f"heard during {number}")

    async def main() -> None:
        turns = _turns()
        await asyncio.gather(*(page(turns, number) for number in range(4)))

    asyncio.run(main())
    assert [each for each in told if isinstance(each, int)] == [0, 1, 2, 3]
    assert told.index("heard during 0") < told.index(2)


def test_a_turn_knows_how_long_it_was_waited_for() -> None:
    """From the arrival, not from when the queue was reached."""

    async def main() -> list[float]:
        turns = _turns()
        async with turns.next(time.perf_counter() - 2) as late:
            pass
        async with turns.next(time.perf_counter()) as prompt:
            pass
        return [late.waited_s, prompt.waited_s]

    late, prompt = asyncio.run(main())
    assert late >= 2
    assert prompt < 0.5


def test_a_page_that_fails_passes_the_turn_on() -> None:
    """An error in one request is not everybody's."""

    async def main() -> None:
        turns = _turns()
        with pytest.raises(ZeroDivisionError):
            async with turns.next(time.perf_counter()):
                raise ZeroDivisionError
        async with turns.next(time.perf_counter()):
            pass

    asyncio.run(asyncio.wait_for(main(), 5))


def test_whoever_leaves_the_queue_is_not_counted() -> None:
    """Nor do they take a turn with them."""

    async def main() -> None:
        turns = _turns()
        async with turns.next(time.perf_counter()):
            waiting = asyncio.create_task(_once(turns))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        await _once(turns)

    asyncio.run(asyncio.wait_for(main(), 5))


async def _once(turns: Turns) -> None:
    async with turns.next(time.perf_counter()):
        pass


class _Hopeless(Shedder):
    """Everybody would wait 7.2 seconds."""

    def is_hopeless(self, waiting: int) -> bool:
        return True

    def wait_s(self, waiting: int) -> float:
        return 7.2


def test_who_would_wait_too_long_is_told_when_to_come_back() -> None:
    """In whole seconds, rounded up; nobody else is told anything."""
    assert _turns().retry_after_s() is None
    assert Turns(_Hopeless(1.0, time.perf_counter)).retry_after_s() == 8
