"""A causal model for the feed: trained on a log, published where it helps, resumed where killed."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.erasures import Erasure, ErasureState, Whom
from inhouse.catalog.types import Item
from inhouse.core.clock import FollowingClock
from inhouse.core.errors import InputError
from inhouse.core.ids import EventId, ItemId, UserId
from inhouse.core.random import stream
from inhouse.events.log import EventLog
from inhouse.events.pages import PageLog
from inhouse.events.types import Event, EventKind
from inhouse.features.ports import Logs
from inhouse.learning.causal.beside import read_wanted as read_wanted_of
from inhouse.learning.causal.serving import CausalShape
from inhouse.learning.causal.steps import SequenceTraining
from inhouse.learning.causal_run import train as trained
from inhouse.learning.causal_run.gate import ALONE, compare
from inhouse.learning.causal_run.log_wants import Chosen, read_wanted
from inhouse.learning.causal_run.train import Workplace, train_causal
from inhouse.learning.sequences.flat import Sequences, timed_codes
from inhouse.learning.settings import LearningSettings
from inhouse.learning.snapshots.snapshot import SnapshotStore
from inhouse.learning.training.course import no_progress
from inhouse.stats.types import Interval
from inhouse.store.database import Database

pytestmark = pytest.mark.usefixtures("small_model")
# The taste model remembers little, so that it knows less of the order than whole sequences tell.
SETTINGS = LearningSettings(table_mb=1, memory=100)
START_MS = 1_700_000_000_000
ITEMS, PEOPLE, ROUNDS = 60, 110, 10


class Walks:
    """People who go from post to post, one step each in turn."""

    def __init__(self, database: Database) -> None:
        self.logs = Logs(
            catalog=Catalog(database), events=EventLog(database), pages=PageLog(database)
        )
        self._count = 0

    def post(self, count: int) -> None:
        """So many posts of which nothing but the id tells anything."""
        self.logs.catalog.put_items(
            [
                Item(item_id=ItemId(f"i{k:02}"), creator_id=UserId("c"), created_ms=START_MS)
                for k in range(count)
            ]
        )

    def walk(self, rounds: int, onwards: Callable[[int], int]) -> None:
        """Everybody starts anywhere, and goes on by a rule."""
        dice = stream(3, "walks")
        at = dice.integers(ITEMS, size=PEOPLE)
        events: list[Event] = []
        for _ in range(rounds):
            for person in range(PEOPLE):
                events.append(self.event("click", f"u{person:03}", int(at[person])))
                at[person] = onwards(int(at[person]))
        self.tell(events)

    def tell(self, events: list[Event]) -> None:
        """Log them."""
        self.logs.events.submit(events).result()

    def event(self, kind: EventKind, user: str, item: int | None = None) -> Event:
        """The next, a second after the one before."""
        self._count += 1
        return Event(
            event_id=EventId(f"e{self._count}"),
            at_ms=START_MS + 1_000 * self._count,
            kind=kind,
            user_id=UserId(user),
            item_id=None if item is None else ItemId(f"i{item:02}"),
        )


@pytest.fixture
def walks(database: Database) -> Walks:
    """Posts, and nobody who wanted any."""
    world = Walks(database)
    world.post(ITEMS)
    return world


@pytest.fixture(autouse=True)
def small_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that learns a small world in a second."""

    def small(sequences: Sequences, items: int, seed: int) -> SequenceTraining:
        shape = CausalShape(dims=32, blocks=1)
        return SequenceTraining(shape=shape, batch=128, rate=1e-2, dropout=0.1, seed=seed)

    monkeypatch.setattr(trained, "training_for", small)


def _in_order() -> Callable[[int], int]:
    """Each post leads to just one other, on one ring through all of them."""
    ring = stream(1, "ring").permutation(ITEMS).tolist()
    after = dict([*pairwise(ring), (ring[-1], ring[0])])
    return lambda item: after[item]


def _by_chance() -> Callable[[int], int]:
    """What comes next has nothing to do with anything."""
    dice = stream(2, "chance")
    return lambda item: int(dice.integers(ITEMS))


def _workplace(walks: Walks, folder: Path) -> Workplace:
    return Workplace(
        logs=walks.logs,
        store=SnapshotStore(folder / "snapshots"),
        clock=FollowingClock(),
        folder=folder / "causal",
    )


