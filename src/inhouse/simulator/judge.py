"""What the rented stand-in thinks of a text: the hidden truth, wrong at known rates. Pure."""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from inhouse.simulator.posts import text_key
from inhouse.simulator.topics import HARMS, NO_HARM
from inhouse.simulator.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """How often the stand-in is right about a category."""

    tpr: float  # chance to flag a post that belongs to it
    fpr: float  # chance to flag a post that does not


RATES: Final[Mapping[str, Rates]] = MappingProxyType(
    {
        "harassment": Rates(tpr=0.93, fpr=0.0018),
        "hate": Rates(tpr=0.91, fpr=0.0013),
        "sexual": Rates(tpr=0.95, fpr=0.0010),
        "violence": Rates(tpr=0.92, fpr=0.0015),
        "self_harm": Rates(tpr=0.90, fpr=0.0010),
        "spam": Rates(tpr=0.95, fpr=0.0022),
    }
)
FLAG_AT: Final = 0.5  # a score from here on is a flag

# For texts this world did not write: words that would make a hurried reader suspicious.
_SUSPICIOUS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "harassment": re.compile(
            r"\b(pathetic|clown|loser|idiot|stupid|moron|ugly|shut up|nobody likes you|fraud)\b"
        ),
        "hate": re.compile(r"\b(sent back|where they came from|vermin|do not belong|inferior)\b"),
        "sexual": re.compile(r"\b(nudes?|naked|adults only|uncensored|porn|sexy|onlyfans|xxx)\b"),
        "violence": re.compile(
            r"\b(kill|stab|shoot|beat you|watch your back|hurt you|punch|murder|bomb)\b"
        ),
        "self_harm": re.compile(
            r"\b(suicide|kill myself|cut myself|end it all|no reason to live|starving myself)\b"
        ),
        "spam": re.compile(
            r"\b(crypto|giveaway|link in bio|earn \$?\d+|work from home|click here|whatsapp)\b"
        ),
    }
)
_GUESSES: Final = (0.03, 0.62, 0.86)  # score at none, one, and more suspicious words


class Judge:
    """Scores texts. The same text and model name always get the same scores."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._posts: dict[int, int] = {}
        self._known = 0  # posts in the book

    def scores(self, text: str, model: str) -> dict[str, float]:
        """Probability by category: from the truth where the text is a post, else from its words."""
        key = text_key(text)
        post = self._post(key)
        if post is None:
            return {name: guess(text, name) for name in HARMS}
        harm = int(self._world.posts.harm[post])
        truly = None if harm == NO_HARM else HARMS[harm]
        return {name: _score(f"{key:016x}", model, name, truly == name) for name in HARMS}

    def _post(self, key: int) -> int | None:
        for post in range(self._known, self._world.post_count):
            self._posts[int(self._world.posts.key[post])] = post
        self._known = self._world.post_count
        return self._posts.get(key)


def guess(text: str, category: str) -> float:
    """What the words alone suggest."""
    found = _SUSPICIOUS[category].findall(text.lower())
    return _GUESSES[min(len(set(found)), len(_GUESSES) - 1)]


def _score(key: str, model: str, category: str, truly: bool) -> float:
    """A flag at the category's rate, then a score on that side of FLAG_AT, by the text's key."""
    luck: float = _uniform(key, model, category, "flag")
    spread: float = _uniform(key, model, category, "score")
    rates = RATES[category]
    if luck < (rates.tpr if truly else rates.fpr):
        return round(1.0 - 0.45 * math.pow(spread, 1.5), 4)
    return round(0.001 + 0.40 * math.pow(spread, 4.0), 4)


def _uniform(*parts: str) -> float:
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64
