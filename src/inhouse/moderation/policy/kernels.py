"""Compiled: walking the rules of a policy, post by post."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Codes = NDArray[np.int8]
Numbers = NDArray[np.uint16]


class Rulebook(NamedTuple):
    """Every condition of every rule, in order."""

    which: NDArray[np.int32]  # [conditions] the number it looks at: a row of the table of numbers
    bounds: Numbers  # [conditions, 2] `low <= number < high`
    negated: NDArray[np.bool_]  # [conditions] whether it holds where the bounds do not
    groups: NDArray[np.int32]  # [groups + 1] where the conditions of each group begin
    rules: NDArray[np.int32]  # [rules + 1] where the groups of each rule begin


@njit(cache=True, nogil=True)
def holds(book: Rulebook, rule: int, values: Numbers) -> bool:
    """Whether any group of a rule holds for one post: of a group all conditions must.

    values: [numbers] of the post.
    """
    for group in range(book.rules[rule], book.rules[rule + 1]):
        held = True
        for condition in range(book.groups[group], book.groups[group + 1]):
            value = values[book.which[condition]]
            within = book.bounds[condition, 0] <= value < book.bounds[condition, 1]
            if within == book.negated[condition]:
                held = False
                break
        if held:
            return True
    return False


@njit(cache=True, nogil=True)
def first_rules(
    book: Rulebook, decides: NDArray[np.bool_], values: Numbers, nobody: int
) -> NDArray[np.int16]:
    """int16[pairs, posts]: the first rule that holds and decides there, or `nobody`.

    decides: [pairs, rules] where each rule has a say. values: [posts, numbers].
    """
    pairs, rules = decides.shape
    found = np.full((pairs, len(values)), nobody, np.int16)
    for post in range(len(values)):
        open_pairs = pairs
        for rule in range(rules):
            if open_pairs == 0:
                break
            if not holds(book, rule, values[post]):
                continue
            for pair in range(pairs):
                if decides[pair, rule] and found[pair, post] == nobody:
                    found[pair, post] = rule
                    open_pairs -= 1
    return found


@njit(cache=True, nogil=True)
def all_rules(book: Rulebook, values: Numbers) -> NDArray[np.bool_]:
    """bool[rules, posts]: which rules hold. values: [posts, numbers]."""
    rules = len(book.rules) - 1
    held = np.zeros((rules, len(values)), np.bool_)
    for post in range(len(values)):
        for rule in range(rules):
            held[rule, post] = holds(book, rule, values[post])
    return held
