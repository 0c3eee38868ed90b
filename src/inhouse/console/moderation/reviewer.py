"""Under which name somebody decides: their own where staff have names, else one that they type and
the browser remembers."""

import re
from typing import Final
from urllib.parse import unquote

from fastapi import Request

from inhouse.console.access import visitor_of

REVIEWER_COOKIE: Final = "inhouse_reviewer"
DEFAULT_REVIEWER: Final = "moderator"
_NAME: Final = re.compile(r"[\w .-]{1,60}")


def reviewer_of(request: Request) -> str:
    """The name of whoever asks for a page."""
    signed_in = visitor_of(request).name
    if signed_in is not None:
        return signed_in
    return reviewer_name(request.cookies.get(REVIEWER_COOKIE, "")) or DEFAULT_REVIEWER


def reviewer_name(given: str) -> str:
    """A reviewer's name as it may stand in a cookie and in the log, or an empty one.

    >>> reviewer_name(" Ada "), reviewer_name("'; alert(1)")
    ('Ada', '')
    """
    name = " ".join(unquote(given).split())
    return name if _NAME.fullmatch(name) else ""
