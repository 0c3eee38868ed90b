"""/v1/reports"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.types import Notice

router = APIRouter(
    prefix="/v1/reports", tags=["moderation"], dependencies=[Depends(needs("events"))]
)


@dataclass(frozen=True, kw_only=True)
class ReportBody:
    """A person's complaint about a post."""

    item_id: str
    reporter_id: str
    category: str  # one of the policy's, or `other`
    note: str | None = None  # the reporter's words
    illegal: bool = False  # a notice of illegal content (Art. 16 DSA), with the fields below
    good_faith: bool = False  # the notifier states that it is right and complete to their knowledge
    name: str | None = None  # of the notifier; forgotten 30 days after the answer
    email: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportAnswer:
    """The report is kept: this is its acknowledgement. `GET /v1/reports/{id}` tells the rest."""

    report_id: str
    case_id: str | None  # the open case it went into; None where a decision stands


@router.post("", responses=documented(ReportAnswer))
def file_report(body: ReportBody, use: Annotated[Services, Depends(services_of)]) -> Response:
    """Report a post. Every report is kept; those that ask for a person open or join a case."""
    notice = None
    if body.illegal or body.name is not None or body.email is not None:
        notice = Notice(
            illegal=body.illegal, good_faith=body.good_faith, name=body.name, email=body.email
        )
    report = use.file_report(body.item_id, body.reporter_id, body.category, body.note, notice)
    return answer(ReportAnswer(report_id=report.report_id, case_id=report.case_id))
