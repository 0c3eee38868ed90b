"""In which language a text is, where nobody says: by its letters, else by its smallest words.

Made to be right or silent: `None` where the text is short, mixed or in a language it does not know.
It never narrows what term banks look at, or a few foreign words would hide the rest of a post.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

_MOST_CHARS: Final = 2_000  # of a text are looked at
_LEAST_WORDS: Final = 3  # small words of one language, before it is named
_LEAST_SHARE: Final = 0.15  # of all words
_LEAD: Final = 1.5  # times as many as of the next language
_MOST_OF_SCRIPT: Final = 0.5  # of all letters are in a script, before it says the language

# Scripts that one language, or nearly one, is written in.
_SCRIPTS: Final[Mapping[str, re.Pattern[str]]] = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "bn": re.compile(r"[\u0980-\u09ff]"),
    "ta": re.compile(r"[\u0b80-\u0bff]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
    "ka": re.compile(r"[\u10a0-\u10ff]"),
}
# Letters by which a language tells itself from the others of its script.
_TELLING: Final[Mapping[str, tuple[tuple[str, re.Pattern[str]], ...]]] = {
    "ru": (
        ("uk", re.compile(r"[іїєґ]")),
        ("sr", re.compile(r"[ђјљњћџ]")),
        ("ru", re.compile(r"[ыэё]")),
        ("bg", re.compile(r"ъ")),
    ),
    "ar": (("ur", re.compile(r"[ٹڈڑںے]")), ("fa", re.compile(r"[پچژگ]"))),
}
# Each language's small words, without those that a neighbour has too where others are at hand.
_SMALL: Final[Mapping[str, str]] = {
    "en": "the and of to is in it you that for was with this are be have not they on but what there"
    " my your just all so we he she his her their would from will at if like as an by me who how"
    " i a do no or out up can go get one some us when don't i'm it's don im too am had been more",
    "de": "der die das und ist nicht ich ein eine mit zu auf für den dem von es sie wir ihr auch"
    " noch nur aber wenn dass sich werden wird sind war hat habe kann mein bei aus nach über wie",
    "fr": "le la les et de en est des une du dans que qui pas pour sur avec je tu il nous vous ce"
    " cette mais ou plus sont au aux ne se son ses leur été être fait comme tout c'est j'ai"
    " elle ont",
    "es": "el la los las y es de que en un una por con para no se su lo del al como pero más muy"
    " este esta son está yo tú mi me te nos ha hay cuando todo también porque sin sobre ser qué",
    "pt": "o a os as e é de que em um uma por com para não se seu sua do da dos das no na mas mais"
    " muito este esta são está eu você meu minha me nos foi há quando tudo também porque sem ser",
    "it": "il lo la gli le e è di che in un una per con non si suo sua del della dei delle nel"
    " nella ma più molto questo questa sono io tu mi ti ci ho ha hai quando tutto anche perché",
    "nl": "de het een en is van in dat die niet ik je met voor op zijn er maar aan ook als bij nog"
    " wat naar dan heeft hebben worden wordt werd mijn ons geen meer over kan zo hij zij wij",
    "sv": "och att det är en ett som på för med jag inte den av till har du vi de om men så var"
    " från kan när sig han hon min din också bara eller alla skulle vad här finns mycket",
    "da": "og at det er en et som på for med jeg ikke den af til har du vi de om men så var fra kan"
    " når sig han hun min din også bare eller alle skulle hvad her meget være blev efter",
    "fi": "ja on ei se että olen oli mutta kun niin tai hän minä sinä me te he tämä joka myös vain"
    " ovat mitä miten jos nyt kuin sitä olla ole minun kaikki sen siitä hyvin vielä",
    "pl": "i w na z się nie to jest że do jak o ale po tak co za od czy dla są przez być tylko już"
    " może jego mnie ten ta gdy bardzo mam ja ty my był była które",
    "cs": "a v na se že je to s z do o ale jak tak co za od pro jsou být jen už může jeho ten ta"
    " když velmi mám já ty my byl byla které není jsem jsme podle také nebo",
    "ro": "și în de la cu nu este că o un pe din care mai ce se sunt pentru am ai are au fi eu tu"
    " noi dar sau foarte când acest această ale lui după fost",
    "hu": "a az és hogy nem is egy van ez azt meg csak de már mint ha volt én te mi ti ők vagy még"
    " nagyon lesz kell minden amikor mert itt úgy után",
    "tr": "ve bir bu da de için ile çok ama ne gibi daha var yok ben sen biz siz onlar değil mi mı"
    " kadar olarak olan sonra her şey nasıl neden bana sana",
    "id": "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya kamu kami mereka"
    " ada adalah bisa sudah atau karena ke oleh seperti lebih banyak apa",
}
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def _by_word() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for language, words in _SMALL.items():
        for word in dict.fromkeys(words.split()):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


_LANGUAGES_OF: Final = _by_word()


def language_of(text: str) -> str | None:
    """The language's two letters, or None where it cannot be told.

    >>> language_of("Das ist ein Satz, den ich nicht lange erklären muss.")
    'de'
    >>> language_of("ok bye") is None
    True
    """
    shown = text[:_MOST_CHARS].casefold()
    if not shown.isascii():
        letters = sum(map(str.isalpha, shown))
        for language, script in _SCRIPTS.items():
            found = len(script.findall(shown))
            # Japanese is written in Chinese characters too: a few of its own are enough.
            share = 0.1 if language == "ja" else _MOST_OF_SCRIPT
            if found >= _LEAST_WORDS and found >= share * letters:
                return _told(language, shown)
    return _by_small_words(shown)


def _told(language: str, text: str) -> str | None:
    """The language of a script that several share."""
    rivals = _TELLING.get(language)
    if rivals is None:
        return language
    found = next((name for name, letters in rivals if letters.search(text)), None)
    # Arabic needs no letters of its own; Cyrillic without any telling one is not told.
    return found or (language if language == "ar" else None)


def _by_small_words(text: str) -> str | None:
    words = _WORD.findall(text)
    counts: Counter[str] = Counter()
    for word in words:
        counts.update(_LANGUAGES_OF.get(word, ()))
    first, *others = [*counts.most_common(2), ("", 0)]
    language, hits = first
    if hits < _LEAST_WORDS or hits < _LEAST_SHARE * len(words):
        return None
    return language if hits >= _LEAD * others[0][1] else None
