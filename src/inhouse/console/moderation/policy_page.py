"""The policy's page as HTML: pure functions of its facts."""

from collections.abc import Sequence
from typing import Final

from inhouse.console.bars import bar
from inhouse.console.markup import Safe, empty, join, note, table, tag, tile, tiles, words
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.policy_model import SHADOW_DAYS, PolicyFacts
from inhouse.console.moderation.speech import ACTION_WORDS, KINDS
from inhouse.console.words import ago, count, moment, plural, share
from inhouse.moderation.past.backtest import Backtest
from inhouse.moderation.past.effects import Move
from inhouse.moderation.past.rescan_job import Progress
from inhouse.moderation.past.shadow import ShadowEffect, ShadowReport
from inhouse.moderation.past.told import (
    change_in_words,
    days_in_words,
    is_told,
    labels_in_words,
    places_in_words,
    progress_in_words,
    share_in_words,
)
from inhouse.moderation.transparency.plain import policy_in_words, rule_in_words
from inhouse.moderation.watching import HEARD_WITHIN_S

HEADING: Final = heading(
    "/moderation/policy",
    "What is in force, what watched rules would do, what another policy would change before it "
    "does, and how the past catches up.",
)
_STATES: Final = {
    "running": ("accent", "running"),
    "done": ("good", "done"),
    "stopped": ("warn", "stopped"),
    "superseded": ("", "followed by another"),
}


def in_force_html(facts: PolicyFacts) -> Safe:
    """The policy in force, and what is wrong with its file."""
    policy = facts.policy
    file = words(facts.file) if facts.file else join(["the default one, in the package"])
    since = facts.adopted[0].at_ms if facts.is_settled else None
    rows = (
        ("Version", tag("code", policy.version)),
        ("File", file),
        ("Since", join([_since(since)])),
        ("Rules", join([_rules(facts)])),
    )
    pairs = [piece for name, value in rows for piece in (tag("dt", name), tag("dd", value))]
    lead, *_, last = policy_in_words(policy)
    told = [tag("li", rule_in_words(rule, policy)) for rule in policy.rules]
    return join(
        [
            _trouble(facts),
            tag("dl", *pairs, class_="facts"),
            tag(
                "details",
                tag("summary", "In words"),
                tag("p", lead, class_="quiet small"),
                tag("ol", *told, class_="sentences"),
                tag("p", last, class_="quiet small"),
                class_="unfold",
            ),
        ]
    )


def _rules(facts: PolicyFacts) -> str:
    rules = facts.policy.rules
    watched = sum(rule.shadow for rule in rules)
    return plural(len(rules), "rule") + (f", {watched} in shadow" if watched else "")


def _trouble(facts: PolicyFacts) -> Safe | None:
    if facts.trouble is None:
        return None
    return join(
        [
            tag(
                "p",
                note("not taken up", "bad"),
                " The files were changed and have faults; the rules of before stay in force.",
            ),
            faults_html(facts.trouble),
        ]
    )


def faults_html(told: str) -> Safe:
    """Faults with their lines and carets, as they were written."""
    return tag("pre", told, class_="faults", tabindex="0")


def adopted_html(facts: PolicyFacts) -> Safe:
    """What was in force before."""
    if not facts.adopted:
        return tag("p", "The worker has taken none up yet.", class_="quiet")
    rows = [
        (tag("code", one.policy.version), _since(one.at_ms), plural(len(one.policy.rules), "rule"))
        for one in facts.adopted
    ]
    return table(("policy", "in force from", ""), rows, "lll")


def shadow_html(report: ShadowReport) -> Safe:
    """Every rule in shadow."""
    if not report.rules:
        return empty(
            "No rule is in shadow",
            "Write `mode: shadow` in a rule of the policy: it then decides nothing and is watched.",
        )
    return join([_shadow(effect, report.items) for effect in report.rules])


def _shadow(effect: ShadowEffect, items: int) -> Safe:
    people = effect.labels
    told = (
        f"holds for {count(effect.matches)} of {plural(items, 'post')} of {SHADOW_DAYS} days, "
        f"would change {count(effect.would_change)}; by day: {days_in_words(effect)}"
    )
    said = (
        f"by people: {count(people.confirmed)} confirmed, {count(people.contradicted)} "
        f"contradicted; precision {share_in_words(people.precision)}"
    )
    return tag(
        "section",
        tag("h3", effect.rule),
        tag("p", told),
        tag("p", said, class_="quiet small"),
        _moves(effect.moves),
        class_="block",
    )


