"""Sexual abuse of children: removed everywhere at once, sealed, and the law's duties told.

A match of a bank of hashes of that category, or a reviewer, seals a post. In one transaction it is
removed from serving, its words and the address of its picture are moved into the vault, and what
others wrote about it and what models were taught by it goes. Nobody is shown it: no page, answer,
export or log has it. What is left to see is that it is sealed, since when, its hash, and what is to
be done.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import item_of_row, replace_item, tell
from inhouse.catalog.types import Item, text_key
from inhouse.core.clock import DAY_MS, Clock
from inhouse.core.errors import ConflictError, InputError, UnknownError
from inhouse.core.ids import ItemId
from inhouse.models.harvest.labels import erase_labels
from inhouse.models.harvest.pairs import erase_pairs
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.record import SEAL, judged, record_verdicts
from inhouse.moderation.recording.rulings import checked_name
from inhouse.moderation.sealing.vault import Vault
from inhouse.moderation.signals.redact import redact
from inhouse.moderation.statements.keep import Judged
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import SEALED, Evidence, Label, Verdict
from inhouse.moderation.verdicts.rows import latest_verdicts, without_text
from inhouse.store import chain, tables
from inhouse.store.database import Database, overwriting

# 18 U.S.C. 2258A(h): one year from the report on.
PRESERVED_MS: Final = 366 * DAY_MS
MOST_REASON_CHARS: Final = 2_000
_MOST_NUMBER_CHARS: Final = 96
REPORT_DUTY: Final = (
    "Report it, without looking at it again. United States: to the CyberTipline of NCMEC, as soon "
    "as reasonably possible (18 U.S.C. 2258A(a)). European Union: inform the police or judiciary "
    "of the member state concerned, or Europol, promptly (Art. 18 DSA), and whom national law "
    "names. United Kingdom: the National Crime Agency, where section 66 of the Online Safety Act "
    "2023 applies. `inhouse moderate sealed report` takes the number of the report."
)
PRESERVE_DUTY: Final = (
    "Keep it for a year from the report on (18 U.S.C. 2258A(h)); it is then removed by itself. "
    "Keep the picture or video that it names, too, where you store it, for as long and as safely."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """What the operator has to do, or must not undo."""

    name: str  # report or preserve
    words: str  # what exactly
    done: bool
    until_ms: int | None  # preserve: until when; None before the report


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedItem:
    """A sealed post, or what a call brought (`sealed_calls`), without anything of it."""

    item_id: ItemId
    at_ms: int  # since when
    source: str  # `hashes:BANK` or `person:NAME`
    content_hash: str  # SHA-256 of what was sealed, hex
    reported_ms: int | None
    reported_to: str | None
    report_number: str | None
    reported_by: str | None
    purged_ms: int | None  # when what was sealed was removed for good
    duties: tuple[Duty, ...]

    @property
    def is_due(self) -> bool:
        """Whether somebody has to do something."""
        return any(duty.name == "report" and not duty.done for duty in self.duties)


class SealedItems:
    """The sealed posts of one community."""

    def __init__(self, database: Database, clock: Clock, tools: Tools) -> None:
        self.tools = tools  # may be replaced
        self._database = database
        self._clock = clock

    def seal(self, item_id: str, reviewer: str) -> SealedItem:
        """A reviewer says that a post shows sexual abuse of children. Raises UnknownError, and
        ConflictError where it is sealed already."""
        checked_name(reviewer)

        def write(connection: Connection) -> None:
            if not seal(connection, self.tools, _Sealing(item_id, f"person:{reviewer}", now_ms)):
                raise ConflictError(f"the item {item_id} is sealed already")

        now_ms = self._clock.now_ms()
        self._database.write(write)
        return self.get(item_id)

    def list(self, *, due: bool = False) -> Sequence[SealedItem]:
        """Every sealed post, the oldest first; or those with an open duty alone."""
        table = tables.sealed
        query = sa.select(table).order_by(table.c.at_ms, table.c.item_id)
        if due:
            query = query.where(table.c.reported_ms.is_(None))
        with self._database.read() as connection:
            return [_item(row) for row in connection.execute(query)]

    def due(self) -> int:
        """How many sealed posts nobody has reported yet."""
        table = tables.sealed
        query = sa.select(sa.func.count()).select_from(table)
        with self._database.read() as connection:
            return connection.execute(query.where(table.c.reported_ms.is_(None))).scalar_one()

    def get(self, item_id: str) -> SealedItem:
        """One sealed post. Raises UnknownError."""
        with self._database.read() as connection:
            return _item(_row(connection, item_id))

    def report(self, item_id: str, by: str, to: str, number: str) -> SealedItem:
        """The duty to report is done: to whom, under which number. Raises ConflictError where it
        was done before."""
        checked_name(by)
        for what, value in (("to", to), ("number", number)):
            if not value.strip() or len(value) > _MOST_NUMBER_CHARS or not value.isprintable():
                expected = f"expected 1 to {_MOST_NUMBER_CHARS} printable characters"
                raise InputError(f"{what} {value[:40]!r}; {expected}")
        now_ms = self._clock.now_ms()

        def write(connection: Connection) -> None:
            if _row(connection, item_id).reported_ms is not None:
                raise ConflictError(f"the item {item_id} was reported already")
            table = tables.sealed
            update = table.update().where(table.c.item_id == item_id)
            values = {"reported_ms": now_ms, "reported_to": to, "report_number": number}
            connection.execute(update.values(**values, reported_by=by))
            _note(connection, "duty", (item_id, by, now_ms), {"to": to, "number": number})

        self._database.write(write)
        return self.get(item_id)

    def open(self, item_id: str, by: str, reason: str) -> bytes:
        """Break the glass: what was sealed, as JSON, for the report or the police. That somebody
        did so, and why, is recorded first. Raises ConflictError where it is removed already."""
        checked_name(by)
        _check_reason(reason)
        now_ms = self._clock.now_ms()

        def write(connection: Connection) -> bytes:
            content = _content(_row(connection, item_id))
            _note(connection, "break_glass", (item_id, by, now_ms), {"reason": reason})
            return content

        return self.tools.vault.unlock(self._database.write(write))

    def lift(self, item_id: str, people: tuple[str, str], reason: str) -> None:
        """It was a mistake, two people say: the post is what it was and is judged anew; of an
        author who was erased meanwhile nothing comes back. Raises
        InputError where they are one person, ConflictError where it is removed already."""
        by, second = map(checked_name, people)
        _check_reason(reason)
        if by == second:
            raise InputError(f"{by} alone cannot lift a seal; name a second person")
        now_ms, policy = self._clock.now_ms(), self.tools.rules.policy

        def write(connection: Connection) -> None:
            content = self.tools.vault.unlock(_content(_row(connection, item_id)))
            table = tables.sealed
            connection.execute(table.delete().where(table.c.item_id == item_id))
            told = {"reason": reason, "second": second, "state": "lifted"}
            _note(connection, "break_glass", (item_id, by, now_ms), dict(told))
            items = tables.items
            there = sa.select(items.c.item_id).where(items.c.item_id == item_id)
            if connection.execute(there).first() is None:
                return  # its author was erased meanwhile: nothing comes back
            replace_item(connection, msgspec.json.decode(content, type=Item))
            verdict = latest_verdicts(connection, [item_id])[ItemId(item_id)]
            fresh = dataclasses.replace(
                verdict,
                at_ms=now_ms,
                evidence=Evidence(),
                decided_by=f"person:{by}",
                policy_version=policy.version,
                note="seal lifted",
            )
            record_verdicts(connection, [judged(fresh, policy)], policy, SEAL)

        self._database.write(write)


@dataclass(frozen=True, slots=True)
class _Sealing:
    item_id: str
    source: str  # who says so
    now_ms: int
    labels: tuple[Label, ...] = ()  # the match of a bank


def seal_matches(
    connection: Connection, tools: Tools, found: Sequence[Judged], now_ms: int
) -> list[Judged]:
    """Seal the posts that a bank knows, in the transaction of what was found. Returns the others,
    whose verdicts are still to be recorded."""
    others = []
    for each in found:
        verdict = each.verdict
        labels = verdict.evidence.labels if each.is_sealed else ()
        match = next((label for label in labels if label.is_seal), None)
        if match is None:
            others.append(each)
        else:
            seal(connection, tools, _Sealing(verdict.item_id, match.source, now_ms, (match,)))
    return others


def seal(connection: Connection, tools: Tools, sealing: _Sealing) -> bool:
    """Seal one post in the caller's transaction; False where it is sealed already. Raises
    UnknownError for a post that does not exist."""
    overwriting(connection)
    item_id, table = sealing.item_id, tables.items
    item_row = connection.execute(sa.select(table).where(table.c.item_id == item_id)).first()
    if item_row is None:
        raise UnknownError(f"no item has the id {item_id!r}")
    sealed = tables.sealed
    if connection.execute(sa.select(sealed.c.at_ms).where(sealed.c.item_id == item_id)).first():
        return False
    item = item_of_row(item_row)
    connection.execute(sealed.insert(), _locked(item, tools.vault, sealing))
    replace_item(connection, _emptied(item))
    _silence(connection, item_id, sealing.now_ms)
    texts = [redact(text) for text in (item.title, item.text, item.media_url or "")]
    erase_pairs(connection, (), [item_id], texts)
    verdict = _verdict(connection, item, sealing, tools.rules.policy)
    policy = tools.rules.policy
    record_verdicts(connection, [judged(verdict, policy)], policy, SEAL)
    return True


def purge(connection: Connection, now_ms: int) -> int:
    """Remove for good what was reported and preserved long enough. Returns how many there were."""
    overwriting(connection)
    table = tables.sealed
    over = table.c.content.is_not(None) & (table.c.reported_ms <= now_ms - PRESERVED_MS)
    ids = list(connection.execute(sa.select(table.c.item_id).where(over)).scalars())
    for item_id in ids:
        update = table.update().where(table.c.item_id == item_id)
        connection.execute(update.values(content=None, purged_ms=now_ms))
        _note(connection, "duty", (item_id, "", now_ms), {"state": "purged"})
    return len(ids)


def _locked(item: Item, vault: Vault, sealing: _Sealing) -> dict[str, object]:
    content = msgspec.json.encode(item)
    return {
        "item_id": item.item_id,
        "at_ms": sealing.now_ms,
        "source": sealing.source,
        "content_hash": hashlib.sha256(content).hexdigest(),
        "content": vault.lock(content),
    }


def _emptied(item: Item) -> Item:
    """What is left in the catalog: that there is such a post, by whom, since when and in
    which thread."""
    return Item(
        item_id=item.item_id,
        creator_id=item.creator_id,
        kind=item.kind,
        created_ms=item.created_ms,
        hidden=True,
        reply_to=item.reply_to,
    )


def _verdict(connection: Connection, item: Item, sealing: _Sealing, policy: Policy) -> Verdict:
    """Removed, on the evidence that it is sealed alone: no scores, no places in a text."""
    evidence = Evidence(labels=sealing.labels, signals={SEALED: 1})
    by_bank = sealing.source.startswith("hashes:")
    return Verdict(
        item_id=item.item_id,
        at_ms=sealing.now_ms,
        text_key=text_key("", ""),
        evidence=evidence,
        decided_by=f"rule:{SEALED}" if by_bank else sealing.source,
        policy_version=policy.version,
    )


def _silence(connection: Connection, item_id: str, now_ms: int) -> None:
    """What others wrote about the post, where its words may be repeated, and what models were
    taught by it, goes; nobody is asked to look at it."""
    erase_labels(connection, [item_id])
    for table, words in (
        (tables.reports, {"note": None}),
        (tables.review_decisions, {"note": None}),
        (tables.appeals, {"words": "", "answer": None}),
    ):
        connection.execute(table.update().where(table.c.item_id == item_id).values(**words))
    cases = tables.review_cases
    waiting = (cases.c.item_id == item_id) & (cases.c.state == "open")
    closed = {"state": "closed", "closed_ms": now_ms, "locked_by": None, "locked_until_ms": None}
    connection.execute(cases.update().where(waiting).values(**closed))
    verdicts = tables.verdicts
    query = sa.select(verdicts.c.log_offset, verdicts.c.labels)
    for offset, body in connection.execute(query.where(verdicts.c.item_id == item_id)).all():
        update = verdicts.update().where(verdicts.c.log_offset == offset)
        connection.execute(update.values(labels=without_text(body), note=None))
    tell(connection, "item", [item_id])


def _note(
    connection: Connection, what: str, about: tuple[str, str, int], details: dict[str, object]
) -> None:
    item_id, by, now_ms = about
    actor = f"person:{by}" if by else "worker"
    entry = chain.Entry(at_ms=now_ms, what=what, actor=actor, item_id=item_id, details=details)
    chain.append(connection, [entry])


def _row(connection: Connection, item_id: str) -> Any:
    table = tables.sealed
    row = connection.execute(sa.select(table).where(table.c.item_id == item_id)).first()
    if row is None:
        raise UnknownError(f"no sealed item has the id {item_id[:80]!r}")
    return row


def _content(row: Any) -> bytes:
    if row.content is None:
        raise ConflictError(f"what was sealed of {row.item_id} is removed for good")
    return bytes(row.content)


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON_CHARS:
        raise InputError(
            f"the reason has {len(reason)} characters; expected 1 to {MOST_REASON_CHARS}"
        )


def _item(row: Any) -> SealedItem:
    reported = row.reported_ms is not None
    until_ms = row.reported_ms + PRESERVED_MS if reported else None
    duties = (
        Duty(name="report", words=REPORT_DUTY, done=reported, until_ms=None),
        Duty(
            name="preserve",
            words=PRESERVE_DUTY,
            done=row.purged_ms is not None,
            until_ms=until_ms,
        ),
    )
    values = {name: value for name, value in row._mapping.items() if name != "content"}
    return SealedItem(**values, duties=duties)
