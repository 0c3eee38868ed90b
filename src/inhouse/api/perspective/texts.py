"""The words of a comment, and the way back from them to the places a client knows."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_SPANS: Final = 500  # what is left of a longer comment is one span

# A line ends where these begin or end; other tags may stand inside a word.
_BLOCKS: Final = re.compile(
    "address|article|aside|blockquote|br|d[dlt]|div|figure|footer|h[1-6r]|header|li|main|nav|ol|p|"
    "pre|section|table|t[dhr]|ul"
)
_UNSEEN: Final = frozenset(("script", "style"))
_TAG: Final = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_MARK: Final = re.compile("[<&]")
_ENTITY: Final = re.compile(r"&#?[0-9A-Za-z]{1,31};")
_BOUNDARY: Final = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What a reader sees. Character i of it came from original[starts[i]:ends[i]]."""

    text: str
    starts: list[int]
    ends: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of text[start:end]."""
        if start == end:
            return (0, 0)
        return self.starts[start], self.ends[end - 1]


def words_of(text: str, *, is_html: bool) -> Words:
    """The words of a comment; of HTML what a reader sees of it."""
    if not is_html:
        places = range(len(text) + 1)
        return Words(text=text, starts=list(places[:-1]), ends=list(places[1:]))
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for start, end, seen in _pieces(text):
        pieces.append(seen)
        plain = len(seen) == end - start
        starts += range(start, end) if plain else [start] * len(seen)
        ends += range(start + 1, end + 1) if plain else [end] * len(seen)
    return Words(text="".join(pieces), starts=starts, ends=ends)


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, without the spaces around it, in order.

    >>> sentences("One. Two!  And 3.5")
    [(0, 4), (5, 9), (11, 18)]
    """
    spans: list[tuple[int, int]] = []
    at = 0
    for match in _BOUNDARY.finditer(text):
        if len(spans) == MOST_SPANS - 1:
            break
        spans += _trimmed(text, at, match.start())
        at = match.end()
    return [*spans, *_trimmed(text, at, len(text))]


def _trimmed(text: str, start: int, end: int) -> list[tuple[int, int]]:
    part = text[start:end]
    words = part.strip()
    if not words:
        return []
    start += len(part) - len(part.lstrip())
    return [(start, start + len(words))]


def _pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """Parts of HTML in order: start, end, and what is seen of them. Linear in the length: an end
    that was looked for in vain is not looked for again."""
    missing: set[str] = set()

    def closing(end: str, at: int) -> int:
        """Behind the next `end`; 0 where there is none."""
        found = -1 if end in missing else text.find(end, at)
        if found < 0:
            missing.add(end)
            return 0
        return found + len(end)

    at = 0
    while (match := _MARK.search(text, at)) is not None:
        mark = match.start()
        yield at, mark, text[at:mark]
        if text[mark] == "&":
            entity = _ENTITY.match(text, mark)
            at = entity.end() if entity else mark + 1
            yield mark, at, html.unescape(text[mark:at])
        elif text.startswith("<!--", mark) and (end := closing("-->", mark)):
            at = end
        else:
            tag = _TAG.match(text, mark)
            end = closing(">", mark) if tag or text.startswith("<!", mark) else 0
            name = tag[1].lower() if tag else ""
            if end and name in _UNSEEN and text[mark + 1] != "/":
                end = closing(f"</{name}>", end) or end
            at = end or mark + 1
            seen = "\n" if _BLOCKS.fullmatch(name) else ""
            yield mark, at, seen if end else "<"
    yield at, len(text), text[at:]
