"""Tokens as text, as they come: what of it may go out, and where it ends."""

from collections.abc import Sequence
from typing import Any, Final

_TORN: Final = "\ufffd"  # ends a text whose last character is not whole yet


class Saying:
    """The text of one answer. A token is turned into text beside the few before it: all of them
    anew each time would cost the square of their number."""

    def __init__(self, tokens: Any, stop: Sequence[str]) -> None:
        """tokens: the tokenizer. stop: texts that end the answer and are not part of it."""
        self._tokens, self._stop = tokens, stop
        self._ids: list[int] = []
        self._whole = ""  # of the tokens before `_settled`
        self._before, self._settled = 0, 0  # places of tokens: how far back is read, and up to
        self._sent = 0  # characters
        self._text = ""
        self.stopped = False  # it came to one of the texts to stop at

    @property
    def count(self) -> int:
        """Tokens said."""
        return len(self._ids)

    def add(self, token: int) -> None:
        """The next token."""
        self._ids.append(token)
        known = self._decoded(self._before, self._settled)
        fresh = self._decoded(self._before, len(self._ids))[len(known) :]
        self._text = self._whole + fresh
        if fresh and not fresh.endswith(_TORN):
            self._whole, self._before, self._settled = self._text, self._settled, self.count
        # Nothing that could be the beginning of a stop was sent, so none begins before.
        found = (self._text.find(end, self._sent) for end in self._stop)
        cut = min((at for at in found if at >= 0), default=-1)
        if cut >= 0:
            self._text, self.stopped = self._text[:cut], True

    def more(self, *, last: bool) -> str:
        """What may go out and did not yet; all of it with the last one."""
        size = len(self._text) if last else safe_length(self._text, self._stop)
        more = self._text[self._sent : size]
        self._sent = max(self._sent, size)
        return more

    def _decoded(self, first: int, end: int) -> str:
        return str(self._tokens.decode(self._ids[first:end], skip_special_tokens=True))


def safe_length(text: str, stop: Sequence[str]) -> int:
    """How much of a text may go out: not what may turn out to be the beginning of a stop, nor half
    a character.

    >>> safe_length("one tw", ("two",))
    4
    """
    held = max(
        (size for end in stop for size in range(1, len(end)) if text.endswith(end[:size])),
        default=0,
    )
    return min(len(text) - held, len(text.rstrip(_TORN)))
