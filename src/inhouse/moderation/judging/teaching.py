"""What term banks teach the text model, where the operator says that a bank may.

A match is no proof: it counts where neither a person nor a rented model spoke of the text, and no
model is judged by it (`models.harvest.labels`). A text without a match says nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import items_by_id
from inhouse.catalog.types import Item, key_of, post_text
from inhouse.models.harvest.labels import BANK, add_labels, label_fault
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Label as TaughtLabel
from inhouse.moderation.recording.rulings import TERMS
from inhouse.moderation.signals.read import BANKS
from inhouse.moderation.types import Verdict
from inhouse.store import tables

_AT_ONCE: Final = 500


def teach_from_banks(
    connection: Connection, verdicts: Sequence[Verdict], teachers: frozenset[str], now_ms: int
) -> int:
    """Keep what these banks say of the texts that were judged as labels, in the place of what they
    said before, in the caller's transaction. Returns how many labels that are.

    teachers: names of banks; without any nothing is done.
    """
    if not teachers:
        return 0
    taught = 0
    for start in range(0, len(verdicts), _AT_ONCE):
        some = {verdict.item_id: verdict for verdict in verdicts[start : start + _AT_ONCE]}
        _forget(connection, tables.labels.c.ref.in_(list(some)))
        speaking = [one.item_id for one in some.values() if _said(one, teachers)]
        items = items_by_id(connection, speaking)
        labels = [
            label
            for item_id, item in items.items()
            if some[item_id].text_key == key_of(item)
            for label in _labels(item, some[item_id], teachers, now_ms)
        ]
        taught += add_labels(connection, labels)
    return taught


def forget_other_banks(connection: Connection, teachers: frozenset[str]) -> int:
    """Take back what banks taught that may not any more. Returns how many labels went."""
    sources = [f"{BANK}{name}" for name in sorted(teachers)]
    return _forget(connection, tables.labels.c.source.not_in(sources))


def _forget(connection: Connection, which: "sa.ColumnElement[bool]") -> int:
    labels = tables.labels
    of_banks = (labels.c.task == TEXT_HARM.name) & labels.c.source.startswith(BANK)
    return connection.execute(labels.delete().where(of_banks, which)).rowcount


def _said(verdict: Verdict, teachers: frozenset[str]) -> dict[str, dict[str, float]]:
    """What each teaching bank says of a text, by category."""
    found: dict[str, dict[str, float]] = {}
    for label in verdict.evidence.labels:
        name = label.source.removeprefix(BANKS)
        if name != label.source and name in teachers and label.category in TEXT_HARM.categories:
            found.setdefault(name, {})[label.category] = label.p
    return found


def _labels(
    item: Item, verdict: Verdict, teachers: frozenset[str], now_ms: int
) -> Iterator[TaughtLabel]:
    for name, scores in sorted(_said(verdict, teachers).items()):
        label = TaughtLabel(
            task=TEXT_HARM.name,
            ref=item.item_id,
            text=post_text(item.title, item.text),
            scores=scores,
            source=f"{BANK}{name}",
            terms=TERMS,
            at_ms=now_ms,
        )
        if label_fault(label) is None:  # a text too long to be kept teaches nothing
            yield label
