"""The same answers from both databases."""

from engagement_world import at, did, log

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item
from inhouse.core.ids import ItemId, UserId
from inhouse.engagement.experiments.store import Experiments
from inhouse.engagement.experiments.types import Arm, Experiment
from inhouse.engagement.metrics import Metrics
from inhouse.store.database import Database

EVENTS = [
    did("ann", at(0, 9), "impression", "p"),
    did("ann", at(0, 9, 1), "watch", "p", 20_000),
    did("bob", at(0, 10), "impression", "p"),
    did("bob", at(0, 10, 1), "report", "p"),
    did("ann", at(1, 9), "visit"),
]


def test_metrics_on_either_database(any_database: Database) -> None:
    """Days, returns and creators come out alike."""
    Catalog(any_database).put_items([Item(item_id=ItemId("p"), creator_id=UserId("cat"))])
    log(any_database, EVENTS)
    found = Metrics(any_database).engagement(at(2))
    assert [(day.dau, day.sessions, day.time_ms, day.reports_per_1k) for day in found.days] == [
        (2, 2, 20_000.0, 500.0),
        (1, 1, 0.0, None),
        (0, 0, 0.0, None),
    ]
    assert found.retention.d1 is not None
    assert (found.retention.d1.people, found.retention.d1.came_back) == (2, 1)
    assert (
        found.creators.posts,
        found.creators.posts_seen,
        found.creators.creators_seen,
        found.creators.gini_posts,
    ) == (1, 1, 1, 0.0)


def test_an_experiment_on_either_database(any_database: Database) -> None:
    """Created, assigned, exposed, measured and stopped."""
    experiments = Experiments(any_database)
    arms = (Arm(key="control"), Arm(key="learned", settings={"ranker": "learned"}))
    experiments.create(Experiment(key="e", arms=arms, metrics=("time_s",)), at(0))
    for user in ("ann", "bob"):
        exposed = experiments.expose(user, {"e": "control"}, at(0, 8))
        assert exposed is not None
        assert exposed.result() == 1
    log(any_database, EVENTS)
    found = experiments.results("e", at(1))
    assert [(one.arm, one.people, one.value) for one in found.metrics[0].arms] == [
        ("control", 2, 10.0),
        ("learned", 0, None),
    ]
    assert at(2) == experiments.stop("e", at(2)).stopped_ms
    assert experiments.arms_for("ann") == {}
