"""What is sealed as HTML: pure functions, and nothing of the posts themselves."""

from typing import Final

from inhouse.console.markup import Safe, empty, join, note, tag, words
from inhouse.console.moderation.headings import heading
from inhouse.console.words import date, moment, plural
from inhouse.moderation.recording.sealed import PRESERVE_DUTY, REPORT_DUTY, SealedItem

HEADING: Final = heading(
    "/moderation/sealed",
    "Posts sealed as sexual abuse of children. Nobody is shown them; here is what is to be done.",
)
NONE: Final = empty(
    "Nothing is sealed",
    "A match with a bank of hashes for child_abuse seals a post, and so does a reviewer, below.",
)
_HASH_SHOWN: Final = 16
# What this page does not do: show what was sealed, or take one person's word for a mistake.
ELSEWHERE: Final = join(
    [
        tag("h3", "What is done on the server"),
        tag(
            "p",
            "What was sealed is opened for the report alone, by whoever may reach the server, and "
            "that is recorded first:",
        ),
        tag("pre", "inhouse moderate sealed open ITEM evidence.json --by NAME --reason …"),
        tag("p", "A mistake is lifted by two people:"),
        tag("pre", "inhouse moderate sealed lift ITEM --by NAME --second NAME --reason …"),
        tag(
            "p",
            "The picture or video lies where your app put it: block it there, keep it for a year, "
            "show it to nobody.",
        ),
    ]
)


def duties_html(due: int, whole: int) -> Safe:
    """What the law asks for, first of all whether anything is open."""
    state = (
        note(f"{plural(due, 'report')} to make", "bad") if due else note("no duty is open", "good")
    )
    return join(
        [
            tag("p", state, f" of {plural(whole, 'sealed post')}"),
            tag("p", REPORT_DUTY) if due else None,
            tag("p", PRESERVE_DUTY, class_="quiet small") if whole else None,
        ]
    )


def item_line(item: SealedItem) -> Safe:
    """One sealed post: its id, since when, by what, and where its duties stand."""
    done = (
        note("report it", "bad")
        if item.is_due
        else note(f"reported to {item.reported_to}, {item.report_number}", "good")
    )
    kept = None
    if item.purged_ms is not None:
        kept = note(f"removed for good {moment(item.purged_ms)}")
    elif item.duties[1].until_ms is not None:
        kept = note(f"kept until {date(item.duties[1].until_ms)}")
    return tag(
        "span",
        tag("b", words(item.item_id)),
        f" since {moment(item.at_ms)} by {item.source} ",
        done,
        " " if kept else None,
        kept,
        tag(
            "span",
            f" SHA-256 {item.content_hash[:_HASH_SHOWN]}…",
            class_="quiet small",
            title=item.content_hash,
        ),
    )
