"""Terms, links, personal data: what is found, where, and what is not."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.core.errors import SettingError
from inhouse.moderation.signals.confusables import LEET, LOOKALIKES
from inhouse.moderation.signals.personal import passes_luhn
from inhouse.moderation.signals.read import Reading, SignalReader
from inhouse.moderation.signals.spans import Spans
from inhouse.moderation.signals.terms import TermBank, load_bank, read_bank, shipped_banks

BANK = """\
category: spam
p: 0.9
zorgle blat
frobnicate
quux*
! quuxotic
f4f
language: es
compra año
language: zh
加微信
"""


def reader(text: str = BANK, file: str = "test.txt") -> SignalReader:
    return SignalReader([read_bank("test", file, text)])


def found(text: str, using: SignalReader | None = None) -> list[str]:
    """The marked pieces of the original."""
    return [text[hit.start : hit.end] for hit in (using or reader()).read(text).hits]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please FROBNICATE it", ["FROBNICATE"]),
        ("frobnicated refrobnicate", []),
        ("(frobnicate), frobnicate!", ["frobnicate", "frobnicate"]),
        ("zorgle   blat, zorgle\nblat", ["zorgle   blat", "zorgle\nblat"]),
        ("#ZorgleBlat", ["ZorgleBlat"]),
        ("f r o b n i c a t e now", ["f r o b n i c a t e"]),
        ("a f.r.o.b.n.i.c.a.t.e", ["f.r.o.b.n.i.c.a.t.e"]),
        ("fr0bn1c@te", ["fr0bn1c@te"]),
        ("fr\u200bob\u00adnicate", ["fr\u200bob\u00adnicate"]),
        ("frоbnісаtе", ["frоbnісаtе"]),
        ("fröbnicaaaate", ["fröbnicaaaate"]),
        ("quuxes and quux", ["quuxes", "quux"]),
        ("how quuxotic", []),
        ("faf f4f", ["f4f"]),
        ("COMPRA AÑO, compra ano", ["COMPRA AÑO", "compra ano"]),
        ("请加微信吧", ["加微信"]),
        ("请加 微 信吧", []),
        ("", []),
    ],
)
def test_terms_are_found_in_every_form_and_marked_in_the_original(
    text: str, expected: list[str]
) -> None:
    """Case, spacing, look-alikes, leet and invisible characters do not hide a term."""
    assert expected == found(text)


SEPARATORS = (" ", ".", "-", "_", "*", "·")
TWIN_OF = {latin: twin for twin, latin in LOOKALIKES.items() if twin in "аеіорсухѕј"}
SIGN_OF = {letter: sign for sign, letter in LEET.items() if sign in "03457@$"} | {"i": "1"}


def attacked(word: str, kind: str, seed: int) -> str:
    """The word in one disguise."""
    pick = random.Random(seed)
    if kind == "space":
        return pick.choice(SEPARATORS).join(word)
    if kind == "hide":
        return "\u200b".join(word)
    table = TWIN_OF if kind == "twin" else SIGN_OF
    inner = [i for i, c in enumerate(word) if c in table and 0 < i < len(word) - 1]
    swap = set(pick.sample(inner, pick.randint(1, len(inner))))
    return "".join(table[c] if i in swap else c for i, c in enumerate(word))


WORDS = st.sampled_from(["splendorix", "frobnicate", "gastronopic", "voidestral"])


@given(
    WORDS,
    st.sampled_from(["space", "hide", "twin", "sign"]),
    st.integers(0, 10_000),
    st.sampled_from(["", "well ", "oh, the "]),
    st.sampled_from(["", "!", " here", ", ok"]),
)
def test_an_attack_hides_no_term_and_the_span_is_the_attacked_word(
    word: str, kind: str, seed: int, before: str, after: str
) -> None:
    """Whatever the disguise, the term is found and exactly the disguised word is marked."""
    using = reader("category: spam\n" + word)
    disguised = attacked(word, kind, seed)
    text = before + disguised + after
    assert [disguised] == found(text, using)
    assert {"terms.spam": 1, "disguised": 1}.items() <= dict(using.read(text).signals).items() or (
        kind == "hide"
    )


@pytest.mark.parametrize("word", ["shotta", "bashes", "toshabe", "siphat", "ashteso"])
def test_a_term_written_in_figures_is_found_whole(word: str) -> None:
    """Every letter that a figure resembles is one, at the ends of the word too."""
    written = word.translate(str.maketrans("aeiost", "431057"))
    using = reader("category: spam\n" + word)
    assert [written] == found(f"well {written}, ok", using)
    assert found(f"well 01{written}, ok", using) == []


def test_a_disguised_text_is_to_be_scored_without_its_disguise_too() -> None:
    """A plain text has no second reading, a disguised one has the readings of its letters."""
    assert reader().read("mp3 of covid19, see https://a.example/x4y").unmasked == ()
    assert reader().read("you 1d1ot").unmasked == ("you idiot", "you ldlot")
    assert reader().read("y\u200bou").unmasked == ("you",)
    assert reader().read("455 on the a55, 4th").unmasked == ()
    assert reader().read("5h1t 455").unmasked == ("shit ass", "shlt ass")


def test_a_bank_says_its_strongest_term_once() -> None:
    """Two terms of one bank and category make one label, with the larger probability."""
    reading = reader("category: spam\np: 0.5\nfoo bar\np: 0.9\nbaz qux").read("baz qux foo bar")
    assert [(x.category, x.p, x.source) for x in reading.labels] == [("spam", 0.9, "terms:test")]
    assert dict(reading.signals) == {"terms.spam": 2}


def test_a_csv_bank_reads_as_the_text_bank_does() -> None:
    """Columns stand for directives; keep=no makes a do-not-match phrase."""
    table = "term,category,language,p,keep\nfoo bar,spam,en,0.7,yes\nfoo bar club,,en,,no\n"
    bank = read_bank("x", "x.csv", table)
    assert [(t.text, t.p, t.matches) for t in bank.terms] == [
        ("foo bar", 0.7, True),
        ("foo bar club", 0.8, False),
    ]
    using = SignalReader([bank])
    assert found("foo bar and the foo bar club", using) == ["foo bar"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (None, ["gift", "free gift", "spam"]),
        ("en-GB", ["gift", "free gift", "spam"]),
        ("de", ["free gift", "spam"]),
    ],
)
def test_a_single_word_counts_in_its_own_language(
    language: str | None, expected: list[str]
) -> None:
    """Where the language is known words of others do not count; phrases and words of any do."""
    bank = "category: spam\nspam\nlanguage: en\ngift\nfree gift\n"
    hits = reader(bank).read("a gift, a free gift, spam", language).hits
    assert sorted({hit.detail for hit in hits}) == sorted(expected)


def test_every_fault_of_a_text_bank_is_shown_with_its_line() -> None:
    """Unknown directives, bad numbers and terms without a category are told at once."""
    text = "langauge: en\nalone\ncategory: spam\np: 7\n x\nfine\n"
    with pytest.raises(SettingError) as caught:
        read_bank("b", "b.txt", text)
    assert str(caught.value) == (
        "4 faults in the term bank b.txt\n"
        "\n"
        "b.txt:1:1: unknown directive `langauge`\n"
        "  1 | langauge: en\n"
        "    | ^\n"
        "    = did you mean `language`?\n"
        "\n"
        "b.txt:2:1: the term `alone` has no category\n"
        "  2 | alone\n"
        "    | ^\n"
        "    = name one: `category: NAME` above it\n"
        "\n"
        "b.txt:4:1: p is `7`\n"
        "  4 | p: 7\n"
        "    | ^\n"
        "    = expected a number above 0 and at most 1, as 0.8\n"
        "\n"
        "b.txt:5:2: the term `x` is one letter\n"
        "  5 |  x\n"
        "    |  ^\n"
        "    = give at least two letters"
    )


def test_every_fault_of_a_csv_bank_is_shown_with_its_line() -> None:
    """A wrong header stops there; wrong rows are all listed."""
    with pytest.raises(SettingError, match="unknown column `words`"):
        read_bank("b", "b.csv", "words,category\nfoo,spam\n")
    with pytest.raises(SettingError) as caught:
        read_bank("b", "b.csv", "term,category,keep\n\u200b,spam,yes\nfoo,spam,perhaps\n")
    assert [line for line in str(caught.value).splitlines() if line.startswith("b.csv")] == [
        "b.csv:2:1: the term is empty",
        "b.csv:3:1: keep is `perhaps`",
    ]


def test_an_unreadable_bank_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A bank that is not there is no empty bank."""
    with pytest.raises(SettingError, match=r"cannot read the term bank .*gone\.txt"):
        load_bank(tmp_path / "gone.txt")