def test_where_order_matters_a_causal_model_is_published(walks: Walks, tmp_path: Path) -> None:
    """It is asked on what it has not learned, then learns everything, and leaves no checkpoint."""
    walks.walk(ROUNDS, _in_order())
    place = _workplace(walks, tmp_path)
    told: list[str] = []

    report = train_causal(place, SETTINGS, lambda what, done, total: told.append(what))

    compared = report.comparison
    assert compared.passed
    assert isinstance(compared.gain.hit_rate, Interval)
    assert compared.gain.hit_rate.low > 0
    assert compared.both.hit_rate > compared.alone.hit_rate  # type: ignore[operator]
    assert (report.wants, report.people, report.items) == (ROUNDS * PEOPLE, PEOPLE, ITEMS)
    assert compared.asked == PEOPLE // 2
    published = place.store.causal.newest()
    assert published is not None
    assert published.causal_id == report.published
    assert published.facts.weight == compared.weight
    assert published.facts.log_offset == report.log_offset == walks.logs.events.last_offset()
    assert published.facts.metrics["hit_rate_both"] == compared.both.hit_rate
    assert sorted(published.weights.item_ids) == [f"i{k:02}" for k in range(ITEMS)]
    assert list(place.folder.iterdir()) == []
    assert {"log", "taste"} <= set(told)
    assert any("on everything" in what for what in told)


def test_where_nothing_is_to_be_foreseen_nothing_is_published(walks: Walks, tmp_path: Path) -> None:
    """A model that does not help for certain is told about and thrown away."""
    walks.walk(ROUNDS, _by_chance())
    place = _workplace(walks, tmp_path)

    report = train_causal(place, SETTINGS)

    assert not report.comparison.passed
    assert report.published is None
    assert place.store.causal.newest() is None
    assert list(place.folder.iterdir()) == []


def _killed_at(what: str, place: Workplace) -> None:
    """Run until something of that name is done."""

    def kill(doing: str, done: int, total: int) -> None:
        if what in doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_causal(place, SETTINGS, kill)


def test_killed_it_goes_on_to_the_same_model(walks: Walks, tmp_path: Path) -> None:
    """Also where the log and the catalogue have grown meanwhile: it learns what the first saw."""
    walks.walk(ROUNDS, _in_order())
    one, mortal = _workplace(walks, tmp_path / "one"), _workplace(walks, tmp_path / "mortal")
    train_causal(one, SETTINGS)

    _killed_at("epoch 3", mortal)
    later = walks.event("click", "late", 1)
    walks.tell([later])
    new = Item(item_id=ItemId("a0"), creator_id=UserId("c"), created_ms=later.at_ms)
    walks.logs.catalog.put_items([new])
    _killed_at("taste", mortal)
    _killed_at("epoch 2, loss", mortal)  # on everything, since the first training is over
    told: list[str] = []
    train_causal(mortal, SETTINGS, lambda what, done, total: told.append(what))

    assert not any(what.startswith("epoch 1,") for what in told)
    ours, theirs = mortal.store.causal.newest(), one.store.causal.newest()
    assert ours is not None
    assert theirs is not None
    assert ours.weights.item_ids == theirs.weights.item_ids
    for name, part in theirs.weights.arrays().items():
        assert ours.weights.arrays()[name].tobytes() == part.tobytes()


def test_a_checkpoint_of_other_data_is_begun_anew(walks: Walks, tmp_path: Path) -> None:
    """Somebody asked to be forgotten between two runs, so the second learns without them."""
    walks.walk(ROUNDS, _by_chance())
    place = _workplace(walks, tmp_path)

    _killed_at("epoch 3", place)
    pin = place.folder / "log.json"
    walks.tell([walks.event("reset", "u000")])
    pin.write_text(pin.read_text().replace("1100", str(walks.logs.events.last_offset())))

    report = train_causal(place, SETTINGS)

    assert report.people == PEOPLE - 1


