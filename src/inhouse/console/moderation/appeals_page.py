"""Appeals as HTML: pure functions of their facts."""

from collections.abc import Sequence
from typing import Final

from inhouse.console.markup import Safe, empty, join, note, person_link, tag, words
from inhouse.console.moderation.appeals_model import AppealFacts
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.speech import ACTION_WORDS, KINDS, category_name
from inhouse.console.words import ago, date, moment, shortened, span
from inhouse.moderation.statements.types import Statement
from inhouse.moderation.types import Appeal

HEADING: Final = heading(
    "/moderation/appeals",
    "Somebody objects, and somebody else than who decided looks again. The longest wait first.",
)
NONE_OPEN: Final = empty(
    "Nobody waits for an answer",
    "Authors object to what restricts their posts, reporters to there being no action: "
    "POST /v1/appeals. This page looks for new ones by itself.",
)
_MOST_LISTED: Final = 90
_AUTOMATED: Final = {
    "fully": "a program found and decided",
    "partially": "a person decided, helped by a program",
    "not": "a person decided",
}


def line(appeal: Appeal, now_ms: int) -> Safe:
    """An appeal in the list."""
    who = "author" if appeal.report_id is None else "reporter"
    return tag(
        "span",
        note(who, "accent" if who == "author" else "warn"),
        tag("span", f" waits for {span(max(0, now_ms - appeal.at_ms))}", class_="quiet small"),
        tag("span", words(shortened(appeal.words, _MOST_LISTED)), class_="clamp"),
    )


def objection_html(facts: AppealFacts) -> Safe:
    """What the person says."""
    appeal = facts.appeal
    who = "The author" if facts.by_author else "Who reported the post"
    wants = (
        "wants it shown" if facts.by_author else "was told that nothing was done, and wants more"
    )
    return join(
        [
            tag(
                "p",
                f"{who}, ",
                person_link(appeal.user_id),
                f", {wants}; written {ago(appeal.at_ms, facts.around.now_ms)}.",
                class_="quiet",
            ),
            tag("blockquote", appeal.words, class_="objection", dir="auto", tabindex="0"),
        ]
    )


def decided_html(facts: AppealFacts) -> Safe:
    """The decision that is objected to, and what the author was told of it."""
    now = facts.around.decision
    call = facts.around.verdict.evidence.person if facts.around.verdict else None
    by = f"{call.name}, a person" if call else (now.decided_by if now else "nobody yet")
    holds = (
        join([note(ACTION_WORDS[now.action], KINDS[now.action]), f" by {by}"]) if now else words(by)
    )
    case = facts.around.case
    rows: list[tuple[str, Safe]] = [("Now", holds)]
    if facts.had_case:
        opened = moment(case.opened_ms)
        about = f"{category_name(case.queue)}, opened {opened}: "
        rows.append(("Its case", join([about, words(case.reason)])))
    else:
        rows.append(("Its case", join(["none: rules decided alone"])))
    pairs = [piece for name, value in rows for piece in (tag("dt", name), tag("dd", value))]
    told = statement_html(facts.statement) if facts.statement else None
    return join([tag("dl", *pairs, class_="facts"), told])


def statement_html(statement: Statement) -> Safe:
    """A statement of reasons, as its author reads it."""
    reasons = statement.reasons
    kinds = ", ".join(kind.replace("_", " ") for kind in statement.kinds)
    ground = "against the law" if reasons.ground == "illegal" else "against the rules"
    return tag(
        "section",
        tag("h3", "What the author was told"),
        tag("p", f"{kinds} since {moment(statement.at_ms)}, {ground}: "),
        tag("p", words(reasons.explanation)),
        tag("p", words(reasons.facts), class_="quiet small"),
        tag(
            "p",
            f"{_AUTOMATED[reasons.automated_decision]} · {reasons.ground_reference} · "
            f"objections until {date(reasons.redress_until_ms)}",
            class_="quiet small",
        ),
        class_="block",
    )


def barred_html(facts: AppealFacts, reviewer: str) -> Safe:
    """That this reviewer may not decide, or who may not."""
    if reviewer in facts.barred:
        return tag(
            "p",
            f"{reviewer} made the decision that is appealed: somebody else must look at it. "
            "Choose another name above only if you are somebody else.",
            class_="lost",
        )
    if not facts.barred:
        return join([])
    names = ", ".join(sorted(facts.barred))
    return tag("p", f"Everybody may decide this but {names}, who decided first.", class_="quiet")


def meaning(facts: AppealFacts, outcome: str) -> Safe:
    """What an outcome does."""
    if outcome == "uphold":
        return join(["Everything stays as it is; the person reads your answer."])
    if facts.by_author:
        return join(["The post is shown again, the models learn that it is allowed."])
    return join(["The post is restricted as you choose, its author is told, the models learn it."])


def done(appeal: Appeal) -> Safe:
    """What was just decided."""
    kind = "good" if appeal.state == "overturned" else ""
    return join([note(appeal.state, kind), f" by {appeal.decided_by}; the person reads why."])


def earlier_html(appeals: Sequence[Appeal]) -> Safe:
    """What was decided before, newest first."""
    if not appeals:
        return tag("p", "Nothing yet.", class_="quiet")
    lines = [
        tag(
            "li",
            tag("span", moment(appeal.decided_ms or 0), class_="when"),
            tag(
                "span",
                note(appeal.state, "good" if appeal.state == "overturned" else ""),
                f" by {appeal.decided_by}, of the ",
                "author" if appeal.report_id is None else "reporter",
                ": ",
                words(shortened(appeal.answer or "", _MOST_LISTED)),
            ),
        )
        for appeal in appeals
    ]
    return tag("ul", *lines, class_="log")
