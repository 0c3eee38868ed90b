"""The Perspective API's wire format, as its clients call it."""

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from starlette.testclient import TestClient
from tests.api.wire_world import CALM, HATE, SPAM, own_a_model, running

from inhouse.api.server import create_app
from inhouse.app.build import Services
from inhouse.app.people.erasure import Eraser
from inhouse.app.settings import load_settings
from inhouse.models.harvest.labels import Labels

ANALYZE = "/v1alpha1/comments:analyze"
SUGGEST = "/v1alpha1/comments:suggestscore"
_DETAIL = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


@pytest.fixture
def owned(client: TestClient, services: Services) -> TestClient:
    """A client whose key may do everything, and a model of hate and spam behind the route."""
    own_a_model(services)
    return client


def _asked(text: str = HATE, *attributes: str, **more: Any) -> dict[str, Any]:
    wanted = {name: {} for name in attributes or ("IDENTITY_ATTACK",)}
    return {"comment": {"text": text}, "requestedAttributes": wanted, **more}


def _analyze(client: TestClient, **asked: Any) -> Any:
    response = client.post(ANALYZE, json=asked)
    assert response.status_code == 200, response.text
    return response.json()


def _error(client: TestClient, path: str, body: Any, **more: Any) -> Any:
    response = client.post(path, json=body, **more)
    assert response.status_code == response.json()["error"]["code"]
    return response.json()["error"]


def test_a_comment_is_scored_as_it_is_there(owned: TestClient) -> None:
    """The whole answer: a summary and one span for each attribute, language and token again."""
    told = _analyze(
        owned, **_asked(HATE, "TOXICITY", "SPAM"), languages=["en"], clientToken="a token"
    )
    scores = told["attributeScores"]
    value = scores["TOXICITY"]["summaryScore"]["value"]

    assert told == {
        "attributeScores": {
            name: {
                "spanScores": [
                    {"begin": 0, "end": len(HATE), "score": scores[name]["summaryScore"]}
                ],
                "summaryScore": {
                    "value": scores[name]["summaryScore"]["value"], "type": "PROBABILITY"
                },
            }
            for name in ("TOXICITY", "SPAM")
        },
        "languages": ["en"],
        "clientToken": "a token",
    }  # fmt: skip
    assert value > 0.5 > scores["SPAM"]["summaryScore"]["value"]


def test_each_sentence_gets_its_own_score_where_that_is_wanted(owned: TestClient) -> None:
    """The spans point into the comment as it was sent, HTML or not; the bad one stands out."""
    html = f"<p>{CALM}.</p>\n<p>all <b>za</b>rps stink!</p> {CALM}"
    asked = _asked(spanAnnotations=True)
    asked["comment"] = {"text": html, "type": "HTML"}
    spans = _analyze(owned, **asked)["attributeScores"]["IDENTITY_ATTACK"]["spanScores"]

    assert [html[span["begin"] : span["end"]] for span in spans] == [
        f"{CALM}.",
        "all <b>za</b>rps stink!",
        CALM,
    ]
    assert [span["score"]["value"] > 0.5 for span in spans] == [False, True, False]


def test_what_scores_below_its_threshold_is_left_out(owned: TestClient) -> None:
    """Attributes and spans; what is at it or above stays."""
    asked = _asked(f"{HATE}. {CALM}.", spanAnnotations=True)
    asked["requestedAttributes"] = {
        "IDENTITY_ATTACK": {"scoreThreshold": 0.4, "scoreType": "PROBABILITY"},
        "SPAM": {"scoreThreshold": 0.9},
    }
    scores = _analyze(owned, **asked)["attributeScores"]

    assert list(scores) == ["IDENTITY_ATTACK"]
    assert [span["begin"] for span in scores["IDENTITY_ATTACK"]["spanScores"]] == [0]


def test_what_nobody_here_can_tell_is_refused_by_name(owned: TestClient) -> None:
    """The error that clients know: drop the attribute and ask again, or ask for that at once."""
    error = _error(owned, ANALYZE, _asked(HATE, "IDENTITY_ATTACK", "THREAT", languages=["en"]))
    dropped = _analyze(
        owned, **_asked(HATE, "IDENTITY_ATTACK", "THREAT", dropUnsupportedAttributes=True)
    )

    assert error == {
        "code": 400,
        "message": "Attribute THREAT does not support request languages: en",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": _DETAIL,
                "errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
                "languageNotSupportedByAttributeError": {
                    "detectedLanguages": ["en"],
                    "attribute": "THREAT",
                },
            }
        ],
    }
    assert list(dropped["attributeScores"]) == ["IDENTITY_ATTACK"]


