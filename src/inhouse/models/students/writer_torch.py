"""Writing with a language model: a token of every answer at once, in one pass over the weights.

One thread does all of the work. Answers that are asked for while others are written join between
two tokens (Yu et al. 2022, Orca, OSDI, section 4.1), whoever has ended or gone away leaves at once,
and long prompts are read in parts, so that nobody's next token waits for the whole of another's.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from inhouse.core.errors import BusyError, SettingError
from inhouse.core.logs import logger
from inhouse.models.harvest.conversations import Message
from inhouse.models.owned.folders import checked_card
from inhouse.models.owned.hub import load_causal, load_tokens, most_tokens_of
from inhouse.models.students.chat import Ending, ids_of, prompt_text, with_template
from inhouse.models.students.kept_torch import Kept, reads_on, reads_together, token_bytes
from inhouse.models.students.loop_torch import device_here
from inhouse.models.students.saying import Saying

_LOG = logger("students")
_MOST_TOKENS: Final = 1 << 17  # a model reads
_READ_AT_ONCE: Final[Mapping[str, int]] = {"cpu": 128, "cuda": 2_048}  # tokens of prompts
_LIKELY: Final = 256  # tokens are sorted first; all of them only where these do not reach


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An answer to write."""

    ids: Sequence[int]  # the prompt's tokens
    most_tokens: int  # of the answer
    temperature: float  # 0 takes the likeliest token each time
    top_p: float  # only the likeliest tokens that together have this probability
    stop: tuple[str, ...]  # texts that end the answer and are not part of it
    seed: int

    @property
    def most_kept(self) -> int:
        """Tokens that are kept of it in the end, at most."""
        return len(self.ids) + self.most_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of an answer."""

    text: str
    tokens: int  # written so far
    ending: Ending | None = None  # of the last piece


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """How much a writer takes on."""

    at_once: int  # answers written together
    waiting: int  # answers in line behind them
    kept_bytes: int  # of what the model keeps of all tokens it has read


class Writing:
    """An answer on its way."""

    def __init__(self, wanted: Wanted, hear: Callable[[Piece], None], saying: Saying) -> None:
        self.wanted, self.hear, self.saying = wanted, hear, saying
        self.gone = False  # nobody listens any more
        self.last = 0  # the token written last
        self.dice = torch.Generator(device="cpu").manual_seed(wanted.seed)

    def leave(self) -> None:
        """Stop writing before the next token."""
        self.gone = True

    def end(self, ending: Ending) -> None:
        """Tell that this is all."""
        self.hear(Piece(text=self.saying.more(last=True), tokens=self.saying.count, ending=ending))


@dataclass(kw_only=True, slots=True)
class _Batch:
    """Answers that are written together."""

    kept: Kept
    writings: list[Writing]  # a row each


class Writer:
    """A language model that was trained here, with a thread that writes."""

    def __init__(self, folder: Path, room: Room) -> None:
        """Raises SnapshotError or SettingError where the model's files are not whole."""
        checked_card(folder)
        self.tokens = with_template(load_tokens(str(folder)))
        self._model = load_causal(str(folder)).to(device_here())
        self._room = room
        with torch.inference_mode():
            if not reads_on(self._model):
                raise SettingError(
                    f"{folder.name} cannot be written with here: its architecture does not read on "
                    "where it left off; serve its folder with another server"
                )
            self._together = reads_together(self._model)
            self._most_kept = room.kept_bytes // token_bytes(self._model)
        most = most_tokens_of(self._model, self.tokens, _MOST_TOKENS)
        self.most_tokens = min(most, self._most_kept)
        self._read_at_once = _READ_AT_ONCE[self._model.device.type]
        self._ends = _ends_of(self._model, self.tokens)
        self._line: deque[Writing] = deque()
        self._reading: deque[Writing] = deque()  # let in; their prompts are not read to the end
        self._begun: Kept | None = None  # of the first of them, whose prompt is read in parts
        self._batches: list[_Batch] = []
        self._inside = 0  # how many of them there are, told under the lock
        self._news = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of a conversation, up to where the answer begins."""
        return ids_of(self.tokens, prompt_text(self.tokens, messages))

    def write(self, wanted: Wanted, hear: Callable[[Piece], None]) -> Writing:
        """Begin an answer. hear: gets its pieces, called by the writer's thread. Raises BusyError
        where as many wait as may."""
        writing = Writing(wanted, hear, Saying(self.tokens, wanted.stop))
        with self._news:
            if self._closed:
                raise BusyError("the model was just let go of to make room; ask again")
            if self.busy >= self._room.at_once + self._room.waiting:
                raise BusyError(
                    f"{self._room.at_once} answers are written at once and {self._room.waiting} "
                    "wait; ask again soon"
                )
            self._line.append(writing)
            self._news.notify()
        return writing

    @property
    def busy(self) -> int:
        """Answers on their way."""
        return len(self._line) + self._inside

    def close(self) -> None:
        """Write nothing more; what is on its way ends as failed."""
        with self._news:
            self._closed = True
            self._news.notify()

    def _run(self) -> None:
        while self._goes_on():
            try:
                with torch.inference_mode():
                    self._write()
                    self._read()
            except Exception as error:  # noqa: BLE001 - the thread is everybody's and must live on
                _LOG.error("writing_failed", error=type(error).__name__, exc_info=error)
                self._fail(self._let_in())
                self._reading.clear()
                self._begun, self._batches = None, []
        self._fail([*self._let_in(), *self._line])

    def _goes_on(self) -> bool:
        """Wait for work and take in what there is room for, in order; False once closed."""
        with self._news:
            self._inside = len(self._let_in())
            while not (self._closed or self._line or self._inside):
                self._news.wait()
            self._line = deque(one for one in self._line if not one.gone)
            while self._line and self._fits(self._line[0]):
                self._reading.append(self._line.popleft())
            self._inside = len(self._let_in())
        return not self._closed

    def _let_in(self) -> list[Writing]:
        return [*self._reading, *(one for batch in self._batches for one in batch.writings)]

    def _fits(self, writing: Writing) -> bool:
        """Whether all rows, each as long as the longest will be, are within bounds."""
        others = self._let_in()
        rows, longest = len(others) + 1, max(one.wanted.most_kept for one in (writing, *others))
        return not others or (rows <= self._room.at_once and rows * longest <= self._most_kept)

    def _write(self) -> None:
        """A token for everybody."""
        for batch in self._batches:
            _keep(batch, [not one.gone for one in batch.writings])
            if batch.writings:
                self._say(batch, batch.kept.read([[one.last] for one in batch.writings]))
        self._batches = [batch for batch in self._batches if batch.writings]

    def _read(self) -> None:
        """Some of the prompts; whose prompt is read to its end writes its first token."""
        while self._reading and self._reading[0].gone:
            self._reading.popleft()
            self._begun = None
        if not self._reading:
            return
        is_long = len(self._reading[0].wanted.ids) > self._read_at_once
        if not (self._together and is_long):
            fresh = self._begin([self._reading.popleft() for _ in range(self._fitting())])
        elif (last := self._read_on()) is not None:
            fresh = self._begin([self._reading.popleft()], *last)
        else:
            return
        for batch in fresh:
            if self._together and self._batches:
                self._batches[0].kept.join(batch.kept)
                self._batches[0].writings += batch.writings
            else:
                self._batches.append(batch)

    def _read_on(self) -> tuple[Kept, Sequence[int]] | None:
        """A part of a long prompt, but for the last one: what is kept then, and that part."""
        kept = self._begun or Kept(self._model)
        rest = self._reading[0].wanted.ids[kept.longest :]
        if len(rest) <= self._read_at_once:
            self._begun = None
            return kept, rest
        kept.read([rest[: self._read_at_once]])
        self._begun = kept
        return None

    def _fitting(self) -> int:
        """How many of the next prompts are read together."""
        longest = 0
        for count, one in enumerate(self._reading):
            longest = max(longest, len(one.wanted.ids))
            if count and not (self._together and longest * (count + 1) <= self._read_at_once):
                return count
        return len(self._reading)

    def _begin(
        self, writings: list[Writing], kept: Kept | None = None, rest: Sequence[int] = ()
    ) -> list[_Batch]:
        """Read prompts to their ends and write a token each; one by one where together they fail,
        so that a prompt that cannot be read ends its own answer alone."""
        batch = _Batch(kept=kept or Kept(self._model), writings=writings)
        try:
            told = batch.kept.read([rest or one.wanted.ids for one in writings])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one is not the others'
            if len(writings) > 1:
                return [found for one in writings for found in self._begin([one])]
            _LOG.error("prompt_not_read", error=type(error).__name__, exc_info=error)
            self._fail(writings)
            return []
        self._say(batch, told)
        return [batch] if batch.writings else []

    def _say(self, batch: _Batch, logits: Tensor) -> None:
        """Choose each row's token and tell it. logits: [rows, vocabulary]."""
        going = []
        likeliest = logits.argmax(1).tolist()
        for row, (writing, token) in enumerate(zip(batch.writings, likeliest, strict=True)):
            if writing.wanted.temperature > 0:
                token = chosen(logits[row].cpu(), writing.wanted, writing.dice)  # noqa: PLW2901
            going.append(self._goes(writing, token))
        _keep(batch, going)

    def _goes(self, writing: Writing, token: int) -> bool:
        """Tell a token; whether more is to come."""
        writing.last = token
        saying, ended = writing.saying, token in self._ends
        if not ended:
            saying.add(token)
        if ended or saying.stopped:
            writing.end("stop")
            return False
        if saying.count >= writing.wanted.most_tokens:
            writing.end("length")
            return False
        text = saying.more(last=False)
        if text:
            writing.hear(Piece(text=text, tokens=saying.count))
        return True

    @staticmethod
    def _fail(writings: Sequence[Writing]) -> None:
        for writing in writings:
            if not writing.gone:
                writing.end("failed")


