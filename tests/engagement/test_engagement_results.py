"""Results of experiments in worlds whose right answer is known."""

import json
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from engagement_world import at, did, log

from inhouse.core.clock import DAY_MS
from inhouse.core.random import stream
from inhouse.engagement.experiments.gathered import Gathered
from inhouse.engagement.experiments.measures import Sample, arm_moments
from inhouse.engagement.experiments.report import MetricResult, Results
from inhouse.engagement.experiments.results import guardrail_state
from inhouse.engagement.experiments.store import Experiments
from inhouse.engagement.experiments.types import Arm, Experiment, Guardrail
from inhouse.events.types import Event
from inhouse.stats.intervals import welch_difference
from inhouse.stats.sequential import LEAST_PER_ARM, difference_cs
from inhouse.stats.srm import SrmCheck
from inhouse.stats.types import Interval, Moments, NotEnough, moments
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import insert_new

ARMS = (Arm(key="control"), Arm(key="treatment"))
ALL = ("time_s", "sessions", "d1_return", "d7_return", "likes", "impressions")


def start(database: Database, **changes: object) -> Experiments:
    """Experiment `e`, running since the first day."""
    experiments = Experiments(database)
    given: dict[str, object] = {"metrics": ALL, **changes}
    experiments.create(Experiment(key="e", arms=ARMS, **given), at(0))  # type: ignore[arg-type]
    return experiments


def expose(database: Database, arms: Sequence[tuple[str, str, int]]) -> None:
    """Exposures of (person, arm, time), in this order."""
    rows = [
        {"experiment": "e", "user_id": user, "arm": arm, "at_ms": at_ms}
        for user, arm, at_ms in arms
    ]
    database.write(lambda connection: insert_new(connection, tables.exposures, rows))


def metric(found: Results, name: str) -> MetricResult:
    """One metric of the results."""
    return next(one for one in found.metrics if one.metric == name)


def values(found: Results, name: str) -> dict[str, tuple[int, float | None]]:
    """People and value per arm."""
    return {one.arm: (one.people, one.value) for one in metric(found, name).arms}


def test_nothing_logged_is_not_enough_data(database: Database) -> None:
    """No people: no value, no interval, no SRM, and a call that says so."""
    found = start(database).results("e", at(1))
    assert values(found, "time_s") == {"control": (0, None), "treatment": (0, None)}
    assert isinstance(found.srm, NotEnough)
    call = found.calls[0]
    assert (call.arm, call.call) == ("treatment", "not_enough_data")
    assert call.because == "time_s: too few people in an arm (0 of 100 needed)"


def test_values_per_arm_by_hand(database: Database) -> None:
    """One person an arm; only what lies behind each person's own exposure counts."""
    experiments = start(database)
    expose(database, [("ann", "control", at(1)), ("bob", "treatment", at(2))])
    log(
        database,
        [
            did("ann", at(0, 23), "watch", "p", 60_000),  # before her exposure
            did("ann", at(1), "impression", "p"),
            did("ann", at(1, 0, 5), "watch", "p", 30_000),
            did("ann", at(1, 0, 6), "like", "p"),
            did("ann", at(2, 5), "visit"),  # the day after her exposure
            did("bob", at(1, 12), "like", "p"),  # before his
            did("bob", at(2, 1), "dwell", "p", 5_000),
            did("bob", at(9, 3), "visit"),  # seven days after his
            did("cy", at(3), "like", "p"),  # never exposed
        ],
    )
    found = experiments.results("e", at(20))
    assert values(found, "time_s") == {"control": (1, 30.0), "treatment": (1, 5.0)}
    assert values(found, "sessions") == {"control": (1, 2.0), "treatment": (1, 2.0)}
    assert values(found, "d1_return") == {"control": (1, 1.0), "treatment": (1, 0.0)}
    assert values(found, "d7_return") == {"control": (1, 0.0), "treatment": (1, 1.0)}
    assert values(found, "likes") == {"control": (1, 1.0), "treatment": (1, 0.0)}
    assert values(found, "impressions") == {"control": (1, 1.0), "treatment": (1, 0.0)}


def test_a_return_counts_once_its_day_is_over(database: Database) -> None:
    """Until 48 hours after their exposure a person is not among those whose answer is known."""
    experiments = start(database)
    expose(database, [("ann", "control", at(1, 6))])
    log(database, [did("ann", at(2, 7))])
    assert values(experiments.results("e", at(3, 5)), "d1_return")["control"] == (0, None)
    assert values(experiments.results("e", at(3, 6)), "d1_return")["control"] == (1, 1.0)