def test_the_shipped_banks_load_and_have_versions() -> None:
    """The package's own banks are sound; another content has another version."""
    banks = shipped_banks()
    assert [bank.name for bank in banks] == ["conduct_en", "spam_en", "spam_other"]
    changed = TermBank(name=banks[0].name, terms=banks[0].terms[1:])
    assert changed.version != banks[0].version
    assert found("totally ordinary words about cats", SignalReader(banks)) == []


def signals(text: str) -> tuple[dict[str, int], list[str]]:
    reading: Reading = SignalReader([]).read(text)
    return dict(reading.signals), [text[h.start : h.end] for h in reading.hits]


@pytest.mark.parametrize(
    ("text", "counts", "marked"),
    [
        (
            "see https://example.com/a?b=1, and www.example.org.",
            {"links": 2, "domains": 2},
            ["https://example.com/a?b=1", "www.example.org"],
        ),
        ("bit.ly/x1 now", {"links": 1, "domains": 1, "shorteners": 1}, ["bit.ly/x1"]),
        ("HTTPS://EXAMPLE.COM and example.com", {"links": 2, "domains": 1}, None),
        (
            "go to exa\u200bmple.com/a",
            {"links": 1, "domains": 1, "invisible": 1},
            ["exa\u200bmple.com/a"],
        ),
        ("e.g. this.that and v1.2 or file.txt", {}, []),
        ("end.Next sentence", {}, []),
        ("http://user:secret@evil.example:8080/4111111111111111", {"links": 1, "domains": 1}, None),
    ],
)
def test_links_are_counted_and_marked(
    text: str, counts: dict[str, int], marked: list[str] | None
) -> None:
    """Addresses with and without a scheme count; abbreviations and file names do not."""
    got_counts, got_marked = signals(text)
    assert counts == got_counts
    assert marked is None or marked == got_marked


