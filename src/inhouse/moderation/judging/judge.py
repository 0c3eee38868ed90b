"""Judging texts that belong to no post: what term banks and models say, and nothing is decided.

For callers who have a policy of their own and ask for numbers. A text is read as a post is: with
its disguises undone, the models shown beginning and end of a long one, the term banks all of it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inhouse.catalog.types import words_ref
from inhouse.core.errors import VendorError
from inhouse.moderation.judging.scoring import highest, shortened
from inhouse.moderation.ports import Scores, TextScorer
from inhouse.moderation.signals.read import Reading, Text
from inhouse.moderation.tools import Tools

# So much is read sooner (3 ms at most) than a thread takes over, and hardly holds up the loop.
_AT_ONCE_CHARS: Final = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What is known of one text."""

    p: Mapping[str, float]  # category -> the highest of model and terms; absent where nobody spoke
    model: str | None  # who scored it; None where no model did


class TextJudge:
    """Asks term banks and models about texts from outside."""

    def __init__(self, scorer: TextScorer, tools: Tools) -> None:
        self._scorer = scorer
        self.tools = tools

    async def judge(self, texts: Sequence[Text]) -> list[Judgement]:
        """A judgement of each text, in order; one that is given twice is judged once.

        Raises VendorError where a model is there and did not answer for every text.
        """
        distinct = list(dict.fromkeys(texts))
        readings = await self._read(distinct)
        asked = [self._asked(*pair) for pair in zip(distinct, readings, strict=True)]
        scores = await self._score({form: words_ref(form) for forms in asked for form in forms})
        found = {
            text: _judgement(reading, [scores[form] for form in forms])
            for text, reading, forms in zip(distinct, readings, asked, strict=True)
        }
        return [found[text] for text in texts]

    async def _read(self, texts: Sequence[Text]) -> list[Reading]:
        reader = self.tools.rules.reader
        if sum(len(each.text) for each in texts) <= _AT_ONCE_CHARS:
            return reader.read_all(texts)
        return await asyncio.to_thread(reader.read_all, texts)

    def _asked(self, text: Text, reading: Reading) -> list[str]:
        """What a model is shown of a text: as it stands, then without its disguises."""
        if not text.text.strip():
            return []
        most = self.tools.settings.most_chars
        return [shortened(form, most) for form in (text.text, *reading.unmasked)]

    async def _score(self, asked: Mapping[str, str]) -> dict[str, Scores]:
        """Scores of each text, which are given with their refs."""
        if not asked:
            return {}
        answers = await self._scorer.score(list(asked), list(asked.values()))
        found = {
            text: answer for text, answer in zip(asked, answers, strict=True) if answer is not None
        }
        if len(found) < len(asked):
            raise VendorError(
                f"no model answered for {len(asked) - len(found)} of {len(asked)} texts; "
                "try again later"
            )
        return found


def _judgement(reading: Reading, scores: Sequence[Scores]) -> Judgement:
    best: Scores | None = None
    for answer in scores:
        best = highest(best, answer)
    p = dict(best.p) if best else {}
    for label in reading.labels:
        p[label.category] = max(label.p, p.get(label.category, 0.0))
    return Judgement(p=p, model=best.model_version if best else None)