def backtest_html(report: Backtest) -> Safe:
    """What another policy would change of the past."""
    if not report.items:
        return empty("No post was judged in that time", "Choose more days.")
    figures = tiles(
        tile("Looked at", count(report.items), "posts"),
        tile(
            "Would change",
            count(report.changed),
            f"{share(report.changed / report.items, 1)} of them",
            "warn" if report.changed else "good",
        ),
        tile("Creators", count(report.creators), "whose posts would"),
        tile("Decided by people", count(report.called), "which stands"),
    )
    most = ", ".join(f"{one.creator_id} ({one.items:,})" for one in report.most_affected)
    return join(
        [
            tag("p", tag("code", report.before), " → ", tag("code", report.after)),
            figures,
            _moves(report.moves) if report.moves else None,
            _rules_table(report),
            tag(
                "ul",
                tag("li", "By people, in force: ", labels_in_words(report.labels_before)),
                tag("li", "By people, tried: ", labels_in_words(report.labels_after)),
                tag("li", "Most affected: ", words(most)) if most else None,
                class_="plain-list",
            ),
        ]
    )


def _moves(moves: Sequence[Move]) -> Safe | None:
    if not moves:
        return None
    rows = [
        (
            join([_action(move.before), " → ", _action(move.after)]),
            count(move.items),
            places_in_words(move),
            words(", ".join(move.examples[:2])),
        )
        for move in moves
    ]
    return table(("", "posts", "where (adults / minors)", "for example"), rows, "lrll")


def _action(action: str) -> Safe:
    return note(ACTION_WORDS[action], KINDS[action])


def _rules_table(report: Backtest) -> Safe | None:
    rows = [
        (
            rule.rule,
            change_in_words(rule.matches_before, rule.matches_after),
            change_in_words(rule.decides_before, rule.decides_after),
            count(rule.changes),
            "" if rule.labels is None else share_in_words(rule.labels.precision),
        )
        for rule in report.rules
        if is_told(rule)
    ]
    if not rows:
        return tag("p", "Every rule does what it does now.", class_="quiet")
    return table(("rule", "holds for", "decides", "changes", "people confirm"), rows, "lrrrr")


def how_to_adopt(facts: PolicyFacts) -> Safe:
    """How a policy that was tried comes into force."""
    within = f"{HEARD_WITHIN_S:g} seconds"
    if facts.file:
        told = f"To put it into force, put it in the place of {facts.file}. Servers that run hear "
        told += f"of it within {within}, and the worker begins a re-scan by itself."
    else:
        told = "To put another policy into force, set INHOUSE_MODERATION_POLICY to its file and "
        told += f"restart once; from then on changes of the file are heard within {within}."
    return tag("p", told, class_="quiet small")


def rescan_html(facts: PolicyFacts) -> Safe:
    """How far the past has caught up."""
    progress = facts.rescan
    if progress is None:
        return tag("p", "None was needed yet.", class_="quiet")
    kind, state = _STATES[progress.state]
    share_done = bar(note(state, kind), progress.share, share(progress.share))
    asked = [
        "texts are read again" if progress.signals else None,
        "models are asked again" if progress.models else None,
    ]
    extra = "; ".join(filter(None, asked))
    return join(
        [
            tag("div", share_done, class_="bars"),
            tag("p", progress_in_words(progress) + (f"; {extra}" if extra else "")),
            tag("p", _moved(progress, facts.now_ms), class_="quiet small"),
        ]
    )


def _since(since_ms: int | None) -> str:
    """Time that follows the log stands at 0 until something is posted."""
    if since_ms is None:
        return "the worker takes it up"
    return moment(since_ms) if since_ms else "before the first post"


def _moved(progress: Progress, now_ms: int) -> str:
    when = ago(progress.updated_ms, max(now_ms, progress.updated_ms))
    when = when if progress.updated_ms else "before the first post"
    if progress.state != "running":
        return f"It ended {when}."
    return f"It last moved {when}. The worker goes on with it, and where it was after a crash."
