"""OpenAI's moderations endpoint, as its official client and as strangers call it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types import ModerationCreateResponse
from starlette.testclient import TestClient
from tests.api.wire_world import CALM, HATE, SPAM, VERSION, own_a_model, running

from inhouse.api.openai.categories import CATEGORIES
from inhouse.app.build import Services

PATH = "/openai/v1/moderations"


@pytest.fixture
def server(services: Services) -> Iterator[tuple[str, str]]:
    """Address and key of a running server with a model of its own."""
    own_a_model(services)
    _, secret = services.keys.create("moving", ["models"])
    with running(services) as address:
        yield f"{address}/openai/v1", secret


def test_the_official_client_works_unchanged(server: tuple[str, str]) -> None:
    """One text and many, in both of its clients: the classes it promises, in the order asked."""
    address, secret = server
    client = openai.OpenAI(base_url=address, api_key=secret, max_retries=0)
    one = client.moderations.create(input=HATE)
    many = client.moderations.create(model="omni-moderation-latest", input=[CALM, HATE, SPAM, CALM])

    async def ask() -> ModerationCreateResponse:
        async with openai.AsyncOpenAI(base_url=address, api_key=secret, max_retries=0) as other:
            return await other.moderations.create(input=[CALM, HATE])

    again = asyncio.run(ask())
    client.close()

    assert isinstance(one, ModerationCreateResponse)
    assert one.id.startswith("modr-")
    assert (one.model, len(one.results)) == (f"inhouse/{VERSION}", 1)
    assert (one.results[0].flagged, one.results[0].categories.hate) == (True, True)
    assert one.results[0].category_scores.hate > 0.5
    assert [result.flagged for result in many.results] == [False, True, False, False]
    assert many.results[0] == many.results[3]
    assert [result.flagged for result in again.results] == [False, True]


def test_the_answer_is_what_the_client_declares(server: tuple[str, str]) -> None:
    """Checked strictly against its own classes: no field is missing, null or of another type."""
    address, secret = server
    with openai.OpenAI(base_url=address, api_key=secret, max_retries=0) as client:
        raw = client.moderations.with_raw_response.create(input=[HATE, CALM])
    body = raw.http_response.json()
    checked = ModerationCreateResponse.model_validate(body, strict=True)

    assert raw.headers["x-request-id"]
    assert checked.to_dict() == body
    for result in body["results"]:
        assert list(result) == [
            "flagged", "categories", "category_scores", "category_applied_input_types"
        ]  # fmt: skip
        for part in ("categories", "category_scores", "category_applied_input_types"):
            assert list(result[part]) == list(CATEGORIES)


def test_errors_are_the_exceptions_it_knows(server: tuple[str, str], services: Services) -> None:
    """A wrong key, a missing scope, an unknown model, a wrong and a huge input: each is told."""
    address, secret = server
    _, narrow = services.keys.create("narrow", ["feed"])

    def fails(key: str, **asked: Any) -> tuple[str, int, str | None, str | None]:
        with (
            openai.OpenAI(base_url=address, api_key=key, max_retries=0) as client,
            pytest.raises(openai.APIStatusError) as caught,
        ):
            client.moderations.create(**asked)
        error = caught.value
        return type(error).__name__, error.status_code, error.code, error.param

    assert fails("inh_nobody", input="x") == ("AuthenticationError", 401, "invalid_api_key", None)
    assert fails(narrow, input="x") == ("PermissionDeniedError", 403, "missing_scope", None)
    assert fails(secret, input="x", model="gpt-x") == (
        "NotFoundError", 404, "model_not_found", "model",
    )  # fmt: skip
    assert fails(secret, input=["x", 3]) == ("BadRequestError", 400, None, "input[1]")
    assert fails(secret, input="x" * 200_000) == ("APIStatusError", 413, "too_large", None)


@pytest.fixture
def owned(client: TestClient, services: Services) -> TestClient:
    """A client whose key may do everything, and a model of one's own behind the route."""
    own_a_model(services)
    return client


def _results(client: TestClient, given: Any) -> list[Any]:
    response = client.post(PATH, json={"input": given})
    assert response.status_code == 200, response.text
    results: list[Any] = response.json()["results"]
    return results


def test_what_nobody_here_can_tell_says_so(owned: TestClient) -> None:
    """The model knows hate and spam: every other category is 0 and has been applied to nothing."""
    (result,) = _results(owned, HATE)
    applied = {name for name, kinds in result["category_applied_input_types"].items() if kinds}
    zeros = {name for name, p in result["category_scores"].items() if p == 0.0}

    assert applied == {"hate"}
    assert zeros == set(CATEGORIES) - {"hate"}
    assert {name for name, flag in result["categories"].items() if flag} == {"hate"}
    assert {name for name, flag in result["categories"].items() if flag is None} == {
        "illicit", "illicit/violent",
    }  # fmt: skip


