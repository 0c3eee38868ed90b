"""Several readings of one text, each with offsets into the original, which is never changed.

plain     NFKC and case folded, invisible characters gone, one space between words
skeleton  plain, with look-alikes and accents of Latin letters folded to the bare letter
leet      skeleton, with h4te, s p a m and spaaaam undone (1 read as i, a stretched letter as one);
          which signs are letters is told in `leet`
leet_alt  the same with 1 read as l and a stretched letter as two

Only words that are Latin, or pretend to be, are folded: text in other scripts stays itself.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from inhouse.moderation.signals.confusables import (
    CAPITALS,
    ENCLOSED,
    LATIN_VARIANTS,
    LOOKALIKES,
    TWINS,
)
from inhouse.moderation.signals.leet import disguised_words, letters_of

FORM_NAMES: Final = ("plain", "skeleton", "leet", "leet_alt")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A reading of a text. Character i of it came from original[starts[i]:ends[i]]."""

    name: str  # one of FORM_NAMES
    text: str
    starts: Sequence[int]  # never falls
    ends: Sequence[int]  # never falls; ends[i] > starts[i]
    seams: frozenset[int] = field(default=frozenset())  # originals where a separator was taken out

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of text[start:end], which is not empty."""
        return self.starts[start], self.ends[end - 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forms:
    """The readings of one text."""

    plain: Form
    skeleton: Form
    leet: Form
    leet_alt: Form
    invisible: int  # runs of invisible characters between letters of alphabets that need none
    mixed: int  # words that mix Latin letters with look-alikes
    swapped: int  # words with signs or figures for letters: h4te, 5h17, not covid19, not addresses

    def distinct(self) -> list[Form]:
        """The forms whose texts differ, the least disguised first."""
        seen: dict[str, Form] = {}
        for form in (self.plain, self.skeleton, self.leet, self.leet_alt):
            seen.setdefault(form.text, form)
        return list(seen.values())


Edit = tuple[int, int, str]  # start and end in the form's text, and what stands there instead


def read_forms(text: str) -> Forms:
    """Every form of a text."""
    plain = plain_of(text)
    skeleton, mixed = _skeleton(plain, text)
    leet, ambiguous = _unfold(skeleton, text, "leet")
    return Forms(
        plain=plain,
        skeleton=skeleton if skeleton is plain else replace(skeleton, name="skeleton"),
        leet=leet,
        leet_alt=_unfold(skeleton, text, "leet_alt")[0] if ambiguous else leet,
        invisible=0 if text.isascii() else len(_HIDDEN_IN_WORD.findall(text)),
        mixed=mixed,
        swapped=disguised_words(skeleton.text),
    )


# -- plain ---------------------------------------------------------------------------------------

_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN: Final = re.compile(f"[{_INVISIBLE}]")
_ALPHABETIC: Final = "0-9A-Za-z\u00c0-\u024f\u0370-\u052f"
_HIDDEN_IN_WORD: Final = re.compile(f"(?<=[{_ALPHABETIC}])[{_INVISIBLE}]+(?=[{_ALPHABETIC}])")
# Besides marks, these melt with the character before: Hangul vowels and finals, sound marks.
_JOINING: Final = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb\uff9e-\uffdc]")
_NOT_ASCII: Final = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")
_GAP: Final = re.compile(r"\s{2,}|[^\S \n]|\n")
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def plain_of(text: str) -> Form:
    """The plain reading alone."""
    lower = text.translate(_LOWER) if not text.isascii() else text.lower()
    form = Form(
        name="plain",
        text=lower,
        starts=list(range(len(text))),
        ends=list(range(1, len(text) + 1)),
    )
    if not lower.isascii():
        form = _edited(form, [(m.start(), m.end(), "") for m in _HIDDEN.finditer(lower)])
        while edits := _folded_clusters(form.text):
            form = _edited(form, edits)
    return _edited(form, _gap_edits(form.text))


def _gap_edits(text: str) -> list[Edit]:
    """One space between words, two line ends between paragraphs."""
    if text.isprintable() and "  " not in text:
        return []
    return [
        (m.start(), m.end(), new)
        for m in _GAP.finditer(text)
        if (new := "\n\n" if m.group().count("\n") > 1 else " ") != m.group()
    ]


def _folded_clusters(text: str) -> list[Edit]:
    """NFKC and case folding, cluster by cluster, so that every offset is known."""
    return [
        (start, end, folded)
        for run in _NOT_ASCII.finditer(text)
        if _folded(run.group()) != run.group()
        for start, end in _clusters(text, run.start(), run.end())
        if (folded := _folded_cluster(text[start:end])) != text[start:end]
    ]


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    first = start
    for i in range(start + 1, end):
        if not _joins(text[i]):
            yield first, i
            first = i
    yield first, end


@lru_cache(maxsize=65_536)
def _joins(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or bool(_JOINING.match(character))


@lru_cache(maxsize=65_536)
def _folded_short(cluster: str) -> str:
    return _folded(cluster)


def _folded_cluster(cluster: str) -> str:
    # Stacks of marks are not worth remembering.
    return _folded_short(cluster) if len(cluster) <= 4 else _folded(cluster)


def _folded(text: str) -> str:
    # Twice: bold 𝐀 becomes a capital by NFKC, and ligatures fall apart by case folding.
    once = unicodedata.normalize("NFKC", text.casefold())
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", once.casefold()))


# -- skeleton ------------------------------------------------------------------------------------

_WORD: Final = re.compile(r"\w+")
_LATIN_WORD: Final = re.compile(r"\b[a-z]+\b")
_LATIN_LETTER: Final = re.compile("[a-z]")
_GREEK_CYRILLIC: Final = "\u0370-\u052f"
_FOREIGN: Final = re.compile(f"[{_GREEK_CYRILLIC}]")
_OWN: Final = re.compile(f"(?![{''.join(TWINS)}])[{_GREEK_CYRILLIC}]")
# Where an accent or another drawing of a Latin or Greek letter may be: not in Cyrillic, Semitic,
# Indic and East Asian letters, nor in general punctuation.
_DRESSED: Final = re.compile(
    "[^\x00-\x7f\u0400-\u052f\u0590-\u1cff\u2010-\u205e\u3001-\u9fff\uac00-\ud7a3]"
)


def _skeleton(form: Form, original: str) -> tuple[Form, int]:
    """The form without look-alikes, and how many words mixed them with Latin letters."""
    if form.text.isascii():
        return form, 0
    form = _edited(form, _bare_edits(form.text))
    form = _edited(form, _gap_edits(form.text))
    mixed = [word for word in _foreign_words(form.text) if _LATIN_LETTER.search(word.group())]
    form = _edited(form, _lookalike_edits(form, mixed, original))
    twins = [word for word in _foreign_words(form.text) if not _OWN.search(word.group())]
    if twins and _mostly_latin(form.text):
        form = _edited(form, _lookalike_edits(form, twins, original))
    return form, len(mixed)


def _foreign_words(text: str) -> list[re.Match[str]]:
    """Words with a Greek or Cyrillic letter, in a text that has Latin letters too."""
    if not _FOREIGN.search(text) or not _LATIN_LETTER.search(text):
        return []
    return [word for word in _WORD.finditer(text) if _FOREIGN.search(word.group())]


def _bare_edits(text: str) -> list[Edit]:
    """Accents off Latin letters, and Latin letters drawn differently to the usual ones."""
    return [
        (m.start(), m.end(), bare)
        for m in _DRESSED.finditer(text)
        if (bare := _bare(m.group())) != m.group()
    ]


@lru_cache(maxsize=16_384)
def _bare(character: str) -> str:
    if "\u0300" <= character <= "\u036f":
        return ""  # a mark stacked so high that no composed letter has it
    if character in ENCLOSED:
        return ENCLOSED[character]
    base = unicodedata.normalize("NFD", character)[0]
    letter = LATIN_VARIANTS.get(base, base)
    if letter.isascii() and letter.isalpha():
        return letter
    # Greek with an accent counts as Greek without; й is a letter of its own and stays.
    return base if "\u0370" <= base <= "\u03ff" else character


def _lookalike_edits(form: Form, words: Sequence[re.Match[str]], original: str) -> list[Edit]:
    return [
        (i, i + 1, CAPITALS.get(original[form.starts[i]], LOOKALIKES[character]))
        for word in words
        for i, character in enumerate(word.group(), word.start())
        if character in LOOKALIKES
    ]


def _mostly_latin(text: str) -> bool:
    latin = sum(len(word) for word in _LATIN_WORD.findall(text))
    own = sum(len(word) for word in _WORD.findall(text) if _OWN.search(word))
    return latin > own


# -- leet ----------------------------------------------------------------------------------------

# Single characters of one script with a separator between: s p a m, s.p.a.m, s - p - a - m.
_SPACED: Final = re.compile(
    r"(?<![^\W_])(?:"
    + "|".join(
        rf"[{script}](?:(?: ?[.\-_*·~/] ?| )[{script}]){{2,}}"
        for script in (
            "a-z0-9@$!|",
            "\u0370-\u052f",
            "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3",
        )
    )
    + r")(?![^\W_])"
)
_SEPARATOR: Final = re.compile(r" ?[.\-_*·~/] ?| ")
_MAYBE_SPACED: Final = re.compile(r"[ .\-_*·~/]\w[ .\-_*·~/]")
_STRETCHED: Final = re.compile(r"([a-z])\1{2,}")


def _unfold(skeleton: Form, original: str, name: str) -> tuple[Form, bool]:
    """Undo disguises until nothing changes, and whether another reading was possible. Every step
    shortens the text or turns a sign into a Latin letter, so this ends."""
    form = Form(name=name, text=skeleton.text, starts=skeleton.starts, ends=skeleton.ends)
    one, most = ("i", 1) if name == "leet" else ("l", 2)
    ambiguous = shown = False
    while True:
        before = form.text
        form = _joined(form, original)
        leet, shown = letters_of(form.text, one, shown=shown)
        ambiguous = ambiguous or one in leet.values()
        form = _edited(form, [(i, i + 1, letter) for i, letter in leet.items()])
        stretched = _stretched_edits(form.text, most)
        form = _edited(form, stretched)
        form = _skeleton(form, original)[0]
        ambiguous = ambiguous or bool(stretched)
        if form.text == before:
            return form, ambiguous


def _joined(form: Form, original: str) -> Form:
    if not _MAYBE_SPACED.search(form.text):
        return form
    edits = [
        (start, end, "")
        for run in _SPACED.finditer(form.text)
        for start, end in _gaps(form, run, original)
    ]
    return _edited(form, edits, form.seams | {form.starts[end] for _, end, _ in edits})


def _gaps(form: Form, run: re.Match[str], original: str) -> list[tuple[int, int]]:
    """What stands between the letters of a word, not between words: c h e a p  p i l l s has wider
    spaces where its words end, and c.h.e.a.p p.i.l.l.s has spaces there alone."""
    gaps = [
        (run.start() + gap.start(), run.start() + gap.end())
        for gap in _SEPARATOR.finditer(run.group())
    ]
    wide = {gap for gap in gaps if _is_wide(form, gap[0], original)}
    inside: list[tuple[int, int]] = []
    for word in _cut(gaps, wide):
        signs = any(form.text[start:end].strip() for start, end in word)
        spaces = {(start, end) for start, end in word if form.text[start:end] == " "}
        inside += [gap for piece in _cut(word, spaces if signs else set()) for gap in piece]
    return inside


def _cut(gaps: list[tuple[int, int]], ends: set[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Gaps in a row, cut where words end; in one piece where a cut would leave a letter alone."""
    pieces: list[list[tuple[int, int]]] = [[]]
    for gap in gaps:
        if gap in ends:
            pieces.append([])
        else:
            pieces[-1].append(gap)
    return pieces if all(pieces) else [gaps]


def _is_wide(form: Form, place: int, original: str) -> bool:
    """Whether a space of the form was more than one in the original."""
    if form.text[place] != " ":
        return False
    start, end = form.span(place, place + 1)
    return end - start > 1 and not original[start:end].strip()


def _stretched_edits(text: str, most: int) -> list[Edit]:
    return [
        (m.start(), m.end(), m.group(1) * most)
        for m in _STRETCHED.finditer(text)
        if len(m.group()) > most
    ]


# -- edits ---------------------------------------------------------------------------------------


def _edited(form: Form, edits: Sequence[Edit], seams: frozenset[int] | None = None) -> Form:
    """A form with parts replaced; each new character came from all that it replaced."""
    if not edits:
        return form
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for start, end, new in edits:
        pieces += (form.text[last:start], new)
        starts += form.starts[last:start]
        ends += form.ends[last:start]
        starts += [form.starts[start]] * len(new)
        ends += [form.ends[end - 1]] * len(new)
        last = end
    pieces.append(form.text[last:])
    return Form(
        name=form.name,
        text="".join(pieces),
        starts=[*starts, *form.starts[last:]],
        ends=[*ends, *form.ends[last:]],
        seams=form.seams if seams is None else seams,
    )
