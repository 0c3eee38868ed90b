"""All filters in one compiled step: what `base.run` finds by asking them one after another."""

from collections.abc import Sequence

from inhouse.recommend.filters.base import Filtered, Reasons
from inhouse.recommend.filters.muted import by_word
from inhouse.recommend.moment import Moment
from inhouse.recommend.rules.orders import named_by
from inhouse.recommend.types import Candidates, Mask, Removal
from inhouse.recommend.worth import MUTED_WORD, OPERATOR


def run_at_once(
    reasons: Sequence[tuple[str, str]], moment: Moment, candidates: Candidates
) -> Filtered:
    """The same as `run(FILTERS, ...)`; reasons: stage and reason by code less one."""
    items = candidates.items
    codes = moment.against(items)
    if moment.orders.blocks:
        _also(codes, named_by(moment.table, moment.orders.blocks, items), OPERATOR)
    if moment.person.muted_words:
        _also(codes, by_word(moment.table, moment.person.muted_words, items), MUTED_WORD)
    found = sorted({*codes.tolist()} - {0})
    if not found:
        return Filtered(kept=candidates, removed=())
    removed = tuple(
        Removal(stage=stage, reason=reason, items=items[codes == code])
        for code in found
        for stage, reason in (reasons[code - 1],)
    )
    return Filtered(kept=candidates.take((codes == 0).nonzero()[0]), removed=removed)


def _also(codes: Reasons, hit: Mask, code: int) -> None:
    """Let a reason stand where no earlier one does."""
    codes[hit & ((codes == 0) | (codes > code))] = code