def test_people_in_two_arms_are_left_out_and_counted(database: Database) -> None:
    """Whatever they did counts for neither arm, and so many of them spoil the trust."""
    experiments = start(database)
    expose(
        database,
        [("ann", "control", at(1)), ("bob", "treatment", at(1)), ("ann", "treatment", at(2))],
    )
    log(database, [did("ann", at(3), "like", "p"), did("bob", at(3), "like", "p")])
    found = experiments.results("e", at(4))
    assert (found.multi_exposed, [one.people for one in found.arms]) == (1, [0, 1])
    assert values(found, "likes") == {"control": (0, None), "treatment": (1, 1.0)}
    assert (
        found.calls[0].call,
        found.calls[0].because,
    ) == ("do_not_trust", "1 of 2 people were seen in several arms")


def crowd(
    random: np.random.Generator, people: int, means_s: tuple[float, float]
) -> tuple[list[tuple[str, str, int]], list[Event]]:
    """People exposed during the first day, each watching once for an exponential time."""
    exposed, events = [], []
    for i in range(people):
        arm = i % 2
        since = at(1) + int(random.integers(DAY_MS))
        exposed.append((f"u{i}", ARMS[arm].key, since))
        watched = float(random.exponential(means_s[arm]) * 1_000)
        events.append(did(f"u{i}", since + 60_000, "watch", "p", watched))
        events.append(did(f"u{i}", since + 61_000, "impression", "p"))
    return exposed, events


def test_a_real_gain_is_found_and_a_null_one_is_not(database: Database) -> None:
    """Half again as much time is called better; sessions, equal by construction, are not called."""
    experiments = start(database)
    exposed, events = crowd(stream(1, "gain"), 1_600, (20.0, 30.0))
    expose(database, exposed)
    log(database, events)
    found = experiments.results("e", at(3))
    comparison = metric(found, "time_s").comparisons[0]
    assert (comparison.answer, found.calls[0].call) == ("better", "better")
    assert isinstance(comparison.relative, Interval)
    assert comparison.relative.low < 0.5 < comparison.relative.high
    assert metric(found, "sessions").comparisons[0].answer == "not_enough_data"
    assert isinstance(found.srm, SrmCheck)
    assert not found.srm.alarm


def test_a_lopsided_split_is_not_trusted(database: Database) -> None:
    """460 people against 640 planned as equals: no call, however good it looks."""
    experiments = start(database)
    exposed = [(f"c{i}", "control", at(1)) for i in range(460)]
    exposed += [(f"t{i}", "treatment", at(1)) for i in range(640)]
    expose(database, exposed)
    log(database, [did(f"t{i}", at(1, 1), "watch", "p", 9_000 + i) for i in range(640)])
    call = experiments.results("e", at(2)).calls[0]
    assert call.call == "do_not_trust"
    assert call.because.startswith("the arms did not fill as planned: 460 to 640, p = ")


def test_rare_things_are_not_judged(database: Database) -> None:
    """Nineteen people who liked anything are too few for an interval, and it says so."""
    experiments = start(database)
    expose(database, [(f"u{i}", ARMS[i % 2].key, at(1)) for i in range(400)])
    log(database, [did(f"u{2 * i}", at(1, 1), "like", "p") for i in range(19)])
    comparison = metric(experiments.results("e", at(2)), "likes").comparisons[0]
    expected = NotEnough(reason="it happened to too few people", have=19, need=20)
    assert (expected, "not_enough_data") == (comparison.difference, comparison.answer)


def test_a_breached_guardrail_beats_a_better_metric(database: Database) -> None:
    """More time, but half of all impressions hidden: the call is the guardrail."""
    guardrails = (Guardrail(metric="hides_per_1k", margin=2.0),)
    experiments = start(database, guardrails=guardrails)
    exposed, events = crowd(stream(2, "hides"), 1_000, (20.0, 60.0))
    expose(database, exposed)
    hides = [
        did(event.user_id, event.at_ms + 1, "hide", "p")
        for event in events
        if event.kind == "impression" and int(event.user_id[1:]) % 4 == 1
    ]
    log(database, [*events, *hides])
    found = experiments.results("e", at(3))
    assert metric(found, "time_s").comparisons[0].answer == "better"
    assert (
        found.guardrails[0].state,
        round(found.guardrails[0].difference.estimate),  # type: ignore[union-attr]
    ) == ("breached", 500.0)
    assert (
        found.calls[0].call,
        found.calls[0].because,
    ) == ("guardrail_breached", "worse than its margin allows: hides_per_1k")


