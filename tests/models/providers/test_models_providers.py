"""One contract for whoever answers: rented over HTTP in three dialects, or owned."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.models.models_checkpoint import checkpoint_at, make_checkpoint
from tests.models.models_texts import small_model
from tests.models.models_vendor import (
    Reply,
    Vendor,
    deployment,
    error_reply,
    filter_reply,
    good_chat_of,
    inputs_of,
)

from inhouse.models.ports import Provider
from inhouse.models.providers.cutting import split_by_size
from inhouse.models.providers.http import HttpProvider
from inhouse.models.providers.hugging_face import HuggingFaceProvider
from inhouse.models.providers.owned import OwnedProvider
from inhouse.models.providers.transport import Transport
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Dialect, Outcome, TaskInput

Opening = Callable[[], AbstractAsyncContextManager[Provider]]


def _rented(dialect: Dialect) -> Opening:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Provider]:
        async with Vendor() as vendor:
            provider = HttpProvider(deployment(vendor.url, dialect=dialect), Transport())
            yield provider
            await provider.close()

    return opened


@asynccontextmanager
async def _owned() -> AsyncIterator[Provider]:
    provider = OwnedProvider("v1", small_model())
    yield provider
    await provider.close()


def _checkpoint(folder: Path) -> Opening:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Provider]:
        provider = HuggingFaceProvider(checkpoint_at(make_checkpoint(folder)))
        yield provider
        await provider.close()

    return opened


@pytest.fixture(params=["openai", "moderations", "azure", "owned", "hugging_face"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """A way to open each implementation."""
    if request.param == "hugging_face":
        return _checkpoint(tmp_path / "checkpoint")
    return _owned if request.param == "owned" else _rented(request.param)


def test_every_input_gets_scores_in_order(opening: Opening) -> None:
    """One request, one answer, probabilities in known categories, refs as given."""
    inputs = inputs_of("a walk", "cheap pillz now spam", "")

    async def play() -> None:
        async with opening() as provider:
            (answer,) = await provider.answer(TEXT_HARM, inputs, 5_000)
            assert answer.refs == ("p0", "p1", "p2")
            assert answer.outcome == "ok"
            assert answer.scores is not None
            assert len(answer.scores) == 3
            assert answer.scores[1]["spam" if "spam" in answer.scores[1] else "hate"] <= 1
            for scores in answer.scores:
                assert set(scores) <= set(TEXT_HARM.categories)
                assert all(0 <= p <= 1 for p in scores.values())
            assert answer.latency_ms > 0

    asyncio.run(play())


def test_cutting_keeps_every_input_in_order(opening: Opening) -> None:
    """Nothing is lost or repeated, and no part is empty."""
    inputs = [TaskInput(ref=str(n), text="x" * (n % 7 * 900)) for n in range(600)]

    async def play() -> None:
        async with opening() as provider:
            parts = provider.split(inputs)
            assert inputs == [given for part in parts for given in part]
            assert all(parts)
            assert provider.split([]) == []

    asyncio.run(play())


def test_it_answers_again_after_close(opening: Opening) -> None:
    """Closing lets go of connections and of nothing else."""

    async def play() -> None:
        async with opening() as provider:
            await provider.close()
            (answer,) = await provider.answer(TEXT_HARM, inputs_of("text"), 5_000)
            assert answer.outcome == "ok"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(body=b"not json"), "bad_answer"),
        (good_chat_of("text", pad="x" * 9_000_000), "bad_answer"),
        (Reply(delay_s=1.0), "timeout"),
        (error_reply(500), "server_error"),
        (error_reply(429, {"retry-after-ms": "7"}), "rate_limited"),
        (error_reply(401), "denied"),
        (error_reply(400), "refused"),
        (Reply(status=302, headers={"location": "http://elsewhere.invalid/"}), "refused"),
    ],
)
def test_failures_are_outcomes(reply: Reply, outcome: Outcome) -> None:
    """Whatever a vendor does, the answer says what happened and nothing is raised."""

    async def play() -> None:
        async with Vendor(reply) as vendor:
            provider = HttpProvider(deployment(vendor.url), Transport())
            (answer,) = await provider.answer(TEXT_HARM, inputs_of("text"), 100)
            assert (outcome, None) == (answer.outcome, answer.scores)
            assert (7 if outcome == "rate_limited" else None) == answer.retry_after_ms
            await provider.close()

    asyncio.run(play())


def test_a_dead_vendor_is_unreachable() -> None:
    """Nobody listens on that port any more."""

    async def play() -> None:
        async with Vendor() as vendor:
            url = vendor.url
        provider = HttpProvider(deployment(url), Transport())
        (answer,) = await provider.answer(TEXT_HARM, inputs_of("text"), 2_000)
        assert answer.outcome == "unreachable"
        await provider.close()

    asyncio.run(play())


def test_a_filter_that_refuses_several_is_asked_about_each() -> None:
    """The harmless text still gets its scores, the harmful one its evidence."""

    async def play() -> None:
        async with Vendor(filter_reply(), filter_reply()) as vendor:
            azure = deployment(vendor.url, dialect="azure", host="azure")
            provider = HttpProvider(azure, Transport())
            answers = await provider.answer(TEXT_HARM, inputs_of("hate", "a walk"), 2_000)
            assert [answer.refs for answer in answers] == [("p0", "p1"), ("p0",), ("p1",)]
            assert [a.outcome for a in answers] == ["content_filter", "content_filter", "ok"]
            assert [answer.scores is None for answer in answers] == [True, False, False]
            await provider.close()

    asyncio.run(play())


def test_long_texts_travel_alone() -> None:
    """Short ones share a request up to its limits."""
    inputs = [TaskInput(ref=str(n), text="x" * size) for n, size in enumerate([5, 5, 99, 5, 5, 5])]
    assert [[given.ref for given in part] for part in split_by_size(inputs, 2, 20)] == [
        ["0", "1"],
        ["2"],
        ["3", "4"],
        ["5"],
    ]
