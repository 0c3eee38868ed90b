"""/v1/models: what models are asked for here, and having texts judged."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.bodies import read_body
from inhouse.api.context import context_of, needs, services_of
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.app.owning.suggestions import Judged, keep_judged
from inhouse.catalog.types import words_ref
from inhouse.core.errors import InputError
from inhouse.core.ids import ID_RULE, is_valid_id
from inhouse.models.tasks import judgement_named
from inhouse.models.types import Answer, Kind, Manner, Stage, TaskInput, UnansweredError

router = APIRouter(prefix="/v1/models", tags=["models"])
_ASKS: Final = [Depends(needs("models"))]
_TEACHES: Final = [Depends(needs("labels"))]
Use = Annotated[Services, Depends(services_of)]
MOST_INPUTS: Final = 1_000
MOST_CHARS: Final = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A text to be judged."""

    text: str  # up to 100,000 characters
    ref: str | None = None  # of what it belongs to, such as a post's id; else made of the words


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """Texts to be judged."""

    inputs: list[Told]  # 1 to 1,000
    keep: bool = True  # whether what rented models say of them may become labels to train on


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What became of one text."""

    ref: str
    scores: dict[str, float] | None  # by category; one not there is unknown; None: nobody answered
    model: str | None  # who answered; None where nobody did
    host: str | None  # who runs it
    owner: str | None  # who made it; `inhouse` is a model trained here
    filtered: bool  # the scores are the evidence of a vendor's content filter
    simulated: bool  # a stand-in that charges nobody


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgements:
    """An answer for each input, in order."""

    task: str
    answers: list[Judgement]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What is true of a text."""

    text: str  # up to 100,000 characters
    scores: dict[str, float]  # 0 to 1 by category; none takes back what people said of it before
    by: str  # who says so
    ref: str | None = None  # of what it belongs to, such as a post's id; else made of the words
    person: bool = True  # a person's word counts before a model's


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """Labels to keep."""

    labels: list[Said]  # 1 to 1,000


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What became of labels."""

    new: int  # those that were not known yet


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFacts:
    """A task, and who answers it."""

    name: str
    kind: Kind
    categories: tuple[str, ...]
    stage: Stage  # on its way from rented to owned
    rented: str | None  # the deployment that is asked first
    owned: str | None  # version of the model trained here
    owned_share: float  # of the inputs, answered by it


@router.get("", responses=documented(list[TaskFacts]), dependencies=_ASKS)
def list_tasks(use: Use) -> Response:
    """Every task with its route: `text_harm`, then those of tasks.toml."""
    facts = []
    for task in use.tasks.values():
        route = use.routes.current(task.name)
        facts.append(
            TaskFacts(
                name=task.name,
                kind=task.kind,
                categories=task.categories,
                stage=route.stage,
                rented=route.primary if task.judges else next(iter(task.stand_ins), None),
                owned=route.owned,
                owned_share=route.owned_share,
            )
        )
    return answer(facts)


@router.post(
    "/{task}/ask", responses=documented(Judgements), openapi_extra=takes(Ask), dependencies=_ASKS
)
async def ask(task: str, request: Request, use: Use) -> Response:
    """Have texts judged by a task of kind `labels` or `score`: by the rented model, the one trained
    here, or both, as its route says. Where nobody answers some of them their scores are null; where
    nobody answers any, 502."""
    wanted = judgement_named(task, use.tasks)
    asked = read_body(await request.body(), Ask)
    inputs = _inputs(asked)
    distinct = {given.ref: given for given in inputs}
    manner = Manner(durable=False, keep_texts=asked.keep)
    with context_of(request).places.one():
        try:
            found = await use.gateway.ask(wanted, list(distinct.values()), manner)
        except UnansweredError as error:
            if not error.answered:
                raise
            found = list(error.answered)
    answers = {one.ref: one for one in found}
    judged = [_judgement(given.ref, answers.get(given.ref)) for given in inputs]
    return answer(Judgements(task=task, answers=judged))


@router.post(
    "/{task}/labels", responses=documented(Kept), openapi_extra=takes(Say), dependencies=_TEACHES
)
async def label(task: str, request: Request, use: Use) -> Response:
    """Say what is true of texts, for the task's model to learn from and to be judged by. All are
    kept, or none and the first that is wrong is named."""
    wanted = judgement_named(task, use.tasks)
    said = read_body(await request.body(), Say)
    if not 1 <= len(said.labels) <= MOST_INPUTS:
        raise InputError(
            f"labels: got {len(said.labels)}, expected 1 to {MOST_INPUTS:,}", field="labels"
        )
    judged = []
    for place, one in enumerate(said.labels):
        _check_text(one.text, one.ref, f"labels[{place}]")
        judged.append(
            Judged(
                task=wanted,
                text=one.text,
                scores=one.scores,
                by=one.by,
                is_person=one.person,
                ref=one.ref,
            )
        )
    return answer(Kept(new=await asyncio.wrap_future(keep_judged(use, judged))))


def _inputs(asked: Ask) -> list[TaskInput]:
    """Texts with a ref each. The same words twice are one text; two texts cannot share a ref."""
    if not 1 <= len(asked.inputs) <= MOST_INPUTS:
        raise InputError(
            f"inputs: got {len(asked.inputs)}, expected 1 to {MOST_INPUTS:,}", field="inputs"
        )
    texts: dict[str, str] = {}
    inputs = []
    for place, told in enumerate(asked.inputs):
        where = f"inputs[{place}]"
        _check_text(told.text, told.ref, where)
        ref = told.ref or words_ref(told.text)
        if texts.setdefault(ref, told.text) != told.text:
            raise InputError(
                f"{where}.ref: {ref!r} names another text already; each text needs its own",
                field=f"{where}.ref",
            )
        inputs.append(TaskInput(ref=ref, text=told.text))
    return inputs


def _check_text(text: str, ref: str | None, where: str) -> None:
    if not text.strip() or len(text) > MOST_CHARS:
        raise InputError(
            f"{where}.text: got {len(text):,} characters, expected 1 to {MOST_CHARS:,}, not all of "
            "them spaces",
            field=f"{where}.text",
        )
    if ref is not None and not is_valid_id(ref):
        raise InputError(f"{where}.ref: got {ref[:40]!r}, expected {ID_RULE}", field=f"{where}.ref")


def _judgement(ref: str, found: Answer | None) -> Judgement:
    return Judgement(
        ref=ref,
        scores=dict(found.scores) if found else None,
        model=found.model if found else None,
        host=found.host if found else None,
        owner=found.owner if found else None,
        filtered=found.filtered if found else False,
        simulated=found.simulated if found else False,
    )
