"""From the labels there are to the bands of a route's cascade."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inhouse.core.errors import InputError
from inhouse.models.cascade.bands import Certified, Goal, learn_bands, pairs_of
from inhouse.models.cutover.routes import RouteChange, Routes
from inhouse.models.owned.registry import Registry
from inhouse.models.settings import ModelSettings
from inhouse.models.training.train import task_data
from inhouse.models.types import Cascade, Task
from inhouse.stats.types import NotEnough
from inhouse.store.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What was found for each category of the routed version."""

    version: str  # of the owned model
    found: Mapping[str, Certified | NotEnough]
    cascade: Cascade | None  # None where no band keeps the goal


def learn_cascade(
    database: Database, registry: Registry, task: Task, goal: Goal, settings: ModelSettings
) -> Learned | NotEnough:
    """The bands of the newest version that keep the goal, on the labelled texts that came too late
    to be trained on and that a rented model judged."""
    versions = registry.versions(task.name)
    if not versions:
        return NotEnough(reason="no model is trained yet; train one first", have=0, need=1)
    data = task_data(database, task.name, settings)
    later = [one for one in data.rows("validation", "test") if one.teacher]
    if not later:
        return NotEnough(reason="no later text was judged by a rented model", have=0, need=1)
    model = registry.load(versions[0].version)
    pairs = pairs_of(
        model.scores([one.text for one in later]),
        [one.teacher for one in later],
        [one.people for one in later],
        settings.flag_at,
    )
    told = learn_bands(pairs, goal)
    bands = {name: one.band for name, one in told.items() if isinstance(one, Certified)}
    version = versions[0].version
    cascade = Cascade(version=version, bands=bands, guarantee=guarantee_of(goal, len(later)))
    return Learned(version=version, found=told, cascade=cascade if bands else None)


def guarantee_of(goal: Goal, texts: int) -> str:
    """What is promised, for people."""
    return (
        f"with probability {goal.sure:g}, on texts like the {texts:,} it was learned from: "
        f"precision {goal.precision:g} and recall {goal.recall:g} or more in every category "
        "that has a band, where what nobody judged counts as the rented model says"
    )


def use_cascade(
    routes: Routes, task: str, cascade: Cascade | None, decided_by: str, now_ms: int
) -> None:
    """Put a cascade into a route, or take it out with None. It answers from the next call on where
    its version is routed. Raises InputError where there is nobody to ask again."""
    route = routes.current(task)
    if cascade is not None and route.primary is None:
        raise InputError(
            f"{task} has no rented model to ask again; name one in the file of vendors first"
        )
    reason = "cascade off" if cascade is None else f"cascade: {cascade.guarantee}"
    changed = replace(route, cascade=cascade)
    routes.set(RouteChange(route=changed, at_ms=now_ms, decided_by=decided_by, reason=reason))
