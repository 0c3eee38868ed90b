"""The top of every page of moderation: what it is for, and the ways to the others."""

from dataclasses import dataclass
from typing import Final

from inhouse.app.staff.types import Role
from inhouse.console.markup import Safe, join, tag
from inhouse.console.rights import opens

_PLACES: Final = (
    ("Desk", "/moderation"),
    ("Many at once", "/moderation/bulk"),
    ("Appeals", "/moderation/appeals"),
    ("Queues", "/moderation/queues"),
    ("Policy", "/moderation/policy"),
    ("Banks", "/moderation/banks"),
    ("Sealed", "/moderation/sealed"),
    ("Figures", "/moderation/figures"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """What stands on top of each page of moderation."""

    here: str  # the page's address
    lead: str  # what it is for

    def html(self, role: Role) -> Safe:
        """With the ways to the pages that a role opens."""
        places = [
            tag("a", name, href=path, aria_current="page" if path == self.here else None)
            for name, path in _PLACES
            if opens(role, path)
        ]
        return join(
            [
                tag("h1", "Moderation"),
                tag("p", self.lead, class_="lead"),
                tag("div", *places, class_="places"),
            ]
        )


def heading(here: str, lead: str) -> Heading:
    """The top of one page."""
    return Heading(here=here, lead=lead)
