"""Muted creators, topics and words."""

import numpy as np

from inhouse.features.content import all_words, word_hash
from inhouse.recommend.filters.base import Reasons, when
from inhouse.recommend.moment import Moment, topic_mask
from inhouse.recommend.types import Mask, Rows


class MutedFilter:
    """Removes what the person asked not to be shown. A muted phrase needs all its words."""

    reasons = ("muted_creator", "muted_topic", "muted_word")

    def judge(self, moment: Moment, items: Rows) -> Reasons:
        """Creator before topic before word, where several hold."""
        creator, topic, word = self._creator(moment, items), self._topic(moment, items), None
        codes = when(creator, 1) + when(topic & ~creator, 2)
        if moment.person.muted_words:
            word = self._word(moment, items)
            codes += when(word & (codes == 0), 3)
        return codes

    def _creator(self, moment: Moment, items: Rows) -> Mask:
        return moment.by_creators(items, moment.person.muted_creators)

    def _topic(self, moment: Moment, items: Rows) -> Mask:
        if not moment.person.muted_topics:
            return np.zeros(len(items), dtype=np.bool_)
        muted = np.fromiter(moment.person.muted_topics, dtype=np.int16)
        return topic_mask(moment.table, items, muted)

    def _word(self, moment: Moment, items: Rows) -> Mask:
        phrases = [sorted(all_words(text)) or [text] for text in moment.person.muted_words]
        single = [phrase[0] for phrase in phrases if len(phrase) == 1]
        hit = moment.table.has_any_word(items, _hashes(single))
        for phrase in phrases:
            if len(phrase) > 1:
                each = [moment.table.has_any_word(items, _hashes([word])) for word in phrase]
                hit |= np.logical_and.reduce(each)
        return hit


def _hashes(words: list[str]) -> "np.typing.NDArray[np.uint32]":
    return np.array([word_hash(word) for word in words], dtype=np.uint32)
