"""/v1/experiments"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.app.experiments import read_experiment
from inhouse.engagement.experiments.report import Results
from inhouse.engagement.experiments.types import Experiment

router = APIRouter(
    prefix="/v1/experiments", tags=["experiments"], dependencies=[Depends(needs("experiments"))]
)
Use = Annotated[Services, Depends(services_of)]


@router.get("", responses=documented(list[Experiment]))
def list_experiments(use: Use) -> Response:
    """Every experiment ever created, newest first."""
    return answer(use.experiments.list())


@router.post("", responses=documented(Experiment), openapi_extra=takes(Experiment))
async def create_experiment(request: Request, use: Use) -> Response:
    """Start an experiment. Two running ones never vary the same setting for the same people."""
    experiment = read_experiment(await request.body())
    return answer(use.experiments.create(experiment, use.clock.now_ms()))


@router.get("/{key}/results", responses=documented(Results))
def get_results(key: str, use: Use) -> Response:
    """What came of it so far; the intervals stay valid however often you look."""
    return answer(use.experiments.results(key, use.clock.now_ms()))


@router.post("/{key}/stop", responses=documented(Experiment))
def stop_experiment(key: str, use: Use) -> Response:
    """Assign nobody from now on, and count nothing that happens later."""
    return answer(use.experiments.stop(key, use.clock.now_ms()))
