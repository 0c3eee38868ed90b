"""What a person is told of decisions about them: /v1/users/{id}/statements, /v1/statements"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.statements.strikes import Standing
from inhouse.moderation.statements.types import Statement
from inhouse.moderation.types import Appeal, ReportStatus

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


@router.get("/users/{user_id}/strikes", responses=documented(Standing))
def strikes_of(user_id: str, use: Use) -> Response:
    """How an account stands: its points now, the decisions they come from, and whether and until
    when it is restricted."""
    return answer(use.strikes.of(user_id))


@router.get("/statements/{statement_id}", responses=documented(Statement))
def get_statement(statement_id: str, use: Use) -> Response:
    """One statement of reasons."""
    return answer(use.statements.get(statement_id))


@router.get("/users/{user_id}/appeals", responses=documented(list[Appeal]))
def appeals_of(user_id: str, use: Use, limit: Limit = 100) -> Response:
    """What a person objected to, and what they are told: newest first."""
    return answer(use.appeals.of_user(user_id, limit))


@router.get("/reports/{report_id}", responses=documented(ReportStatus))
def report_status(report_id: str, use: Use) -> Response:
    """How far a report is, for whoever made it: received, or decided with words and redress."""
    return answer(use.reports.status(report_id))
