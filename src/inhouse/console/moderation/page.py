"""The moderation page as HTML: pure functions of its facts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from inhouse.console.bars import bar
from inhouse.console.markup import (
    Child,
    Safe,
    empty,
    join,
    note,
    person_link,
    safe_url,
    tag,
    words,
)
from inhouse.console.moderation.marked import marked
from inhouse.console.moderation.model import CaseFacts, CreatorFacts, Queue
from inhouse.console.words import UNKNOWN, ago, count, moment, plural, probability, shortened, span
from inhouse.moderation.types import Action, ReviewDecision


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key and what it does."""

    key: str  # as pressed
    name: str  # of the button
    what: str  # in the help
    action: Action | None = None  # what it decides, None for keys that decide nothing


KEYS: Final[tuple[Key, ...]] = (
    Key(key="a", name="Allow", what="show it everywhere", action="allow"),
    Key(key="l", name="Limit", what="leave it out of recommendations", action="limit"),
    Key(key="w", name="Warn", what="show it behind a warning", action="warn"),
    Key(key="g", name="Age gate", what="show it to adults only", action="age_gate"),
    Key(key="r", name="Remove", what="hide it", action="remove"),
    Key(key="s", name="Skip", what="leave it to somebody else"),
    Key(key="u", name="Undo", what="take the last decision back and see the case again"),
    Key(key="?", name="Help", what="show these keys"),
)
ACTION_WORDS: Final[Mapping[str, str]] = {
    "allow": "shown",
    "limit": "not recommended",
    "warn": "behind a warning",
    "age_gate": "adults only",
    "review": "held for review",
    "remove": "removed",
    "undo": "undone",
}
_KINDS: Final[Mapping[str, str]] = {
    "allow": "good",
    "limit": "warn",
    "warn": "warn",
    "age_gate": "warn",
    "review": "accent",
    "remove": "bad",
}
_MOST_REASON: Final = 400
HEADING: Final = join(
    [
        tag("h1", "Moderation"),
        tag(
            "p",
            "The most harmful first, one key each, and every decision can be taken back.",
            class_="lead",
        ),
    ]
)
SKIPPED: Final = join(["Skipped: somebody else may take it."])
NOTHING_TO_UNDO: Final = join(["Nothing of yours to take back since this page was opened."])
TOO_LATE: Final = join(["Somebody else decided that case meanwhile; this is the next."])


def category_name(name: str) -> str:
    """A category as people say it."""
    return name.replace("_", " ")


def queue_chips(queues: Sequence[Queue], chosen: str | None) -> list[tuple[str | None, str, bool]]:
    """Queues to choose from: value, label, whether chosen. All together come first."""
    whole = sum(queue.open for queue in queues)
    chips: list[tuple[str | None, str, bool]] = [(None, f"all {count(whole)}", chosen is None)]
    for queue in queues:
        label = f"{category_name(queue.name)} {count(queue.open)}"
        chips.append((queue.name, label, chosen == queue.name))
    if chosen is not None and chosen not in {queue.name for queue in queues}:
        chips.append((chosen, f"{category_name(chosen)} 0", True))
    return chips


def nothing_waits(queue: str | None) -> Safe:
    """What stands where no case waits."""
    where = f"in {category_name(queue)}" if queue else ""
    return empty(
        f"Nothing waits for a person {where}".rstrip(),
        "A case appears here when the policy holds a post for review, when people report one, or "
        "when an author edits a post you restricted. This page looks for new ones by itself.",
    )


def post_html(facts: CaseFacts) -> Safe:
    """The post itself, the cover hidden until it is looked at on purpose."""
    item = facts.item
    if item is None:
        return empty("The post is gone", "Its author or the app deleted it. Skip the case.")
    hits = facts.verdict.hits if facts.verdict else ()
    title, text = marked(item.title, item.text, hits)
    cover = safe_url(item.media_url)
    parts: list[Child] = [
        _by(facts),
        tag("h2", title, dir="auto") if item.title else None,
        tag("div", text, class_="post-text", dir="auto", tabindex="0") if item.text else None,
        tag("div", *(tag("bdi", topic, class_="note") for topic in item.topics), class_="notes"),
    ]
    body = tag("div", *parts, class_="post-body")
    return tag("article", body, _cover(cover) if cover else None, class_="post")