@contextmanager
def _served(folder: Path, **environment: str) -> Iterator[TestClient]:
    """A client of a server with other settings; its key has the scope `models`."""
    places = {
        "INHOUSE_STORE_FOLDER": str(folder / "other"),
        "INHOUSE_MODELS_VENDORS": str(folder / "vendors.toml"),
    }
    services = Services(load_settings({**places, **environment}, folder / "none.toml"))
    _, secret = services.keys.create("tests", ["models"])
    own_a_model(services)
    try:
        with TestClient(create_app(services), headers={"x-goog-api-key": secret}) as client:
            yield client
    finally:
        services.close()


def test_profanity_is_what_is_listed(tmp_path: Path) -> None:
    """With a bank of the category a clean comment scores 0, a listed word its probability; in a
    language without a list it is not supported."""
    banks = tmp_path / "banks"
    banks.mkdir()
    (banks / "swear.txt").write_text("category: profanity\nlanguage: en\np: 0.9\nfiddlesticks\n")

    with _served(tmp_path, INHOUSE_MODERATION_BANKS=str(banks)) as client:

        def score(text: str) -> float:
            told = _analyze(client, **_asked(text, "PROFANITY"), languages=["en"])
            value: float = told["attributeScores"]["PROFANITY"]["summaryScore"]["value"]
            return value

        refused = _error(client, ANALYZE, _asked(CALM, "PROFANITY", languages=["de"]))

        assert (score(CALM), score("Fiddl3sticks!")) == (0.0, 0.9)
        assert refused["details"][0]["languageNotSupportedByAttributeError"] == {
            "detectedLanguages": ["de"],
            "attribute": "PROFANITY",
        }


