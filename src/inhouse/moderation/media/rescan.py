"""Old posts against new hashes: what was read of their media is held against the banks of now.

A job that goes on where it was killed: a part of the posts, their new verdicts and how far it came
are one transaction.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.types import Item, text_key
from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId
from inhouse.moderation.media.known import KnownHashes
from inhouse.moderation.media.records import enrol, media_of
from inhouse.moderation.media.stored import evidence_of_row
from inhouse.moderation.recording.record import record_verdicts
from inhouse.moderation.recording.sealed import seal_matches
from inhouse.moderation.reviewing.cases import asked_by_rules, open_cases
from inhouse.moderation.signals.read import HASHES, UNREAD
from inhouse.moderation.statements.keep import Judged
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import Evidence, MediaEvidence
from inhouse.moderation.verdicts.decide import decide_all, removing_rule, strictest
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import tables
from inhouse.store.database import Database
from inhouse.store.statements import upsert

JOB: Final = "media-rescan"
_PART: Final = 500
_SOURCE: Final = "hashes:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescanned:
    """What a run has done so far, with what one before it did before it was killed."""

    looked_at: int = 0  # posts whose media had been read
    changed: int = 0  # posts that got a new verdict
    cases: int = 0  # review cases opened or added to


class MediaRescan:
    """Holds every post's media against the banks again."""

    def __init__(self, database: Database, clock: Clock, known: KnownHashes, tools: Tools) -> None:
        self._database, self._clock, self._known, self.tools = database, clock, known, tools

    def enrol_unread(self, items: Sequence[Item]) -> int:
        """Let the media of those posts that nobody has looked at wait to be read."""
        with_media = [item for item in items if item.media_url is not None]

        def write(connection: Connection) -> int:
            known = media_of(connection, [item.item_id for item in with_media])
            new = [item for item in with_media if item.item_id not in known]
            enrol(connection, new, new=False)
            return len(new)

        return self._database.write(write)

    def run(self, tell: Callable[[int, int], None] = lambda done, total: None) -> Rescanned:
        """From where the last run was killed, or from the beginning; `tell` hears how many posts
        are done and how many there are."""
        self._known.refresh(now=True)
        done, after = self._left_off()
        total = self._total()
        while True:
            part = self._part(after)
            if not part:
                break
            after = part[-1]
            done = self._rejudge(part, done, after)
            tell(done.looked_at, total)
        self._database.write(lambda connection: self._save(connection, done, "", "done"))
        return done

    def _part(self, after: str) -> list[ItemId]:
        table = tables.media
        query = (
            sa.select(table.c.item_id)
            .where(table.c.state == "read", table.c.item_id > after)
            .order_by(table.c.item_id)
            .limit(_PART)
        )
        with self._database.read() as connection:
            return [ItemId(item_id) for item_id in connection.execute(query).scalars()]

    def _total(self) -> int:
        table = tables.media
        query = sa.select(sa.func.count()).select_from(table).where(table.c.state == "read")
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _rejudge(self, part: Sequence[ItemId], before: Rescanned, after: str) -> Rescanned:
        with self._database.read() as connection:
            rows = media_of(connection, part)
        found = {item_id: evidence_of_row(row, self._known) for item_id, row in rows.items()}

        def write(connection: Connection) -> Rescanned:
            changed, cases = self.rejudge(connection, found)
            done = dataclasses.replace(
                before,
                looked_at=before.looked_at + len(part),
                changed=before.changed + changed,
                cases=before.cases + cases,
            )
            self._save(connection, done, after, "running")
            return done

        return self._database.write(write)

    def rejudge(
        self, connection: Connection, found: Mapping[ItemId, MediaEvidence]
    ) -> tuple[int, int]:
        """Write new verdicts on posts on whose media the banks say something else now, in the
        caller's transaction; returns how many these are, and how many cases they open."""
        policy, now_ms = self.tools.rules.policy, self._clock.now_ms()
        filed = seal_matches(connection, self.tools, self._judged(connection, found), now_ms)
        record_verdicts(connection, filed, policy)
        asked = (
            asked_by_rules(each.verdict, policy)
            for each in filed
            if each.verdict.evidence.person is None and not each.is_sealed
        )
        concerns = [one for one in asked if one is not None]
        return len(filed), len(open_cases(connection, concerns, {}, now_ms))

    def _judged(
        self, connection: Connection, found: Mapping[ItemId, MediaEvidence]
    ) -> list[Judged]:
        """A post that nothing has judged as it is now is the scan's."""
        policy = self.tools.rules.policy
        changed: list[Judged] = []
        keys = _keys(connection, list(found))
        for item_id, standing in latest_verdicts(connection, found).items():
            evidence = with_media(standing.evidence, found[item_id])
            if evidence == standing.evidence or standing.text_key != keys.get(item_id):
                continue
            verdict = dataclasses.replace(
                standing,
                evidence=evidence,
                at_ms=self._clock.now_ms(),
                policy_version=policy.version,
                note=None,
            )
            decisions = decide_all(evidence, policy)
            if evidence.person is None:
                was_removed = removing_rule(decide_all(standing.evidence, policy)) is not None
                verdict = dataclasses.replace(
                    verdict,
                    decided_by=strictest(decisions.values()).decided_by,
                    removed_by=None if was_removed else removing_rule(decisions),
                )
            changed.append(Judged(verdict=verdict, decisions=decisions))
        return changed

    def _left_off(self) -> tuple[Rescanned, str]:
        table = tables.jobs
        query = sa.select(table).where(table.c.job_id == JOB, table.c.state == "running")
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return Rescanned(), ""
        return msgspec.json.decode(row.counts, type=Rescanned), row.cursor

    def _save(self, connection: Connection, done: Rescanned, after: str, state: str) -> None:
        row = {
            "job_id": JOB,
            "kind": JOB,
            "state": state,
            "cursor": after,
            "counts": msgspec.json.encode(done).decode(),
            "updated_ms": self._clock.now_ms(),
        }
        upsert(connection, tables.jobs, [row])


def _keys(connection: Connection, item_ids: Sequence[ItemId]) -> dict[str, str]:
    """What each post is now."""
    table = tables.items
    query = sa.select(table.c.item_id, table.c.title, table.c.text, table.c.media_url)
    rows = connection.execute(query.where(table.c.item_id.in_(item_ids)))
    return {row.item_id: text_key(row.title, row.text, row.media_url) for row in rows}


def with_media(evidence: Evidence, media: MediaEvidence) -> Evidence:
    """The evidence with what banks of hashes say now in the place of what they said."""
    labels = [label for label in evidence.labels if not label.source.startswith(_SOURCE)]
    signals = {
        name: count
        for name, count in evidence.signals.items()
        if name != UNREAD and not name.startswith(HASHES)
    }
    return dataclasses.replace(
        evidence, labels=(*labels, *media.labels), signals={**signals, **media.signals}
    )
