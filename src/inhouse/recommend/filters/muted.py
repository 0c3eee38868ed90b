"""Muted creators, topics and words."""

from collections.abc import Collection

import numpy as np

from inhouse.features.content import all_words, word_hash
from inhouse.features.items import ItemTable
from inhouse.features.people import Person
from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import Mask, Rows


class MutedFilter:
    """Removes what the person asked not to be shown. A muted phrase needs all its words."""

    reasons = ("muted_creator", "muted_topic", "muted_word")

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Creator before topic before word, where several hold."""
        if not self._mutes(moment.person):
            return np.zeros(len(items), dtype=np.uint8)
        creator, topic = self._creator(moment, items), self._topic(moment, items)
        codes = when(creator, 1) + when(topic & ~creator, 2)
        if moment.person.muted_words:
            hit = by_word(moment.table, moment.person.muted_words, items)
            codes += when(hit & (codes == 0), 3)
        return codes

    def _mutes(self, person: Person) -> bool:
        return bool(person.muted_creators or person.muted_topics or person.muted_words)

    def _creator(self, moment: Moment, items: Rows) -> Mask:
        return moment.by_creators(items, moment.person.muted_creators)

    def _topic(self, moment: Moment, items: Rows) -> Mask:
        if not len(moment.bars.muted):
            return np.zeros(len(items), dtype=np.bool_)
        return moment.on_topic(items, moment.bars.muted)


def by_word(table: ItemTable, muted: Collection[str], items: Rows) -> Mask:
    """bool[n]: which of the items hold a muted word, or all words of a muted phrase."""
    phrases = [sorted(all_words(text)) or [text] for text in muted]
    single = [phrase[0] for phrase in phrases if len(phrase) == 1]
    hit = table.has_any_word(items, _hashes(single))
    for phrase in phrases:
        if len(phrase) > 1:
            each = [table.has_any_word(items, _hashes([word])) for word in phrase]
            hit |= np.logical_and.reduce(each)
    return hit


def _hashes(words: list[str]) -> "np.typing.NDArray[np.uint32]":
    return np.array([word_hash(word) for word in words], dtype=np.uint32)
