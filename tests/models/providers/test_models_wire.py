"""What vendors' answers mean: pure readings of bytes."""

import json
from typing import Any

import pytest
from tests.models.models_vendor import USAGE, chat_reply, filter_reply, scores_for

from inhouse.models.providers.azure import AzureWire
from inhouse.models.providers.moderations import ModerationsWire
from inhouse.models.providers.openai_compatible import ChatWire, chat_body
from inhouse.models.providers.transport import HttpResponse
from inhouse.models.providers.wire import Reading, Wire, retry_after_ms
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Deployment, Dialect, Outcome, TaskInput, Usage

ONE = (TaskInput(ref="a", text="words"),)
TWO = (*ONE, TaskInput(ref="b", text="other words"))
TOLD = Usage(tokens_in=1_000, tokens_cached=200, tokens_out=50)
MAIN = Deployment(
    name="main", host="openai", owner="openai", model="m/1", url="http://v/v1", key="k"
)


def _response(status: int, body: object = b"", **headers: str) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status=status, headers=headers, body=raw, latency_ms=1.0)


def _chat(content: str, **more: Any) -> HttpResponse:
    return _response(200, chat_reply(content, **more).body)


def _posts(*texts: str) -> str:
    posts = [{"id": number, "scores": scores_for(text)} for number, text in enumerate(texts)]
    return json.dumps({"posts": posts})


def test_a_good_chat_answer_has_scores_and_usage() -> None:
    """Every post gets its scores in order; tokens are counted by kind."""
    reading = ChatWire().read(TEXT_HARM, TWO, _chat(_posts("spam", "hate")))
    expected = (scores_for("spam"), scores_for("hate"))
    assert Reading(outcome="ok", scores=expected, usage=TOLD) == reading


def _one(**scores: object) -> str:
    return json.dumps({"posts": [{"id": 0, "scores": {**scores_for("x"), **scores}}]})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "I cannot help with that.",
        "[]",
        '{"posts": []}',
        _posts("a", "b"),
        json.dumps({"posts": [{"id": 1, "scores": scores_for("x")}]}),
        json.dumps({"posts": [{"id": 0, "scores": {"hate": 0.5}}]}),
        _one(hate=1.5),
        _one(hate=-0.1),
        _one(hate="0.5"),
        _one(hate=None),
        _one(hate=True),
        _one(wit=0.5),
        _posts("x")[:-1],
        "```json\n" + _posts("x") + "\n```",
    ],
)
def test_anything_but_the_asked_json_is_a_bad_answer(content: str) -> None:
    """Nothing is repaired or guessed; what it cost is kept."""
    expected = Reading(outcome="bad_answer", usage=TOLD)
    assert expected == ChatWire().read(TEXT_HARM, ONE, _chat(content))


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[1]", b"{}", b'{"choices": []}'])
def test_a_body_that_is_no_completion_is_a_bad_answer(body: bytes) -> None:
    """A proxy's page instead of an answer is told as such, with unknown usage."""
    expected = Reading(outcome="bad_answer")
    assert expected == ChatWire().read(TEXT_HARM, ONE, _response(200, body))


def test_usage_of_an_unreadable_completion_is_kept() -> None:
    """It is paid for all the same."""
    expected = Reading(outcome="bad_answer", usage=TOLD)
    assert expected == ChatWire().read(TEXT_HARM, ONE, _response(200, {"usage": USAGE}))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, "refused"),
        (401, "denied"),
        (403, "denied"),
        (404, "refused"),
        (408, "timeout"),
        (422, "refused"),
        (429, "rate_limited"),
        (500, "server_error"),
        (503, "server_error"),
        (302, "refused"),
    ],
)
@pytest.mark.parametrize("wire", [ChatWire(), ModerationsWire(), AzureWire()])
def test_statuses_have_one_meaning_in_all_dialects(
    wire: Wire, status: int, outcome: Outcome
) -> None:
    """A failure is an outcome, never an exception."""
    assert Reading(outcome=outcome) == wire.read(TEXT_HARM, ONE, _response(status))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after-ms": "250"}, 250),
        ({"retry-after-ms": "250", "retry-after": "9"}, 250),
        ({"retry-after": "1.5"}, 1_500),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9999999999"}, None),
        (
            {
                "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT",
                "date": "Thu, 01 Jan 2026 00:00:10 GMT",
            },
            20_000,
        ),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, None),
    ],
)
def test_the_wish_to_wait_is_understood(headers: dict[str, str], expected: int | None) -> None:
    """Milliseconds before seconds, dates by the answer's own clock, nonsense is no wish."""
    assert expected == retry_after_ms(headers)


def test_chat_requests_ask_for_strict_json() -> None:
    """Posts travel as numbered data, the schema names every category, the key is in the header."""
    request = ChatWire().request(MAIN, TEXT_HARM, TWO)
    body = json.loads(request.body)
    schema = body["response_format"]["json_schema"]
    assert request.url == "http://v/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer k"
    assert [post["text"] for post in json.loads(body["messages"][1]["content"])["posts"]] == [
        "words",
        "other words",
    ]
    assert schema["strict"] is True
    scores = schema["schema"]["properties"]["posts"]["items"]["properties"]["scores"]
    assert list(TEXT_HARM.categories) == scores["required"]
    assert body["temperature"] == 0


def test_fields_a_model_refuses_are_left_out() -> None:
    """A deployment can omit what its model does not take."""
    reasoning = Deployment(name="r", host="h", owner="o", model="m", omit=("temperature",))
    assert "temperature" not in json.loads(chat_body(reasoning, TEXT_HARM, ONE))


