"""The queue for pages: first come, first served, those who wait together in step."""

import asyncio
import time
from collections.abc import Sequence
from contextvars import ContextVar

from inhouse.api.turns import TOGETHER, Made, Turns
from inhouse.app.feeds.serving import FeedRequest
from inhouse.app.feeds.shedding import Shedder
from inhouse.core.ids import PageId, UserId
from inhouse.events.types import ServedPage
from inhouse.recommend.levels import Level

_WHERE: ContextVar[str] = ContextVar("_WHERE", default="nowhere")


class _Maker:
    """Remembers who was served together, and where."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.where: list[str] = []

    def serve_all(
        self, wanted: Sequence[tuple[FeedRequest, Level]]
    ) -> Sequence[ServedPage | Exception]:
        self.rounds.append([str(request.user_id) for request, _ in wanted])
        self.where.append(_WHERE.get())
        return [self._page(request) for request, _ in wanted]

    def _page(self, request: FeedRequest) -> ServedPage | Exception:
        if request.user_id == "faulty":
            return ZeroDivisionError("of this one")
        return ServedPage(
            page_id=PageId("p"), at_ms=1, user_id=request.user_id, surface="for_you", items=()
        )


def _turns(target_s: float = 60.0) -> Turns:
    return Turns(Shedder(target_s, time.perf_counter))


async def _page(turns: Turns, maker: _Maker, who: str, ago_s: float = 0.0) -> Made:
    return await turns.page(maker, FeedRequest(user_id=UserId(who)), time.perf_counter() - ago_s)


def test_who_waits_together_is_served_together_in_the_order_of_arrival() -> None:
    """At most so many in a round; the loop hears others between two rounds."""
    maker, heard = _Maker(), []

    async def one(turns: Turns, number: int) -> str:
        made = await _page(turns, maker, str(number))
        heard.append(len(maker.rounds))
        return str(made.page.user_id)

    async def main() -> list[str]:
        turns = _turns()
        return await asyncio.gather(*(one(turns, number) for number in range(TOGETHER + 2)))

    names = [str(number) for number in range(TOGETHER + 2)]
    assert asyncio.run(main()) == names
    assert maker.rounds == [names[:TOGETHER], names[TOGETHER:]]
    assert heard == [1] * TOGETHER + [2] * 2  # the first were answered before the others' turn


def test_a_turn_knows_how_long_it_was_waited_for() -> None:
    """From the arrival, not from when the queue was reached."""

    async def main() -> list[float]:
        turns, maker = _turns(), _Maker()
        late = await _page(turns, maker, "late", ago_s=2)
        prompt = await _page(turns, maker, "prompt")
        return [late.waited_s, prompt.waited_s]

    late, prompt = asyncio.run(main())
    assert late >= 2
    assert prompt < 0.5


def test_a_page_that_fails_is_its_own_fault() -> None:
    """Its neighbours of the same round have theirs."""

    async def main() -> list[object]:
        turns, maker = _turns(), _Maker()
        asked = (_page(turns, maker, who) for who in ("a", "faulty", "b"))
        found = await asyncio.gather(*asked, return_exceptions=True)
        return [one.page.user_id if isinstance(one, Made) else type(one) for one in found]

    assert asyncio.run(main()) == ["a", ZeroDivisionError, "b"]


def test_a_round_that_fails_does_not_stop_the_next() -> None:
    """Everybody of it is told why; whoever comes afterwards is served."""

    class Closed(_Maker):
        def serve_all(
            self, wanted: Sequence[tuple[FeedRequest, Level]]
        ) -> Sequence[ServedPage | Exception]:
            raise OSError("the store is closed")

    async def main() -> list[object]:
        turns = _turns()
        asked = [_page(turns, Closed(), "a"), _page(turns, Closed(), "b")]
        found = await asyncio.gather(*asked, return_exceptions=True)
        served = await asyncio.wait_for(_page(turns, _Maker(), "c"), 5)
        return [*(str(one) for one in found), served.page.user_id]

    assert asyncio.run(main()) == ["the store is closed", "the store is closed", "c"]


def test_communities_do_not_share_a_round() -> None:
    """Each maker hears of its own people alone, in the context of one of its own requests."""
    one, other = _Maker(), _Maker()

    async def ask(turns: Turns, maker: _Maker, who: str, where: str) -> None:
        _WHERE.set(where)
        await _page(turns, maker, who)

    async def main() -> None:
        turns = _turns()
        await asyncio.gather(
            ask(turns, one, "a", "here"),
            ask(turns, other, "b", "there"),
            ask(turns, one, "c", "here"),
        )

    asyncio.run(main())
    assert (one.rounds, one.where) == ([["a", "c"]], ["here"])
    assert (other.rounds, other.where) == ([["b"]], ["there"])


def test_whoever_leaves_the_queue_is_not_served() -> None:
    """Nor counted, nor do they take a turn with them."""
    maker = _Maker()

    async def main() -> None:
        turns = _turns()
        leaving = asyncio.create_task(_page(turns, maker, "leaving"))
        staying = asyncio.create_task(_page(turns, maker, "staying"))
        await asyncio.sleep(0)
        leaving.cancel()
        found = await asyncio.gather(leaving, staying, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        await _page(turns, maker, "later")

    asyncio.run(asyncio.wait_for(main(), 5))
    assert maker.rounds == [["staying"], ["later"]]


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
