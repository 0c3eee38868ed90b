"""Term banks: words and phrases by category and language, looked for in every form of a text.

A bank is a text file of directives and terms, one a line:

    # a remark
    category: spam
    language: en
    p: 0.8
    buy followers        a phrase; words are bounded
    freebie*             whatever begins with it
    ! followers of       do not match: a hit inside this phrase does not count

or a CSV file with the columns term, category and, where wanted, language, p and keep (`no` makes
the line a do-not-match phrase).
"""

import csv
import hashlib
import io
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import ahocorasick

from inhouse.core.errors import SettingError
from inhouse.moderation.faults import FileFault, did_you_mean, refuse
from inhouse.moderation.signals.normalise import Form, Forms, read_forms
from inhouse.moderation.signals.spans import Spans
from inhouse.moderation.types import Hit

_DIRECTIVES: Final = ("category", "language", "p")
_COLUMNS: Final = ("term", "category", "language", "p", "keep")
_DEFAULT_P: Final = "0.8"
_P_HINT: Final = "expected a number above 0 and at most 1, as 0.8"
_LEAST_DISGUISED: Final = 3  # letters of a spelling that only a disguise leads to
_LEAST_COMPACT: Final = 8  # letters of a phrase from which it is found without its spaces too


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word or phrase that counts, or one inside which nothing counts."""

    text: str  # as written, without the star
    category: str  # of the policy
    language: str | None = None  # BCP 47; None for any. See `speaks`
    p: float = 0.8  # probability that a post with it belongs to the category
    prefix: bool = False  # whether longer words that begin with it count too
    matches: bool = True  # False for a do-not-match phrase

    def speaks(self, language: str | None) -> bool:
        """Whether it means in a text of that language what the bank says. A single word may mean
        something else in another language; a phrase of several does not."""
        if self.language is None or language is None or " " in self.text:
            return True
        return _primary(self.language) == _primary(language)


@dataclass(frozen=True, kw_only=True, slots=True)
class TermBank:
    """Terms from one file."""

    name: str  # the file's name without its ending
    terms: tuple[Term, ...]

    @property
    def version(self) -> str:
        """Changes with the content."""
        digest = hashlib.blake2b(repr(self.terms).encode(), digest_size=6).hexdigest()
        return f"{self.name}-{digest}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TermHit:
    """A term found."""

    term: Term
    bank: str
    hit: Hit


def _primary(language: str) -> str:
    """The language of a tag without script and region: `pt` of `pt-BR`."""
    return language.replace("_", "-").partition("-")[0].lower()


class TermIndex:
    """All banks in one automaton: the time of a look-up does not grow with the number of terms."""

    def __init__(self, banks: Sequence[TermBank]) -> None:
        self._terms = [(bank.name, term) for bank in banks for term in bank.terms]
        # One term of each category and language, and one phrase, which counts in any.
        self._samples = {
            (term.category, term.language, " " in term.text): term
            for _, term in self._terms
            if term.matches
        }.values()
        keys: dict[str, list[tuple[int, bool]]] = {}
        for number, (_, term) in enumerate(self._terms):
            for key, only_disguised in _keys(term).items():
                keys.setdefault(key, []).append((number, only_disguised))
        self._automaton = ahocorasick.Automaton()
        for key, numbers in keys.items():
            self._automaton.add_word(key, (key, tuple(numbers)))
        self._automaton.make_automaton()
        self._empty = not keys

    def __len__(self) -> int:
        return len(self._terms)

    def lists(self, category: str, language: str | None) -> bool:
        """Whether a term of the category counts in a text of the language."""
        return any(t.category == category and t.speaks(language) for t in self._samples)

    def find(self, forms: Forms, language: str | None = None) -> list[TermHit]:
        """Every term of a text in that language (None: unknown), once a place; the least disguised
        form names it."""
        if self._empty:
            return []
        found: dict[tuple[int, int, int], TermHit] = {}
        for form in forms.distinct():
            for number, start, end in self._matches(form, forms.plain):
                bank, term = self._terms[number]
                if not term.speaks(language):
                    continue
                span = form.span(start, end)
                hit = Hit(
                    signal=f"terms.{term.category}",
                    start=span[0],
                    end=span[1],
                    detail=term.text,
                    form=form.name,
                )
                found.setdefault((number, *span), TermHit(term=term, bank=bank, hit=hit))
        return _without_excused(list(found.values()))

    def _matches(self, form: Form, plain: Form) -> Iterator[tuple[int, int, int]]:
        for last, (key, values) in self._automaton.iter(form.text):
            start, end = last + 1 - len(key), last + 1
            if not _bounded(form, start):
                continue
            whole = _bounded(form, end)
            for number, only_disguised in values:
                if only_disguised and _stands_so(plain, form.span(start, end), key):
                    continue
                if whole:
                    yield number, start, end
                elif self._terms[number][1].prefix:
                    yield number, start, _word_end(form.text, end)


def _keys(term: Term) -> dict[str, bool]:
    """The spellings to look for, and whether each counts only where the text was in disguise.

    The term with and without accents, and long phrases without their spaces. A term with figures
    of its own (`f4f`) is looked for as `faf` too, but only where somebody wrote it in disguise.
    A do-not-match phrase is looked for as it is written: `año` excuses nobody's `ano`.
    """
    forms = read_forms(term.text)
    plain, bare = forms.plain.text.strip(), forms.skeleton.text.strip()
    if not term.matches:
        return {plain: False} if plain else {}
    open_keys = {plain, bare}
    for key in (plain, bare):
        compact = key.replace(" ", "")
        if len(compact) >= _LEAST_COMPACT:
            open_keys.add(compact)
    disguised = {forms.leet.text.strip(), forms.leet_alt.text.strip()} - open_keys
    keys = dict.fromkeys(open_keys, False)
    keys.update({key: True for key in disguised if len(key) >= _LEAST_DISGUISED})
    return {key: value for key, value in keys.items() if key}


def _stands_so(plain: Form, span: tuple[int, int], key: str) -> bool:
    """Whether the undisguised text reads `key` at this place of the original."""
    start, end = bisect_left(plain.starts, span[0]), bisect_left(plain.starts, span[1])
    return plain.text[start:end] == key


def _word_end(text: str, at: int) -> int:
    while at < len(text) and text[at].isalnum():
        at += 1
    return at


def _bounded(form: Form, at: int) -> bool:
    """Whether a word may begin or end between the characters before and after `at`."""
    if at == 0 or at == len(form.text):
        return True
    before, after = form.text[at - 1], form.text[at]
    if not before.isalnum() or not after.isalnum():
        return True
    return _runs_on(before) or _runs_on(after) or form.starts[at] in form.seams


@lru_cache(maxsize=16_384)
def _runs_on(character: str) -> bool:
    """Whether the script puts no spaces between words: Thai to Khmer, Chinese, Japanese."""
    code = ord(character)
    return (
        0x0E00 <= code < 0x10A0
        or 0x1780 <= code < 0x1800
        or 0x3040 <= code < 0xA4D0
        or code >= 0x20000
    )


def _without_excused(hits: list[TermHit]) -> list[TermHit]:
    """The hits that count and that no do-not-match phrase covers."""
    excuses = Spans((h.hit.start, h.hit.end) for h in hits if not h.term.matches)
    return [
        found
        for found in hits
        if found.term.matches and not excuses.cover(found.hit.start, found.hit.end)
    ]


# -- files ---------------------------------------------------------------------------------------


def load_bank(path: Path) -> TermBank:
    """A bank from a `.txt` or `.csv` file. Raises SettingError that lists every fault."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read the term bank {path}: {error}") from error
    return read_bank(path.stem, str(path), text)


