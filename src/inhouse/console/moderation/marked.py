"""A post's text with the places that signals point at, each with its reason."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from inhouse.console.markup import Safe, join, tag
from inhouse.moderation.types import Hit, place

_FORMS: Final[Mapping[str, str]] = {
    "skeleton": "letters replaced by look-alikes",
    "leet": "letters replaced by digits",
    "leet_alt": "letters replaced by digits",
}
_SIGNALS: Final[Mapping[str, str]] = {
    "links": "link",
    "shorteners": "link through a shortener",
    "emails": "e-mail address",
    "phones": "telephone number",
    "cards": "payment card number",
}

# The beginnings of signals that end in a category.
_LISTS: Final[Mapping[str, str]] = {"terms": "list", "links": "list of sites"}

Span = tuple[int, int, str]  # start, end, reason


def reason_words(hit: Hit) -> str:
    """Why a place is marked.

    >>> reason_words(Hit(signal="terms.hate", start=0, end=4, detail="slur", form="leet"))
    'hate list: “slur”, letters replaced by digits'
    >>> reason_words(Hit(signal="links.spam", start=0, end=4, detail="bad.example"))
    'spam list of sites: “bad.example”'
    """
    kind, _, category = hit.signal.partition(".")
    if kind in _LISTS and category:
        words = f"{category.replace('_', ' ')} {_LISTS[kind]}: “{hit.detail}”"
    else:
        words = f"{_SIGNALS.get(hit.signal, hit.signal)}: {hit.detail}"
    form = _FORMS.get(hit.form)
    return f"{words}, {form}" if form else words


def marked(title: str, text: str, hits: Sequence[Hit]) -> tuple[Safe, Safe]:
    """Title and text with their hits marked."""
    spans: dict[Literal["title", "text"], list[Span]] = {"title": [], "text": []}
    for hit in hits:
        field, start, end = place(title, text, hit)
        spans[field].append((start, end, reason_words(hit)))
    return mark_spans(title, spans["title"]), mark_spans(text, spans["text"])


def mark_spans(text: str, spans: Sequence[Span]) -> Safe:
    """A text with spans marked; those that overlap become one with all their reasons.

    Together the pieces are the whole text, whatever the spans are.
    """
    pieces: list[str] = []
    at = 0
    for start, end, reason in _merged(text, spans):
        pieces.append(text[at:start])
        pieces.append(tag("mark", text[start:end], title=reason))
        at = end
    return join([*pieces, text[at:]])


def _merged(text: str, spans: Sequence[Span]) -> list[Span]:
    inside = [(max(0, s), min(len(text), e), reason) for s, e, reason in spans]
    merged: list[Span] = []
    for start, end, reason in sorted(span for span in inside if span[0] < span[1]):
        if merged and start < merged[-1][1]:
            last_start, last_end, reasons = merged[-1]
            both = reasons if reason in reasons else f"{reasons}; {reason}"
            merged[-1] = (last_start, max(last_end, end), both)
        else:
            merged.append((start, end, reason))
    return merged
