"""Writing down what was served, so that it can be explained and learned from."""

from collections.abc import Sequence

from inhouse.core.ids import ItemId, PageId, new_id
from inhouse.events.types import PageItem, RemovedItem, ServedPage
from inhouse.recommend.arrange import Arranged, Placed
from inhouse.recommend.because import reasons_for
from inhouse.recommend.levels import KEPT
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import SOURCE_NAMES, Candidates, Predictions, Removal

_RESERVE_LOGGED = 60


def written(
    moment: Moment,
    ranked: Candidates,
    arranged: Arranged,
    removed: Sequence[Removal],
    removed_logged: int,
) -> ServedPage:
    """The page as it goes into the log; `took_ms` is filled in by the pipeline."""
    query, ids = moment.query, moment.table.ids
    rows = [placed.choice.row for placed in arranged.places]
    items = ranked.items[rows]
    told = moment.plan.tastes
    because = reasons_for(moment, items, ranked.causes[rows]) if told else [()] * len(rows)
    return ServedPage(
        page_id=PageId(new_id("page")),
        at_ms=query.now_ms,
        user_id=query.user_id,
        surface=query.surface,
        items=tuple(
            _page_item(moment, ranked, place, placed, because[place])
            for place, placed in enumerate(arranged.places)
        ),
        removed=_removed(moment, (*removed, *arranged.removed), removed_logged),
        reserve=tuple(ids[row] for row in arranged.reserve[:_RESERVE_LOGGED]),
        arms=dict(query.arms),
        snapshot_id=None if moment.model is None else moment.model.snapshot_id,
        policy_version=moment.policy_version,
        seed=query.seed,
        log_offset=moment.state.log_offset,
        profiled=moment.plan.profiled,
        level=query.level,
        kept_from=moment.reserve.page_id if query.level == KEPT and moment.reserve else None,
    )


def _page_item(
    moment: Moment, ranked: Candidates, place: int, placed: Placed, because: tuple[int, ...]
) -> PageItem:
    ids, row = moment.table.ids, placed.choice.row
    bits = int(ranked.sources[row])
    sources = tuple(name for bit, name in enumerate(SOURCE_NAMES) if bits >> bit & 1)
    return PageItem(
        item_id=ids[ranked.items[row]],
        position=place,
        source=sources[0],
        sources=sources,
        value=0.0 if ranked.value is None else float(ranked.value[row]),
        predicted=_predicted(ranked.predictions, row),
        propensity=placed.choice.propensity,
        explored=placed.choice.explored,
        because=tuple(ids[i] for i in because),
        notes=placed.notes,
    )


def _predicted(predictions: Predictions | None, row: int) -> dict[str, float]:
    """Empty where the order of the page needed no predictions."""
    if predictions is None:
        return {}
    return {
        "p_click": float(predictions.p_click[row]),
        "p_like": float(predictions.p_like[row]),
        "p_hide": float(predictions.p_hide[row]),
        "dwell_ms": float(predictions.dwell_ms[row]),
    }


def _removed(moment: Moment, removals: Sequence[Removal], most: int) -> tuple[RemovedItem, ...]:
    """The first `most`, in the order of the stages."""
    found: list[RemovedItem] = []
    for removal in removals:
        for row in removal.items[: most - len(found)]:
            item_id: ItemId = moment.table.ids[row]
            found.append(RemovedItem(item_id=item_id, stage=removal.stage, reason=removal.reason))
    return tuple(found)
