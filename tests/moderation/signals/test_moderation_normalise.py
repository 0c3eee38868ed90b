"""Forms: offsets, laws, and the disguises they see through."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.moderation.signals.confusables import LOOKALIKES, TWINS
from inhouse.moderation.signals.normalise import FORM_NAMES, Form, Forms, read_forms

# All of Unicode, and the alphabets where something happens.
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
BUSY = st.text(
    st.sampled_from(
        LATIN
        + "0134578@$!| .-_\n\u200b\u00ad\u0301\u0327éßﬁﷺｈ①🅰ⅷ°"
        + "".join(LOOKALIKES)
        + "йжяЩλΔ가각한ﾊﾞか゛"
    ),
    max_size=40,
)
# Words that are nearly all figures, with what may stand between them.
FIGURES = st.lists(
    st.tuples(
        st.text(st.sampled_from("abehist0134578@$!|5731"), min_size=1, max_size=8),
        st.sampled_from([" ", "  ", ".", ", ", "-", "\n", "/", "! "]),
    ),
    max_size=6,
).map(lambda words: "".join(word + gap for word, gap in words))
TEXTS = st.one_of(st.text(max_size=40), BUSY, FIGURES)


def all_forms(forms: Forms) -> list[Form]:
    return [forms.plain, forms.skeleton, forms.leet, forms.leet_alt]


def leet(text: str) -> str:
    return read_forms(text).leet.text


@given(TEXTS)
def test_offsets_always_point_into_the_original(text: str) -> None:
    """Each character of a form comes from a non-empty span of the original, in order."""
    for form in all_forms(read_forms(text)):
        assert len(form.starts) == len(form.ends) == len(form.text)
        assert all(0 <= s < e <= len(text) for s, e in zip(form.starts, form.ends, strict=True))
        assert list(form.starts) == sorted(form.starts)
        assert list(form.ends) == sorted(form.ends)
        assert all(0 <= seam <= len(text) for seam in form.seams)


@given(TEXTS)
def test_every_form_is_idempotent(text: str) -> None:
    """Reading a form again changes nothing."""
    forms = read_forms(text)
    for name in FORM_NAMES:
        once = getattr(forms, name).text
        assert once == getattr(read_forms(once), name).text


@given(st.text(st.sampled_from(LATIN + " éßñ"), max_size=30))
def test_plain_is_the_case_folded_text(text: str) -> None:
    """For ordinary text the plain form is NFKC, case folding and single spaces, nothing else."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    squeezed = "".join(
        c for i, c in enumerate(folded) if not (c == " " and i and folded[i - 1] == " ")
    )
    assert squeezed == read_forms(text).plain.text


@pytest.mark.parametrize(
    "text",
    [
        "Привет, мир! Сор на ухе",
        "Γεια σας, τι κάνετε",
        "नमस्ते दुनिया",
        "สวัสดีชาวโลก",
        "こんにちは、がんばって",
        "שלום עולם",
        "مرحبا بالعالم",
        "안녕하세요 여러분",
        "你好，世界",
    ],
)
def test_other_scripts_stay_themselves(text: str) -> None:
    """A text in another script comes out of every form as NFKC and case folding leave it."""
    expected = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    bare_greek = "".join(c for c in unicodedata.normalize("NFD", expected) if c != "\u0301")
    for form in all_forms(read_forms(text)):
        assert form.text in (expected, bare_greek)


def test_persian_joiners_leave_the_letters() -> None:
    """Zero-width joiners between Arabic letters are dropped in forms and are no sign of evasion."""
    forms = read_forms("می\u200cخواهم")
    assert (forms.plain.text, forms.invisible) == ("میخواهم", 0)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("fr\u200bee mo\u00adney", "free money"),
        ("ｆｒｅｅ 𝐦𝐨𝐧𝐞𝐲 ⓕⓡⓔⓔ", "free money free"),
        ("раура1 fгее mоnеу", "paypai free money"),
        ("ΝΟΤΗΙΝG", "nothing"),
        ("fréè mönëy", "free money"),
        ("f̷r̴e̵e̶", "free"),
        ("🅵🆁🅴🅴", "free"),
        ("fr33 m0n3y", "free money"),
        ("$pam @nd 5cam", "spam and scam"),
        ("hell0", "hello"),
        ("s p a m", "spam"),
        ("s.p.a.m s-p-a-m s_p_a_m s * p * a * m", "spam spam spam spam"),
        ("c h e a p  p i l l s", "cheap pills"),
        ("c h e a p p i l l s", "cheappills"),
        ("s p.a m s  p  a  m", "spamspam"),
        ("spaaaaam", "spam"),
        ("加 微 信", "加微信"),
        ("f.r.3.3", "free"),
        ("fuııııı", "fui"),
        ("5h17 b17ch 4n4l", "shit bitch anal"),
        ("4$$ a$$ @$$", "ass ass ass"),
        ("(57up1d), 5h17!", "(stupid), shit!"),
        ("5 h 1 7", "shit"),
    ],
)
def test_disguises_are_seen_through(written: str, read: str) -> None:
    """The leet form reads as a person reads the text."""
    assert read == leet(written)


