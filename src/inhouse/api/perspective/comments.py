"""/v1alpha1/comments: the Perspective API, answered by our models and term banks.

A client changes its base address and its key.

The key comes as `?key=inh_…`, as `x-goog-api-key` or as `authorization: Bearer`. It is in no log:
what is logged of a request is its path without the question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from fastapi import APIRouter, Request, Response

from inhouse.api.admission import bearer_in
from inhouse.api.bodies import read_body
from inhouse.api.context import admit_key, context_of, services_of
from inhouse.api.lane import Fast
from inhouse.api.perspective.attributes import (
    ATTRIBUTES,
    PROFANITY,
    categories_of,
    score_of,
    taught_by,
)
from inhouse.api.perspective.texts import Words, sentences, words_of
from inhouse.api.perspective.types import (
    AnalyzeAnswer,
    AnalyzeRequest,
    AttributeScores,
    Comment,
    Score,
    SpanScore,
    SuggestAnswer,
    SuggestRequest,
)
from inhouse.api.shapes import google_answer
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.app.keys import ApiKey
from inhouse.app.owning.suggestions import Suggestion, keep_suggestion
from inhouse.core.errors import AccessError, InputError
from inhouse.moderation.judging.judge import Judgement
from inhouse.moderation.signals.read import Text

router = APIRouter(tags=["others' formats"])
ANALYZE: Final = "/v1alpha1/comments:analyze"
SUGGEST: Final = "/v1alpha1/comments:suggestscore"
MOST_BYTES: Final = 20_480  # of a comment, as there
MOST_TOKEN_CHARS: Final = 1_000
MOST_NAME_CHARS: Final = 100
_DETAIL: Final = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_UNKNOWN_LANGUAGE: Final = "und"


class _RefusedError(Exception):
    """An error of Perspective's own, which its clients tell apart by its type."""

    def __init__(self, message: str, kind: str, **more: object) -> None:
        super().__init__(message)
        self.detail = {"@type": _DETAIL, "errorType": kind, **more}


@router.post(ANALYZE, responses=documented(AnalyzeAnswer), openapi_extra=takes(AnalyzeRequest))
async def analyze(request: Request) -> Response:
    """Judge a comment by Perspective's attributes. One that nobody here can tell is refused with
    LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE, or left out with `dropUnsupportedAttributes`."""
    return await _answered(_analyze(request))


@router.post(SUGGEST, responses=documented(SuggestAnswer), openapi_extra=takes(SuggestRequest))
async def suggest(request: Request) -> Response:
    """Say what a comment's scores should be: a label that models learn from, named after the
    client. With `doNotStore` nothing is kept."""
    return await _answered(_suggest(request))


_PATHS: Final[dict[str, Callable[[Request], Awaitable[Response]]]] = {
    ANALYZE: analyze,
    SUGGEST: suggest,
}
FAST: Final = {("POST", path): Fast(path=path, handle=handle) for path, handle in _PATHS.items()}


async def _answered(answering: Awaitable[Response]) -> Response:
    try:
        return await answering
    except _RefusedError as error:
        return google_answer(400, str(error), [error.detail])


async def _analyze(request: Request) -> Response:
    await _admit(request, "models")
    asked = read_body(await request.body(), AnalyzeRequest)
    use = await services_of(request)
    words = _checked(asked.comment, asked.languages, asked.clientToken)
    _check_wanted(asked, use)
    spans = sentences(words.text) if asked.spanAnnotations else [(0, len(words.text))]
    language = asked.languages[0] if asked.languages else None
    texts = [words.text, *(words.text[start:end] for start, end in spans)]
    judge = use.forgetful_judge if asked.doNotStore else use.judge
    with context_of(request).places.one():
        judged = await judge.judge([Text(text=text, language=language) for text in texts])
    found = [_p(one, use, language) for one in judged]
    return answer(
        AnalyzeAnswer(
            attributeScores=_scores(asked, found, [words.span(*span) for span in spans]),
            languages=asked.languages,
            clientToken=asked.clientToken,
        )
    )


async def _suggest(request: Request) -> Response:
    key = await _admit(request, "labels")
    asked = read_body(await request.body(), SuggestRequest)
    words = _checked(asked.comment, asked.languages, asked.clientToken)
    scores = {name: each.summaryScore.value for name, each in asked.attributeScores.items()}
    _check_names(scores)
    for name, value in scores.items():
        if not 0 <= value <= 1:
            where = f"attributeScores.{name}.summaryScore.value"
            raise InputError(f"{where}: got {value:g}, expected 0 to 1")
    if len(asked.communityId) > MOST_NAME_CHARS:
        raise InputError(
            f"communityId: got {len(asked.communityId):,} characters, expected at most "
            f"{MOST_NAME_CHARS}"
        )
    if not asked.doNotStore:
        suggestion = Suggestion(
            text=words.text, p=taught_by(scores), by=asked.communityId or key.key_id
        )
        kept = keep_suggestion(await services_of(request), suggestion)
        await asyncio.wrap_future(kept)
    return answer(SuggestAnswer(clientToken=asked.clientToken, requestedLanguages=asked.languages))


