"""/openai/v1/moderations: OpenAI's moderations endpoint, answered by our models and banks.

A client changes its base address and its key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.bodies import read_body
from inhouse.api.context import admit, context_of, needs, services_of
from inhouse.api.lane import Fast
from inhouse.api.openai.categories import Result, result_of
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.core.errors import InputError, UnknownError
from inhouse.core.ids import new_id
from inhouse.models.tasks import TEXT_HARM
from inhouse.moderation.judging.judge import Judgement
from inhouse.moderation.media.asked import (
    NOT_LOOKED_AT,
    AskedPicture,
    Caller,
    Seen,
    check_form,
)
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
MOST_PICTURES: Final = 10
# The model's name where no model spoke.
TERM_BANKS: Final = "term-banks"
HASH_BANKS: Final = "hash-banks"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Inputs:
    """What is asked about."""

    texts: list[str]  # one for each result
    pictures: list[AskedPicture]  # of the one result that there is then


@router.post(
    "",
    responses=documented(Moderations),
    openapi_extra=takes(Asked),
    dependencies=[Depends(needs("models"))],
)
async def moderate(request: Request) -> Response:
    """Judge texts, hold pictures against the banks of known ones, and ask rented models about them
    that take pictures. Where nobody looked at the pictures `category_applied_input_types` does not
    name them; one that cannot be looked at is refused."""
    key = await admit(request, "models")
    asked = read_body(await request.body(), Asked)
    _check_model(asked.model)
    given = _inputs(asked.input)
    use = await services_of(request)
    with context_of(request).places.one():
        seen = await _seen(use, given, key.key_id)
        judged = [] if seen.sealed else await _judged(use, given.texts)
    flag_at = use.settings.models.flag_at
    words = [one.p for one in judged] or [{}]
    nobody = seen.model or (HASH_BANKS if seen.p else TERM_BANKS)
    return answer(
        Moderations(
            id=new_id("modr").replace("_", "-"),
            model=next((one.model for one in judged if one.model), nobody),
            results=[result_of(p, flag_at, seen.p) for p in words],
        )
    )


FAST: Final = {("POST", PATH): Fast(path=PATH, handle=moderate)}


def _check_model(name: str) -> None:
    if name not in MODELS:
        raise UnknownError(
            f"the model {name[:80]!r} does not exist here; expected one of {', '.join(MODELS)}",
            field="model",
        )


async def _seen(use: Services, given: _Inputs, key_id: str) -> Seen:
    if not given.pictures:
        return NOT_LOOKED_AT
    caller = Caller(key_id=key_id, text=given.texts[0])
    return await use.picture_judge.judge(given.pictures, caller)


async def _judged(use: Services, texts: Sequence[str]) -> list[Judgement]:
    return await use.judge.judge([Text(text=text, language=None) for text in texts])


def _inputs(given: str | list[str | Part]) -> _Inputs:
    if isinstance(given, str):
        return _Inputs(texts=[_checked(given, "input")], pictures=[])
    if not 1 <= len(given) <= MOST_INPUTS:
        raise InputError(
            f"input: got {len(given)} inputs, expected 1 to {MOST_INPUTS}", field="input"
        )
    texts = [each for each in given if isinstance(each, str)]
    parts = [each for each in given if isinstance(each, Part)]
    if texts and parts:
        raise InputError("input: got texts among parts, expected either alone", field="input")
    if texts:
        checked = [_checked(text, f"input[{place}]") for place, text in enumerate(texts)]
        return _Inputs(texts=checked, pictures=[])
    return _of_parts(parts)


def _of_parts(parts: Sequence[Part]) -> _Inputs:
    read = [_word_or_picture(part, f"input[{place}]") for place, part in enumerate(parts)]
    pictures = [each for each in read if isinstance(each, AskedPicture)]
    if len(pictures) > MOST_PICTURES:
        raise InputError(
            f"input: got {len(pictures)} pictures, expected at most {MOST_PICTURES}", field="input"
        )
    words = "\n\n".join(each for each in read if isinstance(each, str) and each)
    return _Inputs(texts=[_checked(words, "input")], pictures=pictures)


def _word_or_picture(part: Part, where: str) -> str | AskedPicture:
    if part.type == "text" and part.text is not None:
        return part.text
    if part.type == "image_url" and part.image_url is not None:
        picture = AskedPicture(url=part.image_url.url, where=f"{where}.image_url.url")
        check_form(picture)
        return picture
    raise InputError(
        f"{where}: got a part of type {part.type[:40]!r}, expected `text` with its text or "
        "`image_url` with its url",
        field=where,
    )


def _checked(text: str, where: str) -> str:
    if len(text) > MOST_CHARS:
        raise InputError(
            f"{where}: got {len(text):,} characters, expected at most {MOST_CHARS:,}", field=where
        )
    return text
