"""The page of the staff as HTML: pure functions of its facts."""

from typing import Final

from inhouse.app.staff.book import ONCE_FOR_MS
from inhouse.app.staff.types import ROLES, Member
from inhouse.console.markup import Safe, join, link, note, tag, words
from inhouse.console.words import ago
from inhouse.core.clock import DAY_MS

HEADING: Final = join(
    [
        tag("h1", "Staff"),
        tag(
            "p",
            "Who may come in, and as what. Decisions, locks and answers carry the name of whoever "
            "is signed in.",
            class_="lead",
        ),
    ]
)
NOBODY: Final = tag(
    "div",
    tag(
        "p",
        "There are no staff with names: whoever uses this machine comes in, and decides under any "
        "name they type. So two people who must agree may be one, and the audit says what was "
        "typed.",
    ),
    tag("p", link("/login", "Be the first of the staff, an operator", class_="first")),
)
ERASE_WORDS: Final = (
    "Their password, sessions and settings go, for good. Their name stays with what they decided: "
    "the audit answers for decisions to authors and to the law. It is given to nobody else."
)
OFF_WORDS: Final = "Their sessions end now. A new one-time password brings them back."
RESET_WORDS: Final = (
    "Their password is void and their sessions end now. You get a one-time password to tell them."
)
_STATES: Final = {
    "active": None,
    "invited": note("has not come in yet", "accent"),
    "off": note("switched off", "warn"),
    "erased": note("erased", "warn"),
}


def member_line(member: Member, now_ms: int) -> Safe:
    """One of the staff in a sentence."""
    changed = f"changed {ago(member.changed_ms, now_ms)} by "
    return tag(
        "span",
        tag("b", words(member.name)),
        f" {member.role} ",
        _STATES[member.state],
        " ",
        tag("span", changed, words(member.changed_by), class_="quiet small"),
    )


def roles_html() -> Safe:
    """What each role may do."""
    rows = [join([tag("dt", role), tag("dd", what)]) for role, what in ROLES.items()]
    ladder = "Each may do all that those before it may."
    return join([tag("dl", *rows, class_="facts"), tag("p", ladder, class_="quiet small")])


def told(name: str, once: str) -> Safe:
    """A one-time password, shown this once."""
    return tag(
        "div",
        tag("p", "For ", tag("b", words(name)), ", shown only now: tell it to nobody else."),
        tag("p", tag("code", once, class_="once")),
        tag(
            "p",
            f"Good for one sign-in within {ONCE_FOR_MS // DAY_MS} days; then they choose their own "
            "password.",
            class_="quiet small",
        ),
    )
