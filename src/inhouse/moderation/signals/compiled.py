"""Banks of millions of terms as a few arrays, made once and mapped into memory afterwards."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inhouse.moderation.signals.keytable import KeyTable, make_table
from inhouse.moderation.signals.terms import KINDS, Term, TermBank, keys_of

VERSION: Final = "1"  # of what is written; another one is made anew
_PREFIX, _MATCHES = 1, 2
_SPACE: Final = ord(" ")
_NAMES: Final = "names.json"
_TABLES: Final = ("words", "sites")
ONLY_DISGUISED: Final = np.uint32(1 << 31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The terms of all banks, by number."""

    texts: NDArray[np.uint8]  # UTF-8, one behind the other
    ends: NDArray[np.int64]  # [n], where each ends
    categories: NDArray[np.uint16]  # [n], places among the names
    languages: NDArray[np.uint16]
    banks: NDArray[np.uint16]
    kinds: NDArray[np.uint8]  # places in KINDS
    flags: NDArray[np.uint8]
    p: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledBanks:
    """Everything a `TermIndex` needs."""

    version: str  # of all banks together: changes with their content
    columns: Columns
    names: tuple[str, ...]  # of categories, languages and banks; the first one means none
    words: KeyTable  # spellings; a number has the highest bit where only a disguise leads to it
    sites: KeyTable

    def __len__(self) -> int:
        return len(self.columns.ends)

    def term(self, number: int) -> tuple[str, Term]:
        """A term and its bank's name."""
        columns, flags = self.columns, int(self.columns.flags[number])
        start = int(columns.ends[number - 1]) if number else 0
        return self.names[columns.banks[number]], Term(
            text=columns.texts[start : columns.ends[number]].tobytes().decode(),
            kind=KINDS[columns.kinds[number]],
            category=self.names[columns.categories[number]],
            language=self.names[columns.languages[number]] or None,
            p=float(columns.p[number]),
            prefix=bool(flags & _PREFIX),
            matches=bool(flags & _MATCHES),
        )

    def samples(self) -> list[Term]:
        """Of each category and language a word and a phrase that count, so that nothing speaks to a
        text in some language that none of these speaks to."""
        columns = self.columns
        phrase = np.zeros(len(self), np.int64)
        phrase[np.searchsorted(columns.ends, np.flatnonzero(columns.texts == _SPACE), "right")] = 1
        places = np.flatnonzero((columns.flags & _MATCHES) > 0)
        places = places[columns.kinds[places] != KINDS.index("site")]
        which = (columns.categories[places].astype(np.int64) << 17) | (
            columns.languages[places].astype(np.int64) << 1
        )
        _, first = np.unique(which | phrase[places], return_index=True)
        return [self.term(number)[1] for number in places[first].tolist()]

    @property
    def bank_sizes(self) -> dict[str, int]:
        """How many terms, patterns and sites each bank has."""
        counts = np.bincount(self.columns.banks, minlength=len(self.names))
        return {self.names[i]: int(counts[i]) for i in np.flatnonzero(counts).tolist()}

    def is_prefix(self, number: int) -> bool:
        """Whether words that begin with a term count too."""
        return bool(self.columns.flags[number] & _PREFIX)

    @property
    def size_bytes(self) -> int:
        """Of all arrays together."""
        return sum(int(array.nbytes) for _, array in _arrays(self))


def compile_banks(banks: Sequence[TermBank]) -> CompiledBanks:
    """The arrays of some banks."""
    terms = [(bank.name, term) for bank in banks for term in bank.terms]
    places: dict[str, int] = {"": 0}

    def place(name: str) -> int:
        return places.setdefault(name, len(places))

    texts = [term.text.encode("utf-8", "replace") for _, term in terms]
    columns = Columns(
        texts=np.frombuffer(b"".join(texts), np.uint8),
        ends=np.cumsum([len(text) for text in texts], dtype=np.int64),
        categories=_column((place(term.category) for _, term in terms), np.uint16),
        languages=_column((place(term.language or "") for _, term in terms), np.uint16),
        banks=_column((place(bank) for bank, _ in terms), np.uint16),
        kinds=_column((KINDS.index(term.kind) for _, term in terms), np.uint8),
        flags=_column((_PREFIX * t.prefix + _MATCHES * t.matches for _, t in terms), np.uint8),
        p=_column((term.p for _, term in terms), np.float64),
    )
    sites = [(number, t.text) for number, (_, t) in enumerate(terms) if t.kind == "site"]
    return CompiledBanks(
        version="+".join(sorted(bank.version for bank in banks)),
        columns=columns,
        names=tuple(places),
        words=_word_table([term for _, term in terms]),
        sites=make_table([text for _, text in sites], _column((n for n, _ in sites), np.uint32)),
    )


def _word_table(terms: Sequence[Term]) -> KeyTable:
    keys: list[str] = []
    numbers: list[int] = []
    for number, term in enumerate(terms):
        if term.kind != "term":
            continue
        for key, only_disguised in keys_of(term).items():
            keys.append(key)
            numbers.append(number | (int(ONLY_DISGUISED) if only_disguised else 0))
    return make_table(keys, np.array(numbers, np.uint32))


def _column(values: Iterable[float], kind: type[np.generic]) -> NDArray[Any]:
    return np.fromiter(values, kind)


# -- files ---------------------------------------------------------------------------------------


def digest_of(files: Sequence[Path]) -> str:
    """Changes with the content of the files, their names, and what is made of them."""
    digest = hashlib.blake2b(VERSION.encode(), digest_size=12)
    for path in files:
        content = path.read_bytes()
        digest.update(f"\0{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def load_compiled(folder: Path) -> CompiledBanks | None:
    """What `save_compiled` left there; None where there is nothing, or nothing whole."""
    try:
        facts = json.loads((folder / _NAMES).read_text("utf-8"))
        version = str(facts["version"])
        columns = Columns(**{f.name: _mapped(folder, "columns", f.name) for f in fields(Columns)})
        tables = {
            table: KeyTable(
                longest=int(facts["longest"][table]),
                **{n: _mapped(folder, table, n) for n in ("hashes", "numbers", "starts", "bits")},
            )
            for table in _TABLES
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return CompiledBanks(version=version, columns=columns, names=tuple(facts["names"]), **tables)


def save_compiled(compiled: CompiledBanks, folder: Path) -> None:
    """Keep the arrays for whoever starts next; not kept where the folder cannot be written."""
    parts = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    with contextlib.suppress(OSError):
        parts.mkdir(parents=True)
        for name, array in _arrays(compiled):
            np.save(parts / f"{name}.npy", array)
        longest = {name: getattr(compiled, name).longest for name in _TABLES}
        facts = {"version": compiled.version, "names": compiled.names, "longest": longest}
        (parts / _NAMES).write_text(json.dumps(facts), "utf-8")
        for other in folder.parent.iterdir():
            if other != parts and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)
        parts.rename(folder)
    shutil.rmtree(parts, ignore_errors=True)


def _arrays(compiled: CompiledBanks) -> list[tuple[str, NDArray[Any]]]:
    found = [(f"columns.{f.name}", getattr(compiled.columns, f.name)) for f in fields(Columns)]
    for table in _TABLES:
        names = ("hashes", "numbers", "starts", "bits")
        found += [(f"{table}.{name}", getattr(getattr(compiled, table), name)) for name in names]
    return found


def _mapped(folder: Path, table: str, name: str) -> NDArray[Any]:
    return np.asarray(np.load(folder / f"{table}.{name}.npy", mmap_mode="r"))
