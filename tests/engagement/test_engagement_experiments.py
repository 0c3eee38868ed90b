"""Experiments in the store: creating, stopping, assigning, exposing."""

import pytest
import sqlalchemy as sa
from engagement_world import at

from inhouse.core.errors import ConflictError, InputError, StoreError, UnknownError
from inhouse.engagement.experiments.store import Experiments
from inhouse.engagement.experiments.types import (
    Arm,
    Experiment,
    Filter,
    Guardrail,
    layer,
)
from inhouse.store import tables
from inhouse.store.database import Database

POPULAR = Experiment(
    key="popular",
    question="does ranking by taste beat popularity?",
    arms=(
        Arm(key="control", settings={"ranker": "popular"}),
        Arm(key="taste", weight=3, settings={"ranker": "learned", "weight_p_like": 6.0}),
    ),
    filters=(layer("ranking", 0, 0.5),),
    metrics=("d1_return", "time_s"),
    guardrails=(Guardrail(metric="hides_per_1k", margin=1.5),),
)


def plain(key: str, **changes: object) -> Experiment:
    """An experiment without settings."""
    return Experiment(key=key, arms=(Arm(key="a"), Arm(key="b")), **changes)  # type: ignore[arg-type]


def exposures(database: Database) -> list[tuple[str, str, str, int]]:
    """Everything in the table, in order."""
    table = tables.exposures.c
    query = sa.select(table.experiment, table.user_id, table.arm, table.at_ms)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(table.log_offset))]


def test_what_was_created_comes_back(database: Database) -> None:
    """Arms, settings, filters, metrics and margins survive the store; the start is stamped."""
    created = Experiments(database).create(POPULAR, at(0))
    assert (at(0), True) == (created.started_ms, created.active)
    assert created == Experiments(database).get("popular")
    assert (created,) == Experiments(database).list()


def test_the_list_is_newest_first(database: Database) -> None:
    """Stopped ones stay in it."""
    experiments = Experiments(database)
    experiments.create(plain("old"), at(0))
    experiments.create(plain("new"), at(1))
    experiments.stop("old", at(2))
    found = [(one.key, one.active) for one in experiments.list()]
    assert found == [("new", True), ("old", False)]


def test_a_key_is_used_once(database: Database) -> None:
    """Even after the stop: results of two experiments must not mix."""
    experiments = Experiments(database)
    experiments.create(plain("e"), at(0))
    experiments.stop("e", at(1))
    with pytest.raises(ConflictError, match="experiment 'e' exists already; choose another key"):
        experiments.create(plain("e"), at(2))


def test_every_fault_is_named_at_once(database: Database) -> None:
    """One message lists all that is wrong, with what was expected."""
    broken = Experiment(
        key="two words",
        arms=(Arm(key="a", weight=0, settings={"rankr": "popular"}),),
        coverage=1.5,
        filters=(Filter(seed="", ranges=((0.5, 0.5),)),),
        metrics=("clicks",),
        guardrails=(Guardrail(metric="hides_per_1k", margin=0),),
    )
    with pytest.raises(InputError) as caught:
        Experiments(database).create(broken, at(0))
    fields = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert fields == [
        "key",
        "arms",
        "coverage",
        "arms[0].weight",
        "arms[0].settings.rankr",
        "filters[0].seed",
        "filters[0].ranges",
        "metrics[0]",
        "guardrails[0].margin",
    ]
    assert "coverage: got 1.5, expected more than 0 and at most 1" in str(caught.value)
    assert Experiments(database).list() == ()


def test_a_knob_with_a_value_it_cannot_have_is_refused(database: Database) -> None:
    """An arm that would silently change nothing is not an arm."""
    arms = (Arm(key="a"), Arm(key="b", settings={"ranker": "magic"}))
    with pytest.raises(InputError, match=r"arms\[1\].settings.ranker: got 'magic'"):
        Experiments(database).create(Experiment(key="e", arms=arms), at(0))


