"""Supervised fine-tuning of a language model on pairs (the answers alone are learned).

All weights, or with LoRA (Hu et al. 2022, ICLR) a pair of thin matrices beside every linear layer,
which are added to the weights in the end: what is saved is a whole model in the hub's own format,
which this program serves, and vLLM and SGLang do too.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from inhouse.models.owned.hub import load_causal, load_tokens, most_tokens_of, peft_here
from inhouse.models.students.chat import Row, row_of, with_template
from inhouse.models.students.course import (
    AT_ONCE,
    Rows,
    Taught,
    Tell,
    Work,
    parts_of,
    steps_of,
)
from inhouse.models.students.loop_torch import Loop, device_here, half_precision
from inhouse.models.students.pairs import Split
from inhouse.stats.types import NotEnough

_RANK: Final = 16
_ALPHA: Final = 32
_DROPPED: Final = 0.05
_IGNORED: Final = -100


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What came of it, in nats a token of an answer that it was not taught."""

    taught: Taught
    judged: int  # pairs
    base_loss: float  # of the model it began as
    loss: float
    left_out: int  # pairs longer than the model reads


class CausalLesson:
    """Pairs as a lesson."""

    def __init__(
        self, model: Any, rows: Sequence[Row], held: Sequence[Row], filling: int, seed: int = 20
    ) -> None:
        """filling: the token that rows are filled up with."""
        self._model, self._rows, self._held, self._filling = model, rows, held, filling
        self._device = next(model.parameters()).device
        self._at_once, self._seed = AT_ONCE[self._device.type], seed

    def steps(self, turn: int) -> list[list[Rows]]:
        """Rows of like length together, the steps in any order."""
        return steps_of([len(row.ids) for row in self._rows], self._at_once, self._seed, turn)

    def loss(self, rows: Rows) -> tuple[Tensor, float]:
        """Cross-entropy of the answers' tokens."""
        return self._loss([self._rows[place] for place in rows])

    def held_out(self) -> float:
        return self.mean_of(self._held)

    def mean_of(self, rows: Sequence[Row]) -> float:
        """The mean loss of an answer's token."""
        lengths = [len(row.ids) for row in rows]
        order = sorted(range(len(rows)), key=lengths.__getitem__)
        total, units = 0.0, 0.0
        for part in parts_of(lengths, order, self._at_once):
            loss, count = self._loss([rows[place] for place in part])
            total, units = total + float(loss), units + count
        return total / max(units, 1.0)

    def _loss(self, rows: Sequence[Row]) -> tuple[Tensor, float]:
        ids, wanted = padded(rows, self._filling)
        seen = torch.arange(ids.shape[1]) < torch.tensor([len(row.ids) for row in rows])[:, None]
        told = self._model(
            input_ids=ids.to(self._device), attention_mask=seen.long().to(self._device)
        )
        wanted = wanted[:, 1:].to(self._device)  # each token is foretold from those before it
        learned = wanted != _IGNORED
        logits = told.logits[:, :-1][learned].float()  # [answer tokens, vocabulary]
        loss = functional.cross_entropy(logits, wanted[learned], reduction="sum")
        return loss, float(learned.sum())


def padded(rows: Sequence[Row], filling: int) -> tuple[Tensor, Tensor]:
    """[rows, length]: the tokens, and the tokens to be learned: -100 for the prompt's."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), filling)
    wanted = torch.full((len(rows), longest), _IGNORED)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        wanted[place, row.first : len(row.ids)] = torch.tensor(row.ids[row.first :])
    return ids, wanted


def teach_causal(work: Work, split: Split, tell: Tell) -> Judged | NotEnough:
    """Teach a model and write it to the folder of the work. NotEnough where too few of the pairs
    are short enough for it."""
    device = device_here()
    tokens = with_template(load_tokens(work.base))
    torch.manual_seed(work.course.seed)  # what LoRA begins with
    # Few weights are taught beside the others, which may then be coarse; all of them must be exact.
    dtype = "bfloat16" if device == "cuda" and not work.full else "float32"
    model = load_causal(work.base, dtype).to(device)
    longest = most_tokens_of(model, tokens, work.most_tokens)
    teach, stop, judge = (
        [row for pair in part if (row := row_of(tokens, pair, longest)) is not None]
        for part in (split.teach, split.stop, split.judge)
    )
    left_out = split.size - len(teach) - len(stop) - len(judge)
    if not (teach and stop and judge):
        return NotEnough(
            reason=f"{left_out} of {split.size} pairs are longer than {longest} tokens",
            have=len(teach) + len(stop) + len(judge),
        )
    model = model if work.full else _thin(model)
    lesson = CausalLesson(model, teach, stop, tokens.pad_token_id)
    base_loss = _judged(lesson, judge, model)
    taught = Loop(model, lesson, work).run(tell)
    loss = _judged(lesson, judge, model)
    whole = model if work.full else model.merge_and_unload()
    whole.save_pretrained(work.to, max_shard_size="1000GB")
    tokens.save_pretrained(work.to)
    return Judged(
        taught=taught, judged=len(judge), base_loss=base_loss, loss=loss, left_out=left_out
    )


def _judged(lesson: CausalLesson, rows: Sequence[Row], model: Any) -> float:
    model.eval()
    with torch.inference_mode(), half_precision(model):
        return lesson.mean_of(rows)


def _thin(model: Any) -> Any:
    """The model with LoRA beside its linear layers, and nothing else to be taught."""
    peft = peft_here()
    how = peft.LoraConfig(
        r=_RANK,
        lora_alpha=_ALPHA,
        lora_dropout=_DROPPED,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # It still asks transformers by names that go with its next version.
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(model, how)
