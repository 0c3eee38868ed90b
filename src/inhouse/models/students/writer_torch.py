"""Writing with a language model: several answers at once, a token of each in turn.

One thread does all of the work, so that answers that began together end together and nobody waits
for another's end. Whoever goes away is dropped before its next token. For many callers a server
made for it (vLLM, SGLang) is faster by far: what is trained here is in the format that they read.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Final

import torch

from inhouse.core.logs import logger
from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.folders import checked_card
from inhouse.models.owned.hub import (
    load_causal,
    load_tokens,
    most_tokens_of,
    transformers_here,
)
from inhouse.models.students.chat import Ending, ids_of, prompt_text, with_template
from inhouse.models.students.loop_torch import device_here

_LOG = logger("students")
_MOST_TOKENS: Final = 1 << 17  # a model reads
_TORN: Final = "\ufffd"  # ends a text whose last character is not whole yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An answer to write."""

    ids: Sequence[int]  # the prompt's tokens
    most_tokens: int  # of the answer
    temperature: float  # 0 takes the likeliest token each time
    top_p: float  # only the likeliest tokens that together have this probability
    stop: tuple[str, ...]  # texts that end the answer and are not part of it
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of an answer."""

    text: str
    tokens: int  # written so far
    ending: Ending | None = None  # of the last piece


class Writing:
    """An answer on its way."""

    def __init__(self, wanted: Wanted, hear: Callable[[Piece], None]) -> None:
        self.wanted, self.hear = wanted, hear
        self.gone = False  # nobody listens any more
        self.ids: list[int] = []
        self.sent = 0  # characters
        self.read: Any = None  # what the model keeps of all tokens so far
        self.dice = torch.Generator(device="cpu").manual_seed(wanted.seed)

    def leave(self) -> None:
        """Stop writing before the next token."""
        self.gone = True


class Writer:
    """A language model that was trained here, with a thread that writes."""

    def __init__(self, folder: Path) -> None:
        """Raises SnapshotError or SettingError where the model's files are not whole."""
        checked_card(folder)
        self.tokens = with_template(load_tokens(str(folder)))
        self._model = load_causal(str(folder)).to(device_here())
        self.most_tokens = most_tokens_of(self._model, self.tokens, _MOST_TOKENS)
        named = signature(self._model.forward).parameters
        self._cache_name = "cache" if "cache" in named else "past_key_values"
        self._ends = _ends_of(self._model, self.tokens)
        self._active: list[Writing] = []
        self._news = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a conversation, up to where the answer begins."""
        return ids_of(self.tokens, prompt_text(self.tokens, messages))

    def write(self, wanted: Wanted, hear: Callable[[Piece], None]) -> Writing:
        """Begin an answer. hear: gets its pieces, called by the writer's thread."""
        writing = Writing(wanted, hear)
        with self._news:
            self._active.append(writing)
            self._news.notify()
        return writing

    @property
    def busy(self) -> int:
        """Answers on their way."""
        return len(self._active)

    def close(self) -> None:
        """Write nothing more; what is on its way ends as failed."""
        with self._news:
            self._closed = True
            self._news.notify()

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._active and not self._closed:
                    self._news.wait()
                active = list(self._active)
            for writing in active:
                if self._closed or writing.gone or not self._goes_on(writing):
                    if self._closed and not writing.gone:
                        writing.hear(Piece(text="", tokens=len(writing.ids), ending="failed"))
                    with self._news:
                        self._active.remove(writing)
            if self._closed and not self._active:
                return

    def _goes_on(self, writing: Writing) -> bool:
        """Write one token; whatever goes wrong ends this one answer alone."""
        try:
            with torch.inference_mode():
                return self._step(writing)
        except Exception as error:  # noqa: BLE001 - the thread is everybody's and must live on
            _LOG.error("writing_failed", error=type(error).__name__, exc_info=error)
            writing.hear(Piece(text="", tokens=len(writing.ids), ending="failed"))
            return False

    def _step(self, writing: Writing) -> bool:
        given = writing.ids[-1:] or list(writing.wanted.ids)
        if writing.read is None:
            writing.read = transformers_here().DynamicCache(config=self._model.config)
        told = self._model(
            input_ids=torch.tensor([given], device=self._model.device),
            use_cache=True,
            **{self._cache_name: writing.read},
        )
        token = chosen(told.logits[0, -1].float().cpu(), writing.wanted, writing.dice)
        ended = token in self._ends
        if not ended:
            writing.ids.append(token)
        full = len(writing.ids) >= writing.wanted.most_tokens
        text = self.tokens.decode(writing.ids, skip_special_tokens=True)
        cut = min((at for end in writing.wanted.stop if (at := text.find(end)) >= 0), default=-1)
        if cut >= 0:
            text, ended = text[:cut], True
        ending: Ending | None = "stop" if ended else "length" if full else None
        told_to = len(text) if ending else _safe_length(text, writing.wanted.stop)
        if told_to > writing.sent or ending:
            piece = text[writing.sent : told_to]
            writing.sent = max(writing.sent, told_to)
            writing.hear(Piece(text=piece, tokens=len(writing.ids), ending=ending))
        return ending is None


def chosen(logits: torch.Tensor, wanted: Wanted, dice: torch.Generator) -> int:
    """The next token. logits: [vocabulary]."""
    if wanted.temperature == 0:
        return int(logits.argmax())
    p = torch.softmax(logits / wanted.temperature, dim=0)
    ordered, places = p.sort(descending=True)
    # A token is in where those before it do not reach the share already: the first always is.
    ordered[ordered.cumsum(0) - ordered >= wanted.top_p] = 0.0
    return int(places[torch.multinomial(ordered, 1, generator=dice)])


def _safe_length(text: str, stop: Sequence[str]) -> int:
    """How much of a text may go out: not what may turn out to be the beginning of a stop, nor half
    a character.

    >>> _safe_length("one tw", ("two",))
    4
    """
    held = max(
        (size for end in stop for size in range(1, len(end)) if text.endswith(end[:size])),
        default=0,
    )
    return min(len(text) - held, len(text.rstrip(_TORN)))


def _ends_of(model: Any, tokens: Any) -> frozenset[int]:
    """Tokens that end an answer."""
    told = getattr(model.generation_config, "eos_token_id", None)
    several = told if isinstance(told, list) else [told]
    return frozenset(int(one) for one in (*several, tokens.eos_token_id) if one is not None)