def test_a_listed_term_counts_beside_the_model(owned: TestClient) -> None:
    """The term bank speaks of harassment, which this model has not learned; the higher counts."""
    (result,) = _results(owned, f"you n1nc0mpoop, {HATE}")

    assert result["category_scores"]["harassment"] == 0.75
    assert result["category_applied_input_types"]["harassment"] == ["text"]
    assert result["categories"]["hate"] is True


@pytest.mark.parametrize(
    ("text", "p"), [("you p34 br41n", 0.75), ("p34 br41n5 of 455", 0.0), ("p34 soup, 455 g", 0.0)]
)
def test_a_listed_term_nearly_all_in_figures_counts(owned: TestClient, text: str, p: float) -> None:
    """p34 alone is a code; beside a word that is clearly in disguise it is read as one."""
    (result,) = _results(owned, text)

    assert p == result["category_scores"]["harassment"]


def test_parts_are_one_post_and_without_banks_nobody_looks_at_pictures(owned: TestClient) -> None:
    """One result for all parts; a picture, wherever it is, changes nothing and is not fetched."""
    picture = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/secret.png"}}
    inline = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    words = [{"type": "text", "text": "all zarps"}, {"type": "text", "text": "stink"}]
    with_pictures = _results(owned, [words[0], picture, words[1], inline])
    alone = _results(owned, words)
    (nothing,) = _results(owned, [picture])

    assert with_pictures == alone
    assert len(alone) == 1
    assert nothing["flagged"] is False
    assert set(map(tuple, nothing["category_applied_input_types"].values())) == {()}


@pytest.mark.parametrize(
    ("given", "param", "told"),
    [
        ([], "input", "input: got 0 inputs, expected 1 to 1000"),
        (["x"] * 1_001, "input", "input: got 1001 inputs, expected 1 to 1000"),
        (["x" * 100_001], "input[0]", "input[0]: got 100,001 characters, expected at most 100,000"),
        (None, "input", "input: expected `str | array`, got `null`"),
        ([["x"]], "input[0]", "input[0]: expected `str | object`, got `array`"),
        (
            ["x", {"type": "text", "text": "x"}],
            "input",
            "input: got texts among parts, expected either alone",
        ),
        (
            [{"type": "video"}],
            "input[0]",
            "input[0]: got a part of type 'video', expected `text` with its text or `image_url` "
            "with its url",
        ),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}] * 11,
            "input",
            "input: got 11 pictures, expected at most 10",
        ),
        (
            [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}],
            "input[0].image_url.url",
            "input[0].image_url.url: got 'file:///etc/passwd', expected an address with http or "
            "https, or data:image/…;base64,…",
        ),
    ],
)
def test_what_cannot_be_judged_is_refused_in_their_shape(
    client: TestClient, given: Any, param: str, told: str
) -> None:
    """The part that is wrong is named, and what was expected of it."""
    response = client.post(PATH, json={"input": given})

    assert response.status_code == 400
    code = "invalid_image_url" if param.endswith("url") else None
    assert response.json() == {
        "error": {"message": told, "type": "invalid_request_error", "param": param, "code": code}
    }


@pytest.mark.parametrize("text", ["", "   ", "👋🏽" * 50, "שלום עולם", "\u202e\u200b", "a\x00b"])
def test_any_text_gets_a_result(owned: TestClient, text: str) -> None:
    """Empty, emoji, right to left, invisible: 13 numbers, none flagged."""
    (result,) = _results(owned, text)

    assert (result["flagged"], len(result["category_scores"])) == (False, 13)


def test_without_a_model_terms_answer_alone(client: TestClient) -> None:
    """The answer names the term banks as its model and vouches for what they found alone."""
    response = client.post(PATH, json={"input": ["you nincompoop", CALM]}).json()
    vouched = [
        [name for name, kinds in result["category_applied_input_types"].items() if kinds]
        for result in response["results"]
    ]

    assert response["model"] == "term-banks"
    assert vouched == [["harassment"], []]


def test_who_finds_no_place_is_told_to_come_back(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 with `retry-after`, which the official client waits for."""
    places = client.app.state.context.places  # type: ignore[attr-defined]
    monkeypatch.setattr(places, "_most", 0)
    response = client.post(PATH, json={"input": "x"})

    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json()["error"]["code"] == "rate_limit_exceeded"
    monkeypatch.undo()
    assert client.post(PATH, json={"input": "x"}).status_code == 200
