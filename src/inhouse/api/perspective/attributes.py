"""Perspective's attributes, answered from our categories.

| attribute         | the highest of ours        | what a suggested score teaches                 |
|-------------------|----------------------------|------------------------------------------------|
| TOXICITY          | harassment, hate, violence | below 0.5 all three, else harassment           |
| SEVERE_TOXICITY   | hate, violence             | below 0.5 both, else nothing: it may be either |
| IDENTITY_ATTACK   | hate                       | hate                                           |
| INSULT            | harassment                 | harassment                                     |
| THREAT            | violence                   | violence                                       |
| SEXUALLY_EXPLICIT | sexual                     | sexual                                         |
| SPAM              | spam                       | spam                                           |
| PROFANITY         | terms listed as profanity  | nothing: the list decides                      |
| all others        | none                       | nothing                                        |

`_EXPERIMENTAL` behind a name changes nothing. PROFANITY needs a term bank of the category
`profanity` in the language; where none of its terms is found the score is 0.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PROFANITY: Final = "profanity"
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "TOXICITY": ("harassment", "hate", "violence"),
        "SEVERE_TOXICITY": ("hate", "violence"),
        "IDENTITY_ATTACK": ("hate",),
        "INSULT": ("harassment",),
        "THREAT": ("violence",),
        "SEXUALLY_EXPLICIT": ("sexual",),
        "SPAM": ("spam",),
        "PROFANITY": (PROFANITY,),
        **dict.fromkeys(
            (
                "FLIRTATION",
                "ATTACK_ON_AUTHOR",
                "ATTACK_ON_COMMENTER",
                "INCOHERENT",
                "INFLAMMATORY",
                "LIKELY_TO_REJECT",
                "OBSCENE",
                "UNSUBSTANTIAL",
                "AFFINITY",
                "ALIENATION",
                "COMPASSION",
                "CURIOSITY",
                "FEARMONGERING",
                "GENERALIZATION",
                "MORAL_OUTRAGE",
                "NUANCE",
                "PERSONAL_STORY",
                "POWER_APPEAL",
                "REASONING",
                "RESPECT",
                "SCAPEGOATING",
            ),
            (),
        ),
    }
)
_SUFFIX: Final = "_EXPERIMENTAL"
_LIKELY: Final = 0.5
_MEANS_ONE: Final = MappingProxyType({"TOXICITY": "harassment"})


def categories_of(attribute: str) -> tuple[str, ...] | None:
    """Our categories behind an attribute, none where nothing here answers it; None where there is
    no such attribute."""
    return ATTRIBUTES.get(attribute.removesuffix(_SUFFIX))


def score_of(attribute: str, p: Mapping[str, float]) -> float | None:
    """An attribute's probability; None where nobody spoke of any category behind it.

    >>> score_of("TOXICITY", {"hate": 0.75, "harassment": 0.5}), score_of("THREAT", {"hate": 0.75})
    (0.75, None)
    """
    told = [p[name] for name in categories_of(attribute) or () if name in p]
    return max(told, default=None)


def taught_by(scores: Mapping[str, float]) -> dict[str, float]:
    """What suggested scores say of our categories; the narrower attribute counts.

    >>> taught_by({"TOXICITY": 0.25, "THREAT": 0.75})
    {'harassment': 0.25, 'hate': 0.25, 'violence': 0.75}
    """
    taught: dict[str, float] = {}
    for attribute, value in sorted(scores.items(), key=lambda pair: -_width(pair[0])):
        names = categories_of(attribute) or ()
        if len(names) > 1 and value >= _LIKELY:
            one = _MEANS_ONE.get(attribute.removesuffix(_SUFFIX))
            names = (one,) if one else ()
        taught.update(dict.fromkeys((name for name in names if name != PROFANITY), value))
    return taught


def _width(attribute: str) -> int:
    return len(categories_of(attribute) or ())
