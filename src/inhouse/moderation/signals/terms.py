"""Term banks: words and phrases by category and language, looked for in every form of a text.

A bank is a text file of directives and terms, one a line:

    # a remark
    category: spam
    language: en
    p: 0.8
    buy followers        a phrase; words are bounded
    freebie*             whatever begins with it
    ! followers of       do not match: a hit inside this phrase does not count
    re: (?:cheap|free) \\w+ pills    a pattern, in RE2's syntax, on the text in small letters
    site: bad.example    links to it and to what is below it; with a path, to that part alone
    ! site: ok.bad.example

or a CSV file with the columns term, category and, where wanted, language, p, keep (`no` makes
the line a do-not-match phrase or site) and kind (term, re or site).
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from inhouse.core.errors import SettingError
from inhouse.core.faults import FileFault, did_you_mean, refuse
from inhouse.moderation.signals.normalise import read_forms
from inhouse.moderation.signals.patterns import pattern_problem, site_of

_DIRECTIVES: Final = ("category", "language", "p")
_COLUMNS: Final = ("term", "category", "language", "p", "keep", "kind")
TermKind = Literal["term", "re", "site"]
KINDS: Final[tuple[TermKind, ...]] = get_args(TermKind)
_DEFAULT_P: Final = "0.8"
_P_HINT: Final = "expected a number above 0 and at most 1, as 0.8"
_SITE: Final = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{1,62}(?:/\S{0,400})?")
# Scripts without spaces between words, by code points: Thai to Khmer, Chinese, Japanese.
RUNNING: Final = ((0x0E00, 0x10A0), (0x1780, 0x1800), (0x3040, 0xA4D0), (0x20000, 0x110000))
_LEAST_DISGUISED: Final = 3  # letters of a spelling that only a disguise leads to
_LEAST_COMPACT: Final = 8  # letters of a phrase from which it is found without its spaces too
# Plain English words, which most lists of millions consist of, are their own forms; but for those
# that would be unfolded: stretched letters, letters that stand alone.
_SIMPLE: Final = re.compile(r"[A-Za-z]+(?: [A-Za-z]+)*")
_UNFOLDS: Final = re.compile(r"([a-z])\1\1|(?<![a-z])[a-z](?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """A word or phrase that counts, or one inside which nothing counts."""

    text: str  # as written, without the star
    kind: TermKind = "term"  # or a pattern, or a site that links lead to
    category: str  # of the policy
    language: str | None = None  # BCP 47; None for any. See `speaks`
    p: float = 0.8  # probability that a post with it belongs to the category
    prefix: bool = False  # whether longer words that begin with it count too
    matches: bool = True  # False for a do-not-match phrase or site

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
        digest = hashlib.blake2b(digest_size=6)
        for term in self.terms:
            facts = (term.kind, term.category, term.language, term.p, term.prefix, term.matches)
            digest.update(f"{term.text}\0{facts}\n".encode("utf-8", "surrogatepass"))
        return f"{self.name}-{digest.hexdigest()}"


def _primary(language: str) -> str:
    """The language of a tag without script and region: `pt` of `pt-BR`."""
    return language.replace("_", "-").partition("-")[0].lower()


def keys_of(term: Term) -> dict[str, bool]:
    """The spellings to look for, and whether each counts only where the text was in disguise.

    The term with and without accents, and long phrases without their spaces. A term with figures
    of its own (`f4f`) is looked for as `faf` too, but only where somebody wrote it in disguise.
    A do-not-match phrase is looked for as it is written: `año` excuses nobody's `ano`.
    """
    if _SIMPLE.fullmatch(term.text) and not _UNFOLDS.search(term.text):
        plain = bare = term.text.lower()
        leet = leet_alt = plain
    else:
        forms = read_forms(term.text)
        plain, bare = forms.plain.text.strip(), forms.skeleton.text.strip()
        leet, leet_alt = forms.leet.text.strip(), forms.leet_alt.text.strip()
    if not term.matches:
        return {plain: False} if plain else {}
    open_keys = {plain, bare}
    for key in (plain, bare):
        compact = key.replace(" ", "")
        if len(compact) >= _LEAST_COMPACT:
            open_keys.add(compact)
    disguised = {leet, leet_alt} - open_keys
    keys = dict.fromkeys(open_keys, False)
    keys.update({key: True for key in disguised if len(key) >= _LEAST_DISGUISED})
    return {key: value for key, value in keys.items() if key}


def runs_on(character: str) -> bool:
    """Whether the script puts no spaces between words."""
    return any(first <= ord(character) < end for first, end in RUNNING)


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
        kind = name.removeprefix("!").strip()
        if value and kind in KINDS:
            keep = "no" if words.startswith("!") else "yes"
            row = {**given, "term": value, "kind": kind, "keep": keep}
            yield from _term(file, line, source, row, faults)
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
    kind = (row.get("kind") or "term").strip().lower()
    p = _probability(row.get("p") or _DEFAULT_P)
    term = Term(
        text=_text_of(kind, written),
        kind=cast("TermKind", kind),
        category=(row["category"] or "").strip(),
        language=(row.get("language") or "").strip() or None,
        p=p or 0.0,
        prefix=kind == "term" and written.endswith("*"),
        matches=keep == "yes",
    )
    problem = _problem(term, keep)
    if problem is not None:
        faults.append(_fault(file, line, source, *problem))
        return []
    return [term]


def _problem(term: Term, keep: str) -> tuple[str, str] | None:
    """What is wrong with a term and what to do, or None."""
    if term.kind not in KINDS:
        return f"kind is `{term.kind}`", did_you_mean(term.kind, KINDS)
    problem = _PROBLEMS[term.kind](term.text)
    if problem is not None:
        return problem
    if keep not in ("yes", "no"):
        return f"keep is `{keep}`", "expected one of: no, yes"
    if term.matches and not term.category:
        return f"the term `{term.text}` has no category", "name one: `category: NAME` above it"
    if term.p == 0.0:
        return f"p of the term `{term.text}` is not a probability", _P_HINT
    return None


def _text_of(kind: str, written: str) -> str:
    if kind == "site":
        return site_of(written)
    return written if kind == "re" else written.removesuffix("*").strip()


def _words_problem(text: str) -> tuple[str, str] | None:
    if not keys_of(Term(text=text, category="")):
        return "the term is empty", "write a word or a phrase, or remove the line"
    if len(text) < 2 and not runs_on(text):
        return f"the term `{text}` is one letter", "give at least two letters"
    return None


def _site_problem(text: str) -> tuple[str, str] | None:
    if _SITE.fullmatch(text):
        return None
    return f"the site `{text[:80]}` is none", "write it as `bad.example` or `bad.example/path`"


_PROBLEMS: Final[Mapping[str, Callable[[str], tuple[str, str] | None]]] = {
    "term": _words_problem,
    "re": pattern_problem,
    "site": _site_problem,
}


def _probability(text: str) -> float | None:
    try:
        p = float(text)
    except ValueError:
        return None
    return p if math.isfinite(p) and 0.0 < p <= 1.0 else None


def _fault(file: str, line: int, source: str, message: str, hint: str) -> FileFault:
    column = len(source) - len(source.lstrip()) + 1
    return FileFault(file=file, line=line, column=column, source=source, message=message, hint=hint)