def decide(database: Database, rows: Sequence[tuple[str, str, str, str | None]]) -> None:
    """Reviewers' decisions of (id, post, action, undoes)."""
    case = {
        "case_id": "c",
        "item_id": "p",
        "queue": "spam",
        "reason": "reported",
        "priority": 1.0,
        "state": "closed",
        "opened_ms": at(0),
    }
    decisions = [
        {
            "decision_id": key,
            "case_id": "c",
            "item_id": post,
            "reviewer": "rita",
            "at_ms": at(1),
            "action": action,
            "undoes": undoes,
        }
        for key, post, action, undoes in rows
    ]

    def write(connection) -> None:  # type: ignore[no-untyped-def]
        insert_new(connection, tables.review_cases, [case])
        insert_new(connection, tables.review_decisions, decisions)

    database.write(write)


def test_removals_seen_are_those_that_stayed_down(database: Database) -> None:
    """A removal counts, one taken back or replaced does not, also where it came after the view."""
    guardrails = (Guardrail(metric="removals_seen_per_1k", margin=1.0),)
    experiments = start(database, metrics=("removals_seen_per_1k",), guardrails=guardrails)
    expose(database, [("ann", "control", at(1)), ("bob", "treatment", at(1))])
    seen = [("ann", "bad"), ("ann", "good"), ("bob", "undone"), ("bob", "bad"), ("bob", "later")]
    log(database, [did(user, at(1, 1), "impression", post) for user, post in seen])
    assert values(experiments.results("e", at(2)), "removals_seen_per_1k")["control"] == (1, 0.0)
    decide(
        database,
        [
            ("d1", "bad", "remove", None),
            ("d2", "undone", "remove", None),
            ("d3", "undone", "undo", "d2"),
            ("d4", "later", "remove", None),
            ("d5", "later", "allow", None),
        ],
    )
    found = values(experiments.results("e", at(2)), "removals_seen_per_1k")
    assert {"control": (1, 500.0), "treatment": (1, pytest.approx(1_000 / 3))} == found


def interval(low: float, high: float) -> Interval:
    """An interval around its middle."""
    return Interval(estimate=(low + high) / 2, low=low, high=high, level=0.95)


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (-3, 0.5, "safe"),
        (0.1, 0.9, "safe"),
        (-1, 1.5, "not_settled"),
        (0.2, 1.5, "worse"),
        (1.1, 3, "breached"),
    ],
)
def test_states_of_a_guardrail(low: float, high: float, state: str) -> None:
    """With a margin of 1, for something that should not rise, and mirrored for what should."""
    assert state == guardrail_state(interval(low, high), 1.0, "down")
    assert state == guardrail_state(interval(-high, -low), 1.0, "up")


def test_what_happens_after_the_stop_does_not_count(database: Database) -> None:
    """Stopped, the numbers stay as they are, even those that were already taken in."""
    experiments = start(database)
    expose(database, [("ann", "control", at(1))])
    log(database, [did("ann", at(1, 1), "like", "p"), did("ann", at(2, 1), "like", "p")])
    assert values(experiments.results("e", at(3)), "likes")["control"] == (1, 2.0)
    experiments.stop("e", at(2))
    log(database, [did("ann", at(2, 2), "like", "p")])
    assert values(experiments.results("e", at(9)), "likes")["control"] == (1, 1.0)


def test_events_read_before_their_exposure_are_not_lost(database: Database) -> None:
    """Looked at between the two, the event waits for the exposure that follows it in the log."""
    experiments = start(database)
    log(database, [did("ann", at(1, 1), "like", "p"), did("ann", at(0, 23), "like", "p")])
    experiments.results("e", at(1, 2))
    expose(database, [("ann", "control", at(1))])
    assert values(experiments.results("e", at(1, 2)), "likes")["control"] == (1, 1.0)


def test_an_exposure_that_comes_very_late_has_everything_read_again(database: Database) -> None:
    """A day after the events stopped waiting, the answer is still exact."""
    experiments = start(database)
    log(database, [did("ann", at(1, 1), "like", "p"), did("bob", at(1, 1), "like", "p")])
    expose(database, [("bob", "treatment", at(1))])
    experiments.results("e", at(2, 2))
    expose(database, [("ann", "control", at(1))])
    found = values(experiments.results("e", at(2, 3)), "likes")
    assert found == {"control": (1, 1.0), "treatment": (1, 1.0)}