@pytest.mark.parametrize(
    ("text", "counts", "marked"),
    [
        ("mail bob.b+x@example.co.uk!", {"emails": 1}, ["bob.b+x@example.co.uk"]),
        ("bob [at] example (dot) org", {"emails": 1}, ["bob [at] example (dot) org"]),
        ("call +49 (170) 123-4567.", {"phones": 1}, ["+49 (170) 123-4567"]),
        ("call 555 123 4567 now", {"phones": 1}, ["555 123 4567"]),
        ("card 4111 1111 1111 1111", {"cards": 1}, ["4111 1111 1111 1111"]),
        ("card ４１１１-1111-1111-1111", {"cards": 1}, ["４１１１-1111-1111-1111"]),
        ("card 4111 1111 1111 1112", {}, []),
        ("2024-01-02 and 12.05.2024, order 1234567890123", {}, []),
        ("pi is 3.14159265358979, 1,000,000,000 and 1234567", {}, []),
        ("@bob and bob@home", {}, []),
    ],
)
def test_personal_data_is_found_where_it_is_and_not_where_not(
    text: str, counts: dict[str, int], marked: list[str]
) -> None:
    """Addresses, telephone numbers and valid cards are found; dates, sums and counts are not."""
    assert (counts, marked) == signals(text)


@given(st.integers(10**14, 10**15 - 1))
def test_luhn_catches_every_single_wrong_digit(number: int) -> None:
    """Exactly one last digit makes a number pass, and changing any one digit makes it fail."""
    passing = [d for d in "0123456789" if passes_luhn(f"{number}{d}")]
    assert len(passing) == 1 or len(set(str(number))) == 1
    whole = f"{number}{passing[0]}"
    wrong = str((int(whole[3]) + 1) % 10)
    assert not passes_luhn(whole[:3] + wrong + whole[4:])


def test_hits_never_hold_the_personal_datum() -> None:
    """What is kept of a find is its place and kind, not the number or address."""
    reading = SignalReader([]).read("bob@example.org 4111 1111 1111 1111 +49 170 1234567")
    assert [hit.detail for hit in reading.hits] == ["emails", "cards", "phones"]


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=8).map(
    lambda pairs: [(start, start + length) for start, length in pairs]
)


@given(SPANS, st.integers(0, 20), st.integers(1, 6))
def test_spans_answer_as_trying_each_would(
    spans: list[tuple[int, int]], start: int, length: int
) -> None:
    """Covering and touching agree with looking at every span."""
    end = start + length
    found = Spans(spans)
    assert found.cover(start, end) == any(s <= start and end <= e for s, e in spans)
    assert found.touch(start, end) == any(s < end and start < e for s, e in spans)


def test_a_flood_of_hits_is_counted_whole_and_marked_in_part() -> None:
    """A text made of nothing but finds costs little time and room."""
    reading = reader().read("frobnicate quuxotic a.com/x b@c.de " * 2_000)
    assert dict(reading.signals) == {
        "domains": 1,
        "emails": 2_000,
        "links": 2_000,
        "terms.spam": 2_000,
    }
    assert len(reading.hits) == 100
