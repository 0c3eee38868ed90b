"""What a person is told of decisions about them: /v1/users/{id}/statements, /v1/statements"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.statements.types import Statement

router = APIRouter(prefix="/v1", tags=["rights"], dependencies=[Depends(needs("rights"))])
Use = Annotated[Services, Depends(services_of)]
MOST_AT_ONCE = 500
MOST_OFFSET = 1_000_000_000
Limit = Annotated[int, Query(ge=1, le=MOST_AT_ONCE)]
Offset = Annotated[int, Query(ge=0, le=MOST_OFFSET)]


@router.get("/users/{user_id}/statements", responses=documented(list[Statement]))
def statements_of(user_id: str, use: Use, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Why posts and the account of a person are or were restricted, and how to object: newest
    first. Tell the person of each as soon as it is there."""
    return answer(use.statements.of_user(user_id, limit, offset))


@router.get("/statements/{statement_id}", responses=documented(Statement))
def get_statement(statement_id: str, use: Use) -> Response:
    """One statement of reasons."""
    return answer(use.statements.get(statement_id))