async def _admit(request: Request, scope: str) -> ApiKey:
    given = request.headers.get("x-goog-api-key") or bearer_in(request.scope["headers"])
    given = given or request.query_params.get("key")
    if not given:
        raise AccessError(
            "the request has no API key; add `?key=inh_…`, made by `inhouse keys create`",
            known_key=True,
        )
    return await admit_key(request, given, scope)


def _checked(comment: Comment, languages: Sequence[str], token: str) -> Words:
    """The words of a comment that can be judged, or an error."""
    if comment.type not in ("PLAIN_TEXT", "HTML", "TEXT_TYPE_UNSPECIFIED"):
        raise InputError(f"comment.type: got {comment.type[:40]!r}, expected PLAIN_TEXT or HTML")
    if len(token) > MOST_TOKEN_CHARS:
        raise InputError(
            f"clientToken: got {len(token):,} characters, expected at most {MOST_TOKEN_CHARS:,}"
        )
    if not all(tag.replace("-", "").isalnum() and tag.isascii() for tag in languages):
        raise InputError("languages: got no tags, expected tags such as `en` or `pt-BR`")
    size_bytes = len(comment.text.encode("utf-8", "surrogatepass"))
    if size_bytes > MOST_BYTES:
        raise _RefusedError(
            f"the comment has {size_bytes:,} bytes, expected at most {MOST_BYTES:,}",
            "COMMENT_TOO_LONG",
        )
    words = words_of(comment.text, is_html=comment.type == "HTML")
    if not words.text.strip():
        raise _RefusedError("the comment is empty, expected some words", "COMMENT_EMPTY")
    return words


def _check_wanted(asked: AnalyzeRequest, use: Services) -> None:
    _check_names(asked.requestedAttributes)
    for name, wanted in asked.requestedAttributes.items():
        if wanted.scoreType not in ("PROBABILITY", "SCORE_TYPE_UNSPECIFIED"):
            raise InputError(
                f"requestedAttributes.{name}.scoreType: got {wanted.scoreType[:40]!r}, "
                "expected PROBABILITY"
            )
    known = [tag.strip().lower() for tag in use.settings.api.languages.split(",") if tag.strip()]
    if known and not {_primary(tag) for tag in asked.languages} <= set(map(_primary, known)):
        raise _unsupported(next(iter(asked.requestedAttributes)), asked.languages)


def _check_names(attributes: Mapping[str, object]) -> None:
    if not attributes:
        raise InputError("attributes: got none, expected at least one such as TOXICITY")
    for name in attributes:
        if categories_of(name) is None:
            raise InputError(
                f"unknown attribute {name[:80]!r}; expected one of {', '.join(ATTRIBUTES)}"
            )


def _primary(tag: str) -> str:
    return tag.lower().partition("-")[0]


def _unsupported(attribute: str, languages: Sequence[str]) -> _RefusedError:
    told = list(languages) or [_UNKNOWN_LANGUAGE]
    return _RefusedError(
        f"Attribute {attribute} does not support request languages: {', '.join(told)}",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        languageNotSupportedByAttributeError={"detectedLanguages": told, "attribute": attribute},
    )


def _p(judgement: Judgement, use: Services, language: str | None) -> dict[str, float]:
    """What is known of a text; that no listed swear word stands in it is known too."""
    p = dict(judgement.p)
    if use.rules.reader.lists(PROFANITY, language):
        p.setdefault(PROFANITY, 0.0)
    return p


def _scores(
    asked: AnalyzeRequest, found: Sequence[dict[str, float]], spans: Sequence[tuple[int, int]]
) -> dict[str, AttributeScores]:
    """What is told of each attribute. `found` is of the whole text, then of each span."""
    told: dict[str, AttributeScores] = {}
    for name, wanted in asked.requestedAttributes.items():
        values = [score_of(name, p) for p in found]
        if values[0] is None:
            if asked.dropUnsupportedAttributes:
                continue
            raise _unsupported(name, asked.languages)
        if values[0] >= wanted.scoreThreshold:
            told[name] = AttributeScores(
                spanScores=[
                    SpanScore(begin=begin, end=end, score=Score(value=value))
                    for (begin, end), value in zip(spans, values[1:], strict=True)
                    if value is not None and value >= wanted.scoreThreshold
                ],
                summaryScore=Score(value=values[0]),
            )
    return told
