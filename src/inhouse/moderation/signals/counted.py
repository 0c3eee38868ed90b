"""Signals that are counts of other things than the text: names, and how sentences call them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

POSTS_1H: Final = "creator_posts_1h"
POSTS_1D: Final = "creator_posts_1d"
LINK_1H: Final = "link_posts_1h"
TEXT_1H: Final = "text_posts_1h"
HASH_1H: Final = "hash_posts_1h"
STRIKES: Final = "creator_strikes"
LIMITED: Final = "creator_limited"
SUSPENDED: Final = "creator_suspended"
AGE_DAYS: Final = "creator_age_days"
REPORTS: Final = "reports"
TRUSTED_REPORTS: Final = "trusted_reports"

# Of posts the post itself is one; a post that is alone has no such signal.
COUNTED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        POSTS_1H: (
            "post by its creator in the hour to it",
            "posts by its creator in the hour to it",
        ),
        POSTS_1D: ("post by its creator in the day to it", "posts by its creator in the day to it"),
        LINK_1H: (
            "post with one of its links in the hour",
            "posts with one of its links in the hour",
        ),
        TEXT_1H: ("post with its words in the hour", "posts with its words in the hour"),
        HASH_1H: ("post with its picture in the hour", "posts with its picture in the hour"),
        STRIKES: ("strike against its creator", "strikes against its creator"),
        LIMITED: ("limit on its creator's account", "limits on its creator's account"),
        SUSPENDED: ("ban on its creator's posts", "bans on its creator's posts"),
        AGE_DAYS: ("day since its creator joined", "days since its creator joined"),
        REPORTS: ("person reporting it", "people reporting it"),
        TRUSTED_REPORTS: ("report of weight", "reports of weight"),
    }
)