def _by(facts: CaseFacts) -> Safe:
    item, creator = facts.item, facts.creator
    if item is None or creator is None:
        return join([])
    name = creator.user.name if creator.user else None
    about = f" · {item.kind} · posted {ago(item.created_ms, facts.now_ms)}"
    where = join([part for part in (item.language, item.region) if part], ", ")
    return tag(
        "p",
        person_link(item.creator_id, name),
        about,
        " · " if where else None,
        where,
        class_="quiet",
    )


def _cover(url: str) -> Safe:
    image = tag(
        "img", src=url, alt="cover of the post", loading="lazy", referrerpolicy="no-referrer"
    )
    hint = tag("span", "hover or hold to see the cover")
    return tag("div", image, hint, class_="cover", tabindex="0")


def why_html(facts: CaseFacts) -> Safe:
    """Why the case is here, what holds now, and who has it on the table."""
    case = facts.case
    now = facts.decision
    holds = (
        join([note(ACTION_WORDS[now.action], _KINDS[now.action]), f" by {now.decided_by}"], "")
        if now
        else join([note("shown nowhere", "accent"), " no verdict yet"])
    )
    until = case.locked_until_ms
    lock = (
        f"yours for {span(max(0, until - facts.now_ms))} more"
        if until is not None and until > facts.now_ms
        else "not locked"
    )
    rows = (
        ("Queue", join([category_name(case.queue)])),
        ("Why", words(shortened(case.reason, _MOST_REASON))),
        ("Now", holds),
        ("Priority", join([f"{case.priority:.2f}"])),
        ("Waiting", join([_age(case.opened_ms, facts.now_ms)])),
        ("Lock", join([lock])),
    )
    return _definitions(rows)


def _age(opened_ms: int, now_ms: int) -> str:
    """How long a case waits; unknown where it was opened before the clock had started."""
    return span(max(0, now_ms - opened_ms)) if opened_ms else UNKNOWN


def _definitions(rows: Sequence[tuple[str, Safe]]) -> Safe:
    pairs = [piece for name, value in rows for piece in (tag("dt", name), tag("dd", value))]
    return tag("dl", *pairs, class_="facts")


def scores_html(facts: CaseFacts) -> Safe:
    """What each source says, category by category, with the point where rules begin."""
    verdict = facts.verdict
    if verdict is None or not verdict.evidence.labels:
        return empty("No scores", "No classifier has scored this post; a person decides alone.")
    surest: dict[str, tuple[float, str]] = {}
    for label in verdict.evidence.labels:
        surest[label.category] = max(surest.get(label.category, (0.0, "")), (label.p, label.source))
    order = sorted(surest, key=lambda name: -surest[name][0])
    bars = [_score(name, *surest[name], facts.thresholds.get(name)) for name in order]
    model = verdict.model_version or "term lists alone"
    return join(
        [
            tag("div", *bars, class_="bars"),
            tag(
                "p",
                words(f"{model} · the mark is where the first rule begins"),
                class_="quiet small",
            ),
        ]
    )


def _score(name: str, p: float, source: str, threshold: float | None) -> Safe:
    over = threshold is not None and p >= threshold
    label = tag("span", category_name(name), title=source)
    return bar(label, p, probability(p), "against" if over else "plain", threshold)


def signals_html(facts: CaseFacts) -> Safe | None:
    """Counts of other signals."""
    signals = facts.verdict.evidence.signals if facts.verdict else {}
    if not signals:
        return None
    return tag(
        "div",
        *(note(f"{name.replace('.', ' ').replace('_', ' ')}: {n}") for name, n in signals.items()),
        class_="notes",
    )


def context_html(facts: CaseFacts) -> Safe:
    """Reports, the creator, and what was decided before."""
    return join([_complaints(facts), _creator(facts.creator), _before(facts)])


