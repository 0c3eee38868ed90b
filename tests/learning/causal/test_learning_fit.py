"""Batch training of the causal model: it learns, resumes, and shares its work."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inhouse.core.errors import InputError
from inhouse.core.random import stream
from inhouse.learning.causal import steps
from inhouse.learning.causal.fit import (
    Fitting,
    Progress,
    fit_sequences,
    fit_whole,
    training_for,
    whole_checkpoint,
)
from inhouse.learning.causal.serving import CausalShape, CausalWeights
from inhouse.learning.causal.steps import SequenceTrainer, SequenceTraining, ShardedDropout
from inhouse.learning.measuring.history_model import scores_of
from inhouse.learning.sequences.flat import Catalogue, Sequences, from_lists
from inhouse.learning.sequences.holdout import HoldOut, leave_one_out

ITEMS = 40
CATALOGUE = Catalogue.of_ids([f"i{item}" for item in range(ITEMS)])
SMALL = SequenceTraining(
    shape=CausalShape(dims=16, length=16, blocks=1), batch=256, rate=1e-2, dropout=0.2
)


def _ring(people: int, seed: int = 0) -> Sequences:
    """People who walk around a ring of items, three steps at a time, from anywhere."""
    numbers = stream(seed, "ring")
    return from_lists(
        ((int(first) + 3 * np.arange(size)) % ITEMS).tolist()
        for first, size in zip(
            numbers.integers(0, ITEMS, people), numbers.integers(4, 12, people), strict=True
        )
    )


def _same(a: CausalWeights, b: CausalWeights) -> None:
    for name, part in a.arrays().items():
        np.testing.assert_array_equal(part, b.arrays()[name])


def test_it_learns_what_follows_what() -> None:
    """On a ring the next item is foreseen nearly always, though everything is ranked."""
    weights, fit = fit_sequences(_ring(300), CATALOGUE, SMALL, Fitting(most_epochs=12, patience=2))

    strangers = HoldOut(sequences=_ring(100, seed=1), counts=np.ones(ITEMS, dtype=np.int64), k=1)
    found = leave_one_out("ours", strangers, scores_of(weights))
    assert isinstance(found.hit_rate, float)
    assert found.hit_rate > 0.9
    assert fit.judged[fit.best_epoch - 1] == max(fit.judged) > 0.9
    assert fit.losses[-1] < fit.losses[0]


def test_it_learns_from_sampled_negatives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue beyond the whole softmax is learned from a corrected sample."""
    monkeypatch.setattr(steps, "FULL_SOFTMAX", 10)
    training = replace(SMALL, negatives=10)

    _, fit = fit_sequences(_ring(300), CATALOGUE, training, Fitting(most_epochs=12, patience=12))

    assert max(fit.judged) > 0.9


