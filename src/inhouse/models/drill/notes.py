"""A call as it is kept for the grade of a drill: counts, and no words. Pure."""

from decimal import Decimal

from inhouse.models.drill.types import Noted
from inhouse.models.providers.faults import Cut, Heard
from inhouse.models.types import INHOUSE, LOCAL, Answer


def noted_of(cut: Cut, heard: Heard, process: str, now_ms: int) -> Noted:
    """What is kept of a call."""
    answers = list(heard.answers.values())
    if heard.inputs:
        by_vendor = sum(is_of(cut, answer) for answer in answers)
    else:  # passed on: whoever was asked last and did not fail has answered
        last = heard.tried[-1] if heard.answered else None
        by_vendor = int(last is not None and cut.hits(last))
    return Noted(
        at_ms=now_ms,
        process=process,
        task=heard.task,
        asked=heard.asked,
        answered=heard.answered,
        by_vendor=by_vendor,
        failed=sum(cut.hits(deployment) for deployment in heard.failed),
        latency_ms=heard.latency_ms,
        cost_usd=_cost(answers) if heard.inputs else None,
    )


def is_of(cut: Cut, answer: Answer) -> bool:
    """Whether the vendor that is cut off gave an answer."""
    if answer.host in (INHOUSE, LOCAL):
        return False
    return cut.vendor == (answer.host if cut.layer == "host" else answer.owner)


def _cost(answers: list[Answer]) -> Decimal | None:
    known = [answer.cost_usd for answer in answers if answer.cost_usd is not None]
    return sum(known, Decimal(0)) if len(known) == len(answers) else None
