"""OpenAI's thirteen categories, answered from ours.

| theirs                                          | ours       |
|-------------------------------------------------|------------|
| harassment                                      | harassment |
| hate                                            | hate       |
| self-harm                                       | self_harm  |
| sexual                                          | sexual     |
| violence                                        | violence   |
| sexual/minors                                   | child_abuse|
| harassment/threatening, hate/threatening        | none       |
| illicit, illicit/violent                        | none       |
| self-harm/intent, self-harm/instructions        | none       |
| violence/graphic                                | none       |

The narrow ones are parts of wider ones that are answered, and no model here tells them apart: what
would be a threat is found as harassment or violence. The format demands a number, so an unanswered
category is 0 and not flagged, and its empty list in `category_applied_input_types` says that nobody
looked. Our `spam` and `privacy` have no place in the format. No model here is taught `child_abuse`:
it is what banks of known pictures speak of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from inhouse.moderation.types import CHILD_ABUSE

# In the order of their documentation.
CATEGORIES: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "harassment": "harassment",
        "harassment/threatening": None,
        "hate": "hate",
        "hate/threatening": None,
        "illicit": None,
        "illicit/violent": None,
        "self-harm": "self_harm",
        "self-harm/instructions": None,
        "self-harm/intent": None,
        "sexual": "sexual",
        "sexual/minors": CHILD_ABUSE,
        "violence": "violence",
        "violence/graphic": None,
    }
)
# Their description allows these two to be null among the flags; all others must be true or false.
_NULLABLE: Final = frozenset(("illicit", "illicit/violent"))
NO_PICTURES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What is found in one input."""

    flagged: bool  # whether any category is
    categories: dict[str, bool | None]  # null where the format allows it and nobody looked
    category_scores: dict[str, float]  # probabilities; 0 where nobody looked
    # `text`, `image`, or neither where nobody looked
    category_applied_input_types: dict[str, list[str]]


def result_of(
    words: Mapping[str, float], flag_at: float, pictures: Mapping[str, float] = NO_PICTURES
) -> Result:
    """The result of what is known of an input, by our categories; the higher of both counts.

    words: what its words say; pictures: what its pictures do, 0 where somebody looked and found
    nothing.

    >>> found = result_of({"hate": 0.75}, flag_at=0.5, pictures={"violence": 0.0, "hate": 0.25})
    >>> found.flagged, found.categories["hate"], found.category_scores["hate"]
    (True, True, 0.75)
    >>> [found.category_applied_input_types[name] for name in ("hate", "violence", "sexual")]
    [['text', 'image'], ['image'], []]
    """
    looked = {"text": words, "image": pictures}
    types = {
        theirs: [kind for kind, p in looked.items() if ours in p]
        for theirs, ours in CATEGORIES.items()
    }
    scores = {
        theirs: max((looked[kind][ours] for kind in types[theirs]), default=0.0) if ours else 0.0
        for theirs, ours in CATEGORIES.items()
    }
    flags = {
        name: scores[name] >= flag_at if types[name] else (None if name in _NULLABLE else False)
        for name in CATEGORIES
    }
    return Result(
        flagged=any(flags.values()),
        categories=flags,
        category_scores=scores,
        category_applied_input_types=types,
    )
