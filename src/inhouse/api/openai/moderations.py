"""/openai/v1/moderations: OpenAI's moderations endpoint, answered by our models and term banks.

A client changes its base address and its key.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.bodies import read_body
from inhouse.api.context import admit, context_of, needs, services_of
from inhouse.api.lane import Fast
from inhouse.api.openai.categories import Result, result_of
from inhouse.api.wire import answer, documented, takes
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import new_id
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.signals.read import Text

router = APIRouter(prefix="/openai/v1/moderations", tags=["others' formats"])
PATH: Final = "/openai/v1/moderations"
# What clients ask for by default; whoever answers, `model` in the answer names it.
MODELS: Final = (
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
    "text-moderation-007",
    TEXT_HARM.name,
)
MOST_INPUTS: Final = 1_000
MOST_CHARS: Final = 100_000
TERM_BANKS: Final = "term-banks"  # the model's name where there is no model


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Where a picture is."""

    url: str  # an address, or the picture itself as `data:image/…`


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of an input of several kinds."""

    type: str  # text or image_url
    text: str | None = None
    image_url: Picture | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be judged."""

    input: str | list[str | Part]  # one text, many, or the parts of one post
    model: str = MODELS[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Moderations:
    """One result for each text; one for all parts together."""

    id: str
    model: str  # who answered
    results: list[Result]


@router.post(
    "",
    responses=documented(Moderations),
    openapi_extra=takes(Asked),
    dependencies=[Depends(needs("models"))],
)
async def moderate(request: Request) -> Response:
    """Judge texts. A picture is not looked at: what is told of a post with one is told of its
    words, and `category_applied_input_types` says so."""
    await admit(request, "models")
    asked = read_body(await request.body(), Asked)
    _check_model(asked.model)
    texts = _texts(asked.input)
    use = await services_of(request)
    with context_of(request).places.one():
        judged = await use.judge.judge([Text(text=text, language=None) for text in texts])
    flag_at = use.settings.models.flag_at
    return answer(
        Moderations(
            id=new_id("modr").replace("_", "-"),
            model=next((one.model for one in judged if one.model), TERM_BANKS),
            results=[result_of(one.p, flag_at) for one in judged],
        )
    )


FAST: Final = {("POST", PATH): Fast(path=PATH, handle=moderate)}


def _check_model(name: str) -> None:
    if name not in MODELS:
        raise UnknownError(
            f"the model {name[:80]!r} does not exist here; expected one of {', '.join(MODELS)}",
            field="model",
        )


def _texts(given: str | list[str | Part]) -> list[str]:
    """One text for each result."""
    if isinstance(given, str):
        return [_checked(given, "input")]
    if not 1 <= len(given) <= MOST_INPUTS:
        raise InputError(
            f"input: got {len(given)} inputs, expected 1 to {MOST_INPUTS}", field="input"
        )
    texts = [each for each in given if isinstance(each, str)]
    parts = [each for each in given if isinstance(each, Part)]
    if texts and parts:
        raise InputError("input: got texts among parts, expected either alone", field="input")
    if texts:
        return [_checked(text, f"input[{place}]") for place, text in enumerate(texts)]
    words = [_words(part, f"input[{place}]") for place, part in enumerate(parts)]
    return [_checked("\n\n".join(filter(None, words)), "input")]


def _words(part: Part, where: str) -> str:
    if part.type == "text" and part.text is not None:
        return part.text
    if part.type == "image_url" and part.image_url is not None:
        _check_picture(part.image_url.url, f"{where}.image_url.url")
        return ""
    raise InputError(
        f"{where}: got a part of type {part.type[:40]!r}, expected `text` with its text or "
        "`image_url` with its url",
        field=where,
    )


def _check_picture(url: str, where: str) -> None:
    """Whether it may be a picture; it is never fetched."""
    try:
        address = urlsplit(url)
    except ValueError:
        address = urlsplit("")
    if url.startswith("data:image/") or (address.scheme in ("http", "https") and address.netloc):
        return
    raise InputError(
        f"{where}: got {url[:40]!r}, expected an address with http or https, or data:image/…",
        field=where,
    )


def _checked(text: str, where: str) -> str:
    if len(text) > MOST_CHARS:
        raise InputError(
            f"{where}: got {len(text):,} characters, expected at most {MOST_CHARS:,}", field=where
        )
    return text
