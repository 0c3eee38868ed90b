"""/v1/policy: trying a policy on the past, what watched rules would have done, the breaker."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inhouse.api.context import needs, services_of
from inhouse.api.vouching import vouched
from inhouse.api.wire import answer, documented
from inhouse.app.build import Services
from inhouse.core.clock import DAY_MS
from inhouse.moderation.judging.breaker import BreakerEvent, close_breakers, open_breakers
from inhouse.moderation.past.backtest import Backtest, backtest
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.past.shadow import ShadowReport, shadow_report
from inhouse.moderation.policy.parse import policy_from
from inhouse.moderation.recording.rulings import checked_name
from inhouse.moderation.verdicts.history import Window

router = APIRouter(
    prefix="/v1/policy", tags=["moderation"], dependencies=[Depends(needs("moderation"))]
)
Use = Annotated[Services, Depends(services_of)]
MOST_DAYS = 3_650
MOST_POSTS = 1_000_000
Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="how far back")]
Newest = Annotated[int, Query(ge=1, le=MOST_POSTS, description="at most so many, the newest")]


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """The policy in force."""

    policy_version: str
    trouble: str | None  # every fault for which changed files are not taken up; null without any


@dataclass(frozen=True, kw_only=True)
class PolicyBody:
    """A policy to try."""

    policy: str  # the text of its file


@dataclass(frozen=True, kw_only=True)
class ResetBody:
    """Who has looked at what was removed."""

    reviewer: str


@dataclass(frozen=True, kw_only=True)
class RescanBody:
    """What is to be done anew besides deciding."""

    signals: bool = False  # read texts again whose term banks or reader changed
    models: bool = False  # ask the models again; costs what they cost


@dataclass(frozen=True, kw_only=True, slots=True)
class RescanAnswer:
    """The re-scan that moved last."""

    rescan: Progress | None  # null before the first


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerAnswer:
    """The circuit breaker."""

    open: list[BreakerEvent]  # when it opened, for which rules; null for all together


@router.get("", responses=documented(InForce))
def get_policy(use: Use) -> Response:
    """Which policy decides here, and what is wrong with its files as they are now."""
    return answer(InForce(policy_version=use.policy.version, trouble=use.rules_watch.trouble))


@router.get("/breaker", responses=documented(BreakerAnswer))
def get_breaker(use: Use) -> Response:
    """Where rules have removed too much, so that people are asked instead."""
    return answer(BreakerAnswer(open=open_breakers(use.database)))


@router.post("/breaker/reset", responses=documented(BreakerAnswer))
def reset_breaker(body: ResetBody, use: Use) -> Response:
    """Close it; the answer says what was open. What was held back stays with people."""
    reviewer = checked_name(vouched(use, body.reviewer))
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
    tried = policy_from(body.policy)
    return answer(backtest(use.database, use.policy, tried, _window(use, days, newest)))


@router.get("/rescan", responses=documented(RescanAnswer))
def get_rescan(use: Use) -> Response:
    """How far the past has caught up with the policy in force."""
    return answer(RescanAnswer(rescan=use.rescan.latest()))


@router.post("/rescan", responses=documented(Progress))
def post_rescan(body: RescanBody, use: Use) -> Response:
    """Let the past catch up, from the first post on; where a re-scan that does as much is running,
    that one goes on. The worker does it."""
    return answer(use.rescan.begin(signals=body.signals, models=body.models))


@router.post("/rescan/stop", responses=documented(Progress))
def stop_rescan(use: Use) -> Response:
    """Let the running re-scan go no further. What it did stays done."""
    return answer(use.rescan.stop())


def _window(use: Services, days: int, newest: int) -> Window:
    return Window(since_ms=max(use.clock.now_ms() - days * DAY_MS, 0), newest=newest)
