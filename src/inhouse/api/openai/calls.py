"""/openai/v1/chat/completions, embeddings and models: calls that are passed on to models.

`model` names a deployment of vendors.toml or the model that it runs, a task of tasks.toml, or a
version that was trained here. What answers is `Calls`.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inhouse.api.context import context_of, needs, services_of
from inhouse.api.passing import SCOPE, model_named, models_of
from inhouse.api.wire import JSON, answer
from inhouse.app.build import Services

router = APIRouter(prefix="/openai/v1", tags=["others' formats"])
_MODELS = [Depends(needs(SCOPE))]
_ANY_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["model"],
                    "properties": {"model": {"type": "string"}},
                }
            }
        },
    }
}
_ANY_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "the vendor's answer as it came"},
    429: {"description": "vendors are full, or too many ask at once; see `retry-after`"},
    502: {"description": "nobody answered"},
}


@router.post(
    "/chat/completions", responses=_ANY_ANSWER, openapi_extra=_ANY_BODY, dependencies=_MODELS
)
async def chat(request: Request) -> Response:
    """Pass a chat call on, answered at once or, with `stream`, in pieces. Retried, and with
    `stand_ins` asked of others, until the first piece is there; every attempt is in the ledger."""
    return _Handed(context_of(request).calls.app("chat"))


@router.post("/embeddings", responses=_ANY_ANSWER, openapi_extra=_ANY_BODY, dependencies=_MODELS)
async def embeddings(request: Request) -> Response:
    """Pass a call for embeddings on, as chat calls are."""
    return _Handed(context_of(request).calls.app("embeddings"))


@router.get("/models", dependencies=_MODELS)
async def list_models(use: Annotated[Services, Depends(services_of)]) -> Response:
    """What calls may name as their model, and the tasks that texts are judged by."""
    return answer({"object": "list", "data": await models_of(use)})


@router.get("/models/{name:path}", dependencies=_MODELS)
async def get_model(name: str, use: Annotated[Services, Depends(services_of)]) -> Response:
    """One of them."""
    return answer(await model_named(use, name))


class _Handed(Response):
    """Answered by whoever answers in the lane; here only so that it is in the documentation."""

    def __init__(self, app: ASGIApp) -> None:
        self.status_code, self.background, self.raw_headers = 200, None, []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
