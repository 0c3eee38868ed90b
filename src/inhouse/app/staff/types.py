"""Who works in a community's console, and what their role lets them do."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from inhouse.core.errors import InputError

Role = Literal["viewer", "moderator", "lead", "operator"]
# Each may do all that those before it may.
ROLES: Final[Mapping[Role, str]] = {
    "viewer": "sees the overview",
    "moderator": "decides cases and appeals, and sees their own figures",
    "lead": "sets up queues and banks, tries policies, decides many cases at once, seals",
    "operator": "everything: the bill, routes, people's data, the feed as anybody sees it, staff",
}
MOST_NAME_CHARS: Final = 60
NAME_RULE: Final = f"1 to {MOST_NAME_CHARS} letters, digits, spaces, dots, dashes and underscores"
_NAME: Final = re.compile(rf"[\w .-]{{1,{MOST_NAME_CHARS}}}")
_MOST_KEY_CHARS: Final = 128

State = Literal["active", "invited", "off", "erased"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One of the staff. Their password is nowhere, only its hash, and that not here."""

    name: str  # as decisions are filed under it
    role: Role
    state: State  # invited: has not chosen a password yet
    created_ms: int  # when they were added
    changed_ms: int  # when somebody last changed anything of this
    changed_by: str  # who did


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How somebody who asks for a page stands."""

    named: bool  # whether there are staff with names at all
    member: Member | None = None  # who it is; None for somebody who is not signed in


def may(role: Role, least: Role) -> bool:
    """Whether a role reaches as far as another.

    >>> may("lead", "moderator"), may("viewer", "moderator")
    (True, False)
    """
    order = list(ROLES)
    return order.index(role) >= order.index(least)


def role_named(name: str) -> Role:
    """A role by its name. Raises InputError."""
    for role in ROLES:
        if role == name:
            return role
    raise InputError(f"role: got {name[:40]!r}, expected one of {', '.join(ROLES)}", field="role")


def staff_name(given: str) -> str:
    """A name as it may stand in lists, cookies and the audit. Raises InputError.

    >>> staff_name("  Ada   Lovelace ")
    'Ada Lovelace'
    """
    name = " ".join(unicodedata.normalize("NFC", given).split())
    if not _NAME.fullmatch(name) or len(name_key(name)) > _MOST_KEY_CHARS:
        raise InputError(f"name: got {given[:80]!r}, expected {NAME_RULE}", field="name")
    return name


def name_key(name: str) -> str:
    """The same for names that people would take for each other's.

    >>> name_key(" ADA  lovelace") == name_key("Ada Lovelace") == name_key("Ａda Lovelace")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())
