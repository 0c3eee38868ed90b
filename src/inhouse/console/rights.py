"""What a role opens: one list for every address of the console. What is not on it is for operators
alone, so a new page is closed until somebody says whom it is for."""

from collections.abc import Mapping
from typing import Final

from inhouse.app.staff.types import Role, may

BARRED: Final = "/not-yours"  # says so, in the console's own frame
PASSWORD: Final = "/password"
LOGOUT: Final = "/logout"
SESSION: Final = "/session"  # asked by pages whether theirs still lasts
# Of the framework: a page's own address, to which its own session alone may write.
CLIENT: Final = "/_nicegui/client/"
SOCKET: Final = "/_nicegui_ws/"
FRAMEWORK: Final = ("/_nicegui/", SOCKET)

PLACES: Final[Mapping[str, Role]] = {
    "/": "viewer",
    BARRED: "viewer",
    PASSWORD: "viewer",
    LOGOUT: "viewer",
    SESSION: "viewer",
    **dict.fromkeys((f"{start}*" for start in FRAMEWORK), "viewer"),
    "/moderation": "moderator",
    "/moderation/appeals": "moderator",
    "/moderation/figures": "moderator",
    "/moderation/media/*": "moderator",
    "/moderation/bulk": "lead",
    "/moderation/queues": "lead",
    "/moderation/policy": "lead",
    "/moderation/banks": "lead",
    "/moderation/sealed": "lead",
    "/feed": "operator",
    "/feed/people": "operator",
    "/person": "operator",
    "/person/*": "operator",
    "/person-export/*": "operator",
    "/bill": "operator",
    "/bill/dependence": "operator",
    "/bill/parity/*": "operator",
    "/staff": "operator",
}
_TREES: Final = {place[:-1]: role for place, role in PLACES.items() if place.endswith("*")}


def least_role(path: str) -> Role:
    """The least role that opens an address.

    >>> least_role("/moderation"), least_role("/moderation/policy"), least_role("/new")
    ('moderator', 'lead', 'operator')
    """
    if path in PLACES:
        return PLACES[path]
    return next((role for start, role in _TREES.items() if path.startswith(start)), "operator")


def opens(role: Role, path: str) -> bool:
    """Whether a role opens an address."""
    return may(role, least_role(path))
