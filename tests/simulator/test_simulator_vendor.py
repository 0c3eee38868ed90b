"""The rented stand-in."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from simulator_fakes import serving, small_world

from inhouse.models.providers.moderations import ModerationsWire
from inhouse.models.providers.openai_compatible import ChatWire
from inhouse.models.providers.transport import HttpResponse
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Deployment, TaskInput
from inhouse.simulator.judge import FLAG_AT, RATES, Judge, guess
from inhouse.simulator.topics import HARMS
from inhouse.simulator.vendor import (
    Vendor,
    categories_in,
    posts_in,
    texts_in,
    usage_of,
    vendor_app,
)
from inhouse.simulator.world import World


@pytest.fixture(scope="module")
def world() -> World:
    """Many posts, so that rates can be measured."""
    return small_world(people=1_000, posts=5_000)


def text_of(world: World, post: int) -> str:
    words = world.words(post)
    return f"{words.title}\n{words.text}"


def test_error_rates_are_as_declared(world: World) -> None:
    """Per category the measured rates lie within 4 standard errors of the declared ones."""
    judge = Judge(world)
    flags = np.asarray(
        [
            [score >= FLAG_AT for score in judge.scores(text_of(world, post), "m").values()]
            for post in range(world.post_count)
        ]
    )
    for harm, name in enumerate(HARMS):
        truly = world.posts.harm == harm
        for rate, rows in ((RATES[name].tpr, truly), (RATES[name].fpr, ~truly)):
            n = int(rows.sum())
            error = np.sqrt(rate * (1 - rate) / n)
            assert n > 30, name
            assert abs(flags[rows, harm].mean() - rate) < 4 * error + 1 / n, (name, rate)


def test_layout_of_a_text_is_immaterial(world: World) -> None:
    """A post is known by its letters, whatever joins title and text."""
    judge, words = Judge(world), world.words(11)
    glues = ("\n", " ", "\n\n", ". ")
    scores = [judge.scores(f"{words.title}{glue}{words.text}", "m") for glue in glues]
    assert scores == scores[:1] * len(glues)
    assert scores[0] != {name: guess(words.text, name) for name in HARMS}


def test_answers_are_stable_and_differ_by_model(world: World) -> None:
    """The same model repeats itself, another one errs elsewhere."""
    judge = Judge(world)
    texts = [text_of(world, post) for post in range(200)]
    first = [judge.scores(text, "one") for text in texts]
    assert first == [judge.scores(text, "one") for text in texts]
    assert first != [judge.scores(text, "two") for text in texts]


def test_new_posts_are_known_too() -> None:
    """The judge keeps up with what creators post."""
    world = small_world(people=60, posts=20)
    judge = Judge(world)
    judge.scores("anything", "m")
    hour = 0
    while world.post_count == 20:
        world.write_posts(hour)
        hour += 1
    text = text_of(world, 20)
    assert judge.scores(text, "m") != {name: guess(text, name) for name in HARMS}


def test_strange_texts_are_guessed_from_their_words(world: World) -> None:
    """A text of nobody here is judged by suspicious words."""
    judge = Judge(world)
    assert max(judge.scores("a lovely walk in the rain", "m").values()) < FLAG_AT
    scores = judge.scores("Crypto GIVEAWAY, link in bio", "m")
    assert scores["spam"] > 0.8
    assert scores["hate"] < FLAG_AT


Ask = Callable[[aiohttp.ClientSession, TestServer], Awaitable[Any]]


def ask(vendor: Vendor, what: Ask) -> Any:
    """Run one conversation with the stand-in."""

    async def conversation() -> Any:
        async with serving(vendor_app(vendor)) as server, aiohttp.ClientSession() as session:
            return await what(session, server)

    return asyncio.run(conversation())


def posted(path: str, body: object) -> Ask:
    async def conversation(session: aiohttp.ClientSession, server: TestServer) -> Any:
        async with session.post(server.make_url(path), json=body) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(
                status=response.status, headers=headers, body=await response.read(), latency_ms=1.0
            )

    return conversation


def deployment(dialect: Any) -> Deployment:
    return Deployment(
        name="standin",
        host="openai",
        owner="openai",
        model="small",
        dialect=dialect,
        simulated=True,
    )


def test_it_answers_what_our_chat_provider_asks(world: World) -> None:
    """The gateway's own request is understood and its reading of the answer succeeds."""
    inputs = [TaskInput(ref=str(post), text=text_of(world, post)) for post in range(8)]
    request = ChatWire().request(deployment("openai"), TEXT_HARM, inputs)
    vendor = Vendor(world, latency_ms=0)
    response = ask(vendor, posted("/v1/chat/completions", json.loads(request.body)))
    reading = ChatWire().read(TEXT_HARM, inputs, response)
    judge = Judge(world)
    assert reading.outcome == "ok"
    assert reading.scores == tuple(judge.scores(given.text, "small") for given in inputs)
    assert reading.usage is not None
    assert 300 < reading.usage.tokens_in < 2_000
    assert reading.usage.tokens_out > 100


