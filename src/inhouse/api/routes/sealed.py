"""/v1/sealed: posts sealed as sexual abuse of children. No answer here holds anything of them."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, seen_at_once, services_of
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.moderation.recording.sealed import SealedItem

router = APIRouter(prefix="/v1/sealed", tags=["sealed"])
Use = Annotated[Services, Depends(services_of)]
_SEALED = [Depends(needs("sealed"))]


@dataclass(frozen=True, kw_only=True)
class SealBody:
    """A post that shows sexual abuse of children."""

    item_id: str
    reviewer: str  # who says so


@dataclass(frozen=True, kw_only=True)
class ReportedBody:
    """The duty to report is done."""

    by: str  # who reported it
    to: str  # to whom: NCMEC, a police force
    number: str  # under which number


@dataclass(frozen=True, kw_only=True, slots=True)
class SealAnswer:
    """It is removed everywhere and sealed."""

    item_id: str
    at_ms: int


@router.post("", responses=documented(SealAnswer), dependencies=[Depends(needs("moderation"))])
async def seal(body: SealBody, use: Use) -> Response:
    """Seal a post: it is removed everywhere at once, and nobody is shown it again."""
    done = await seen_at_once(
        use, lambda: use.sealed.seal(body.item_id, vouched(use, body.reviewer))
    )
    return answer(SealAnswer(item_id=done.item_id, at_ms=done.at_ms))


@router.get("", responses=documented(list[SealedItem]), dependencies=_SEALED)
def sealed(
    use: Use, due: Annotated[bool, Query(description="only what nobody has reported yet")] = False
) -> Response:
    """What is sealed, since when, its hash, and what the law asks of the operator: oldest first."""
    return answer(use.sealed.list(due=due))


@router.post("/{item_id}/report", responses=documented(SealedItem), dependencies=_SEALED)
def reported(item_id: str, body: ReportedBody, use: Use) -> Response:
    """Tick the duty to report off, with the number of the report."""
    return answer(use.sealed.report(item_id, vouched(use, body.by), body.to, body.number))
