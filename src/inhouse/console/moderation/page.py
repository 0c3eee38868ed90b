"""The moderation page as HTML: pure functions of its facts."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
from inhouse.console.moderation.desk import Lost
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.marked import marked
from inhouse.console.moderation.media import media_path
from inhouse.console.moderation.model import CaseFacts
from inhouse.console.moderation.speech import ACTION_WORDS, KINDS, category_name
from inhouse.console.words import (
    UNKNOWN,
    ago,
    count,
    probability,
    shortened,
    span,
)
from inhouse.moderation.reviewing.review import QueueCount
from inhouse.moderation.reviewing.reviewers import ReviewerSettings
from inhouse.moderation.reviewing.search import CaseFilter
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
    Key(key="e", name="Escalate", what="send it to another queue, with a word why"),
    Key(key="s", name="Skip", what="leave it to somebody else; the note says why"),
    Key(key="u", name="Undo", what="take the last decision back and see the case again"),
    Key(key="f", name="Find", what="look only at what fits: rule, creator, words, domain, age"),
    Key(key="o", name="Own", what="how pictures are shown to you, and when to rest"),
    Key(key="?", name="Help", what="show these keys"),
)
# Those that decide stand out from those that do not.
ROWS_OF_KEYS: Final = (
    ("", tuple(key for key in KEYS if key.action)),
    ("more", tuple(key for key in KEYS if not key.action)),
)
_MOST_REASON: Final = 400
_WAITS: Final[Mapping[str, str]] = {
    "in_force": "",
    "waits_for_second": " · waits for a second person",
    "waits_for_third": " · two differ, a third decides",
}
HEADING: Final = heading(
    "/moderation", "The most harmful first, one key each, and every decision can be taken back."
)
SKIPPED: Final = join(["Skipped: somebody else may take it, and others come first here."])
NOTHING_TO_UNDO: Final = join(["Nothing of yours to take back since this page was opened."])


def queue_chips(
    queues: Sequence[QueueCount], chosen: str | None
) -> list[tuple[str | None, str, bool]]:
    """Queues to choose from: value, label, whether chosen. All together come first."""
    whole = sum(queue.open for queue in queues)
    chips: list[tuple[str | None, str, bool]] = [(None, f"all {count(whole)}", chosen is None)]
    for queue in queues:
        label = f"{category_name(queue.queue)} {count(queue.open)}"
        chips.append((queue.queue, label, chosen == queue.queue))
    if chosen is not None and chosen not in {queue.queue for queue in queues}:
        chips.append((chosen, f"{category_name(chosen)} 0", True))
    return chips


def nothing_waits(which: CaseFilter) -> Safe:
    """What stands where no case waits."""
    where = f"in {category_name(which.queue)}" if which.queue else ""
    if dataclasses.replace(which, queue=None) != CaseFilter():
        return empty("Nothing that fits waits", "Press f to look for something else, or for all.")
    return empty(
        f"Nothing waits for a person {where}".rstrip(),
        "A case appears here when the policy holds a post for review, when people report one, or "
        "when an author edits a post you restricted. This page looks for new ones by itself.",
    )


def looking_at(which: CaseFilter) -> Safe:
    """What is looked at alone."""
    told = [
        f"{name.replace('_', ' ')} “{value}”"
        for name, value in dataclasses.asdict(which).items()
        if value is not None and name not in ("state", "queue", "opened_before_ms")
    ]
    if which.opened_before_ms is not None:
        told.append("waiting for long")
    return join([f"Looking only at: {', '.join(told)}" if told else "Looking at everything again"])


def post_html(facts: CaseFacts, own: ReviewerSettings) -> Safe:
    """The post itself, the cover hidden until it is looked at on purpose."""
    item = facts.item
    if item is None:
        return empty("The post is gone", "Its author or the app deleted it. Skip the case.")
    hits = facts.verdict.hits if facts.verdict else ()
    title, text = marked(item.title, item.text, hits)
    url = safe_url(item.media_url)
    cover = _cover(item.item_id, own) if url and item.kind != "video" else None
    parts: list[Child] = [
        _by(facts),
        tag("h2", title, dir="auto") if item.title else None,
        tag("div", text, class_="post-text", dir="auto", tabindex="0") if item.text else None,
        tag("div", *(tag("bdi", topic, class_="note") for topic in item.topics), class_="notes"),
        _film(url) if url and item.kind == "video" else None,
    ]
    body = tag("div", *parts, class_="post-body")
    return tag("article", body, cover, class_="post")


def _by(facts: CaseFacts) -> Safe:
    item = facts.item
    if item is None:
        return join([])
    name = facts.poster.name if facts.poster else None
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


def _cover(item_id: str, own: ReviewerSettings) -> Safe:
    """The console fetches it: whoever posted it learns nothing of the reviewer."""
    image = tag("img", src=media_path(item_id), alt="picture of the post (cannot be shown)")
    hint = tag("span", "hold ", tag("kbd", "v"), " or press here to see it")
    grey = " grey" if own.grey else ""
    return tag("div", image, hint, class_=f"cover {own.blur}{grey}")


def _film(url: str) -> Safe:
    link = tag(
        "a",
        "Open the film in a new tab",
        href=url,
        target="_blank",
        rel="noreferrer noopener",
        referrerpolicy="no-referrer",
    )
    return tag("p", link, " · its host sees your address", class_="quiet small")


def why_html(facts: CaseFacts) -> Safe:
    """Why the case is here, what holds now, and who has it on the table."""
    case = facts.case
    now = facts.decision
    holds = (
        join([note(ACTION_WORDS[now.action], KINDS[now.action]), f" by {now.decided_by}"], "")
        if now
        else join([note("shown nowhere", "accent"), " no verdict yet"])
    )
    until = case.locked_until_ms or 0
    left_ms = max(0, until - facts.now_ms)
    lock = tag(
        "span",
        f"yours for {left_ms // 60_000}:{left_ms // 1_000 % 60:02}",
        class_="countdown",
        data_left_ms=left_ms,
        data_lock=f"{case.case_id}:{until}",
    )
    two = join(["in force when two people agree"]) if facts.asks_two else None
    rows = (
        ("Queue", join([category_name(case.queue)])),
        ("Why", words(shortened(case.reason, _MOST_REASON))),
        ("Now", holds),
        ("Priority", join([f"{case.priority:.2f}"])),
        ("Waiting", join([_age(case.opened_ms, facts.now_ms)])),
        ("Decision", two),
        ("Lock", lock),
    )
    return _definitions([(name, value) for name, value in rows if value is not None])


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
        tag("dt", tag("kbd", "v")),
        tag("dd", "see the picture clearly, as long as it is held"),
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
            note(ACTION_WORDS[decision.action], KINDS[decision.action]),
            f"{about}{_WAITS[decision.effect]} · ",
            tag("kbd", "u"),
            " takes it back",
        ]
    )


def undone(decision: ReviewDecision) -> Safe:
    """What was just taken back."""
    return join([f"Taken back: {ACTION_WORDS[decision.action]}. The case is here again."])


def lost(case: Lost) -> Safe:
    """A case that went to somebody else, and what was typed for it."""
    kept = (
        join([" Your words are kept, and come back if the case does: ", words(case.draft)])
        if case.draft
        else None
    )
    return tag("p", case.why, " This is the next.", kept, class_="lost")
