"""Readable posts from grammars: a title and a few sentences, the same for the same seed and plan.

The grammars are YAML beside this module: one file a topic, `frames.yaml` for what all topics share,
`harm.yaml` for staged harm and for its harmless look-alikes. A list is one string, parted by ` | `.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, cast

import numpy as np
import yaml

from inhouse.simulator.topics import ANGLES, HARMS, NO_HARM, TOPICS

P_OBFUSCATED: Final = 0.22  # of harmful posts: written to slip past a word list
P_NEAR_MISS: Final = 0.07  # of harmless posts: they sound like harm and are not
P_STYLED: Final = 0.02  # of harmless posts: spaced letters for show, so that spacing proves nothing
P_CLOSER: Final = 0.35  # of posts: they end on a remark every topic shares
BAIT_TITLE_FROM: Final = 0.5  # hidden clickbait from which the title is a lure
STRONG_FROM: Final = 0.6  # hidden severity from which the strong sentences are used

_SLOT: Final = re.compile(r"\{((?:[Aa]n?|the|The) )?([A-Za-z]+)\}")
_SENTENCE_START: Final = re.compile(r"(^|[.!?] )([a-z])")
_LEET: Final = str.maketrans("aeiost", "4310$7")
_HOMOGLYPHS: Final = str.maketrans("aeopcxy", "аеорсху")
_ZERO_WIDTH: Final = "\u200b"

Lists = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a post is to be; the words follow from it and a random stream."""

    topic: int  # index into TOPICS
    angle: int  # index into ANGLES
    bait: float  # 0 to 1, how much the title promises more than the post keeps
    harm: int = NO_HARM  # index into HARMS, or NO_HARM
    severity: float = 0.0  # 0 to 1, of the harm


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """The visible words of a post."""

    title: str  # headline
    text: str  # two to five sentences
    near_miss: bool = False  # harmless, but sounds like harm


@dataclass(frozen=True, kw_only=True, slots=True)
class Grammar:
    """All lists, parsed once."""

    topics: tuple[Lists, ...]  # by topic index: thing, gear, act, …
    slots: Lists  # shared by all topics: time, span, person, …
    titles: tuple[tuple[str, ...], ...]  # by angle index
    lines: tuple[tuple[str, ...], ...]  # by angle index
    bait: Lists  # titles and lines of clickbait, and its numbers
    harms: tuple[Lists, ...]  # by harm index: slots, mild, strong
    near: tuple[tuple[str, ...], ...]  # by harm index: harmless look-alikes
    names: Lists  # first and last


@cache
def grammar() -> Grammar:
    """The packaged grammars."""
    frames, harm = _read("frames.yaml"), _read("harm.yaml")
    angles = cast("Mapping[str, Mapping[str, str]]", frames["angles"])
    near = _lists(harm["near"])
    return Grammar(
        topics=tuple(_lists(_read(f"topics/{topic}.yaml")) for topic in TOPICS),
        slots=_lists(frames["slots"]),
        titles=tuple(_split(angles[angle]["titles"]) for angle in ANGLES),
        lines=tuple(_split(angles[angle]["lines"]) for angle in ANGLES),
        bait=_lists(frames["bait"]),
        harms=tuple(_lists(harm[name]) for name in HARMS),
        near=tuple(near[name] for name in HARMS),
        names=_lists(frames["names"]),
    )


def write(plan: Plan, random: np.random.Generator) -> Wording:
    """The words of one post. The same plan and stream give the same words."""
    pen = _Pen(plan, random)
    title = pen.title()
    sentences = pen.sentences()
    near_miss = False
    if plan.harm != NO_HARM:
        pen.insert(sentences, pen.harmful())
    elif pen.chance(P_NEAR_MISS):
        near_miss = True
        pen.insert(sentences, pen.near_miss())
    elif pen.chance(P_STYLED):
        title = _spaced(title)
    return Wording(title=title, text=" ".join(sentences), near_miss=near_miss)


def name_of(random: np.random.Generator) -> str:
    """A display name."""
    names = grammar().names
    return f"{_pick(names['first'], random)} {_pick(names['last'], random)}"


