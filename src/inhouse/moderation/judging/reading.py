"""Reading many texts: here, or spread over an executor's workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, Protocol

from inhouse.catalog.types import Item, post_text
from inhouse.engine.ports import Executor
from inhouse.moderation.settings import ModerationSettings
from inhouse.moderation.signals.read import Reading, SignalReader, Text
from inhouse.moderation.tools import load_rules

_CHUNK: Final = 250  # texts a piece of work: about 50 ms


def text_of(item: Item) -> Text:
    """What is read of an item."""
    return Text(text=post_text(item.title, item.text), language=item.language)


class TextReader(Protocol):
    """Reads the signals of texts."""

    def read_all(self, texts: Sequence[Text]) -> Sequence[Reading]:
        """One reading for each, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Work:
    settings: ModerationSettings  # whose term banks are read against
    texts: tuple[Text, ...]


class SpreadReader:
    """Reads on every worker of an executor; each loads the term banks once."""

    def __init__(self, executor: Executor, settings: ModerationSettings) -> None:
        self._executor = executor
        self._settings = settings

    def read_all(self, texts: Sequence[Text]) -> list[Reading]:
        """See `TextReader.read_all`. Raises WorkError where a worker failed."""
        pieces = (
            _Work(settings=self._settings, texts=tuple(texts[start : start + _CHUNK]))
            for start in range(0, len(texts), _CHUNK)
        )
        return list(chain.from_iterable(self._executor.map(_read, pieces)))


def _read(work: _Work) -> list[Reading]:
    return _reader(work.settings).read_all(work.texts)


@lru_cache(maxsize=1)
def _reader(settings: ModerationSettings) -> SignalReader:
    return load_rules(settings).reader
