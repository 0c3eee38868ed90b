"""Which spans of a text lie over which, in logarithmic time however many there are."""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


class Spans:
    """Spans (start, end), which may overlap.

    >>> spans = Spans([(2, 5), (8, 9)])
    >>> spans.cover(2, 4), spans.cover(4, 6), spans.touch(4, 6), spans.touch(5, 8)
    (True, False, True, False)
    """

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        # The furthest end among the spans up to this one.
        self._ends = list(accumulate((end for _, end in ordered), max))

    def cover(self, start: int, end: int) -> bool:
        """Whether one of them contains [start, end)."""
        return self._furthest(start) >= end

    def touch(self, start: int, end: int) -> bool:
        """Whether one of them shares a character with [start, end)."""
        return self._furthest(end - 1) > start

    def _furthest(self, start: int) -> int:
        count = bisect_right(self._starts, start)
        return self._ends[count - 1] if count else -1
