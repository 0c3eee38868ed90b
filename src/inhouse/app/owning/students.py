"""Training a task's model from what there is, whatever its answer, and putting it into use."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from inhouse.app.build import Services
from inhouse.app.owning.training import train_here
from inhouse.core.errors import InputError
from inhouse.models.cutover.routes import Acceptance, RouteChange
from inhouse.models.cutover.stages import Step, measuring_of
from inhouse.models.owned.hub import licence_of
from inhouse.models.owned.registry import ModelVersion
from inhouse.models.settings import names_in
from inhouse.models.students.course import Tell
from inhouse.models.students.judging import train_encoder
from inhouse.models.students.pairs import FilePairs, KeptPairs, Pairs
from inhouse.models.students.placing import read_placed, train_vectors
from inhouse.models.students.text import train_text
from inhouse.models.students.workplace import Base, Workplace
from inhouse.models.types import Route, Task
from inhouse.stats.types import NotEnough

# What a person does with a version that no gate lets pass.
USE: Final = (
    "put it into use with `inhouse models use {0.task} {0.version} --by NAME --because WHY`"
)
_MOST_TERMS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What a student begins from and learns from; empty where a person named nothing."""

    encoder: str = ""  # name on the hub, or a folder
    base: str = ""  # the same, of a language model
    full: bool = False  # whether all of its weights are taught
    licence: str = ""  # where its README names none
    pairs: Path | None = None  # a file to learn from
    without: tuple[str, ...] = ()  # terms whose labels are left out, besides the setting's


def train_student(
    services: Services, task: Task, begun: Begun, tell: Tell
) -> ModelVersion | NotEnough:
    """Train, judge and register. Raises InputError where the task's answer and what is named to
    begin from do not fit together."""
    _check(task, begun)
    settings = services.settings.models
    left_out = ",".join((settings.without_terms, *begun.without))
    place = Workplace(
        database=services.database,
        registry=services.registry,
        clock=services.clock,
        settings=replace(settings, without_terms=left_out),
        tell=tell,
    )
    if task.kind == "text":
        return train_text(place, task, _base(begun.base, begun), _pairs(place, begun))
    if task.kind == "embedding":
        rows = read_placed(begun.pairs) if begun.pairs else ()
        return train_vectors(place, task, _base(begun.encoder, begun), rows)
    if begun.encoder:
        return train_encoder(place, task, _base(begun.encoder, begun))
    return train_here(services, task, place.settings)


def step_of(services: Services, task: str) -> Step | None:
    """Let a judging task's route take the next step where the evidence allows it; None for others,
    which people put into use."""
    if not services.tasks[task].judges:
        return None
    return services.routes.step(
        task, services.registry, services.settings.models, services.clock.now_ms()
    )


def use_version(services: Services, acceptance: Acceptance) -> Route:
    """Let a version pass on a person's word. What judges takes the way of `Routes.accept`; what
    writes or places texts answers all calls from then on, with its stand-ins behind it."""
    if services.tasks[acceptance.task].judges:
        return services.routes.accept(acceptance, measuring_of(services.settings.models))
    route = replace(
        services.routes.current(acceptance.task),
        stage="owned",
        owned=acceptance.version,
        owned_share=1.0,
    )
    services.routes.set(
        RouteChange(
            route=route,
            at_ms=acceptance.at_ms,
            decided_by=f"person:{acceptance.by}",
            reason=acceptance.reason,
        )
    )
    return route


def _check(task: Task, begun: Begun) -> None:
    wrong = ""
    if task.kind == "text" and (not begun.base or begun.encoder):
        wrong = "is taught with --base, a language model to begin from"
    elif task.kind != "text" and begun.base:
        wrong = "begins from an --encoder; only a task of text begins from a --base"
    elif task.kind == "embedding" and (not begun.encoder or begun.full):
        wrong = "takes an --encoder as it is, or with --pairs maps it; --full is for judgements"
    elif task.judges and begun.pairs is not None:
        wrong = "learns from its labels, not from --pairs"
    elif begun.full and not (begun.encoder or begun.base):
        wrong = "has nothing that --full could teach; name an --encoder"
    if wrong:
        raise InputError(f"{task.name} answers with {task.kind} and {wrong}")


def _pairs(place: Workplace, begun: Begun) -> Pairs:
    """The file's, or where none is named what was kept of calls."""
    if begun.pairs is not None:
        return FilePairs(begun.pairs)
    return KeptPairs(place.database, names_in(place.settings.without_terms))


def _base(name: str, begun: Begun) -> Base:
    """Raises InputError where nobody says under which licence the model came."""
    terms = begun.licence or licence_of(name) or ""
    if not 1 <= len(terms) <= _MOST_TERMS:
        raise InputError(
            f"{name!r} does not say under which licence it came; say it with --licence, in 1 to "
            f"{_MOST_TERMS} characters: it binds what is made of the model"
        )
    return Base(name=name, terms=terms, full=begun.full)