def _complaints(facts: CaseFacts) -> Safe:
    if not facts.reports:
        return _block("Reports", tag("p", "Nobody reported it.", class_="quiet"))
    lines = [
        tag(
            "li",
            note(category_name(report.category), "warn"),
            " ",
            words(shortened(report.note, _MOST_REASON)) if report.note else None,
            tag("span", f" {ago(report.at_ms, facts.now_ms)} by ", class_="quiet"),
            person_link(report.reporter_id),
        )
        for report in facts.reports
    ]
    return _block(f"Reports ({len(lines)})", tag("ul", *lines, class_="plain-list"))


def _creator(creator: CreatorFacts | None) -> Safe | None:
    if creator is None:
        return None
    name = person_link(creator.user_id, creator.user.name if creator.user else None)
    chips = [
        note(f"{n} {ACTION_WORDS.get(action, action)}", _KINDS.get(action, ""))
        for action, n in sorted(creator.decisions.items(), key=lambda pair: -pair[1])
    ]
    if creator.awaiting:
        chips.append(note(f"{creator.awaiting} awaiting a verdict"))
    others = creator.posts - 1
    told = f"{plural(others, 'other post')}, {plural(creator.reports, 'report')} on them"
    body = join([tag("p", name, f" · {told}"), tag("div", *chips, class_="notes")])
    return _block("Creator", body)


def _before(facts: CaseFacts) -> Safe | None:
    if not facts.earlier:
        return None
    lines = [
        tag(
            "li",
            note(ACTION_WORDS.get(one.action, one.action), _KINDS.get(one.action, "")),
            f" {category_name(one.category)}" if one.category else None,
            tag("span", f" by {one.reviewer}, {moment(one.at_ms)} ", class_="quiet"),
            words(shortened(one.note, _MOST_REASON)) if one.note else None,
        )
        for one in facts.earlier
    ]
    return _block("Decided before", tag("ul", *lines, class_="plain-list"))


def policy_html(facts: CaseFacts) -> Safe:
    """What the policy says of this category."""
    meaning = facts.categories.get(facts.case.queue)
    lead = (
        tag(
            "p", f"{category_name(facts.case.queue).capitalize()}: {meaning}.", class_="policy-lead"
        )
        if meaning
        else None
    )
    if not facts.rules:
        return join([lead, tag("p", "No rule of the policy speaks of this queue.", class_="quiet")])
    return join([lead, tag("ul", *(tag("li", rule) for rule in facts.rules), class_="plain-list")])


def _block(name: str, body: Safe) -> Safe:
    return tag("section", tag("h3", name), body, class_="block")


def help_html() -> Safe:
    """Every key."""
    rows = [
        piece for key in KEYS for piece in (tag("dt", tag("kbd", key.key)), tag("dd", key.what))
    ]
    rows += [
        tag("dt", tag("kbd", "1"), "…"),
        tag("dd", "choose what it violates, for everything but allow"),
        tag("dt", tag("kbd", "n")),
        tag("dd", "write a note that is kept with the decision"),
    ]
    return tag("dl", *rows, class_="keys")


def key_button(key: Key) -> Safe:
    """What stands on a key's button."""
    return tag("span", tag("kbd", key.key), tag("span", key.name))


def decided(decision: ReviewDecision) -> Safe:
    """What was just decided."""
    about = f" for {category_name(decision.category)}" if decision.category else ""
    return join(
        [
            note(ACTION_WORDS[decision.action], _KINDS[decision.action]),
            f"{about} · ",
            tag("kbd", "u"),
            " takes it back",
        ]
    )


def undone(decision: ReviewDecision) -> Safe:
    """What was just taken back."""
    return join([f"Taken back: {ACTION_WORDS[decision.action]}. The case is here again."])


_NAME: Final = re.compile(r"[\w .-]{1,60}")


def reviewer_name(given: str) -> str:
    """A reviewer's name as it may stand in a cookie and in the log, or an empty one.

    >>> reviewer_name(" Ada "), reviewer_name("'; alert(1)")
    ('Ada', '')
    """
    name = " ".join(unquote(given).split())
    return name if _NAME.fullmatch(name) else ""
