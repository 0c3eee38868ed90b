"""A small table of letters that look like Latin ones.

Cyrillic and Greek only, lower case, plus Latin letters that do not decompose. Words of other
scripts, and Cyrillic or Greek words inside text of their own script, are left as they are.
"""

from types import MappingProxyType
from typing import Final

_CYRILLIC: Final = {
    "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "ё": "e", "ғ": "f", "һ": "h", "і": "i",
    "ї": "i", "ј": "j", "к": "k", "ӏ": "l", "м": "m", "н": "h", "о": "o", "р": "p", "ԛ": "q",
    "г": "r", "ѕ": "s", "т": "t", "ц": "u", "ѵ": "v", "ԝ": "w", "х": "x", "у": "y", "ү": "y",
    "ҽ": "e", "ѡ": "w", "ө": "o", "ҝ": "k", "ԍ": "g", "ь": "b", "п": "n", "и": "u",
}  # fmt: skip
_GREEK: Final = {
    "α": "a", "β": "b", "ϲ": "c", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o",
    "ρ": "p", "σ": "o", "τ": "t", "υ": "u", "χ": "x", "γ": "y", "ω": "w", "μ": "u", "ϳ": "j",
    "ζ": "z", "ϝ": "f", "θ": "o", "ς": "c",
}  # fmt: skip
_LATIN: Final = {
    "ı": "i", "ȷ": "j", "ɑ": "a", "ɡ": "g", "ɩ": "i", "ɪ": "i", "ʀ": "r", "ʏ": "y", "ʟ": "l",
    "ɴ": "n", "ɢ": "g", "ʜ": "h", "ʙ": "b", "ᴀ": "a", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ᴊ": "j",
    "ᴋ": "k", "ᴍ": "m", "ᴏ": "o", "ᴘ": "p", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ᴢ": "z",
    "ꜰ": "f", "ꜱ": "s", "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ƒ": "f", "ɐ": "a",
    "ǝ": "e", "ə": "e", "ɔ": "c", "ɨ": "i", "ʉ": "u", "ƙ": "k", "ɓ": "b", "ɗ": "d", "ŋ": "n",
}  # fmt: skip
# Letters that stand for a Latin one in a word that has Latin letters too.
LOOKALIKES: Final = MappingProxyType({**_CYRILLIC, **_GREEK})
# Those that nobody can tell apart: a whole word of them in a Latin text is a Latin word.
TWINS: Final = frozenset("авсеёкмнортхуіїјѕԁһӏԛԝѵαβεζηικμνορτυχϲϳ")
# Greek capitals that look like another letter than their small ones.
CAPITALS: Final = MappingProxyType({"Η": "h", "Μ": "m", "Ν": "n", "Υ": "y", "Ζ": "z", "Β": "b"})
# Letters that are Latin already and only drawn differently: always folded.
LATIN_VARIANTS: Final = MappingProxyType(_LATIN)

# Letters in circles and squares that NFKC leaves alone, to plain ones.
ENCLOSED: Final = MappingProxyType(
    {chr(start + i): chr(ord("a") + i) for start in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)}
)

# What stands for a letter inside a word. 1, ! and | are read as i first and as l second.
LEET: Final = MappingProxyType(
    {"0": "o", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s",
     "€": "e", "£": "l", "¢": "c"}
)  # fmt: skip
LEET_I: Final = "1!|"
