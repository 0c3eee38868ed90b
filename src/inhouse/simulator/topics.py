"""What the community talks about, how it writes, and the harms it knows."""

from typing import Final, Literal

Topic = Literal[
    "cooking",
    "cycling",
    "astronomy",
    "gardening",
    "chess",
    "photography",
    "synths",
    "hiking",
    "woodworking",
    "tea",
    "football",
    "film",
    "languages",
    "sewing",
    "robotics",
    "city",
]
# The place of a name here is its index in every array; append new ones at the end.
TOPICS: Final[tuple[Topic, ...]] = (
    "cooking",
    "cycling",
    "astronomy",
    "gardening",
    "chess",
    "photography",
    "synths",
    "hiking",
    "woodworking",
    "tea",
    "football",
    "film",
    "languages",
    "sewing",
    "robotics",
    "city",
)
# How a post is written; people differ in which they like, whatever the topic.
ANGLES: Final = ("tip", "story", "question", "showcase")
# The categories of the moderation policy; the index is the post's hidden `harm`.
HARMS: Final = ("harassment", "hate", "sexual", "violence", "self_harm", "spam")
NO_HARM: Final = -1
# Index is the hidden `kind` of a post.
KINDS: Final = ("text", "picture", "video")
