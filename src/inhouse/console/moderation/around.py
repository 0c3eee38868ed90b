"""What lies around a case as HTML: its thread, reports, the creator, the past, cases like it."""

from collections.abc import Mapping, Sequence
from typing import Final

from inhouse.console.markup import Safe, join, note, person_link, tag, words
from inhouse.console.moderation.model import CaseFacts
from inhouse.console.moderation.speech import ACTION_WORDS, KINDS, category_name
from inhouse.console.words import ago, count, moment, plural, probability, share, shortened
from inhouse.moderation.reviewing.context import CreatorFacts, Earlier
from inhouse.moderation.reviewing.thread import ThreadPost

_MOST_REASON: Final = 400
_MOST_WORDS: Final = 120
_MOST_REPORTS: Final = 8
_ABOVE_SHOWN: Final = 3  # posts above it in its thread; those further up unfold
_LONG: Final = 240  # characters
_TAKEN: Final = frozenset(("remove", "review"))  # shown to nobody at the moment
_END_WORDS: Final[Mapping[str, Safe]] = {
    "cut": tag("p", "The thread goes on further up.", class_="quiet small"),
    "circle": tag("p", "The thread leads back to itself further up.", class_="quiet small"),
}


def context_html(facts: CaseFacts) -> Safe:
    """The thread, reports, what others said, the creator, what was decided before, and cases like
    it."""
    return join(
        [
            _thread(facts),
            _complaints(facts),
            _said("Two people differ", facts.around.opinions),
            _remarks(facts),
            _creator(facts),
            _said("Decided before", facts.around.earlier),
            _history(facts),
            _similar(facts),
        ]
    )


def _thread(facts: CaseFacts) -> Safe | None:
    """What the post answers, the first of the thread on top, and the replies next to it."""
    thread = facts.around.thread
    if thread is None:
        return None
    hidden, near = thread.above[:-_ABOVE_SHOWN], thread.above[-_ABOVE_SHOWN:]
    more = thread.beside - len(thread.before) - len(thread.after)
    here = tag("li", tag("strong", "the post of this case"), class_="here")
    lines = [
        _END_WORDS.get(thread.end),
        _unfold(f"{plural(len(hidden), 'post')} further up", hidden, facts.now_ms),
        _thread_list(near, facts.now_ms),
        _unfold(f"{count(len(thread.before))} before it", thread.before, facts.now_ms),
        tag("ul", here, class_="plain-list thread"),
        _unfold(f"{count(len(thread.after))} after it", thread.after, facts.now_ms),
        tag("p", f"{plural(more, 'more reply', 'more replies')} there.", class_="quiet small")
        if more > 0
        else None,
    ]
    return _block("Its thread", join(lines))


def _unfold(name: str, posts: Sequence[ThreadPost], now_ms: int) -> Safe | None:
    if not posts:
        return None
    return tag("details", tag("summary", name), _thread_list(posts, now_ms), class_="unfold")


def _thread_list(posts: Sequence[ThreadPost], now_ms: int) -> Safe:
    lines = [_thread_post(post, now_ms) for post in posts]
    return tag("ul", *lines, class_="plain-list thread")


def _thread_post(post: ThreadPost, now_ms: int) -> Safe:
    if post.creator_id is None:
        gone = "A post that is not there: it was deleted, its author was erased, or it comes later."
        return tag("li", gone, class_="away")
    taken = post.state == "withdrawn" or post.action in _TAKEN
    state = (
        note("withdrawn by the app")
        if post.state == "withdrawn"
        else note(ACTION_WORDS.get(post.action or "", "awaiting"), KINDS.get(post.action or "", ""))
    )
    return tag(
        "li",
        tag(
            "p",
            person_link(post.creator_id, post.creator_name),
            " ",
            state,
            tag("span", f" {ago(post.created_ms or 0, now_ms)}", class_="quiet"),
        ),
        _thread_words(post.words or "without words"),
        class_="away" if taken else None,
    )


def _thread_words(text: str) -> Safe:
    """Long ones unfold."""
    whole = tag("div", text, class_="thread-words", dir="auto")
    if len(text) <= _LONG:
        return whole
    return tag("details", tag("summary", words(shortened(text, _LONG))), whole, class_="unfold")


