"""The language of a post: what the app says, else what its letters and small words tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId
from inhouse.moderation.signals.facts import facts_of
from inhouse.moderation.signals.language import language_of
from inhouse.moderation.signals.read import SignalReader
from inhouse.moderation.signals.terms import read_bank

SAID = {
    "en": "We bought some bread at the market and it was still warm when I got home.",
    "de": "Wir haben auf dem Markt Brot gekauft, und es war noch warm, als ich zu Hause war.",
    "fr": "Nous avons acheté du pain sur le marché et il était encore chaud dans le sac.",
    "es": "Compramos pan en el mercado y todavía estaba caliente cuando llegué a la casa.",
    "pt": "Comprámos pão no mercado e ainda não estava frio quando eu cheguei com a minha mãe.",
    "it": "Abbiamo comprato il pane al mercato ed era ancora caldo quando sono tornata a casa.",
    "nl": "We hebben brood gekocht op de markt en het was nog warm toen ik thuis kwam met hem.",
    "sv": "Vi köpte bröd på torget och det var fortfarande varmt när jag kom hem till min syster.",
    "da": "Vi købte brød på torvet, og det var stadig varmt, efter at jeg kom hjem til min søster.",
    "fi": "Ostimme leipää torilta ja se oli lämmintä, kun olen nyt kotona, mutta voi on poissa.",
    "pl": "Kupiliśmy chleb na targu i był jeszcze ciepły, gdy wróciłem do domu, ale nie ma masła.",
    "cs": "Koupili jsme chleba na trhu a byl ještě teplý, když jsem přišel, ale máslo už není.",
    "ro": "Am cumpărat pâine de la piață și era încă caldă când am ajuns acasă cu sora mea.",
    "hu": "Vettünk kenyeret a piacon, és még meleg volt, amikor hazaértem, de már nem volt vaj.",
    "tr": "Pazardan ekmek aldık ve eve geldiğimde hâlâ çok sıcaktı ama tereyağı daha bitmiş değil.",
    "id": "Kami membeli roti di pasar dan masih hangat, tetapi mentega sudah tidak ada untuk saya.",
    "ru": "Мы купили хлеб на рынке, и он был ещё тёплый, когда я пришла домой.",
    "uk": "Ми купили хліб на ринку, і він був ще теплий, коли я прийшла додому.",
    "bg": "Купихме хляб от пазара и беше още топъл, когато се върнах вкъщи.",
    "ar": "اشترينا الخبز من السوق وكان لا يزال دافئا",
    "fa": "ما از بازار نان خریدیم و هنوز گرم بود چون نزدیک بود",
    "el": "Αγοράσαμε ψωμί από την αγορά και ήταν ακόμα ζεστό.",
    "he": "קנינו לחם בשוק והוא עדיין היה חם",
    "hi": "हमने बाज़ार से रोटी खरीदी और वह अभी भी गर्म थी",
    "ja": "市場でパンを買って、家に帰ったときはまだ温かかった。",
    "zh": "我们在市场买了面包，到家的时候还是热的。",
    "ko": "시장에서 빵을 샀는데 집에 왔을 때 아직 따뜻했어요.",
    "th": "เราซื้อขนมปังที่ตลาดและยังอุ่นอยู่",
}


@pytest.mark.parametrize("language", SAID)
def test_a_sentence_tells_its_language(language: str) -> None:
    """In small words of an alphabet that many share, in letters of their own else."""
    assert language_of(SAID[language]) == language
    assert language_of(SAID[language].upper()) == language


@pytest.mark.parametrize(
    "text",
    ["", "ok", "lol same", "12345 !!", "🍞🍞🍞", "the pan de casa", "Хлеб вода", "\ud800\udfff x"],
)
def test_what_cannot_be_told_is_not(text: str) -> None:
    """Short, mixed, without words: nothing rather than a guess."""
    assert language_of(text) is None


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    """Any text has a language of two letters or none."""
    assert language_of(text) is None or len(language_of(text) or "") == 2


def test_half_one_language_and_half_another_is_neither() -> None:
    """Two languages in equal parts are not told apart by chance."""
    assert language_of(f"{SAID['en']} {SAID['de']}") is None


def test_what_the_app_says_counts_more_than_what_the_text_looks_like() -> None:
    """A tag is taken by its first part; a text without one is looked at."""

    def facts(text: str, language: str | None) -> dict[str, int]:
        item = Item(
            item_id=ItemId("i"), creator_id=UserId("u"), text=text, language=language, kind="video"
        )
        return dict(facts_of(item))

    assert facts(SAID["de"], "pt-BR") == {"kind.video": 1, "language.pt": 1}
    assert facts(SAID["de"], None) == {"kind.video": 1, "language.de": 1}
    assert facts("ok", None) == {"kind.video": 1}
    assert facts("ok", "not a tag") == {"kind.video": 1}


def test_foreign_small_words_hide_nothing_from_term_banks() -> None:
    """A single English word counts in a text that looks German, since nobody said it is."""
    bank = read_bank("b", "b.txt", "category: hate\nlanguage: en\nzorgling\n")
    hidden = f"{SAID['de']} zorgling"
    assert language_of(hidden) == "de"
    reader = SignalReader([bank])
    assert dict(reader.read(hidden).signals) == {"terms.hate": 1}
    assert dict(reader.read(hidden, "de").signals) == {}
