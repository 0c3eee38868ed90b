"""Evidence read again: signals by the present term banks and reader, scores where it is asked."""

import dataclasses
from collections.abc import Sequence

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, key_of
from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId
from inhouse.moderation.judging.reading import text_of
from inhouse.moderation.judging.scoring import MODEL, Questioner, labels_of, readings_of
from inhouse.moderation.ports import Scores, TextScorer
from inhouse.moderation.signals.facts import facts_of, is_fact
from inhouse.moderation.signals.read import BANKS, Reading, is_in_texts
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Evidence, Verdict
from inhouse.moderation.verdicts.decide import UNSCORED, decide_all, strictest


class Refresher:
    """Makes the verdicts that stored ones would be, were their texts read today."""

    def __init__(self, catalog: Catalog, clock: Clock, scorer: TextScorer, tools: Tools) -> None:
        self.tools = tools  # may be replaced between calls
        self._catalog = catalog
        self._clock = clock
        self._questioner = Questioner(scorer)

    async def refresh(
        self, verdicts: Sequence[Verdict], *, signals: bool, models: bool
    ) -> dict[ItemId, Verdict]:
        """By item, the verdicts whose evidence comes out differently. Without `models` only those
        that another reader read are looked at, and scores stay; a text that changed since waits
        for its own scan."""
        reader = self.tools.rules.reader
        old = [v for v in verdicts if models or (signals and v.reader_version != reader.version)]
        items = self._catalog.items([verdict.item_id for verdict in old])
        pairs = [
            (verdict, items[verdict.item_id])
            for verdict in old
            if verdict.item_id in items and _is_of(verdict, items[verdict.item_id])
        ]
        readings = reader.read_all([text_of(item) for _, item in pairs])
        scores = await self._scores(pairs, readings) if models else [None] * len(pairs)
        fresh: dict[ItemId, Verdict] = {}
        for (verdict, item), reading, scored in zip(pairs, readings, scores, strict=True):
            evidence = _reread(verdict.evidence, item, reading)
            if scored is not None:
                evidence = _rescored(evidence, scored)
            if evidence != verdict.evidence:
                fresh[verdict.item_id] = self._renewed(verdict, evidence, reading, scored)
        return fresh

    async def _scores(
        self, pairs: Sequence[tuple[Verdict, Item]], readings: Sequence[Reading]
    ) -> Sequence[Scores | None]:
        most = self.tools.settings.most_chars
        asked = [
            readings_of(item, reading, most)
            for (_, item), reading in zip(pairs, readings, strict=True)
        ]
        return (await self._questioner.ask(asked)).scores

    def _renewed(
        self, verdict: Verdict, evidence: Evidence, reading: Reading, scores: Scores | None
    ) -> Verdict:
        policy = self.tools.rules.policy
        others = tuple(hit for hit in verdict.hits if not is_in_texts(hit.signal))
        call = evidence.person
        by_rule = strictest(decide_all(evidence, policy).values()).decided_by
        return dataclasses.replace(
            verdict,
            evidence=evidence,
            hits=(*reading.hits, *others),
            at_ms=self._clock.now_ms(),
            decided_by=by_rule if call is None else verdict.decided_by,
            policy_version=policy.version,
            removed_by=None,
            reader_version=self.tools.rules.reader.version,
            model_version=scores.model_version if scores else verdict.model_version,
        )


def _is_of(verdict: Verdict, item: Item) -> bool:
    return verdict.text_key == key_of(item)


def _reread(evidence: Evidence, item: Item, reading: Reading) -> Evidence:
    """With the signals and labels of a reading in the place of those of an earlier one."""
    kept = {
        name: count
        for name, count in evidence.signals.items()
        if not is_in_texts(name) and not is_fact(name)
    }
    others = (label for label in evidence.labels if not label.source.startswith(BANKS))
    return dataclasses.replace(
        evidence,
        labels=(*others, *reading.labels),
        signals={**reading.signals, **facts_of(item), **kept},
    )


def _rescored(evidence: Evidence, scores: Scores) -> Evidence:
    """With a model's labels in the place of those of an earlier answer."""
    others = (label for label in evidence.labels if not label.source.startswith(MODEL))
    signals = {name: n for name, n in evidence.signals.items() if name != UNSCORED}
    return dataclasses.replace(evidence, labels=(*labels_of(scores), *others), signals=signals)
