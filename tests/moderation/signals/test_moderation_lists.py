"""Patterns, listed sites, and banks of many terms that are made once."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inhouse.core.errors import SettingError
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals import compiled as compiling
from inhouse.moderation.signals.compiled import compile_banks, load_compiled, save_compiled
from inhouse.moderation.signals.index import TermIndex
from inhouse.moderation.signals.keytable import codes_of, make_table
from inhouse.moderation.signals.normalise import read_forms
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import Term, TermBank, read_bank
from inhouse.moderation.tools import load_rules
from inhouse.moderation.types import Hit, Label

BANK = r"""
category: spam
p: 0.9
re: (?:cheap|free)\s+\w+\s+pills
! free health pills
language: de
re: gratis\w*
category: scam
language: en
site: https://www.Bad.example/
site: bad.example/shop
! site: good.bad.example
! site: bad.example/about
site: пример.рф
"""


def reader(text: str = BANK, file: str = "b.txt") -> SignalReader:
    return SignalReader([read_bank("b", file, text)])


def marks(text: str, signal: str, language: str | None = None) -> list[str]:
    hits = reader().read(text, language).hits
    return [text[hit.start : hit.end] for hit in hits if hit.signal == signal]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Get CHEAP blue\u00a0pills now", ["CHEAP blue\u00a0pills"]),
        ("cheap red pills, fr\u200bee big pills", ["cheap red pills", "fr\u200bee big pills"]),
        ("free health pills for all", []),
        ("ch3ap blue p1lls", ["ch3ap blue p1lls"]),
        ("🙂 سلام cheap ü pills", ["cheap ü pills"]),
        ("cheap pills", []),
    ],
)
def test_a_pattern_is_found_in_every_form_and_marked_in_the_original(
    text: str, expected: list[str]
) -> None:
    """In disguise too, with places that are characters, and not where a phrase excuses it."""
    assert marks(text, "terms.spam") == expected


def test_a_pattern_speaks_its_language() -> None:
    """As a single word does."""
    assert marks("gratisware", "terms.spam", "de") == ["gratisware"]
    assert marks("gratisware", "terms.spam", "en") == []


def test_a_pattern_says_what_its_bank_does() -> None:
    """Its category and probability, with the pattern as the detail of the hit."""
    reading = reader().read("cheap blue pills")
    pattern = r"(?:cheap|free)\s+\w+\s+pills"

    assert reading.labels == (Label(category="spam", p=0.9, source="terms:b"),)
    assert reading.hits == (Hit(signal="terms.spam", start=0, end=16, detail=pattern),)


def test_no_pattern_takes_longer_than_its_text_is_long() -> None:
    """What keeps other engines busy for hours is answered at once."""
    using = reader("category: spam\nre: (?:a+)+$\nre: (?:a|aa|aaa)*b\n")
    text = "a" * 20_000 + "c"

    assert using.read(text).signals == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see http://bad.example", ["http://bad.example"]),
        ("see https://WWW.bad.example/x?y", ["https://WWW.bad.example/x?y"]),
        ("a.b.bad.example/x", ["a.b.bad.example/x"]),
        ("http://bad.example:8080/x", ["http://bad.example:8080/x"]),
        ("http://notbad.example/", []),
        ("http://bad.example.org/", []),
        ("http://good.bad.example/ http://x.good.bad.example/", []),
        ("http://bad.example/about", []),
        ("http://bad.example/aboutus", ["http://bad.example/aboutus"]),
        ("http://пример.рф/x", ["http://пример.рф/x"]),
    ],
)
def test_a_listed_site_is_found_behind_links_to_it(text: str, expected: list[str]) -> None:
    """It and what is below it; the longest entry decides; whatever the language of the post."""
    assert marks(text, "links.scam") == expected


def test_a_listed_site_is_a_label_and_a_count_of_its_own() -> None:
    """Beside the count of all links."""
    reading = reader().read("http://bad.example/shop/1 http://ok.example")

    assert reading.labels == (Label(category="scam", p=0.9, source="terms:b"),)
    assert reading.signals == {"domains": 2, "links": 2, "links.scam": 1}
    assert [h.detail for h in reading.hits if h.signal == "links.scam"] == ["bad.example/shop"]


def test_what_is_wrong_with_patterns_and_sites_is_told_with_its_line() -> None:
    """Back-references, patterns that match nothing everywhere, and sites that are none."""
    with pytest.raises(SettingError) as caught:
        read_bank("b", "b.txt", "category: spam\nre: (a)\\1\nre: x*\nsite: bad example\n")

    assert str(caught.value) == (
        "3 faults in the term bank b.txt\n\n"
        "b.txt:2:1: the pattern cannot be read: invalid escape sequence: \\1\n"
        "  2 | re: (a)\\1\n"
        "    | ^\n"
        "    = patterns are RE2's, see its syntax page\n\n"
        "b.txt:3:1: the pattern finds nothing at all everywhere\n"
        "  3 | re: x*\n"
        "    | ^\n"
        "    = let it ask for one character or more\n\n"
        "b.txt:4:1: the site `bad example` is none\n"
        "  4 | site: bad example\n"
        "    | ^\n"
        "    = write it as `bad.example` or `bad.example/path`"
    )


def test_a_table_may_hold_all_kinds() -> None:
    """The column `kind` names them; an unknown one is told."""
    rows = "term,category,kind\nb[i1]g\\s+deal,spam,re\nbad.example,scam,site\nzorgle,spam,\n"
    reading = reader(rows, "b.csv").read("b1g deal at bad.example/x, zorgle")

    assert {h.signal for h in reading.hits} == {"terms.spam", "links.scam", "links"}
    with pytest.raises(SettingError, match="kind is `regex`"):
        read_bank("b", "b.csv", "term,category,kind\nx+,spam,regex\n")


KEYS = st.text("ab c🙂é", min_size=1, max_size=6)


@given(st.lists(KEYS, max_size=20), st.text("ab c🙂é", max_size=40), st.integers(0, 2**40))
@settings(max_examples=150, deadline=None)
def test_a_table_finds_every_key_where_one_may_begin(keys: list[str], text: str, bits: int) -> None:
    """And nothing else, whatever the characters."""
    may_start = np.array([bool(bits >> place & 1) for place in range(len(text))], np.bool_)
    expected = [
        (start, start + len(key), number)
        for number, key in enumerate(keys)
        for start in range(len(text))
        if may_start[start] and text.startswith(key, start)
    ]
    found = make_table(keys, np.arange(len(keys), dtype=np.uint32)).find(codes_of(text), may_start)

    assert sorted(found) == sorted(expected)


def test_more_hits_than_there_was_room_for_are_all_given() -> None:
    """A long text may be made of nothing but terms."""
    found = make_table(["a"], np.zeros(1, np.uint32)).find(
        codes_of("a" * 1_000), np.ones(1_000, np.bool_)
    )

    assert len(found) == 1_000


def test_banks_come_back_from_disk_as_they_were_made(tmp_path: Path) -> None:
    """Every term with all its facts, and what is found with them."""
    dice = random.Random(1)
    words = ["zorgle", "año", "加微信", "f4f", "blat", "k1ll", "frobnicate"]
    terms = tuple(
        Term(
            text=" ".join(dice.sample(words, dice.randint(1, 3))),
            category=dice.choice(["spam", "hate"]),
            language=dice.choice([None, "en"]),
            p=dice.choice([0.1, 0.85]),
            prefix=dice.random() < 0.5,
            matches=dice.random() < 0.8,
        )
        for _ in range(60)
    )
    made = compile_banks([TermBank(name="b", terms=(*terms, *read_bank("x", "x.txt", BANK).terms))])
    save_compiled(made, tmp_path / "kept")
    back = load_compiled(tmp_path / "kept")
    text = read_forms("zorgles añó 请加微信吧 faf kill frobnicate blat cheap big pills")

    assert back is not None
    assert (back.version, back.version[:2]) == (made.version, "b-")
    assert [back.term(i) for i in range(len(back))] == [made.term(i) for i in range(len(made))]
    assert [made.term(i)[1] for i in range(60)] == list(terms)
    found = TermIndex(back).find(text)
    assert found == TermIndex(made).find(text)
    assert len(found) > 3


def test_a_folder_of_banks_is_made_once_for_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second start reads arrays; a changed file is made anew and the old arrays go."""
    (tmp_path / "b.txt").write_text("category: spam\nzorgle\n")
    settings = ModerationSettings(banks=str(tmp_path))
    first = load_rules(settings).reader.read("zorgle blat").signals
    monkeypatch.setattr("inhouse.moderation.tools.load_bank", None)
    assert load_rules(settings).reader.read("zorgle blat").signals == first == {"terms.spam": 1}
    monkeypatch.undo()
    (tmp_path / "b.txt").write_text("category: spam\nblat\nzorgle\n")

    assert load_rules(settings).reader.read("zorgle blat").signals == {"terms.spam": 2}
    assert len(list((tmp_path / ".compiled").iterdir())) == 1


def test_torn_arrays_are_made_anew(tmp_path: Path) -> None:
    """Whoever was killed while writing leaves nothing that is taken for whole."""
    (tmp_path / "b.txt").write_text("category: spam\nzorgle\n")
    settings = ModerationSettings(banks=str(tmp_path))
    load_rules(settings)
    (kept,) = (tmp_path / ".compiled").iterdir()
    (kept / "words.hashes.npy").write_bytes(b"torn")

    assert load_compiled(kept) is None
    assert load_rules(settings).reader.read("zorgle").signals == {"terms.spam": 1}


def test_banks_in_a_folder_that_cannot_be_written_are_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made at each start."""
    (tmp_path / "b.txt").write_text("category: spam\nzorgle\n")

    def refuse(*_: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(compiling.np, "save", refuse)

    assert load_rules(ModerationSettings(banks=str(tmp_path))).reader.read("zorgle").signals == {
        "terms.spam": 1
    }
    assert list((tmp_path / ".compiled").iterdir()) == []