def _complaints(facts: CaseFacts) -> Safe:
    reports = facts.around.reports
    if not reports:
        return _block("Reports", tag("p", "Nobody reported it.", class_="quiet"))
    lines = [
        tag(
            "li",
            note(category_name(report.category), "warn"),
            " ",
            words(shortened(report.note, _MOST_REASON)) if report.note else None,
            tag(
                "span",
                f" {ago(report.at_ms, facts.now_ms)} by reporter {report.reporter}",
                f", {plural(report.reports_before, 'report')} before"
                if report.reports_before
                else None,
                class_="quiet",
            ),
        )
        for report in reports[:_MOST_REPORTS]
    ]
    for_what = ", ".join(
        f"{category_name(name)} {n}" for name, n in facts.around.reported_for.items()
    )
    return _block(
        f"Reports ({len(reports)})",
        join(
            [
                tag("p", f"People by category: {for_what}", class_="quiet small"),
                tag("ul", *lines, class_="plain-list"),
            ]
        ),
    )


def _remarks(facts: CaseFacts) -> Safe | None:
    lines = [
        tag(
            "li",
            note({"skip": "skipped", "escalate": "sent on"}.get(one.kind, one.kind)),
            " ",
            words(shortened(one.words, _MOST_REASON)),
            tag("span", f" {one.reviewer}, {ago(one.at_ms, facts.now_ms)}", class_="quiet"),
        )
        for one in facts.around.remarks
        if one.words
    ]
    return _block("Notes", tag("ul", *lines, class_="plain-list")) if lines else None


def _creator(facts: CaseFacts) -> Safe | None:
    creator = facts.around.creator
    if creator is None:
        return None
    name = person_link(creator.user_id, facts.poster.name if facts.poster else None)
    chips = [
        note(f"{n} {ACTION_WORDS.get(action, action)}", KINDS.get(action, ""))
        for action, n in sorted(creator.actions.items(), key=lambda pair: -pair[1])
    ]
    if creator.awaiting:
        chips.append(note(f"{creator.awaiting} awaiting a verdict"))
    chips.append(note(f"strikes {creator.strikes:.3g}", "warn" if creator.strikes else "good"))
    others = creator.posts - 1
    told = f"{plural(others, 'other post')}, {plural(creator.reports, 'report')} on them"
    body = join(
        [
            tag("p", name, f" · {told}"),
            tag("div", *chips, class_="notes"),
            _latest_posts(creator, facts.now_ms),
            _said("Decided on others of theirs", creator.decided),
        ]
    )
    return _block("Creator", body)


def _latest_posts(creator: CreatorFacts, now_ms: int) -> Safe | None:
    lines = [
        tag(
            "li",
            note(ACTION_WORDS.get(post.action or "", "awaiting"), KINDS.get(post.action or "", "")),
            " ",
            words(shortened(post.words or "without words", _MOST_WORDS)),
            tag("span", f" {ago(post.created_ms, now_ms)}", class_="quiet"),
        )
        for post in creator.latest
    ]
    return tag("ul", *lines, class_="plain-list") if lines else None


def _history(facts: CaseFacts) -> Safe | None:
    """The verdicts there were; one alone is what the page shows anyway."""
    if len(facts.around.history) < 2:
        return None
    lines = [
        tag(
            "li",
            note(ACTION_WORDS[one.action], KINDS[one.action]),
            f" {one.decided_by}",
            tag("span", f" {moment(one.at_ms)}, surest {probability(one.p_harm)}", class_="quiet"),
        )
        for one in facts.around.history
    ]
    return _block("Verdicts", tag("ul", *lines, class_="plain-list"))


def _similar(facts: CaseFacts) -> Safe | None:
    lines = [
        tag(
            "li",
            note(ACTION_WORDS[one.action], KINDS[one.action]),
            f" {category_name(one.category)} " if one.category else " ",
            words(shortened(one.words, _MOST_WORDS)),
            tag("span", f" {share(one.likeness)} alike", class_="quiet"),
        )
        for one in facts.around.similar
    ]
    return _block("Cases like it", tag("ul", *lines, class_="plain-list")) if lines else None


def _said(name: str, decisions: Sequence[Earlier]) -> Safe | None:
    if not decisions:
        return None
    lines = [
        tag(
            "li",
            note(ACTION_WORDS.get(one.action, one.action), KINDS.get(one.action, "")),
            f" {category_name(one.category)}" if one.category else None,
            tag("span", f" by {one.reviewer}, {moment(one.at_ms)} ", class_="quiet"),
            words(shortened(one.note, _MOST_REASON)) if one.note else None,
        )
        for one in decisions
    ]
    return _block(name, tag("ul", *lines, class_="plain-list"))


def _block(name: str, body: Safe) -> Safe:
    return tag("section", tag("h3", name), body, class_="block")
