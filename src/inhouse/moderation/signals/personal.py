"""Personal data in public text: e-mail addresses, telephone numbers, payment cards."""

import re
from collections.abc import Iterator
from typing import Final

from inhouse.moderation.signals.normalise import Form
from inhouse.moderation.signals.spans import Spans
from inhouse.moderation.types import Hit

_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}"
    r"(?:@| ?[\[(] ?at ?[\])] ?)"
    r"[a-z0-9-]{1,63}(?:(?:\.| ?[\[(] ?dot ?[\])] ?)[a-z0-9-]{1,63}){0,4}"
    r"(?:\.| ?[\[(] ?dot ?[\])] ?)[a-z]{2,24}\b"
)
_DIGITS: Final = re.compile(r"(?<![\w.,/-])\+?\(?\d(?:[ .()/-]{0,2}\d){6,22}(?![\w/-]|[.,]\d)")
_CARD: Final = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)")
_DATE: Final = re.compile(r"(?:19|20)\d\d[./-]\d\d?[./-]\d\d?|\d\d?[./-]\d\d?[./-](?:19|20)\d\d")
_CARD_LENGTHS: Final = {"2": (16,), "3": (14, 15, 16), "4": (13, 16, 19), "5": (16,), "6": (16, 19)}


def find_personal(plain: Form) -> list[Hit]:
    """Every find, in order. The detail names the kind, never the datum."""
    hits = [_hit(plain, "emails", *m.span()) for m in _EMAIL.finditer(plain.text)]
    cards = list(_cards(plain.text))
    hits += [_hit(plain, "cards", *span) for span in cards]
    taken = Spans(cards)
    hits += [_hit(plain, "phones", *span) for span in _phones(plain.text) if not taken.touch(*span)]
    return sorted(hits, key=lambda hit: hit.start)


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = _only_digits(match.group())
        if len(digits) in _CARD_LENGTHS.get(digits[0], ()) and passes_luhn(digits):
            yield match.span()


def passes_luhn(digits: str) -> bool:
    """The check sum of card numbers (ISO/IEC 7812-1, annex B); all-equal digits do not pass.

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    doubled = sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (doubled + sum(int(d) for d in digits[::-2])) % 10 == 0 and len(set(digits)) > 1


def _phones(text: str) -> Iterator[tuple[int, int]]:
    """Numbers written as telephone numbers: with a plus, or grouped with 9 to 15 digits."""
    for match in _DIGITS.finditer(text):
        written = match.group()
        digits = _only_digits(written)
        grouped = len(re.findall(r"\d+", written)) >= 3
        national = grouped and len(digits) >= 9 and not _DATE.search(written)
        if len(digits) <= 15 and (written.lstrip("(").startswith("+") or national):
            yield match.span()


def _only_digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _hit(plain: Form, signal: str, start: int, end: int) -> Hit:
    span = plain.span(start, end)
    return Hit(signal=signal, start=span[0], end=span[1], detail=signal, form=plain.name)
