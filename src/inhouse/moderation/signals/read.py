"""Every signal of a text in one reading."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from inhouse.moderation.signals.compiled import CompiledBanks
from inhouse.moderation.signals.counted import COUNTED
from inhouse.moderation.signals.index import LINKED, TERMS, TermHit, TermIndex
from inhouse.moderation.signals.links import find_links
from inhouse.moderation.signals.normalise import Forms, read_forms
from inhouse.moderation.signals.personal import find_personal
from inhouse.moderation.signals.spans import Spans
from inhouse.moderation.signals.terms import TermBank
from inhouse.moderation.types import Hit, Label

# Raised when normalising or reading changes what it finds, so that stored signals are known as old.
VERSION: Final = 2
# What a text shows, and how a policy's sentences call one and many of it. Beside these there are
# those of `BY_CATEGORY`.
_IN_TEXTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "links": ("link", "links"),
        "domains": ("linked site", "different linked sites"),
        "shorteners": ("link through a shortener", "links through shorteners"),
        "emails": ("e-mail address", "e-mail addresses"),
        "phones": ("telephone number", "telephone numbers"),
        "cards": ("payment card number", "payment card numbers"),
        "disguised": ("listed term in disguise", "listed terms in disguise"),
        "invisible": ("word split by invisible characters", "words split by invisible characters"),
        "mixed": ("word mixing alphabets", "words mixing alphabets"),
        "media_unread": ("picture or video we could not read", "pictures we could not read"),
    }
)
HASHES: Final = "hashes."
UNREAD: Final = "media_unread"
# Beginnings of signals that end in a category, and how sentences call one and many of it.
BY_CATEGORY: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        TERMS: ("term from our {} list", "terms from our {} list"),
        HASHES: ("picture from our {} list", "pictures from our {} list"),
        LINKED: ("link to a site on our {} list", "links to sites on our {} list"),
    }
)
# All that a policy may ask about.
SIGNALS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({**_IN_TEXTS, **COUNTED})
BANKS: Final = "terms:"  # begins the source of a label that a term bank gives
_MOST_HITS: Final = 100  # are highlighted; all are counted
_MOST: Final = 60_000  # counts are kept in 16 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one text shows."""

    hits: tuple[Hit, ...]  # places in the original, in order, the first hundred
    labels: tuple[Label, ...]  # what the term banks say, the strongest term of each bank
    signals: Mapping[str, int]  # counts that are not zero
    unmasked: tuple[str, ...]  # the text's readings without disguise where it wears one


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Something to read."""

    text: str  # the words themselves; never logged
    language: str | None  # BCP 47 tag, None where it is not known


def is_in_texts(signal: str) -> bool:
    """Whether a reader finds this signal in a text, so that reading again replaces it."""
    return signal in _IN_TEXTS or signal.startswith(TERMS)


class SignalReader:
    """Reads texts against a set of term banks."""

    def __init__(self, banks: Sequence[TermBank] | CompiledBanks) -> None:
        self._index = TermIndex(banks)
        # Names what it finds in a text: other banks or another reader, another version.
        banked = self._index.version.encode()
        self.version = f"{VERSION}-{hashlib.blake2b(banked, digest_size=6).hexdigest()}"

    @property
    def bank_sizes(self) -> Mapping[str, int]:
        """Term banks by name: how many terms, patterns and sites each has."""
        return self._index.bank_sizes

    def read_all(self, texts: Sequence[Text]) -> list[Reading]:
        """All signals of each text, in order."""
        return [self.read(one.text, one.language) for one in texts]

    def lists(self, category: str, language: str | None = None) -> bool:
        """Whether there is a term of the category that counts in a text of the language."""
        return self._index.lists(category, language)

    def read(self, text: str, language: str | None = None) -> Reading:
        """All signals of a text; `language` is a BCP 47 tag, None where it is not known."""
        forms = read_forms(text)
        terms = self._index.find(forms, language)
        links = find_links(forms.plain)
        listed = [*terms, *self._index.find_sites(links)]
        # Figures and at-signs inside an address of a page are nobody's number.
        taken = Spans((link.hit.start, link.hit.end) for link in links)
        personal = [h for h in find_personal(forms.plain) if not taken.touch(h.start, h.end)]
        found = [*(one.hit for one in listed), *(link.hit for link in links), *personal]
        hits = sorted(found, key=lambda h: (h.start, h.end))
        return Reading(
            hits=tuple(hits[:_MOST_HITS]),
            labels=_labels(listed),
            signals=_counts(forms, hits),
            unmasked=unmasked_of(forms),
        )


def _labels(terms: Sequence[TermHit]) -> tuple[Label, ...]:
    strongest: dict[tuple[str, str], float] = {}
    for found in terms:
        key = found.term.category, found.bank
        strongest[key] = max(found.term.p, strongest.get(key, 0.0))
    return tuple(
        Label(category=category, p=p, source=f"{BANKS}{bank}")
        for (category, bank), p in sorted(strongest.items())
    )


def _counts(forms: Forms, hits: Sequence[Hit]) -> Mapping[str, int]:
    counts = Counter(hit.signal for hit in hits)
    counts["domains"] = len({h.detail for h in hits if h.signal in ("links", "shorteners")})
    counts["links"] += counts["shorteners"]
    counts["disguised"] = sum(h.signal.startswith(TERMS) and h.form != "plain" for h in hits)
    counts["invisible"] = forms.invisible
    counts["mixed"] = forms.mixed
    return {name: min(count, _MOST) for name, count in sorted(counts.items()) if count}


def unmasked_of(forms: Forms) -> tuple[str, ...]:
    """What to score beside the original: nothing, but where somebody hid something."""
    if not (forms.invisible or forms.mixed or forms.swapped or forms.leet.seams):
        return ()
    return tuple(dict.fromkeys((forms.leet.text, forms.leet_alt.text)))
