"""How the pages of moderation name actions and categories."""

from collections.abc import Mapping
from typing import Final

ACTION_WORDS: Final[Mapping[str, str]] = {
    "allow": "shown",
    "limit": "not recommended",
    "warn": "behind a warning",
    "age_gate": "adults only",
    "review": "held for review",
    "remove": "removed",
    "undo": "undone",
}
KINDS: Final[Mapping[str, str]] = {
    "allow": "good",
    "limit": "warn",
    "warn": "warn",
    "age_gate": "warn",
    "review": "accent",
    "remove": "bad",
}


def category_name(name: str) -> str:
    """A category as people say it."""
    return name.replace("_", " ")