@pytest.mark.parametrize(
    ("written", "read"),
    [("k1ll", "kill"), ("a1l", "all"), ("killllll", "kill"), ("b|ast", "blast")],
)
def test_the_other_reading_takes_one_as_l_and_keeps_doubles(written: str, read: str) -> None:
    """Signs that may be i or l are read as l in the second leet form; stretched letters as two."""
    forms = read_forms(written)
    assert read in (forms.leet.text, forms.leet_alt.text)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02", "$100 for 50", "wow!!!", "a | b", "3 4 5", "50%", "i am a fan", "e.g. this",
        "455 of 7175", "on 5.3.1984 at 10:45", "555-1345 or +1 (345) 0175", "$455, 455$, 10$$",
        "won 10:4, then 5-4", "the a55", "4k b2b h2o", "40s", "3x4 and 1440x900", "s04 e05",
        "1|3|5", "$$$", "9000 in 1975", "7e:55:a1", "example.com/5h17", "3d455901",
    ],
)  # fmt: skip
def test_figures_and_signs_alone_are_left(text: str) -> None:
    """Numbers, prices, times, scores, sizes, codes and punctuation are no leet."""
    forms = read_forms(text)
    assert forms.swapped == 0
    assert text.replace(" ", "") == forms.leet.text.replace(" ", "")


@pytest.mark.parametrize(
    ("alone", "beside"),
    [("h03", "hoe"), ("455", "ass"), ("7175", "tits"), ("345y", "easy"), ("a55", "ass")],
)
def test_what_may_be_a_code_is_a_word_beside_a_clear_disguise(alone: str, beside: str) -> None:
    """A code or a number stays alone and is read where something is clearly in disguise."""
    assert (alone, 0) == (leet(alone), read_forms(alone).swapped)
    assert f"shit {beside}, plain" == leet(f"5h17 {alone}, plain")


@pytest.mark.parametrize(
    "text",
    ["$455", "1984", "2012", "500", "10:45", "5-4", "50s", "455%", "#455", "3x4", "555 0134567"],
)
def test_what_is_no_word_stays_beside_a_clear_disguise(text: str) -> None:
    """Prices, years, round numbers, times, scores, units, sizes and telephones are never read."""
    assert f"shit {text}" == leet(f"5h17 {text}")


@pytest.mark.parametrize(
    "text",
    ["mp3 of covid19", "ps3, the 1st at 10am", "24th 30mins 7pm", "h2o b2b 4k", "a380 to x10"],
)
def test_products_and_units_are_no_disguise(text: str) -> None:
    """Names with figures and figures with units do not make a text one in disguise."""
    assert read_forms(text).swapped == 0


def test_a_russian_word_in_a_latin_text_is_folded_only_if_it_can_be_latin() -> None:
    """Words with letters of their own stay; words of twins alone are read as Latin."""
    forms = read_forms("the word мир and the word сор")
    assert forms.skeleton.text == "the word мир and the word cop"
    russian = "дома лежит сор, free"
    assert read_forms(russian).leet.text == russian


def test_the_kinds_of_disguise_are_counted() -> None:
    """Split words, mixed alphabets and signs for letters are counted apart."""
    forms = read_forms("fr\u200bee mоney h4te covid19 example.com/a4b")
    assert (forms.invisible, forms.mixed, forms.swapped) == (1, 1, 1)
    assert read_forms("5h17, d0n't h4te b17ch h03").swapped == 4


def test_a_span_covers_the_whole_disguised_word() -> None:
    """The span of a word found in a form is the word as the person wrote it."""
    text = "so  ⓢ\u200bрäm now"
    form = read_forms(text).skeleton
    at = form.text.index("spam")
    start, end = form.span(at, at + 4)
    assert text[start:end] == "ⓢ\u200bрäm"


@given(
    st.sampled_from(["shotta", "beshoti", "toshabe", "siphate"]),
    st.sampled_from(["", "Well  ", "ﬁne, (", "345y "]),
    st.sampled_from(["", "!", ") here", ",  ok", "\u200b"]),
)
def test_a_word_all_in_figures_has_its_place_in_the_original(
    word: str, before: str, after: str
) -> None:
    """Whatever stands around it, the word that is read is where it was written in figures."""
    written = word.translate(str.maketrans("aeiost", "431057"))
    text = before + written + after
    form = read_forms(text).leet
    start, end = form.span(form.text.index(word), form.text.index(word) + len(word))
    assert written == text[start:end].rstrip("\u200b")


def test_stacks_of_marks_and_long_runs_are_read_in_linear_time() -> None:
    """Ten thousand marks, or a word of ten thousand letters, come out whole."""
    assert read_forms("z" + "\u0337" * 10_000).leet.text == "z"
    assert read_forms("1a" * 5_000).plain.text == "1a" * 5_000
    assert read_forms("1a" * 5_000).swapped == 1
    assert read_forms("5h17 " * 2_000).leet.text == "shit " * 2_000
    assert len(read_forms("я" * 10_000).leet.text) == 10_000


def test_every_twin_is_a_lookalike() -> None:
    """The letters folded in whole words are among those folded in mixed ones."""
    assert set() == set(TWINS) - set(LOOKALIKES)