def test_moderations_are_mapped_to_our_categories() -> None:
    """The highest of theirs counts, null is unknown, spam is never spoken of."""
    theirs = {
        "harassment": 0.1,
        "harassment/threatening": 0.4,
        "hate": 0.2,
        "hate/threatening": 0.1,
        "sexual": 0.0,
        "sexual/minors": 0.3,
        "violence": 0.1,
        "violence/graphic": 0.2,
        "illicit": 0.99,
        "illicit/violent": None,
        "self-harm": 0.1,
        "self-harm/intent": 0.6,
        "self-harm/instructions": 0.2,
    }
    body = {"results": [{"category_scores": theirs}]}
    expected = {"harassment": 0.4, "hate": 0.2, "sexual": 0.3, "violence": 0.2, "self_harm": 0.6}
    assert Reading(outcome="ok", scores=(expected,)) == (
        ModerationsWire().read(TEXT_HARM, ONE, _response(200, body))
    )


PICTURE = (TaskInput(ref="0", text="", picture="https://a.example/1.png"),)


def test_a_picture_is_asked_about_alone_and_read_by_what_was_looked_at() -> None:
    """A part of its own; only the scores that are of what it shows count, and an answer that says
    of none is bad."""
    one = Deployment(name="m", host="h", owner="o", model="omni", dialect="moderations", url="u")
    request = ModerationsWire().request(one, TEXT_HARM, PICTURE)
    theirs = {"hate": 0.9, "violence": 0.2, "violence/graphic": 0.7, "sexual": 0.1}
    types = {"hate": ["text"], "violence": ["image"], "violence/graphic": ["text", "image"]}
    result = {"category_scores": theirs, "category_applied_input_types": types}
    read = ModerationsWire().read(TEXT_HARM, PICTURE, _response(200, {"results": [result]}))
    silent = {"results": [{"category_scores": theirs}]}

    assert json.loads(request.body) == {
        "model": "omni",
        "input": [{"type": "image_url", "image_url": {"url": "https://a.example/1.png"}}],
    }
    assert read == Reading(outcome="ok", scores=({"violence": 0.7},))
    assert ModerationsWire().read(TEXT_HARM, PICTURE, _response(200, silent)) == Reading(
        outcome="bad_answer"
    )


@pytest.mark.parametrize(
    "body",
    [
        {"results": []},
        {"results": [{"category_scores": {}}]},
        {"results": [{"category_scores": {"hate": 3}}]},
        {"results": [{"categories": {"hate": True}}]},
        {"results": None},
    ],
)
def test_moderations_of_another_shape_are_a_bad_answer(body: object) -> None:
    """One result a text with probabilities, or nothing."""
    expected = Reading(outcome="bad_answer")
    assert expected == ModerationsWire().read(TEXT_HARM, ONE, _response(200, body))


def _azure(api_version: str) -> Deployment:
    dialect: Dialect = "azure"
    return Deployment(
        name="a",
        host="azure",
        owner="openai",
        model="my mini",
        dialect=dialect,
        url="https://r.openai.azure.com/",
        key="k",
        api_version=api_version,
    )


def test_azure_has_two_addresses_and_its_own_header() -> None:
    """With an api-version the deployment is in the path, without one in the body."""
    old = AzureWire().request(_azure("2024-10-21"), TEXT_HARM, ONE)
    new = AzureWire().request(_azure(""), TEXT_HARM, ONE)
    base = "https://r.openai.azure.com/openai"
    assert f"{base}/deployments/my%20mini/chat/completions?api-version=2024-10-21" == old.url
    assert f"{base}/v1/chat/completions" == new.url
    assert (new.headers["api-key"], json.loads(new.body)["model"]) == ("k", "my mini")
    assert "authorization" not in new.headers


def test_a_blocked_prompt_is_evidence() -> None:
    """The filter's severities become scores; what it does not speak of stays unknown."""
    refusal = filter_reply()
    reading = AzureWire().read(TEXT_HARM, ONE, _response(400, refusal.body))
    evidence = {"hate": 0.95, "sexual": 0.05, "violence": 0.35}
    assert Reading(outcome="content_filter", scores=(evidence,)) == reading


def test_a_blocked_request_of_several_texts_says_nothing_of_each() -> None:
    """Nobody knows which of them was meant."""
    refusal = filter_reply()
    expected = Reading(outcome="content_filter")
    assert expected == AzureWire().read(TEXT_HARM, TWO, _response(400, refusal.body))


def test_a_block_for_other_reasons_is_no_evidence_of_harm() -> None:
    """A jailbreak found says nothing of hate."""
    findings = {"jailbreak": {"filtered": True, "detected": True}, "hate": {"severity": "low"}}
    error = {"code": "content_filter", "innererror": {"content_filter_result": findings}}
    expected = Reading(outcome="content_filter")
    assert expected == AzureWire().read(TEXT_HARM, ONE, _response(400, {"error": error}))


def test_a_cut_completion_is_judged_by_the_findings_on_it() -> None:
    """200 with finish_reason content_filter carries findings on the prompt and on the answer."""
    medium = {"violence": {"filtered": True, "severity": "medium"}}
    choice = {"finish_reason": "content_filter", "content_filter_results": medium}
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    response = _chat("", choice=choice, prompt_filter_results=[{"content_filter_results": safe}])
    evidence = {"hate": 0.05, "violence": 0.9}
    assert Reading(outcome="content_filter", scores=(evidence,), usage=TOLD) == (
        AzureWire().read(TEXT_HARM, ONE, response)
    )


def test_spillover_is_noted() -> None:
    """Who really answered changes the price."""
    body = chat_reply(_posts("x")).body
    headers = {"x-ms-spillover-deployment": "standard"}
    reading = AzureWire().read(
        TEXT_HARM, ONE, HttpResponse(status=200, headers=headers, body=body, latency_ms=1.0)
    )
    assert (reading.outcome, reading.spillover) == ("ok", "standard")