def test_two_experiments_may_not_turn_one_knob(database: Database) -> None:
    """Unless disjoint slices of one layer keep their people apart."""
    experiments = Experiments(database)
    experiments.create(POPULAR, at(0))
    arms = (Arm(key="a"), Arm(key="b", settings={"ranker": "popular"}))
    overlapping = Experiment(key="other", arms=arms, filters=(layer("ranking", 0.4, 1),))
    with pytest.raises(ConflictError, match="experiment 'popular' varies 'ranker'"):
        experiments.create(overlapping, at(1))
    apart = Experiment(key="other", arms=arms, filters=(layer("ranking", 0.5, 1),))
    assert experiments.create(apart, at(1)).key == "other"


def test_a_stopped_experiment_frees_its_knobs(database: Database) -> None:
    """What no longer runs is in nobody's way."""
    experiments = Experiments(database)
    experiments.create(POPULAR, at(0))
    experiments.stop("popular", at(1))
    arms = (Arm(key="a"), Arm(key="b", settings={"ranker": "popular"}))
    assert experiments.create(Experiment(key="next", arms=arms), at(2)).active


def test_stopping_twice_keeps_the_first_time(database: Database) -> None:
    """The end of the data does not move."""
    experiments = Experiments(database)
    experiments.create(plain("e"), at(0))
    assert at(1) == experiments.stop("e", at(1)).stopped_ms
    assert at(1) == experiments.stop("e", at(2)).stopped_ms


def test_unknown_keys_are_named(database: Database) -> None:
    """For reading, stopping and results alike."""
    experiments = Experiments(database)
    for ask in (
        lambda: experiments.get("x"),
        lambda: experiments.stop("x", 0),
        lambda: experiments.results("x", 0),
    ):
        with pytest.raises(UnknownError, match="experiment 'x' does not exist"):
            ask()


def test_arms_and_their_settings(database: Database) -> None:
    """A person of the layer's half has an arm, and the arm its settings; others have neither."""
    experiments = Experiments(database)
    experiments.create(POPULAR, at(0))
    found = {user: experiments.arms_for(user) for user in (f"user-{i}" for i in range(200))}
    taste = next(user for user, arms in found.items() if arms == {"popular": "taste"})
    outside = next(user for user, arms in found.items() if not arms)
    assert experiments.settings_for(found[taste]) == {"ranker": "learned", "weight_p_like": 6.0}
    assert experiments.settings_for(found[outside]) == {}


def test_other_processes_hear_of_it(database: Database) -> None:
    """What one creates another assigns after its next look, and stops after the next but one."""
    one, other = Experiments(database), Experiments(database)
    assert other.arms_for("user-1") == {}
    one.create(plain("e"), at(0))
    other.refresh()
    assert list(other.arms_for("user-1")) == ["e"]
    one.stop("e", at(1))
    other.refresh()
    assert other.arms_for("user-1") == {}


def test_an_exposure_is_logged_once(database: Database) -> None:
    """The second asks for no write at all, another arm and another process do not repeat it."""
    experiments = Experiments(database)
    first = experiments.expose("ann", {"e": "a", "f": "b"}, at(1))
    assert first is not None
    assert first.result() == 2
    assert None is experiments.expose("ann", {"e": "a"}, at(2))
    again = Experiments(database).expose("ann", {"e": "a"}, at(3))
    assert again is not None
    assert again.result() == 0
    more = experiments.expose("ann", {"e": "a", "g": "c"}, at(4))
    assert more is not None
    assert more.result() == 1
    expected = [("e", "ann", "a", at(1)), ("f", "ann", "b", at(1)), ("g", "ann", "c", at(4))]
    assert expected == exposures(database)


def test_nothing_to_expose_writes_nothing(database: Database) -> None:
    """A person outside every experiment costs nothing."""
    assert None is Experiments(database).expose("ann", {}, at(0))


def test_a_lost_exposure_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that the database refused does not count as written."""

    def refuse(*_: object) -> int:
        raise StoreError("the disk is full")

    experiments = Experiments(database)
    with monkeypatch.context() as broken:
        broken.setattr("inhouse.engagement.experiments.store.insert_new", refuse)
        lost = experiments.expose("ann", {"e": "a"}, at(1))
        assert lost is not None
        with pytest.raises(StoreError):
            lost.result()
    again = experiments.expose("ann", {"e": "a"}, at(2))
    assert again is not None
    again.result()
    assert [("e", "ann", "a", at(2))] == exposures(database)
