"""OpenAI's thirteen categories, answered from ours.

| theirs                                          | ours       |
|-------------------------------------------------|------------|
| harassment                                      | harassment |
| hate                                            | hate       |
| self-harm                                       | self_harm  |
| sexual                                          | sexual     |
| violence                                        | violence   |
| harassment/threatening, hate/threatening        | none       |
| illicit, illicit/violent                        | none       |
| self-harm/intent, self-harm/instructions        | none       |
| sexual/minors, violence/graphic                 | none       |

The narrow ones are parts of wider ones that are answered, and no model here tells them apart: what
would be a threat is found as harassment or violence. The format demands a number, so an unanswered
category is 0 and not flagged, and its empty list in `category_applied_input_types` says that nobody
looked. Our `spam` and `privacy` have no place in the format.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

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
        "sexual/minors": None,
        "violence": "violence",
        "violence/graphic": None,
    }
)
# Their description allows these two to be null among the flags; all others must be true or false.
_NULLABLE: Final = frozenset(("illicit", "illicit/violent"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What is found in one input."""

    flagged: bool  # whether any category is
    categories: dict[str, bool | None]  # null where the format allows it and nobody looked
    category_scores: dict[str, float]  # probabilities; 0 where nobody looked
    category_applied_input_types: dict[str, list[str]]  # `text`, or nothing where nobody looked


def result_of(p: Mapping[str, float], flag_at: float) -> Result:
    """The result of what is known of an input, by our categories.

    >>> found = result_of({"hate": 0.75}, flag_at=0.5)
    >>> found.flagged, found.categories["hate"], found.category_scores["hate"]
    (True, True, 0.75)
    >>> found.categories["sexual"], found.category_applied_input_types["sexual"]
    (False, [])
    """
    known = {theirs: p.get(ours) if ours else None for theirs, ours in CATEGORIES.items()}
    flags = {name: None if p is None else p >= flag_at for name, p in known.items()}
    return Result(
        flagged=any(flags.values()),
        categories={
            name: None if flag is None and name in _NULLABLE else bool(flag)
            for name, flag in flags.items()
        },
        category_scores={name: 0.0 if p is None else p for name, p in known.items()},
        category_applied_input_types={
            name: [] if p is None else ["text"] for name, p in known.items()
        },
    )
