"""Teaching an encoder to judge texts: heads on its vectors, or the whole of it.

The whole begins where the heads ended, so that what it knows is not torn apart by a head that knows
nothing yet (Kumar et al. 2022, ICLR, linear probing before fine-tuning). Its curves are fitted on
later texts than those it was taught on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inhouse.models.owned.calibrate import Curve, fit_curve
from inhouse.models.owned.encoder import Encoder, save_head
from inhouse.models.owned.head import Head, fit_head
from inhouse.models.owned.text import Doubles
from inhouse.models.students.course import AT_ONCE, Rows, Tell, Work, parts_of, steps_of
from inhouse.models.students.loop_torch import Loop, device_here
from inhouse.stats.types import NotEnough


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Texts with what is true of them."""

    texts: Sequence[str]
    targets: Doubles  # [texts, categories], 0 to 1, NaN where nobody knows
    categories: tuple[str, ...]

    def part(self, rows: slice) -> "Labelled":
        """Some of them."""
        return replace(self, texts=self.texts[rows], targets=self.targets[rows])

    def only(self, categories: Sequence[str]) -> "Labelled":
        """All of them, for some of the categories."""
        places = [self.categories.index(name) for name in categories]
        return replace(self, targets=self.targets[:, places], categories=tuple(categories))


class Judge(nn.Module):
    """An encoder with its head, to be taught together."""

    def __init__(self, encoder: Encoder, head: Head) -> None:
        super().__init__()
        self.inner = encoder.model
        self.head = nn.Linear(encoder.width, len(head.categories))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weights.T.astype(np.float32)))
            self.head.bias.copy_(torch.from_numpy(head.biases.astype(np.float32)))


class JudgeLesson:
    """Labelled texts as a lesson."""

    def __init__(self, encoder: Encoder, judge: Judge, teach: Labelled, stop: Labelled) -> None:
        self._encoder, self._judge, self._teach, self._stop = encoder, judge, teach, stop
        self._device = next(judge.parameters()).device
        told = encoder.tokens(list(teach.texts), truncation=True, max_length=encoder.most_tokens)
        self._lengths = [len(ids) for ids in told["input_ids"]]

    def steps(self, turn: int) -> list[list[Rows]]:
        """Texts of like length together."""
        return steps_of(self._lengths, AT_ONCE[self._device.type], 20, turn)

    def loss(self, rows: Rows) -> tuple[Tensor, float]:
        """Cross-entropy of the labels there are."""
        return self._loss([self._teach.texts[row] for row in rows], self._teach.targets[list(rows)])

    def held_out(self) -> float:
        total, units = 0.0, 0.0
        for rows in self._parts(self._stop.texts):
            texts = [self._stop.texts[row] for row in rows]
            loss, count = self._loss(texts, self._stop.targets[list(rows)])
            total, units = total + float(loss), units + count
        return total / max(units, 1.0)

    def margins(self, texts: Sequence[str]) -> Doubles:
        """[texts, categories]."""
        found = np.zeros((len(texts), self._judge.head.out_features))
        with torch.inference_mode():
            for rows in self._parts(texts):
                told = self._told([texts[row] for row in rows])
                found[list(rows)] = told.float().cpu().numpy()
        return found

    def _parts(self, texts: Sequence[str]) -> list[Rows]:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        return parts_of([self._encoder.most_tokens] * len(texts), order, AT_ONCE["cpu"])

    def _told(self, texts: Sequence[str]) -> Tensor:
        margins: Tensor = self._judge.head(self._encoder.encoded(texts))
        return margins

    def _loss(self, texts: Sequence[str], targets: Doubles) -> tuple[Tensor, float]:
        wanted = torch.from_numpy(targets.astype(np.float32)).to(self._device)
        known = ~wanted.isnan()
        told = self._told(texts).float()[known]
        loss = functional.binary_cross_entropy_with_logits(told, wanted[known], reduction="sum")
        return loss, float(known.sum())


def teach_encoder(
    work: Work, earlier: Labelled, later: Sequence[str], tell: Tell
) -> tuple[Head, Doubles, bool] | NotEnough:
    """Teach a head or the whole, and write both to the work's folder.

    earlier: in the order of time. Returns the head, what is said of the later texts, [later,
    head.categories], and whether it was the whole that was taught.
    """
    torch.manual_seed(work.course.seed)  # what a checkpoint lacks begins at random
    encoder = Encoder.load(work.base)
    encoder.model.to(device_here())
    tell("reading the texts", 0, 1)
    head = fit_head(
        encoder.vectors(earlier.texts), earlier.targets, earlier.categories, work.course.seed
    )
    if isinstance(head, NotEnough):
        return head
    whole = None
    if work.full:
        whole = _teach_whole(encoder, head, work, earlier.only(head.categories), tell)
        if isinstance(whole, NotEnough):
            return whole
        head = whole or head
    p = head.probabilities(encoder.vectors(later))
    encoder.save(work.to)
    save_head(work.to, head)
    return head, p, whole is not None


_STOP_FROM = 0.85  # share of the earlier texts, in time: later ones stop it and are its measure


def _teach_whole(
    encoder: Encoder, head: Head, work: Work, earlier: Labelled, tell: Tell
) -> Head | NotEnough | None:
    """None where later texts are told no better than by the heads alone: the weights are then those
    that it began with."""
    cut = round(len(earlier.texts) * _STOP_FROM)
    teach, stop = earlier.part(slice(cut)), earlier.part(slice(cut, None))
    judge = Judge(encoder, head).to(encoder.model.device)
    lesson = JudgeLesson(encoder, judge, teach, stop)
    taught = Loop(judge, lesson, work).run(tell)
    if taught.best_loss >= taught.first_loss:
        return None
    margins = lesson.margins(stop.texts)
    return _recalibrated(judge, head.categories, margins, stop.targets)


def _recalibrated(
    judge: Judge, categories: Sequence[str], margins: Doubles, targets: Doubles
) -> Head | NotEnough:
    """The head that was taught, without categories that too few later texts speak of."""
    found: list[tuple[int, Curve]] = []
    for place in range(len(categories)):
        known = ~np.isnan(targets[:, place])
        curve = fit_curve(margins[known, place], targets[known, place] >= 0.5)
        if isinstance(curve, Curve):
            found.append((place, curve))
    if not found:
        return NotEnough(reason="no category could be calibrated", have=len(targets))
    places = [place for place, _ in found]
    weights = judge.head.weight.detach().cpu().numpy().T.astype(np.float64)
    return Head(
        categories=tuple(categories[place] for place in places),
        weights=weights[:, places],
        biases=judge.head.bias.detach().cpu().numpy().astype(np.float64)[places],
        curves=tuple(curve for _, curve in found),
    )
