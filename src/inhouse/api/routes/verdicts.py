"""/v1/verdicts"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.catalog.types import key_of
from inhouse.core.errors import UnknownError
from inhouse.core.ids import ItemId
from inhouse.moderation.types import Label, Surface, Viewer
from inhouse.moderation.verdicts.decide import decide

router = APIRouter(
    prefix="/v1/verdicts", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictAnswer:
    """What is known of a post, and what follows from it for one viewer on one surface."""

    item_id: str
    state: str  # decided, or awaiting
    action: str | None  # allow, limit, warn, age_gate, review, remove; None while awaiting
    category: str | None  # what it was found to be
    decided_by: str | None  # the rule or person that decided
    labels: tuple[Label, ...]  # what each source said
    policy_version: str  # the policy in force
    at_ms: int | None  # when the evidence was gathered


@router.get("/{item_id}", responses=documented(VerdictAnswer))
def get_verdict(
    item_id: str,
    use: Annotated[Services, Depends(services_of)],
    surface: Annotated[Surface, Query(description="where it would be shown")] = "feed",
    viewer: Annotated[Viewer, Query(description="to whom; unknown counts as a minor")] = "unknown",
) -> Response:
    """The decision on a post, computed now by the policy in force."""
    item = use.catalog.item(item_id)
    if item is None:
        raise UnknownError(f"no item {item_id!r}; post it to /v1/items first")
    verdict = use.verdicts.latest([item_id]).get(ItemId(item_id))
    key = key_of(item)
    if verdict is None or verdict.text_key != key:
        return answer(_awaiting(item_id, use.policy.version))
    decision = decide(verdict.evidence, use.policy, surface, viewer)
    return answer(
        VerdictAnswer(
            item_id=item_id,
            state="decided",
            action=decision.action,
            category=decision.category,
            decided_by=decision.decided_by,
            labels=verdict.evidence.labels,
            policy_version=use.policy.version,
            at_ms=verdict.at_ms,
        )
    )


def _awaiting(item_id: str, policy_version: str) -> VerdictAnswer:
    return VerdictAnswer(
        item_id=item_id,
        state="awaiting",
        action=None,
        category=None,
        decided_by=None,
        labels=(),
        policy_version=policy_version,
        at_ms=None,
    )
