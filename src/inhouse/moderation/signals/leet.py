"""Which figures and signs of a text stand for letters.

A run of them between letters, before two or after two is read wherever it is: h4te, 5pam, hell0. A
word that is nearly all figures has no such run, so it is judged whole, by its shape:

word     figures and letters by turns, or signs that no price has: 5h17, b17ch, 4n4l, 4$$
unclear  a letter and figures, figures and letters, figures alone: h03, 345y, 455
neither  what units, prices, sizes, years, round numbers and keys look like: 50s, $455, 3x4, 1984

What is unclear is read as a word only in a text that shows its disguise by a word that is clear:
else it is the road A55, or 455 people. What has other signs inside is a time, a date, a score, an
address, and no word: 10:45, 5-4.
"""

import re
from collections.abc import Iterator
from typing import Final

from inhouse.moderation.signals.confusables import LEET, LEET_I

_FIGURES: Final = "".join(re.escape(sign) for sign in LEET) + "1"
_ALL: Final = "".join(re.escape(sign) for sign in (*LEET, *LEET_I))
_SIGNS: Final = re.compile(f"[{_ALL}]+")


def letters_of(text: str, one: str, *, shown: bool) -> tuple[dict[int, str], bool]:
    """The places of signs that stand for letters with those letters, in order, and whether the text
    shows a disguise. one: what 1, ! and | are read as; shown: whether it showed one before."""
    places = [i for run in _SIGNS.finditer(text) for i in range(run.start(), _end(text, run))]
    if words := list(_words(text)):
        shown = shown or any(clear for _, _, clear in words)
        read = [i for start, end, clear in words if clear or shown for i in range(start, end)]
        places = sorted({*places, *(i for i in read if not _is_latin(text[i]))})
    return {i: LEET.get(text[i], one) for i in places}, shown


def disguised_words(text: str) -> int:
    """How many words clearly have signs or figures for letters: not covid19, not addresses."""
    if not _SIGNS.search(text):
        return 0
    clear = [(start, end) for start, end, clear in _words(text) if clear]
    if not _SWAPPED.search(text):
        return len(clear)
    for start, end in reversed(clear):
        text = f"{text[:start]}{text[end:]}"
    swapped = [w for w in text.split() if _SWAPPED.search(w) and not _ADDRESS.search(w)]
    return len(clear) + len(swapped)


# -- runs ----------------------------------------------------------------------------------------

_BEFORE_WORD: Final = re.compile(r"(?:^|[\s'\"#,;:.(\-])$")
_SWAPPED: Final = re.compile(r"[a-z][013457@$!|][a-z]")
_ADDRESS: Final = re.compile(r"[/.@]\S|#")


def _end(text: str, run: re.Match[str]) -> int:
    """Where the signs of a run stop standing for letters; its start where none does."""
    before = text[max(0, run.start() - 2) : run.start()]
    after = text[run.end() : run.end() + 2]
    if _is_latin(before[-1:]) and _is_latin(after[:1]):  # h4te, k!ll
        return run.end()
    if len(after) == 2 and _is_latin(after) and _BEFORE_WORD.search(before):  # 5pam, @ss
        return run.end()
    if len(before) == 2 and _is_latin(before) and not after[:1].isalnum():
        # hell0, but ! and | at the end are only that.
        return run.start() + len(run.group().rstrip(LEET_I[1:]))
    return run.start()


def _is_latin(letters: str) -> bool:
    return letters.isascii() and letters.isalpha()


# -- whole words ---------------------------------------------------------------------------------

_FIGURE: Final = re.compile(f"[{_FIGURES}]")
_MOST: Final = 20  # characters of a word; what is longer is a key
# Between spaces, and what a sentence puts around a word. No backtracking: a text may be one word.
_WHOLE: Final = re.compile(
    rf"(?<!\S)[\"'(\[{{*]*+(?=[a-z!|]*+[{_FIGURES}])([a-z{_ALL}]{{3,}}+)[\"'.,;:?)\]}}*\u2026!]*+(?!\S)"
)
_VOWEL: Final = re.compile(r"[aeiouy0134@!|\u20ac]")
_CONSONANT: Final = re.compile(r"[b-df-hj-np-tv-xz15789$!|\u00a3\u00a2]")
_CLEAR: Final = re.compile(
    rf"[a-z][{_ALL}]{{1,3}}[a-z]|[{_FIGURES}][a-z]+[{_FIGURES}]|^[a-z\d@][@$]{{1,2}}$"
)
_UNITS: Final = (
    "st|nd|rd|th|ths|am|pm|s|m|k|b|d|g|h|w|x|v|f|c|p|a|t|kg|lbs?|oz|m[lgmbp]|cc|cm|ft|mph|kp?h|kmh?"
    "|fps|[kmg]?hz|kw|[kgt]b|hrs?|hours?|days?|min(?:ute)?s?|sec(?:ond)?s?|ms|yrs?|yo|years?"
    "|yards?|bits?|ish|in|[ecmp][sd]t|k?cal|amp|deg|pcs?|gal|pt|px|dpi|miles?|usd|eur"
)
_NEITHER: Final = re.compile(
    r"[$\u20ac\u00a3\u00a2]+\d.*|\d[$\u20ac\u00a3\u00a2]|\d\d+[$\u20ac\u00a3\u00a2]+"  # prices
    r"|@[a-z\d].*"  # people
    r"|[a-z]{2,}\d+"  # mp3; what could be a word of these is a run after two letters
    rf"|\d+(?:{_UNITS})"
    r"|\d+[xv]\d+[a-z]?"  # sizes, sides
    r"|s\d+e\d+"  # seasons
    r"|1[4-9]\d\d|\d*0|\d{7,}"  # years, round numbers, telephones
    r"|[\d!|]*[!|][\d!|]*"  # tables
    r"|[\da-f]{7,}"  # hexadecimal, from short names of commits on
    r"|(.)\1+"
)


def _words(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start and end of what may be a word of figures and letters, and whether it clearly is."""
    behind = 0
    for figure in _FIGURE.finditer(text):
        at = figure.start()
        found = _WHOLE.match(text, _word_start(text, at)) if at >= behind else None
        if found is None:
            continue
        behind = found.end()
        word = found.group(1).rstrip(LEET_I[1:])
        if (
            3 <= len(word) <= _MOST
            and _VOWEL.search(word)
            and _CONSONANT.search(word)
            and not _NEITHER.fullmatch(word)
        ):
            yield found.start(1), found.start(1) + len(word), _CLEAR.search(word) is not None


def _word_start(text: str, at: int) -> int:
    """Behind the last space or line end; where none is near, a place where no word begins."""
    low = max(0, at - 2 * _MOST)
    start = max(text.rfind(" ", low, at), text.rfind("\n", low, at)) + 1
    return start or low