def test_a_language_the_models_do_not_know_is_not_supported(tmp_path: Path) -> None:
    """Where the operator has said which languages are answered; regions do not matter."""
    with _served(tmp_path, INHOUSE_API_LANGUAGES="en, pt-BR") as client:
        for languages in (["en-GB"], ["pt"], []):
            assert client.post(ANALYZE, json=_asked(languages=languages)).status_code == 200
        refused = _error(client, ANALYZE, _asked(languages=["en", "th"]))

    assert refused["details"][0]["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert refused["message"].endswith("does not support request languages: en, th")


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (_asked(" \n"), "the comment is empty, expected some words", "COMMENT_EMPTY"),
        (
            _asked("é" * 10_241),
            "the comment has 20,482 bytes, expected at most 20,480",
            "COMMENT_TOO_LONG",
        ),
        ({"requestedAttributes": {"SPAM": {}}}, "comment: is required", None),
        (_asked() | {"requestedAttributes": {}}, "attributes: got none, expected at least one such "
         "as TOXICITY", None),
        (_asked() | {"comment": {"text": 3}}, "comment.text: expected `str`, got `int`", None),
        (
            _asked() | {"comment": {"text": "x", "type": "PDF"}},
            "comment.type: got 'PDF', expected PLAIN_TEXT or HTML",
            None,
        ),
        (
            _asked() | {"requestedAttributes": {"SPAM": {"scoreType": "STD_DEV"}}},
            "requestedAttributes.SPAM.scoreType: got 'STD_DEV', expected PROBABILITY",
            None,
        ),
        (_asked(languages=["e n"]), "languages: got no tags, expected tags such as `en` or `pt-BR`",
         None),
        (
            _asked(clientToken="x" * 1_001),
            "clientToken: got 1,001 characters, expected at most 1,000",
            None,
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_scored_is_refused_in_their_shape(
    client: TestClient, body: Any, message: str, kind: str | None
) -> None:
    """`google.rpc.Status`, with the type of error where Perspective has one."""
    details = {"details": [{"@type": _DETAIL, "errorType": kind}]} if kind else {}

    assert _error(client, ANALYZE, body) == {
        "code": 400, "message": message, "status": "INVALID_ARGUMENT", **details,
    }  # fmt: skip


def test_an_attribute_that_does_not_exist_is_told_with_those_that_do(client: TestClient) -> None:
    """A slip of the pen is no missing language."""
    error = _error(client, ANALYZE, _asked(HATE, "TOXICTY"))

    assert error["message"].startswith("unknown attribute 'TOXICTY'; expected one of TOXICITY, ")
    assert "details" not in error


def test_keys_are_taken_where_clients_send_them(client: TestClient, services: Services) -> None:
    """In the address, in their header, in ours; a wrong, a missing and a narrow one are told."""
    own_a_model(services)
    _, secret = services.keys.create("moving", ["models"])
    del client.headers["authorization"]
    taken = [
        client.post(f"{ANALYZE}?key={secret}", json=_asked()),
        client.post(f"{ANALYZE}/?key={secret}", json=_asked()),
        client.post(ANALYZE, json=_asked(), headers={"x-goog-api-key": secret}),
        client.post(ANALYZE, json=_asked(), headers={"authorization": f"Bearer {secret}"}),
    ]
    wrong = _error(client, f"{ANALYZE}?key=AIza", _asked())
    missing = _error(client, ANALYZE, _asked())
    narrow = _error(client, f"{SUGGEST}?key={secret}", {})

    assert [response.status_code for response in taken] == [200] * 4
    assert (wrong["code"], wrong["status"]) == (400, "INVALID_ARGUMENT")
    assert wrong["details"][0]["reason"] == "API_KEY_INVALID"
    assert (missing["code"], missing["status"]) == (403, "PERMISSION_DENIED")
    assert (narrow["code"], narrow["status"]) == (403, "PERMISSION_DENIED")


def test_a_key_in_the_address_is_in_no_log(
    services: Services,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not where a request is answered, refused, malformed, or crashes the server."""
    _, secret = services.keys.create("moving", ["models"])
    caplog.set_level(logging.DEBUG)
    with running(services) as address, structlog.testing.capture_logs() as logs:
        for path, body in ((ANALYZE, b"{"), ("/v1alpha1/nothing", b""), (ANALYZE, b"x" * 300_000)):
            _send(f"{address}{path}?key={secret}", body)
        monkeypatch.setattr(services.judge, "judge", None)
        assert _send(f"{address}{ANALYZE}?key={secret}", msgspec.json.encode(_asked())) == 500
    told = "".join((*capfd.readouterr(), caplog.text, str(logs)))

    assert "request_crashed" in told
    assert secret not in told


def test_googles_own_libraries_find_the_calls(client: TestClient) -> None:
    """The description names the server as it was asked for, and each of its calls is there."""
    del client.headers["authorization"]
    told = client.get("/$discovery/rest?version=v1alpha1").json()
    methods = told["resources"]["comments"]["methods"]

    assert told["rootUrl"] == "http://testserver/"
    assert set(methods) == {"analyze", "suggestscore"}
    for method in methods.values():
        assert client.post(told["rootUrl"] + method["path"], json={}).status_code == 403
        for role in ("request", "response"):
            assert method[role]["$ref"] in told["schemas"]


def _send(address: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=body)) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def _suggest(client: TestClient, text: str, scores: dict[str, float], **more: Any) -> Any:
    told = {name: {"summaryScore": {"value": value}} for name, value in scores.items()}
    return client.post(SUGGEST, json={"comment": {"text": text}, "attributeScores": told, **more})


def test_a_suggested_score_becomes_a_label(client: TestClient, services: Services) -> None:
    """With who says so; the words without their tags; told twice it is one."""
    body = {"communityId": "forum/general", "languages": ["en"], "clientToken": "t"}
    for _ in range(2):
        answered = _suggest(client, CALM, {"TOXICITY": 0.1, "SPAM": 1.0}, **body)
    (label,) = Labels(services.database).latest("text_harm", 10)

    assert answered.json() == {"clientToken": "t", "requestedLanguages": ["en"]}
    assert (label.source, label.terms, label.text) == ("client:forum/general", "own", CALM)
    assert dict(label.scores) == {"harassment": 0.1, "hate": 0.1, "violence": 0.1, "spam": 1.0}


def test_what_must_not_be_stored_is_not(client: TestClient, services: Services) -> None:
    """A suggestion with `doNotStore` leaves nothing; one that teaches nothing neither."""
    _suggest(client, CALM, {"SPAM": 1.0}, doNotStore=True)
    _suggest(client, CALM, {"FLIRTATION": 1.0})

    assert Labels(services.database).latest("text_harm", 10) == []


@pytest.mark.parametrize(
    ("scores", "more", "told"),
    [
        ({"SPAM": 1.5}, {}, "attributeScores.SPAM.summaryScore.value: got 1.5, expected 0 to 1"),
        ({}, {}, "attributes: got none, expected at least one such as TOXICITY"),
        (
            {"SPAM": 1.0},
            {"communityId": "x" * 200},
            "communityId: got 200 characters, expected at most 100",
        ),
    ],
)
def test_a_suggestion_that_cannot_be_kept_is_refused(
    client: TestClient, scores: dict[str, float], more: dict[str, Any], told: str
) -> None:
    """Nothing is cut to fit."""
    response = _suggest(client, CALM, scores, **more)

    assert (response.status_code, response.json()["error"]["message"]) == (400, told)


def test_words_are_forgotten_with_whoever_posted_them(
    client: TestClient, services: Services
) -> None:
    """A suggestion carries no person; erasing one takes what was said of the words they posted,
    whole or in part, and the export shows it before."""
    post = {"item_id": "i", "creator_id": "ana", "title": "Tea", "text": CALM}
    client.post("/v1/items", json={"items": [post]})
    for text in (CALM, f"Tea\n\n{CALM}", SPAM):
        _suggest(client, text, {"SPAM": 1.0})
    exported = client.get("/v1/users/ana/export").text
    erased = Eraser(services)
    receipt = erased.finish(erased.wipe("ana"))

    assert exported.count('"kind":"label"') == 2
    assert receipt.counts["labels"] == 2
    assert [label.text for label in Labels(services.database).latest("text_harm", 10)] == [SPAM]
