"""Decisions on many cases as HTML: pure functions of what the store says of them."""

from typing import Final

from inhouse.console.markup import Safe, empty, join, note, table, tag, words
from inhouse.console.moderation.headings import heading
from inhouse.console.moderation.speech import ACTION_WORDS, category_name
from inhouse.console.words import count, moment, plural, shortened
from inhouse.moderation.reviewing.bulk import Bulk

HEADING: Final = heading(
    "/moderation/bulk",
    "One decision on many cases: look at what it would mean, decide, take all of it back.",
)
_STATES: Final = {
    "shown": ("", "not decided yet"),
    "running": ("warn", "interrupted: run it again to go on"),
    "done": ("good", "decided"),
    "undoing": ("warn", "interrupted while it was taken back"),
    "undone": ("", "taken back"),
}


def preview_html(bulk: Bulk) -> Safe:
    """What it would mean."""
    if not bulk.cases:
        return empty("Nothing that is free fits", "Change what it is chosen by, and look again.")
    queues = ", ".join(f"{category_name(name)} {count(n)}" for name, n in bulk.by_queue.items())
    rows = [
        (words(case.item_id), category_name(case.queue), words(shortened(case.reason, 120)))
        for case in bulk.sample
    ]
    more = (
        tag("p", f"{plural(bulk.left_out, 'case')} more fit: for another round.", class_="quiet")
        if bulk.left_out
        else None
    )
    return join(
        [
            tag(
                "p",
                tag("b", plural(bulk.cases, "case")),
                f" would be {ACTION_WORDS[bulk.ruling.action]}: {queues}. Nothing is decided yet.",
            ),
            more,
            table(("post", "queue", "why it waits"), rows, "lll"),
        ]
    )


def progress(bulk: Bulk) -> Safe:
    """What became of it."""
    kind, state = _STATES[bulk.state]
    told = f" {count(bulk.decided)} of {count(bulk.cases)} decided"
    if bulk.state == "undone" and bulk.standing:
        told += f", {count(bulk.standing)} stand under later decisions"
    return join([note(state, kind), told])


def line(bulk: Bulk) -> Safe:
    """One of the earlier ones."""
    about = f" for {category_name(bulk.ruling.category)}" if bulk.ruling.category else ""
    return tag(
        "span",
        f"{moment(bulk.made_ms)}, {bulk.reviewer}: {ACTION_WORDS[bulk.ruling.action]}{about} · ",
        progress(bulk),
    )
