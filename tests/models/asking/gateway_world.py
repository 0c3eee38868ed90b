"""What tests of the gateway share: asking once, what came of it, an owned model on the route."""

from collections.abc import Sequence
from dataclasses import replace

from tests.models.models_texts import register, small_model
from tests.models.models_vendor import NOW_MS, World

from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Answer, Outcome, TaskInput

NOWHERE = "http://127.0.0.1:9/v1"


async def ask(world: World, inputs: Sequence[TaskInput]) -> list[Answer]:
    """Ask once; all that is under way has ended then."""
    try:
        return await world.gateway.ask(TEXT_HARM, inputs)
    finally:
        await world.gateway.close()


def outcomes_of(world: World) -> list[Outcome]:
    """Of the rows there are, in order."""
    return [row.outcome for row in world.rows()]


def put_on_route(world: World, **more: object) -> None:
    """Put an owned model into the registry and on the route."""
    register(world.registry, small_model(), "v1")
    routes = Routes(world.database, world.fleet.vendors)
    route = replace(routes.current("text_harm"), owned="v1", **more)  # type: ignore[arg-type]
    routes.set(RouteChange(route=route, at_ms=NOW_MS, decided_by="person:test", reason="test"))