def read_bank(name: str, file: str, text: str) -> TermBank:
    """A bank from its text; the file's ending says which format."""
    faults: list[FileFault] = []
    rows = _csv_terms if file.endswith(".csv") else _text_terms
    terms = tuple(rows(file, text, faults))
    if faults:
        raise refuse(f"the term bank {file}", faults)
    return TermBank(name=name, terms=terms)


def shipped_banks() -> list[TermBank]:
    """The mild example banks in the package, to be replaced by a community's own."""
    folder = Path(__file__).parent / "banks"
    return [load_bank(path) for path in sorted(folder.glob("*.txt"))]


def _text_terms(file: str, text: str, faults: list[FileFault]) -> Iterator[Term]:
    given = {"category": "", "language": "", "p": _DEFAULT_P}
    for line, source in enumerate(text.splitlines(), 1):
        words = source.strip()
        name, _, value = (part.strip() for part in words.partition(": "))
        if not words or words.startswith("#"):
            continue
        if value and name.isalpha():
            problem = _directive_problem(name, value)
            if problem is None:
                given[name] = value
            else:
                faults.append(_fault(file, line, source, *problem))
            continue
        row = {**given, "term": words.removeprefix("!").strip()}
        row["keep"] = "no" if words.startswith("!") else "yes"
        yield from _term(file, line, source, row, faults)