def test_looking_often_changes_nothing(database: Database) -> None:
    """Results after many looks, events late and in any order, equal those of one look."""
    often = start(database)
    exposed, events = crowd(stream(3, "often"), 300, (20.0, 25.0))
    order = stream(3, "order").permutation(len(events))
    for part in range(6):
        expose(database, exposed[part::6])
        log(database, [events[i] for i in order[part::6]])
        often.results("e", at(1, part))
    once = Experiments(database).results("e", at(9))
    assert once == often.results("e", at(9))


def test_events_from_before_the_experiment_are_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log before the creation cannot follow an exposure, and costs nothing."""
    log(database, [did("ann", at(0, 0, i)) for i in range(40)])
    experiments = start(database)
    expose(database, [("ann", "control", at(1))])
    log(database, [did("ann", at(1, 1), "like", "p")])
    folded: list[int] = []
    fold = Gathered.fold
    monkeypatch.setattr(
        Gathered, "fold", lambda self, chunk: (folded.append(len(chunk)), fold(self, chunk))
    )
    assert values(experiments.results("e", at(2)), "likes")["control"] == (1, 1.0)
    assert folded == [1]


def test_only_news_is_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look folds one event."""
    experiments = start(database)
    expose(database, [("ann", "control", at(1))])
    log(database, [did("ann", at(1, 0, i)) for i in range(40)])
    experiments.results("e", at(2))
    folded: list[int] = []
    fold = Gathered.fold
    monkeypatch.setattr(
        Gathered, "fold", lambda self, chunk: (folded.append(len(chunk)), fold(self, chunk))
    )
    log(database, [did("ann", at(2))])
    experiments.results("e", at(2))
    experiments.results("e", at(2))
    assert folded == [1]


def test_the_results_are_json(database: Database) -> None:
    """What the API sends is the dataclass as it is."""
    found = json.loads(msgspec.json.encode(start(database).results("e", at(1))))
    assert (found["key"], found["calls"][0]["call"]) == ("e", "not_enough_data")


def test_a_ratio_has_the_variance_of_its_simulation() -> None:
    """The delta method's standard error of reports per impressions is that of 3,000 repeats."""
    random = stream(4, "ratio")
    ratios, predicted = [], []
    for _ in range(3_000):
        seen = random.poisson(random.gamma(2.0, 20.0, 500)).astype(float)
        reports = random.binomial(seen.astype(int), random.beta(1, 30, 500)).astype(float)
        sample = Sample(top=1_000 * reports, bottom=seen, known=np.ones(500, bool))
        found = arm_moments(sample, np.ones(500, bool))
        assert isinstance(found, Moments)
        ratios.append(found.mean)
        predicted.append(np.sqrt(found.variance / found.n))
    assert pytest.approx(float(np.std(ratios)), rel=0.06) == float(np.mean(predicted))


def ever_called(tests: int, seed: int) -> tuple[float, float]:
    """Share of A/A tests of sums that grow daily, and of people who arrive daily, ever called.

    4,000 people arrive over 30 days and each adds an exponential amount on about every other day;
    looked at daily, by the naive rule and by ours.
    """
    random = stream(seed, "growing")
    naive = ours = 0
    for _ in range(tests):
        arrived = random.integers(0, 30, 4_000)
        arm = random.integers(0, 2, 4_000)
        taste = random.gamma(1.0, 1.0, 4_000)  # people differ, and stay as they are
        total = np.zeros(4_000)
        called_naive = called_ours = False
        for day in range(30):
            here = arrived <= day
            active = here & (random.random(4_000) < 0.5)
            total[active] += random.exponential(taste[active])
            sides = [moments(total[here & (arm == side)]) for side in (0, 1)]
            if min(side.n for side in sides) < LEAST_PER_ARM:
                continue
            fixed, sequence = welch_difference(*sides), difference_cs(*sides)
            called_naive |= isinstance(fixed, Interval) and fixed.excludes_zero
            called_ours |= isinstance(sequence, Interval) and sequence.excludes_zero
        naive += called_naive
        ours += called_ours
    return naive / tests, ours / tests


@pytest.mark.slow
def test_daily_looks_at_growing_sums_do_not_fool_us() -> None:
    """Of 200 A/A tests the naive rule calls more than 10%, ours at most 5%."""
    naive, ours = ever_called(200, seed=5)
    assert naive > 0.10
    assert ours <= 0.05
