"""Writing down what was served, so that it can be explained and learned from."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inhouse.core.ids import ItemId, PageId, new_id
from inhouse.events.types import PageItem, RemovedItem, ServedPage
from inhouse.recommend.arrange import Arranged, Placed
from inhouse.recommend.because import reasons_for
from inhouse.recommend.levels import KEPT
from inhouse.recommend.moment import Moment
from inhouse.recommend.types import SOURCE_NAMES, Candidates, Predictions, Removal

_RESERVE_LOGGED = 60
_PREDICTED: Final = Predictions.__struct_fields__


def written(
    moment: Moment,
    ranked: Candidates,
    arranged: Arranged,
    removed: tuple[RemovedItem, ...],
    took_ms: dict[str, float],
) -> ServedPage:
    """The page as it goes into the log. took_ms: of each stage; this one's own may yet come in."""
    query, ids = moment.query, moment.table.ids
    return ServedPage(
        page_id=PageId(new_id("page")),
        at_ms=query.now_ms,
        user_id=query.user_id,
        surface=query.surface,
        items=_page_items(moment, ranked, arranged.places),
        removed=removed,
        reserve=tuple(ids[row] for row in arranged.reserve[:_RESERVE_LOGGED].tolist()),
        arms=dict(query.arms),
        snapshot_id=None if moment.model is None else moment.model.snapshot_id,
        policy_version=moment.policy_version,
        seed=query.seed,
        log_offset=moment.state.log_offset,
        took_ms=took_ms,
        profiled=moment.plan.profiled,
        level=query.level,
        kept_from=moment.reserve.page_id if query.level == KEPT and moment.reserve else None,
    )


def _page_items(
    moment: Moment, ranked: Candidates, places: Sequence[Placed]
) -> tuple[PageItem, ...]:
    ids, rows = moment.table.ids, np.array([placed.choice.row for placed in places], dtype=np.intp)
    items, told = ranked.items[rows], moment.plan.tastes
    columns = zip(
        items.tolist(),
        ranked.sources[rows].tolist(),
        [0.0] * len(rows) if ranked.value is None else ranked.value[rows].tolist(),
        _predicted(ranked.predictions, rows),
        reasons_for(moment, items, ranked.causes[rows]) if told else [()] * len(rows),
        strict=True,
    )
    return tuple(
        PageItem(
            item_id=ids[item],
            position=position,
            source=_named(bits)[0],
            sources=_named(bits),
            value=value,
            predicted=predicted,
            propensity=placed.choice.propensity,
            explored=placed.choice.explored,
            because=tuple(ids[i] for i in because),
            notes=placed.notes,
        )
        for position, (placed, (item, bits, value, predicted, because)) in enumerate(
            zip(places, columns, strict=True)
        )
    )


@cache
def _named(bits: int) -> tuple[str, ...]:
    """The sources whose bits are set."""
    return tuple(name for bit, name in enumerate(SOURCE_NAMES) if bits >> bit & 1)


def _predicted(predictions: Predictions | None, rows: NDArray[np.intp]) -> list[dict[str, float]]:
    """Empty where the order of the page needed no predictions."""
    if predictions is None:
        return [{} for _ in rows]
    lists = (getattr(predictions, name)[rows].tolist() for name in _PREDICTED)
    return [dict(zip(_PREDICTED, row, strict=True)) for row in zip(*lists, strict=True)]


def named(moment: Moment, removals: Sequence[Removal], most: int) -> tuple[RemovedItem, ...]:
    """The first `most` of what was removed, in the order of the stages."""
    found: list[RemovedItem] = []
    for removal in removals:
        for row in removal.items[: most - len(found)].tolist():
            item_id: ItemId = moment.table.ids[row]
            found.append(RemovedItem(item_id=item_id, stage=removal.stage, reason=removal.reason))
    return tuple(found)
