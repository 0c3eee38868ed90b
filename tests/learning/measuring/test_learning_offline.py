"""A trained model beside baselines that learned what it learned, and nothing more."""

from pathlib import Path

import numpy as np
import pytest

from inhouse.core.errors import InputError
from inhouse.learning.causal.fit import Fitting, fit_sequences, training_for
from inhouse.learning.causal.serving import CausalWeights, Taught, write_causal
from inhouse.learning.measuring import offline
from inhouse.learning.measuring.baselines import RecentPopularity
from inhouse.learning.measuring.offline import (
    NEIGHBOURS,
    judge_after,
    judge_sequences,
    standings_of,
)
from inhouse.learning.sequences.flat import Catalogue, Named, from_lists
from inhouse.learning.sequences.holdout import HoldOut
from inhouse.learning.sequences.time_split import wants_of
from inhouse.stats.types import Interval, NotEnough


def _tell(what: str, done: int, total: int) -> None:
    """Nobody looks."""


def _named(people: int = 30) -> Named:
    """Everybody goes round a ring of nine; the last step leads to an item nobody had before."""
    lists = [
        [(person + step) % 9 for step in range(6)] + [9 + person % 2] for person in range(people)
    ]
    return Named(
        sequences=from_lists(lists),
        users=tuple(f"u{person}" for person in range(people)),
        items=tuple(str(item) for item in range(11)),
    )


@pytest.fixture(scope="module")
def weights() -> CausalWeights:
    """Of two epochs."""
    known = _named().sequences.without_last(1)
    catalogue = Catalogue.of_ids(_named().items)
    return fit_sequences(known, catalogue, training_for(known, 11), Fitting(most_epochs=2))[0]


def test_baselines_learn_what_training_saw(weights: CausalWeights, tmp_path: Path) -> None:
    """With each person's last item held back, popularity counts all of the others."""
    named, path = _named(), tmp_path / "model"
    write_causal(weights, path, _taught(named, held_back=True))

    report = judge_sequences(named, path, _tell)

    assert [row.name for row in report.standings.rows] == [
        "causal model",
        "popular, of all time",
        NEIGHBOURS,
    ]
    assert {row.n for row in report.standings.rows} == {30}
    # The answers stand nowhere but last, so neither may have learned them, and all are new.
    assert {row.n_new_items for row in report.standings.rows} == {30}
    assert {row.hit_rate_rare_items for row in report.standings.rows} == {
        NotEnough(reason="no rows to average", have=0, need=1)
    }
    popular = report.standings.rows[1]
    counts = named.sequences.without_last(1).counts(11)
    assert popular.novelty == pytest.approx(_novelty(named, counts))


def _taught(named: Named, *, held_back: bool) -> Taught:
    content = Catalogue.of_ids(named.items).content
    return Taught(digest=named.digest(), held_back=held_back, content=content)


def _novelty(named: Named, counts: np.ndarray) -> float:  # type: ignore[type-arg]
    """Of what popularity lists: all but what each had, since eleven items fit a list."""
    surprise = np.log2(len(named.sequences) / np.maximum(counts, 1))
    lists = [
        np.setdiff1d(np.arange(11), named.sequences.of(row)[:-1]) for row in range(len(named.users))
    ]
    return float(np.mean(surprise[np.concatenate(lists)]))


@pytest.mark.parametrize(
    "taught",
    [None, Taught(digest="another", held_back=True, content=np.zeros((0, 64), np.float32))],
)
def test_a_model_of_other_sequences_is_refused(
    weights: CausalWeights, tmp_path: Path, taught: Taught | None
) -> None:
    """It may know the answers; the message says how to train one that does not."""
    path = tmp_path / "model"
    write_causal(weights, path, taught)

    with pytest.raises(InputError, match="was not trained on these sequences, so it may know"):
        judge_sequences(_named(), path, _tell)