def _keep(batch: _Batch, going: Sequence[bool]) -> None:
    """Let go of the rows that do not go on."""
    if all(going):
        return
    places = [place for place, goes in enumerate(going) if goes]
    batch.writings = [batch.writings[place] for place in places]
    if places:
        batch.kept.keep(places)


def chosen(logits: Tensor, wanted: Wanted, dice: torch.Generator) -> int:
    """The next token, by chance. logits: [vocabulary]."""
    if wanted.temperature == 0:
        return int(logits.argmax())
    p = torch.softmax(logits.double() / wanted.temperature, dim=0)
    if wanted.top_p >= 1:
        return _drawn(p, dice)
    ordered, places = p.topk(min(_LIKELY, len(p)))
    if float(ordered.sum()) < wanted.top_p:
        ordered, places = p.sort(descending=True)
    # A token is in where those before it do not reach the share already: the first always is.
    inside = ordered.cumsum(0) - ordered < wanted.top_p
    return int(places[_drawn(ordered[inside], dice)])


def _drawn(p: Tensor, dice: torch.Generator) -> int:
    """A place, by its share of all."""
    up_to = p.cumsum(0)
    at = torch.rand((), generator=dice, dtype=torch.float64) * up_to[-1]
    return min(int(torch.searchsorted(up_to, at, right=True)), len(p) - 1)


def _ends_of(model: Any, tokens: Any) -> frozenset[int]:
    """Tokens that end an answer."""
    told = getattr(model.generation_config, "eos_token_id", None)
    several = told if isinstance(told, list) else [told]
    return frozenset(int(one) for one in (*several, tokens.eos_token_id) if one is not None)