def _directive_problem(name: str, value: str) -> tuple[str, str] | None:
    if name not in _DIRECTIVES:
        return f"unknown directive `{name}`", did_you_mean(name, _DIRECTIVES)
    if name == "p" and _probability(value) is None:
        return f"p is `{value}`", _P_HINT
    return None


def _csv_terms(file: str, text: str, faults: list[FileFault]) -> Iterator[Term]:
    rows = csv.DictReader(io.StringIO(text))
    lines = text.splitlines() or [""]
    header = rows.fieldnames or []
    for column in header:
        if column not in _COLUMNS:
            hint = did_you_mean(column, _COLUMNS)
            faults.append(_fault(file, 1, lines[0], f"unknown column `{column}`", hint))
    for column in {"term", "category"}.difference(header):
        message = f"the column `{column}` is missing"
        hint = "begin the file with a line `term,category`"
        faults.append(_fault(file, 1, lines[0], message, hint))
    if faults:
        return
    for row in rows:
        source = lines[min(rows.line_num, len(lines)) - 1]
        yield from _term(file, rows.line_num, source, row, faults)


def _term(
    file: str, line: int, source: str, row: dict[str, Any], faults: list[FileFault]
) -> Iterable[Term]:
    """One term, or none and a fault."""
    written = (row["term"] or "").strip()
    keep = (row.get("keep") or "yes").strip().lower()
    p = _probability(row.get("p") or _DEFAULT_P)
    term = Term(
        text=written.removesuffix("*").strip(),
        category=(row["category"] or "").strip(),
        language=(row.get("language") or "").strip() or None,
        p=p or 0.0,
        prefix=written.endswith("*"),
        matches=keep == "yes",
    )
    problem = _problem(term, keep)
    if problem is not None:
        faults.append(_fault(file, line, source, *problem))
        return []
    return [term]


def _problem(term: Term, keep: str) -> tuple[str, str] | None:
    """What is wrong with a term and what to do, or None."""
    if not _keys(term):
        return "the term is empty", "write a word or a phrase, or remove the line"
    if len(term.text) < 2 and not _runs_on(term.text):
        return f"the term `{term.text}` is one letter", "give at least two letters"
    if keep not in ("yes", "no"):
        return f"keep is `{keep}`", "expected one of: no, yes"
    if term.matches and not term.category:
        return f"the term `{term.text}` has no category", "name one: `category: NAME` above it"
    if term.p == 0.0:
        return f"p of the term `{term.text}` is not a probability", _P_HINT
    return None


def _probability(text: str) -> float | None:
    try:
        p = float(text)
    except ValueError:
        return None
    return p if math.isfinite(p) and 0.0 < p <= 1.0 else None


def _fault(file: str, line: int, source: str, message: str, hint: str) -> FileFault:
    column = len(source) - len(source.lstrip()) + 1
    return FileFault(file=file, line=line, column=column, source=source, message=message, hint=hint)
