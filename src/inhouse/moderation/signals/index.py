"""Finding the terms, patterns and sites of all banks in a text, in every form of it."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.signals.compiled import ONLY_DISGUISED, CompiledBanks, compile_banks
from inhouse.moderation.signals.kernels import borders
from inhouse.moderation.signals.keytable import alphanumeric, codes_of
from inhouse.moderation.signals.links import Link
from inhouse.moderation.signals.normalise import Form, Forms
from inhouse.moderation.signals.patterns import PatternSet
from inhouse.moderation.signals.spans import Spans
from inhouse.moderation.signals.terms import KINDS, RUNNING, Term, TermBank
from inhouse.moderation.types import Hit

TERMS: Final = "terms."
LINKED: Final = "links."
_MARK: Final = int(ONLY_DISGUISED)


@dataclass(frozen=True, kw_only=True, slots=True)
class TermHit:
    """A term found."""

    term: Term
    bank: str
    hit: Hit


class TermIndex:
    """All banks in one table: the time of a look-up hardly grows with the number of terms."""

    def __init__(self, banks: Sequence[TermBank] | CompiledBanks) -> None:
        made = banks if isinstance(banks, CompiledBanks) else compile_banks(banks)
        self._compiled = made
        self.version = made.version
        patterns = np.flatnonzero(made.columns.kinds == KINDS.index("re")).tolist()
        self._patterns = patterns
        self._pattern_set = PatternSet([made.term(number)[1].text for number in patterns])
        self._breaks = _breaks()

    def __len__(self) -> int:
        return len(self._compiled)

    @property
    def bank_sizes(self) -> dict[str, int]:
        """How many terms, patterns and sites each bank has."""
        return self._compiled.bank_sizes

    @cached_property
    def _samples(self) -> list[Term]:
        return self._compiled.samples()

    def lists(self, category: str, language: str | None) -> bool:
        """Whether a term of the category counts in a text of the language."""
        return any(t.category == category and t.speaks(language) for t in self._samples)

    def find(self, forms: Forms, language: str | None = None) -> list[TermHit]:
        """Every term of a text in that language (None: unknown), once a place; the least disguised
        form names it."""
        found: dict[tuple[int, int, int], TermHit] = {}
        for form in forms.distinct():
            for number, start, end in self._matches(form, forms.plain):
                bank, term = self._compiled.term(number)
                if not term.speaks(language):
                    continue
                span = form.span(start, end)
                hit = Hit(
                    signal=f"{TERMS}{term.category}",
                    start=span[0],
                    end=span[1],
                    detail=term.text,
                    form=form.name,
                )
                found.setdefault((number, *span), TermHit(term=term, bank=bank, hit=hit))
        return _without_excused(list(found.values()))

    def find_sites(self, links: Sequence[Link]) -> list[TermHit]:
        """The listed sites that links lead to: of each bank's category the longest one decides."""
        return [found for link in links for found in self._sites(link)]

    def _sites(self, link: Link) -> Iterator[TermHit]:
        may_start = np.zeros(len(link.address), np.bool_)
        host = len(link.host)
        may_start[[0, *(i + 1 for i, c in enumerate(link.host[:-1]) if c == ".")]] = True
        longest: dict[tuple[str, str], TermHit] = {}
        for _, end, number in self._compiled.sites.find(codes_of(link.address), may_start):
            if end < host or link.address[end : end + 1] not in ("", "/", "?", "#"):
                continue
            bank, term = self._compiled.term(number)
            hit = Hit(
                signal=f"{LINKED}{term.category}",
                start=link.hit.start,
                end=link.hit.end,
                detail=term.text,
                form=link.hit.form,
            )
            before = longest.get((bank, term.category))
            if before is None or len(before.term.text) < len(term.text):
                longest[bank, term.category] = TermHit(term=term, bank=bank, hit=hit)
        yield from (found for found in longest.values() if found.term.matches)

    def _matches(self, form: Form, plain: Form) -> Iterator[tuple[int, int, int]]:
        for start, end, pattern in self._pattern_set.find(form.text):
            yield self._patterns[pattern], start, end
        codes = codes_of(form.text)
        bounded = borders(codes, self._breaks)
        if form.seams:
            bounded[[at for at, start in enumerate(form.starts) if start in form.seams]] = True
        for start, end, marked in self._compiled.words.find(codes, bounded):
            number = marked & ~_MARK
            if marked & _MARK and _stands_so(plain, form.span(start, end), form.text[start:end]):
                continue
            if bounded[end]:
                yield number, start, end
            elif self._compiled.is_prefix(number):
                yield number, start, _word_end(form.text, end)


@lru_cache(maxsize=1)
def _breaks() -> NDArray[np.bool_]:
    """bool[all code points]: whether a word may end before and begin after a character: it is none
    of a word, or its script puts no spaces between words."""
    breaks = ~alphanumeric()
    for first, end in RUNNING:
        breaks[first:end] = True
    return breaks


def _stands_so(plain: Form, span: tuple[int, int], key: str) -> bool:
    """Whether the undisguised text reads `key` at this place of the original."""
    start, end = bisect_left(plain.starts, span[0]), bisect_left(plain.starts, span[1])
    return plain.text[start:end] == key


def _word_end(text: str, at: int) -> int:
    while at < len(text) and text[at].isalnum():
        at += 1
    return at


def _without_excused(hits: list[TermHit]) -> list[TermHit]:
    """The hits that count and that no do-not-match phrase covers."""
    excuses = Spans((h.hit.start, h.hit.end) for h in hits if not h.term.matches)
    return [
        found
        for found in hits
        if found.term.matches and not excuses.cover(found.hit.start, found.hit.end)
    ]
