"""What is kept of a request: the ledger's row, the answers, the labels, the comparison. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inhouse.models.harvest.comparisons import Comparison
from inhouse.models.harvest.labels import source_of
from inhouse.models.ledger.prices import price_of
from inhouse.models.types import (
    INHOUSE,
    Answer,
    Attempt,
    Deployment,
    Label,
    Manner,
    ProviderAnswer,
    Role,
    Route,
    Task,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What all requests of one call share."""

    call_id: str
    task: Task
    at_ms: int  # by the community's clock
    texts: Mapping[str, str]  # by ref
    manner: Manner = field(default_factory=Manner)


def attempt_of(
    question: Question, deployment: Deployment, role: Role, answer: ProviderAnswer
) -> Attempt:
    """The ledger's row, priced."""
    price = price_of(deployment, answer, question.at_ms)
    return Attempt(
        call_id=question.call_id,
        at_ms=question.at_ms,
        task=question.task.name,
        role=role,
        deployment=deployment.name,
        host=deployment.host,
        owner=deployment.owner,
        model=deployment.model,
        inputs=len(answer.refs),
        answered=0 if answer.scores is None else len(answer.scores),
        usage=answer.usage,
        cost_usd=price.cost_usd,
        price_version=price.version,
        latency_ms=answer.latency_ms,
        outcome=answer.outcome,
        simulated=deployment.simulated,
        spillover=answer.spillover,
    )


def answers_of(attempt: Attempt, answer: ProviderAnswer) -> dict[str, Answer]:
    """What the request says of each input; nothing where it failed."""
    if answer.scores is None:
        return {}
    cost = attempt.cost_usd
    part = None if cost is None else cost / len(answer.scores)
    return {
        ref: Answer(
            ref=ref,
            scores=scores,
            model=attempt.model,
            host=attempt.host,
            owner=attempt.owner,
            simulated=attempt.simulated,
            cost_usd=part,
            call_id=attempt.call_id,
            latency_ms=attempt.latency_ms,
            filtered=answer.outcome == "content_filter",
        )
        for ref, scores in zip(answer.refs, answer.scores, strict=True)
    }


def labels_of(question: Question, deployment: Deployment, answer: ProviderAnswer) -> list[Label]:
    """A rented model's answers as labels, where its terms and the caller allow to keep them."""
    if not (deployment.harvest and question.manner.keep_texts) or answer.scores is None:
        return []
    return [
        Label(
            task=question.task.name,
            ref=ref,
            text=question.texts[ref],
            scores=scores,
            source=source_of(deployment.host, deployment.owner, deployment.model),
            terms=deployment.terms,
            at_ms=question.at_ms,
        )
        for ref, scores in zip(answer.refs, answer.scores, strict=True)
    ]


def comparison_of(question: Question, route: Route, served: Answer, shadow: Answer) -> Comparison:
    """Both answers side by side: the owned one's, and that of whoever it is held against, be it a
    rented model or the version that it is to replace."""
    is_student = served.host == INHOUSE and (
        shadow.host != INHOUSE or served.model != route.incumbent
    )
    student, teacher = (served, shadow) if is_student else (shadow, served)
    return Comparison(
        task=question.task.name,
        at_ms=question.at_ms,
        ref=served.ref,
        student=student.model,
        teacher=source_of(teacher.host, teacher.owner, teacher.model),
        student_scores=student.scores,
        teacher_scores=teacher.scores,
    )
