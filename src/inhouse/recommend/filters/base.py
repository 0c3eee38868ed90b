"""What a filter is, and how a list of them is run."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Candidates, Mask, Removal, Rows

Reasons = NDArray[np.uint8]  # [n] 0 keeps, k removes for reasons[k - 1]


class Filter(Protocol):
    """Takes candidates out, each for a reason it can name."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """All that it may say, in order of their codes."""

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """A code for each item."""


class Filtered(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of filters left and took: `kept` and `removed` add up to what went in."""

    kept: Candidates
    removed: tuple[Removal, ...]


def run(filters: Sequence[Filter], moment: Moment, candidates: Candidates) -> Filtered:
    """Filters in their order; the first that removes an item names the reason. See `at_once`."""
    removed: list[Removal] = []
    items, left = candidates.items, np.arange(len(candidates))
    for each in filters:
        if not len(items):
            break
        codes = each.judge(moment, items)
        if codes.any():
            removed.extend(_removals(each, items, codes))
            kept = np.flatnonzero(codes == 0)
            items, left = items[kept], left[kept]
    if len(left) < len(candidates):
        candidates = candidates.take(left)
    return Filtered(kept=candidates, removed=tuple(removed))


def _removals(judge: Filter, items: Rows, codes: Reasons) -> list[Removal]:
    said = set(codes.tolist())
    return [
        Removal(stage=type(judge).__name__, reason=reason, items=items[codes == code])
        for code, reason in enumerate(judge.reasons, start=1)
        if code in said
    ]


def when(bad: Mask, code: int = 1) -> Reasons:
    """Codes from a mask: `code` where it is true, 0 elsewhere."""
    codes: Reasons = bad.view(np.uint8) if code == 1 else bad.view(np.uint8) * np.uint8(code)
    return codes
