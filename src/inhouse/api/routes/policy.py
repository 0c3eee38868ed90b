"""/v1/policy: trying a policy on the past, what watched rules would have done, the breaker."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS
from inhouse.core.errors import InputError
from inhouse.core.faults import in_words
from inhouse.moderation.breaker import BreakerEvent, close_breakers, open_breakers
from inhouse.moderation.history import Window
from inhouse.moderation.past.backtest import Backtest, backtest
from inhouse.moderation.past.shadow import ShadowReport, shadow_report
from inhouse.moderation.policy.parse import check_policy
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.rulings import checked_name

router = APIRouter(
    prefix="/v1/policy", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_DAYS = 3_650
MOST_POSTS = 1_000_000
Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="how far back")]
Newest = Annotated[int, Query(ge=1, le=MOST_POSTS, description="at most so many, the newest")]


@dataclass(frozen=True, kw_only=True)
class PolicyBody:
    """A policy to try."""

    policy: str  # the text of its file


@dataclass(frozen=True, kw_only=True)
class ResetBody:
    """Who has looked at what was removed."""

    reviewer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerAnswer:
    """The circuit breaker."""

    open: list[BreakerEvent]  # when it opened, for which rules; null for all together


@router.get("/breaker", responses=documented(BreakerAnswer))
def get_breaker(use: Use) -> Response:
    """Where rules have removed too much, so that people are asked instead."""
    return answer(BreakerAnswer(open=open_breakers(use.database)))


@router.post("/breaker/reset", responses=documented(BreakerAnswer))
def reset_breaker(body: ResetBody, use: Use) -> Response:
    """Close it; the answer says what was open. What was held back stays with people."""
    reviewer = checked_name(body.reviewer)
    closed = close_breakers(use.database, reviewer, use.clock.now_ms())
    return answer(BreakerAnswer(open=closed))


@router.get("/shadow", responses=documented(ShadowReport))
def get_shadow(use: Use, days: Days = 7, newest: Newest = 100_000) -> Response:
    """What each rule with `mode: shadow` of the policy in force would have done."""
    return answer(shadow_report(use.database, use.policy, _window(use, days, newest)))


@router.post("/backtest", responses=documented(Backtest))
def post_backtest(
    body: PolicyBody, use: Use, days: Days = MOST_DAYS, newest: Newest = 100_000
) -> Response:
    """What a policy would change of what was decided, beside the one in force. Reads stored
    evidence; nothing is decided and no model is asked. A million posts take half a minute."""
    tried = _policy(body.policy)
    return answer(backtest(use.database, use.policy, tried, _window(use, days, newest)))


def _window(use: Services, days: int, newest: int) -> Window:
    return Window(since_ms=max(use.clock.now_ms() - days * DAY_MS, 0), newest=newest)


def _policy(text: str) -> Policy:
    policy, faults = check_policy("policy", text)
    if policy is None:
        raise InputError(in_words("the policy", faults))
    return policy