def test_an_item_nobody_had_lies_where_its_content_says() -> None:
    """Items of a colour follow each other; one never learned from ranks with its colour."""
    numbers = stream(2, "colours")
    content = np.zeros((ITEMS, 64), dtype=np.float32)
    content[np.arange(ITEMS), np.arange(ITEMS) % 2] = 1
    sequences = from_lists(
        (2 * numbers.permutation(ITEMS // 2 - 2)[:8] + person % 2).tolist() for person in range(300)
    )
    catalogue = Catalogue(item_ids=CATALOGUE.item_ids, content=content)

    weights, _ = fit_sequences(sequences, catalogue, SMALL, Fitting(most_epochs=6))

    scores = scores_of(weights, content)(from_lists([[0, 2, 4], [1, 3, 5]]))[:, -2:]
    assert (scores.argmax(axis=1) == [0, 1]).all()


def test_an_item_nobody_had_is_no_negative() -> None:
    """Learning leaves the id part of a post with content that nobody had where it starts: at 0."""
    content = np.ones((ITEMS, 64), dtype=np.float32)
    sequences = from_lists([[0, 1, 2, 3], [3, 2, 1, 0]] * 20)
    catalogue = Catalogue(item_ids=CATALOGUE.item_ids, content=content)

    weights, _ = fit_sequences(sequences, catalogue, SMALL, Fitting(most_epochs=2))

    assert not weights.id_part[4:].any()
    assert weights.id_part[:4].any(axis=1).all()


def test_what_is_asked_may_be_given() -> None:
    """With questions of their own, people's last items are learned too, and the end is decided by
    the questions."""
    sequences = from_lists([[0, 1, 2]] * 60)
    asked = from_lists([[0, 1, 2], [0, 1, 5]])
    fitting = Fitting(most_epochs=15, patience=15, asked=asked)

    weights, fit = fit_sequences(sequences, CATALOGUE, SMALL, fitting)

    # 2 after 0 and 1 was learned though it is always the last item; 5 never was.
    assert int(scores_of(weights)(from_lists([[0, 1]]))[0, 2:].argmax()) == 0
    assert max(fit.judged) < 0.9


def test_a_seed_decides_everything() -> None:
    """Two runs are equal to the last bit; another seed differs."""
    runs = [
        fit_sequences(_ring(60), CATALOGUE, replace(SMALL, seed=seed), Fitting(most_epochs=2))
        for seed in (0, 0, 1)
    ]

    _same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1] != runs[2][1]


def test_a_stopped_trainer_goes_on_with_the_same_losses() -> None:
    """Arrays taken in the middle of an epoch hold all there is to know."""
    whole = SequenceTrainer(_ring(60), CATALOGUE, SMALL)
    losses = [whole.learn() for _ in range(7)]
    first = SequenceTrainer(_ring(60), CATALOGUE, SMALL)
    begun = [first.learn() for _ in range(3)]
    second = SequenceTrainer(_ring(60), CATALOGUE, SMALL)
    second.restore(first.arrays())

    assert begun + [second.learn() for _ in range(4)] == losses


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_learning_fit import CATALOGUE, SMALL, _ring, fit_sequences, Fitting

def tell(progress):
    print(progress.epoch, progress.step, progress.loss, flush=True)

fitting = Fitting(most_epochs=3, patience=9, checkpoint=Path({checkpoint!r}), save_every=2)
fit_sequences(_ring(60), CATALOGUE, SMALL, fitting, tell)
"""


def test_a_killed_run_comes_to_the_same_end(tmp_path: Path) -> None:
    """kill -9 in the second epoch; called again, it ends with the weights of a run left alone."""
    told: list[Progress] = []
    alone, _ = fit_sequences(
        _ring(60), CATALOGUE, SMALL, Fitting(most_epochs=3, patience=9), told.append
    )
    checkpoint = tmp_path / "run.safetensors"
    code = KILLED.format(tests=str(Path(__file__).parent), checkpoint=str(checkpoint))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("2 1 "):
            child.send_signal(signal.SIGKILL)
            break
    child.stdout.close()
    child.wait()

    again: list[Progress] = []
    fitting = Fitting(most_epochs=3, patience=9, checkpoint=checkpoint, save_every=2)
    resumed, fit = fit_sequences(_ring(60), CATALOGUE, SMALL, fitting, again.append)

    _same(resumed, alone)
    assert again == told[-len(again) :]
    assert len(again) < len(told)
    assert len(fit.judged) == 3


def test_a_model_to_be_used_learns_the_last_items_too(tmp_path: Path) -> None:
    """What people did last alone tells that 2 follows 1: only the whole training learns it. It
    goes on from a checkpoint of its own."""
    sequences = from_lists([[0, 1, 2]] * 60)
    checkpoint = tmp_path / "run"
    fitting = Fitting(most_epochs=15, patience=15, checkpoint=checkpoint)

    kept_back, _ = fit_sequences(sequences, CATALOGUE, SMALL, fitting)
    whole = fit_whole(sequences, CATALOGUE, SMALL, fitting)
    again = fit_whole(sequences, CATALOGUE, SMALL, fitting)

    ahead = [
        float(scores[2] - scores[3:].max())
        for scores in (scores_of(model)(from_lists([[0, 1]]))[0] for model in (kept_back, whole))
    ]
    assert ahead[0] < 0.01  # never learned: no better than what nobody ever had
    assert ahead[1] > 0.5
    assert whole_checkpoint(checkpoint).exists()
    _same(again, whole)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    """Another seed would not go on but mix; the message says what to do."""
    checkpoint = tmp_path / "run.safetensors"
    fitting = Fitting(most_epochs=1, checkpoint=checkpoint)
    fit_sequences(_ring(60), CATALOGUE, SMALL, fitting)

    with pytest.raises(InputError) as refused:
        fit_sequences(_ring(60), CATALOGUE, replace(SMALL, seed=1), fitting)

    assert str(refused.value) == (
        f"the checkpoint {checkpoint} was made of other sequences or settings; remove it, or name"
        " another"
    )


def test_too_little_is_said() -> None:
    """Somebody must have an item to read, one to learn and one to be asked for."""
    with pytest.raises(InputError) as refused:
        fit_sequences(from_lists([[0, 1], [2]]), CATALOGUE, SMALL, Fitting())

    assert str(refused.value) == (
        "nobody has three items: one to read, one to learn and one to ask for"
    )


WORKER = """
import os
import sys
sys.path.insert(0, {tests!r})
import numpy as np
import torch
import torch.distributed as dist
from inhouse.learning.causal import steps
from test_learning_fit import CATALOGUE, SMALL, _ring, SequenceTrainer

steps._fast_type = lambda device: torch.float32
rank, path = int(sys.argv[1]), sys.argv[2]
# By a file: a store of one process may be gone before the other has let go of it.
dist.init_process_group("gloo", init_method="file://{meeting}", rank=rank, world_size=2)
trainer = SequenceTrainer(_ring(60), CATALOGUE, SMALL)
losses = [trainer.learn() for _ in range(6)]
np.savez(path, losses=losses, **trainer.weights().arrays())
dist.barrier()  # who lets go while the other still speaks may be aborted by the library's threads
dist.destroy_process_group()
os._exit(0)
"""


def test_two_processes_train_the_model_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes half of a step's rows; gradients are added up, dropout is shared."""
    monkeypatch.setattr(steps, "_fast_type", lambda device: torch.float32)
    code = textwrap.dedent(
        WORKER.format(tests=str(Path(__file__).parent), meeting=tmp_path / "meeting")
    )
    paths = [tmp_path / f"{rank}.npz" for rank in range(2)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(rank), str(path)], env=environment)
        for rank, path in enumerate(paths)
    ]
    alone = SequenceTrainer(_ring(60), CATALOGUE, SMALL)
    losses = [alone.learn() for _ in range(6)]
    assert [child.wait(60) for child in children] == [0, 0]

    for path in paths:
        found = dict(np.load(path))
        np.testing.assert_allclose(found.pop("losses"), losses, rtol=1e-5)
        for name, part in alone.weights().arrays().items():
            np.testing.assert_allclose(found[name], part, atol=1e-5)


def test_dropout_is_the_same_however_many_share_a_step() -> None:
    """The rows of each process, put together, are those of one; a process may have none."""
    x = torch.ones(5, 4, 3)
    whole = ShardedDropout(0.5, stream(0, "drop"), (0, 1, 5))(x)

    shared = torch.empty_like(x)
    for rank in range(6):
        part = ShardedDropout(0.5, stream(0, "drop"), (rank, 6, 5))(x[rank::6])
        shared[rank::6] = part

    torch.testing.assert_close(shared, whole)
    assert 0.3 < float((whole == 0).float().mean()) < 0.7


def test_sizes_follow_from_the_data() -> None:
    """Long histories are read further and many actions an item need less dropout, in bounds."""
    short, long = _ring(50), from_lists([list(range(ITEMS)) * 10] * 50)

    assert training_for(short, ITEMS).shape.length == 64
    assert training_for(short, ITEMS).dropout == 0.5
    assert training_for(long, ITEMS).shape.length == 200
    assert training_for(long, ITEMS).dropout == pytest.approx(0.2)
    assert training_for(long, 5 * ITEMS).dropout == pytest.approx(0.5 - 0.3 * np.log10(5))