def test_too_little_is_told_with_its_numbers(walks: Walks, tmp_path: Path) -> None:
    """Nothing is trained on a few wants, nor where too few people came back to be asked."""
    place = _workplace(walks, tmp_path)
    walks.walk(3, _by_chance())
    with pytest.raises(InputError) as few:
        train_causal(place, SETTINGS)
    walks.tell([walks.event("click", f"only{k}", k % ITEMS) for k in range(8_000)])
    with pytest.raises(InputError) as nobody:
        train_causal(place, SETTINGS)

    assert str(few.value) == (
        "people wanted posts 323 times, expected 1,000 or more; import behaviour, or wait until"
        " more is known"
    )
    assert str(nobody.value) == (
        "0 people wanted something both before and in the last tenth, expected 50 or more; wait"
        " until more of them come back"
    )
    assert not place.folder.exists()


def test_what_may_not_be_learned_from_is_left_out(walks: Walks) -> None:
    """Who is paused, what came before a reset, second wants and short looks; as the learner."""
    event = walks.event
    walks.tell(
        [
            event("click", "ana", 1),
            event("like", "ana", 1),
            event("reset", "ana"),
            event("click", "ana", 2),
            event("pause", "bo"),
            event("click", "bo", 3),
            event("resume", "bo"),
            event("click", "bo", 4),
            event("hide", "bo", 5),
        ]
    )

    until = walks.logs.events.last_offset()
    found = read_wanted(
        walks.logs, until, Chosen(examples={1, 4, 8}, questions={1, 8}), no_progress
    )

    assert found.wants.offsets.tolist() == [4, 8]
    assert found.wants.users.tolist() == [0, 1]
    assert [found.table.ids[item] for item in found.wants.items] == ["i02", "i04"]
    assert found.examples.offsets.tolist() == [4, 8]
    assert [(asked.offset, asked.answer) for asked in found.questions] == [(8, 4)]


def test_a_history_is_read_as_the_sequences_of_training_are(walks: Walks) -> None:
    """The same items with the same gaps, whatever lies between them. (Where somebody comes back
    to a post, a history tells of the last time and not of the first.)"""
    dice, pause_ms, events = stream(4, "gaps"), 0, []
    for pair in dice.permutation(5 * ITEMS).tolist():
        kind: EventKind = ("click", "like", "impression")[int(dice.integers(3))]
        event = walks.event(kind, f"u{pair // ITEMS}", pair % ITEMS)
        pause_ms += int(10 ** dice.uniform(0, 6))
        events.append(replace(event, at_ms=event.at_ms + pause_ms))
    walks.tell(events)
    until = walks.logs.events.last_offset()
    wants = read_wanted(walks.logs, until, Chosen(), no_progress).wants
    found = read_wanted(
        walks.logs, until, Chosen(questions=set(wants.offsets.tolist())), no_progress
    )
    for place, asked in enumerate(found.questions):
        mine = np.flatnonzero(wants.users[:place] == wants.users[place])
        read = read_wanted_of(asked.history, found.table, found.table.count)
        starts = np.array([0, len(mine)])
        assert read.items[0].tolist() == wants.items[mine].tolist()
        assert read.codes[0].tolist() == timed_codes(wants.at_ms[mine], starts).tolist()
    assert len(found.questions) > 100


@pytest.mark.parametrize("state", ["running", "told"])
def test_what_an_erasure_names_is_left_out(walks: Walks, state: ErasureState) -> None:
    """Though its rows may still be in the log."""
    walks.tell([walks.event("click", name, 1) for name in ("ana", "bo", "cem")])
    erasure = Erasure(erasure_id="erasure_1", state=state, started_ms=0, updated_ms=0)
    walks.logs.catalog.erasures.save(erasure, Whom(user_ids=("bo",), offsets=(2,)))

    found = read_wanted(walks.logs, 3, Chosen(examples={1, 2}, questions={2, 3}), no_progress)

    assert found.wants.offsets.tolist() == [1, 3]
    assert found.examples.offsets.tolist() == [1]
    assert [asked.offset for asked in found.questions] == [3]


@pytest.mark.parametrize(("better", "passed"), [(0, False), (40, True)])
def test_the_gate_wants_more_than_chance(better: int, passed: bool) -> None:
    """A sum that finds as much does not pass, one that finds a tenth more does."""
    dice = stream(4, "ranks")
    alone = dice.integers(1, 40, 400)
    found = alone.copy()
    found[np.flatnonzero(alone > 10)[:better]] = 1

    compared = compare({ALONE: alone, 0.25: np.full(400, 99), 0.5: found}, seed=0)

    assert (compared.weight, compared.asked) == (0.5, 200)
    assert compared.passed is passed