def test_it_answers_what_our_moderations_provider_asks(world: World) -> None:
    """The same for the moderations endpoint, which does not speak of spam."""
    inputs = [TaskInput(ref=str(post), text=text_of(world, post)) for post in range(8)]
    request = ModerationsWire().request(deployment("moderations"), TEXT_HARM, inputs)
    vendor = Vendor(world, latency_ms=0)
    response = ask(vendor, posted("/v1/moderations", json.loads(request.body)))
    reading = ModerationsWire().read(TEXT_HARM, inputs, response)
    judge = Judge(world)
    assert reading.outcome == "ok"
    assert reading.scores is not None
    for given, scores in zip(inputs, reading.scores, strict=True):
        whole = judge.scores(given.text, "small")
        assert scores == {name: p for name, p in whole.items() if name != "spam"}


def test_it_is_marked_as_simulated_everywhere(world: World) -> None:
    """Header, model name and account say so."""
    vendor = Vendor(world, latency_ms=0)
    response = ask(vendor, posted("/v1/moderations", {"model": "big", "input": "hello"}))
    assert response.headers["x-simulated"] == "true"
    assert json.loads(response.body)["model"] == "big (simulated)"
    assert vendor.account()["simulated"] is True
    assert (vendor.account()["calls"], vendor.account()["texts"]) == (1, 1)


@pytest.mark.parametrize(("mode", "status"), [("429", 429), ("500", 500), ("ok", 200)])
def test_it_fails_on_purpose(world: World, mode: str, status: int) -> None:
    """The control endpoint sets how it fails, and heals it."""

    async def conversation(session: aiohttp.ClientSession, server: TestServer) -> HttpResponse:
        control = await posted("/control", {"mode": mode})(session, server)
        assert json.loads(control.body)["mode"] == mode
        answer: HttpResponse = await posted("/v1/moderations", {"model": "m", "input": "x"})(
            session, server
        )
        return answer

    response = ask(Vendor(world, latency_ms=0), conversation)
    assert response.status == status
    assert ("retry-after-ms" in response.headers) == (mode == "429")


def test_it_plays_dead(world: World) -> None:
    """In the mode `dead` the connection breaks without an answer."""
    vendor = Vendor(world, latency_ms=0)
    vendor.set_mode("dead")
    with pytest.raises(aiohttp.ClientConnectionError):
        ask(vendor, posted("/v1/moderations", {"model": "m", "input": "x"}))


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/moderations", {"input": "x"}, "model: expected a name"),
        ("/v1/moderations", {"model": "m"}, "input: expected a text or a list of texts"),
        ("/v1/chat/completions", {"model": "m"}, "messages: expected a list with the posts"),
        ("/control", {"mode": "tired"}, "mode: expected one of ok, 429, 500, dead, slow"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(
    world: World, path: str, body: object, message: str
) -> None:
    """400 with a message, as the real one does."""
    response = ask(Vendor(world, latency_ms=0), posted(path, body))
    assert response.status == 400
    assert json.loads(response.body)["error"]["message"].startswith(message)


def test_requests_are_read_generously() -> None:
    """A plain message is one post; without a schema all categories are answered."""
    assert posts_in("just words") == [(0, "just words")]
    assert posts_in('{"a": 1}') == [(0, '{"a": 1}')]
    assert posts_in('{"posts": [{"id": 3, "text": "t"}]}') == [(3, "t")]
    assert categories_in({}) == HARMS
    assert texts_in(["a", {"type": "text", "text": "b"}]) == ["a", "b"]
    with pytest.raises(ValueError, match="sees no pictures"):
        texts_in([{"type": "image_url"}])


def test_usage_counts_tokens() -> None:
    """Four characters a token; a long beginning counts as cached."""
    usage = usage_of(["x" * 4_400, "y" * 40], "z" * 80)
    assert usage == {
        "prompt_tokens": 1_104 + 14,
        "completion_tokens": 20,
        "total_tokens": 1_138,
        "prompt_tokens_details": {"cached_tokens": 1_104},
    }