class _Pen:
    """Writes one post: it remembers what it has used, so that a post does not repeat itself."""

    def __init__(self, plan: Plan, random: np.random.Generator) -> None:
        self._plan = plan
        self._random = random
        self._grammar = grammar()
        self._lists: dict[str, tuple[str, ...]] = {
            **self._grammar.slots,
            **self._grammar.topics[plan.topic],
            "number": self._grammar.bait["number"],
        }
        if plan.harm != NO_HARM:
            self._lists |= self._grammar.harms[plan.harm]
        self._used: set[str] = set()
        self._thing = _pick(self._lists["thing"], random)

    def chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)

    def title(self) -> str:
        if self._plan.bait >= BAIT_TITLE_FROM:
            return self._fill(self._fresh(self._grammar.bait["titles"]))
        return self._fill(self._fresh(self._grammar.titles[self._plan.angle]))

    def sentences(self) -> list[str]:
        """One to three sentences of the angle, perhaps one of the topic, perhaps a closer."""
        count = int(self._random.integers(1, 4))
        lines = [
            self._fill(self._fresh(self._grammar.lines[self._plan.angle])) for _ in range(count)
        ]
        if self.chance(0.6):
            self.insert(lines, self._fresh(self._lists["detail"]))
        if self._plan.bait >= BAIT_TITLE_FROM:
            lines.append(self._fresh(self._grammar.bait["lines"]))
        elif self.chance(P_CLOSER):
            lines.append(self._fresh(self._grammar.slots["closer"]))
        return lines

    def harmful(self) -> str:
        """One or two staged sentences of the category, some of them disguised."""
        key = "strong" if self._plan.severity >= STRONG_FROM else "mild"
        pool = self._grammar.harms[self._plan.harm][key]
        count = 2 if self.chance(0.3) else 1
        words = " ".join(self._fill(self._fresh(pool)) for _ in range(count))
        return self._disguise(words) if self.chance(P_OBFUSCATED) else words

    def near_miss(self) -> str:
        """A harmless sentence that sounds like a random category of harm."""
        category = int(self._random.integers(len(HARMS)))
        self._lists |= self._grammar.harms[category]
        return self._fill(self._fresh(self._grammar.near[category]))

    def insert(self, lines: list[str], line: str) -> None:
        """Put a sentence at a random place among the others."""
        lines.insert(int(self._random.integers(len(lines) + 1)), line)

    def _fill(self, frame: str) -> str:
        """Fill every slot, and the slots of what filled it, and capitalise sentences."""
        while _SLOT.search(frame):
            frame = _SLOT.sub(self._slot, frame)
        return _SENTENCE_START.sub(lambda m: m[1] + m[2].upper(), frame)

    def _slot(self, match: re.Match[str]) -> str:
        article, name = match[1], match[2]
        lower = name.lower()
        if lower == "thing":
            word = self._thing
        elif lower == "other":
            word = self._fresh(tuple(w for w in self._lists["thing"] if w != self._thing))
        else:
            word = self._fresh(self._lists[lower])
        return _with_article(article, word)

    def _fresh(self, pool: tuple[str, ...]) -> str:
        """A member not used yet in this post, as long as there is one."""
        unused = tuple(word for word in pool if word not in self._used) or pool
        word = _pick(unused, self._random)
        self._used.add(word)
        return word

    def _disguise(self, words: str) -> str:
        """Rewrite the longest words: leet, spaced letters, letters of other scripts, zero width."""
        targets = sorted(set(re.findall(r"\b[a-z]{5,}", words)), key=lambda w: (-len(w), w))[:3]
        method = int(self._random.integers(4))
        for word in targets:
            words = words.replace(word, _rewritten(word, method))
        return words


def _rewritten(word: str, method: int) -> str:
    if method == 0:
        return word.translate(_LEET)
    if method == 1:
        return _spaced(word)
    if method == 2:
        return word.translate(_HOMOGLYPHS)
    return _ZERO_WIDTH.join(word)


def _spaced(words: str) -> str:
    return "  ".join(" ".join(word) for word in words.split(" "))


def _with_article(article: str | None, word: str) -> str:
    """`a`, `an` or `the` before the word; plural and proper things take none."""
    if article is None:
        return word
    if article.lower().startswith("the"):
        return f"{article}{word}"
    vowel = word[0].lower() in "aeio" or word.startswith("um")
    indefinite = "an" if vowel else "a"
    return f"{indefinite.capitalize() if article[0] == 'A' else indefinite} {word}"


def _pick(pool: tuple[str, ...], random: np.random.Generator) -> str:
    return pool[int(random.integers(len(pool)))]


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|"))


def _lists(section: object) -> Lists:
    return {
        name: _split(text if isinstance(text, str) else str(text))
        for name, text in cast("Mapping[str, object]", section).items()
    }


def _read(name: str) -> Mapping[str, object]:
    text = files(__package__).joinpath("grammar", name).read_text("utf-8")
    return cast("Mapping[str, object]", yaml.load(text, Loader=yaml.CSafeLoader))
