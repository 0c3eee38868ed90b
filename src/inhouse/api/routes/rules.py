"""/v1/rules: what operators pin, boost and block"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented, takes
from inhouse.app.build import Services
from inhouse.app.rules import read_rule
from inhouse.recommend.rule import Rule

router = APIRouter(prefix="/v1/rules", tags=["rules"], dependencies=[Depends(needs("rules"))])
Use = Annotated[Services, Depends(services_of)]


@router.get("", responses=documented(list[Rule]))
async def list_rules(use: Use) -> Response:
    """Every rule there ever was, newest first."""
    return answer(use.feed_rules.list())


@router.post("", responses=documented(Rule), openapi_extra=takes(Rule))
async def add_rule(request: Request, use: Use) -> Response:
    """Put a rule in force from the next page on. A rule that cannot stand beside it is named.

    `pin` an item to a place, `boost` an item, creator or topic (its value times `factor`, all rules
    together 0.2 to 5), `block` one. Pinned and boosted posts pass moderation and what each person
    asked for like all others, and are labelled.
    """
    return answer(use.feed_rules.add(read_rule(await request.body()), use.clock.now_ms()))


@router.post("/{rule_id}/withdraw", responses=documented(Rule))
async def withdraw_rule(rule_id: str, use: Use) -> Response:
    """Let a rule hold no longer."""
    return answer(use.feed_rules.withdraw(rule_id, use.clock.now_ms()))
