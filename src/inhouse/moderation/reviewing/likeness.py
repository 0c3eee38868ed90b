"""How alike two texts read, in any language: by the groups of letters they have in common."""

from typing import Final

_LETTERS: Final = 3
_LOOKED_AT: Final = 300


def grams(text: str) -> frozenset[str]:
    """The groups of three letters at the beginning of a text, whatever its spaces and case.

    >>> sorted(grams("Ab cd"))
    [' cd', 'ab ', 'b c']
    """
    folded = " ".join(text[: 2 * _LOOKED_AT].lower().split())[:_LOOKED_AT]
    return frozenset(folded[i : i + _LETTERS] for i in range(max(1, len(folded) - _LETTERS + 1)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of all groups that both have (Jaccard 1912): 1 for the same, 0 for nothing alike.

    >>> likeness(grams("buy now"), grams("Buy  NOW"))
    1.0
    """
    return len(one & other) / len(one | other)
