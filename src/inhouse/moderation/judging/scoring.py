"""Asking a scorer for many texts, and finding out whether a text or the scorer is at fault."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.catalog.types import Item, post_text
from inhouse.core.errors import VendorError
from inhouse.moderation.ports import Scores, TextScorer
from inhouse.moderation.signals.read import Reading
from inhouse.moderation.types import Label

# So many texts in a row that fail alone mean that nobody answers any more.
_OUTAGE: Final = 3
MODEL: Final = "model:"  # begins the source of a label that a model gives


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What became of texts."""

    scores: tuple[Scores | None, ...]  # in order; None where there was no answer
    refused: frozenset[int]  # places of those that failed alone while others were answered
    error: str | None  # the last failure; None where every text was answered


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """The ways in which one text is read."""

    ref: str  # what it belongs to
    texts: tuple[str, ...]  # as it stands, then without its disguises; may be none at all


class Questioner:
    """Asks for batches; where one fails, asks for its texts alone."""

    def __init__(self, scorer: TextScorer) -> None:
        self._scorer = scorer
        self._outages = 0
        self._error: str | None = None

    async def ask(self, readings: Sequence[Readings]) -> Asked:
        """Scores for every text in every reading: of each category the highest. A text counts as
        answered when all its readings were."""
        self._error = None
        best: dict[int, Scores] = {}
        failed: set[int] = set()
        refused: set[int] = set()
        for turn in range(max((len(r.texts) for r in readings), default=0)):
            places = [i for i, r in enumerate(readings) if len(r.texts) > turn and i not in failed]
            texts = [readings[i].texts[turn] for i in places]
            refs = [readings[i].ref for i in places]
            answers, alone = await self._ask_once(texts, refs)
            refused.update(places[j] for j in alone)
            for i, answer in zip(places, answers, strict=True):
                if answer is None:
                    failed.add(i)
                else:
                    best[i] = highest(best.get(i), answer)
        scores = tuple(None if i in failed else best.get(i) for i in range(len(readings)))
        return Asked(scores=scores, refused=frozenset(refused), error=self._error)

    async def _ask_once(
        self, texts: Sequence[str], refs: Sequence[str]
    ) -> tuple[list[Scores | None], set[int]]:
        """Answers, and the places of texts that were refused alone."""
        answers: list[Scores | None] = [None] * len(texts)
        try:
            answers = list(await self._scorer.score(texts, refs))
        except VendorError as error:
            self._error = str(error)
            if len(texts) == 1 or not await self._probe(texts, refs, answers):
                self._outages += 1
                return answers, set()
        missing = [i for i, answer in enumerate(answers) if answer is None]
        if not missing or len(missing) == len(texts):
            return answers, set()
        return answers, await self._ask_alone(texts, refs, answers, missing)

    async def _probe(
        self, texts: Sequence[str], refs: Sequence[str], answers: list[Scores | None]
    ) -> bool:
        """Whether anybody answers: one text alone, another one after each outage."""
        place = self._outages % len(texts)
        answers[place] = await self._one(texts[place], refs[place])
        return answers[place] is not None

    async def _ask_alone(
        self,
        texts: Sequence[str],
        refs: Sequence[str],
        answers: list[Scores | None],
        missing: Sequence[int],
    ) -> set[int]:
        refused: list[int] = []
        in_a_row = 0
        for place in missing:
            answers[place] = await self._one(texts[place], refs[place])
            in_a_row = 0 if answers[place] is not None else in_a_row + 1
            if in_a_row:
                refused.append(place)
            if in_a_row == _OUTAGE:
                # The scorer went away meanwhile: these three are not to blame.
                return set(refused[:-_OUTAGE])
        return set(refused)

    async def _one(self, text: str, ref: str) -> Scores | None:
        try:
            return (await self._scorer.score([text], [ref]))[0]
        except VendorError as error:
            self._error = str(error)
            return None


def highest(one: Scores | None, other: Scores) -> Scores:
    """Of each category the larger probability; named after the model that read the text as it
    stands."""
    if one is None:
        return other
    p = {name: max(one.p.get(name, 0.0), other.p.get(name, 0.0)) for name in {**one.p, **other.p}}
    return Scores(p=p, model_version=one.model_version)


def labels_of(scores: Scores | None) -> tuple[Label, ...]:
    """A model's scores as labels."""
    if scores is None:
        return ()
    source = f"{MODEL}{scores.model_version}"
    return tuple(Label(category=c, p=p, source=source) for c, p in sorted(scores.p.items()))


def readings_of(item: Item, reading: Reading, most_chars: int) -> Readings:
    """What a scorer is asked of an item: its text, and its readings without disguise."""
    text = post_text(item.title, item.text)
    texts = (text, *reading.unmasked) if text.strip() else ()
    return Readings(ref=item.item_id, texts=tuple(shortened(each, most_chars) for each in texts))


def shortened(text: str, most: int) -> str:
    """What a model is shown of a long text: the first three quarters of `most`, and the end."""
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail]}\n…\n{text[-tail:]}"
