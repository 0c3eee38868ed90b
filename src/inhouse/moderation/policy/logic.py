"""Any of these, all of those, none of that: conditions put together."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

from inhouse.moderation.policy.match import When

ALWAYS: When = ((),)


def both(first: When, second: When) -> When:
    """What holds where both do.

    >>> from inhouse.moderation.policy.match import Condition
    >>> links, cards = (Condition(kind="count", name=n, low=1) for n in ("links", "cards"))
    >>> both(((links,),), ((cards,),)) == ((links, cards),)
    True
    """
    return tuple((*one, *other) for one, other in product(first, second))


def everything(parts: Iterable[When]) -> When:
    """What holds where all of them do."""
    whole = ALWAYS
    for part in parts:
        whole = both(whole, part)
    return whole


def neither(when: When) -> When:
    """What holds where `when` does not: of each of its groups some condition fails."""
    groups = (tuple((replace(c, negated=not c.negated),) for c in group) for group in when)
    return everything(groups)