def test_a_model_that_learned_the_answers_is_refused(
    weights: CausalWeights, tmp_path: Path
) -> None:
    """Trained on everything, it is no longer to be judged by people's last items."""
    named, path = _named(), tmp_path / "model"
    write_causal(weights, path, _taught(named, held_back=False))

    with pytest.raises(InputError) as caught:
        judge_sequences(named, path, _tell)

    assert str(caught.value) == (
        f"{path} has learned the answers too; train it with `inhouse train --sequences FILE"
        " --hold-out --to MODEL`"
    )


def test_a_split_trains_on_the_past_alone() -> None:
    """What is popular before the split leads; what comes only after it is found by nobody."""
    rows = [
        (f"u{person}", f"i{(person + step) % 9}", step) for person in range(30) for step in range(5)
    ]
    rows += [(f"u{person}", "late", 9) for person in range(20)]
    rows += [("stranger", "i0", 8)]
    rows.sort(key=lambda row: row[2])
    users, items, at_ms = zip(*rows, strict=True)
    wants = wants_of(users, items, np.array(at_ms, dtype=np.int64))

    report = judge_after(wants, 5, "last", (2, 0), _tell)

    assert (report.learned, report.later, report.people_learned) == (150, 21, 30)
    assert (report.questions, report.people_asked, report.strangers) == (21, 21, 1)
    assert len(report.fit.judged) == 2
    assert [row.name for row in report.standings.rows] == [
        "causal model",
        "popular, half-life 1 days",
        "popular, half-life 7 days",
        NEIGHBOURS,
    ]
    for row in report.standings.rows:
        assert (row.n, row.n_new_items) == (21, 20)
        assert row.hit_rate == pytest.approx(1 if row.name == NEIGHBOURS else row.hit_rate)
    assert report.standings.rows[0].mrr == pytest.approx(_mrr_of_last_places(report.standings))


def _mrr_of_last_places(standings: offline.Standings) -> float:
    """The model has never heard of `late`: the last of the five items that a person had not had,
    20 times; whoever has no history ties all nine, so i0 is the last of nine."""
    return (20 / 5 + 1 / 9) / 21


def test_the_differences_are_of_the_same_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who always answers right against who never does: everything, exactly; too many items for
    neighbours are said to be so."""
    monkeypatch.setattr(offline, "MOST_NEIGHBOURS", 3)
    sequences = from_lists([[0, 3], [1, 3], [2, 3], [0, 2]])
    questions = HoldOut(sequences=sequences, counts=np.ones(4, dtype=np.int64), k=1)
    right = {"right": lambda asked: np.tile(np.array([0, 0, 1, 2], np.float32), (len(asked), 1))}
    wrong = {"wrong": lambda asked: np.tile(np.array([9, 8, 1, 0], np.float32), (len(asked), 1))}

    found = standings_of(questions, {**right, **wrong}, sequences, _tell)

    (row,) = found.differences
    assert row.rival == "wrong"
    assert isinstance(row.hit_rate, Interval)
    assert (row.hit_rate.estimate, row.hit_rate.high) == (0.75, 1.0)
    assert found.left_out == (
        "item-item neighbours: 4 items, and the square of more than 3 is not kept",
    )


def test_popularity_learned_at_once_is_that_of_one_by_one() -> None:
    """The same heat, whatever was known before."""
    items = np.array([0, 1, 1, 2], dtype=np.int64)
    at_ms = np.array([0, 10_000_000, 500_000_000, 900_000_000], dtype=np.int64)
    one, all_ = RecentPopularity(3, 2.0), RecentPopularity(3, 2.0)
    for item, then in zip(items.tolist(), at_ms.tolist(), strict=True):
        one.learn(0, item, then)
    all_.learn_all(items[:1], at_ms[:1])
    all_.learn_all(items[1:], at_ms[1:])

    assert all_.scores(0, 0) == pytest.approx(one.scores(0, 0))
