"""Patterns of banks: only such as take time in proportion to the text, whatever it is.

They are RE2's, which has neither back-references nor look-around, and so no pattern and no text
that would keep it busy for minutes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import re2

MOST_CHARS: Final = 500  # of a pattern
_MOST_MEMORY: Final = 1 << 20  # bytes of one pattern's program
_SET_MEMORY: Final = 1 << 28  # of all together
_MOST_HITS: Final = 100  # of one pattern in one text


class PatternSet:
    """Many patterns, looked for in one pass; those that are there are then asked where."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Patterns that `pattern_problem` has nothing to say against."""
        self._each = [re2.compile(pattern, _options(_MOST_MEMORY)) for pattern in patterns]
        self._all = re2.Set.SearchSet(_options(_SET_MEMORY))
        for pattern in patterns:
            self._all.Add(pattern)
        if patterns:
            self._all.Compile()

    def find(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Start, end and number of every match that is not empty, the first hundred of each."""
        if not self._each or not text:
            return
        for number in self._all.Match(text) or ():
            for turn, match in enumerate(self._each[number].finditer(text)):
                if turn == _MOST_HITS:
                    break
                if match.end() > match.start():
                    yield match.start(), match.end(), number


def pattern_problem(pattern: str) -> tuple[str, str] | None:
    """What is wrong with a pattern and what to do, or None."""
    if not pattern or len(pattern) > MOST_CHARS:
        return f"a pattern of {len(pattern)} characters", f"expected 1 to {MOST_CHARS}"
    try:
        program = re2.compile(pattern, _options(_MOST_MEMORY))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else b""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        return f"the pattern cannot be read: {words}", "patterns are RE2's, see its syntax page"
    if program.search("") is not None:
        return "the pattern finds nothing at all everywhere", "let it ask for one character or more"
    return None


def site_of(written: str) -> str:
    """A site as links are held against it: host and path, without what stands before them.

    >>> site_of("https://www.Bad.Example/Shop/")
    'bad.example/shop'
    """
    address = written.strip().casefold()
    if "://" in address:
        try:
            parts = urlsplit(address)
        except ValueError:
            return address
        address = f"{parts.netloc}{parts.path}"
    return address.removeprefix("www.").rstrip("/")


def _options(most_memory: int) -> Any:
    options = re2.Options()
    options.max_mem, options.log_errors, options.case_sensitive = most_memory, False, False
    return options
