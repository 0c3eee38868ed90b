"""A person's word on an item, and taking it back: written whole, in one transaction.

A ruling is a verdict (decided by the person), its news, and a label that teaches models.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import item_of_row
from inhouse.catalog.types import Item, key_of, post_text, text_key
from inhouse.core.errors import InputError
from inhouse.core.ids import ItemId
from inhouse.models.harvest.labels import add_labels
from inhouse.models.tasks import TEXT_HARM
from inhouse.models.types import Label as TaughtLabel
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.record import RULING, UNDO, judged, record_verdicts
from inhouse.moderation.types import Action, Evidence, PersonCall, Verdict
from inhouse.moderation.verdicts.decide import decide_all, strictest
from inhouse.moderation.verdicts.rows import latest_verdicts, with_person
from inhouse.store import tables

# What a person may decide: `review` is the question, not an answer.
RULINGS: Final[tuple[Action, ...]] = tuple(a for a in get_args(Action) if a != "review")
OTHER: Final = "other"  # a category for what the policy has no name for
TERMS: Final = "own"  # under which a reviewer's labels may be used: as the community likes
MOST_NAME_CHARS: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """What a person says of an item."""

    action: Action  # one of RULINGS
    category: str | None  # what the item violates; None where it is allowed
    name: str  # of the person
    note: str | None  # for the record


def checked_ruling(
    action: str, category: str | None, name: str, note: str | None, policy: Policy
) -> Ruling:
    """A ruling, or InputError that says what was expected."""
    known = (*policy.categories, OTHER)
    chosen = next((a for a in RULINGS if a == action), None)
    if chosen is None:
        raise InputError(f"unknown action {action!r}; expected one of {', '.join(RULINGS)}")
    if chosen == "allow" and category is not None:
        raise InputError(f"category {category!r} with the action allow; leave the category out")
    if chosen != "allow" and category not in known:
        raise InputError(
            f"category {category!r} with the action {action}; expected one of {', '.join(known)}"
        )
    return Ruling(action=chosen, category=category, name=checked_name(name), note=note)


def checked_name(name: str) -> str:
    """A reviewer's name, or InputError."""
    if not name.strip() or len(name) > MOST_NAME_CHARS or not name.isprintable():
        raise InputError(
            f"reviewer {name[:40]!r}; expected 1 to {MOST_NAME_CHARS} printable characters"
        )
    return name


def rule_on(
    connection: Connection, item_id: ItemId, ruling: Ruling, policy: Policy, now_ms: int
) -> None:
    """Put a person's call into force."""
    item = _item(connection, item_id)
    call = PersonCall(action=ruling.action, category=ruling.category, name=ruling.name)
    before = latest_verdicts(connection, [item_id]).get(item_id) or _blank(item_id, item)
    verdict = dataclasses.replace(
        with_person(before, call), at_ms=now_ms, policy_version=policy.version, note=ruling.note
    )
    record_verdicts(connection, [judged(verdict, policy)], policy, RULING)
    _teach(connection, item, call, now_ms)


def hold(
    connection: Connection, item_id: ItemId, ruling: Ruling, policy: Policy, now_ms: int
) -> None:
    """Keep a post hidden until others have said whether they agree. Nothing is taught by it."""
    before = latest_verdicts(connection, [item_id]).get(item_id)
    if before is None:
        return  # hidden anyway until it is judged
    call = PersonCall(action="review", category=ruling.category, name=ruling.name)
    held = dataclasses.replace(
        with_person(before, call), at_ms=now_ms, policy_version=policy.version, note=None
    )
    record_verdicts(connection, [judged(held, policy)], policy)


def take_back(
    connection: Connection,
    standing: Verdict,
    earlier: PersonCall | None,
    policy: Policy,
    now_ms: int,
) -> None:
    """Put the call before the standing one into force again, or none. `standing` is the item's
    latest verdict."""
    evidence = dataclasses.replace(standing.evidence, person=earlier)
    by_rule = strictest(decide_all(evidence, policy).values()).decided_by
    verdict = dataclasses.replace(
        standing,
        evidence=evidence,
        at_ms=now_ms,
        decided_by=by_rule,
        policy_version=policy.version,
        removed_by=None,
        note=f"undone: {standing.decided_by}",
    )
    record_verdicts(connection, [judged(verdict, policy)], policy, UNDO)
    item = _item(connection, standing.item_id)
    undone = standing.evidence.person
    if item is not None and undone is not None and undone.action != "review":
        add_labels(connection, [_label(item, undone.name, {}, now_ms)])
        if earlier is not None:
            _teach(connection, item, earlier, now_ms)


def _item(connection: Connection, item_id: ItemId) -> Item | None:
    query = sa.select(tables.items).where(tables.items.c.item_id == item_id)
    row = connection.execute(query).first()
    return None if row is None else item_of_row(row)


def _blank(item_id: ItemId, item: Item | None) -> Verdict:
    """The verdict on an item that nothing has judged yet."""
    return Verdict(
        item_id=item_id,
        at_ms=0,
        text_key=key_of(item) if item else text_key("", ""),
        evidence=Evidence(),
        decided_by="",
        policy_version="",
    )


def _teach(connection: Connection, item: Item | None, call: PersonCall, now_ms: int) -> None:
    """What the call says of the text: that it is of the category, or, where it is allowed, of
    none. A category no model is asked about teaches nothing."""
    if item is None or call.action == "review":
        return
    if call.action == "allow":
        scores = dict.fromkeys(TEXT_HARM.categories, 0.0)
    else:
        scores = {name: 1.0 for name in TEXT_HARM.categories if name == call.category}
    if scores:
        add_labels(connection, [_label(item, call.name, scores, now_ms)])


def _label(item: Item, name: str, scores: dict[str, float], now_ms: int) -> TaughtLabel:
    return TaughtLabel(
        task=TEXT_HARM.name,
        ref=item.item_id,
        text=post_text(item.title, item.text),
        scores=scores,
        source=f"person:{name}",
        terms=TERMS,
        at_ms=now_ms,
    )
