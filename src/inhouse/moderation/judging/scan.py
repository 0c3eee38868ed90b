"""Scanning: every new or changed text gets a verdict, once, whatever is killed in between.

The moderator follows the log of changes. Verdicts, their news, the cases they open and its own
offset are one transaction, so a crash leaves either all of it or none. A text that got no answer
stays without a verdict, the offset stays before it, and the next scan asks again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.catalog import Catalog
from inhouse.catalog.types import Item, key_of
from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId
from inhouse.core.logs import logger
from inhouse.events.log import set_consumer
from inhouse.moderation.around.circumstances import Circumstances
from inhouse.moderation.judging.breaker import Breaker, BreakerEvent, Fuse, append_events
from inhouse.moderation.judging.reading import TextReader, text_of
from inhouse.moderation.judging.scoring import Asked, Questioner, Readings, labels_of, readings_of
from inhouse.moderation.judging.teaching import teach_from_banks
from inhouse.moderation.media.records import enrol
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.ports import MediaSource, NoMedia, Scores, TextScorer
from inhouse.moderation.recording.record import judged, record_verdicts
from inhouse.moderation.recording.sealed import seal_matches
from inhouse.moderation.reviewing.cases import Concern, asked_by_rules, open_cases
from inhouse.moderation.signals.facts import facts_of
from inhouse.moderation.signals.read import Reading
from inhouse.moderation.statements.keep import Judged
from inhouse.moderation.tools import Rules, Tools
from inhouse.moderation.types import Evidence, MediaEvidence, PersonCall, Verdict
from inhouse.moderation.verdicts.decide import (
    HELD_BACK,
    UNSCORED,
    decide_all,
    removing_rule,
    strictest,
)
from inhouse.moderation.verdicts.rows import latest_verdicts, with_person
from inhouse.store import tables
from inhouse.store.database import Database

CONSUMER: Final = "moderation"
# So often a text may be refused while others are answered before a person gets it instead.
_MOST_REFUSALS: Final = 3
_NO_MEDIA: Final = MediaEvidence()
_log = logger("moderation")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanReport:
    """What one scan did, and what is left."""

    read: int  # changes looked at
    judged: int  # texts that got a verdict
    unchanged: int  # items whose text had its verdict already
    gone: int  # items that are no longer there
    unscored: int  # of the judged: given to a person because no model could score them
    awaiting: int  # texts of this scan that are still without a verdict
    unread: int  # posts whose media is to be read first; the change that tells of it brings them
    cases: int  # review cases opened or added to
    offset: int  # of the log of changes, up to which all is done
    backlog: int  # changes of items behind it
    error: str | None  # why texts are awaiting; None where none is


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """A text to be judged."""

    item: Item
    first_offset: int  # of the change that told of it
    key: str  # of its text
    reading: Reading  # its signals
    readings: Readings  # what a scorer is asked
    around: Mapping[str, int]  # signals of its circumstances
    media: MediaEvidence  # what its picture or video adds


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """What a scan found to do."""

    read: int
    offset: int  # of the last change read
    tasks: Sequence[_Task]
    unread: Sequence[Item]  # media first
    unchanged: int
    gone: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """What a scan writes, all or nothing."""

    judged: Sequence[Judged]  # without persons' calls, which are carried over when written
    unread: Sequence[Item]  # posts whose media has to be read first
    views: Mapping[ItemId, int]
    tools: Tools
    opened: Sequence[BreakerEvent]  # where the circuit breaker opened
    offset: int  # up to which all is dealt with
    now_ms: int


class Moderator:
    """Judges texts as the log of changes tells of them."""

    def __init__(self, database: Database, clock: Clock, scorer: TextScorer, tools: Tools) -> None:
        self.tools = tools  # may be replaced between scans
        self.reader: TextReader | None = None  # of signals; that of the tools where none is set
        self.media: MediaSource = NoMedia()  # may be replaced too
        self._database = database
        self._catalog = Catalog(database)
        self._clock = clock
        self._questioner = Questioner(scorer)
        self._refusals: Counter[ItemId] = Counter()
        self._breaker = Breaker(database)
        self._circumstances = Circumstances(database)

    async def scan(self, limit: int | None = None) -> ScanReport:
        """Deal with the next changes, at most `limit` (the setting `scan_limit`)."""
        tools = self.tools
        found = self._find(tools, limit or tools.settings.scan_limit)
        asked = await self._questioner.ask([task.readings for task in found.tasks])
        fuse = self._breaker.fuse(tools.rules.policy, self._clock.now_ms())
        fresh, awaiting = self._judge(found.tasks, asked, tools.rules, fuse)
        ids = [each.verdict.item_id for each in fresh]
        done = _Done(
            judged=fresh,
            unread=found.unread,
            views=dict(zip(ids, tools.reach.views(ids), strict=True)),
            tools=tools,
            opened=fuse.opened,
            offset=min((task.first_offset - 1 for task in awaiting), default=found.offset),
            now_ms=self._clock.now_ms(),
        )
        kept, cases = self._database.write(lambda connection: _keep(connection, done))
        for item_id in ids:
            del self._refusals[item_id]
        report = ScanReport(
            read=found.read,
            judged=kept,
            unchanged=found.unchanged,
            gone=found.gone,
            unscored=sum(UNSCORED in each.verdict.evidence.signals for each in fresh),
            awaiting=len(awaiting),
            unread=len(found.unread),
            cases=cases,
            offset=done.offset,
            backlog=self.backlog(),
            error=asked.error if awaiting else None,
        )
        if awaiting:
            _log.warning("texts_awaiting", awaiting=report.awaiting, backlog=report.backlog)
        return report

    def backlog(self) -> int:
        """How many changes of items are still to be dealt with."""
        table = tables.changes
        with self._database.read() as connection:
            query = (
                sa.select(sa.func.count())
                .select_from(table)
                .where(table.c.log_offset > _offset(connection), table.c.entity == "item")
            )
            return connection.execute(query).scalar_one()

    def _find(self, tools: Tools, limit: int) -> _Found:
        with self._database.read() as connection:
            offset = _offset(connection)
        changes = self._catalog.changes(offset, limit)
        first: dict[ItemId, int] = {}
        for change in changes:
            if change.entity == "item":
                first.setdefault(ItemId(change.entity_id), change.log_offset)
        items = self._catalog.items(first)
        with self._database.read() as connection:
            judged = {i: v.text_key for i, v in latest_verdicts(connection, items).items()}
        there = (items[item_id] for item_id in first if item_id in items)
        changed = [item for item in there if judged.get(item.item_id) != key_of(item)]
        media = self.media.look(changed)
        unread = [item for item in changed if media.get(item.item_id, _NO_MEDIA) is None]
        new = [item for item in changed if media.get(item.item_id, _NO_MEDIA) is not None]
        readings = (self.reader or tools.rules.reader).read_all([text_of(item) for item in new])
        posts = [(item, reading.hits) for item, reading in zip(new, readings, strict=True)]
        shown = {item_id: known.pictures for item_id, known in media.items() if known is not None}
        around = self._circumstances.signals(posts, tools.rules.policy, self._clock.now_ms(), shown)
        tasks = [
            _Task(
                item=item,
                first_offset=first[item.item_id],
                key=key_of(item),
                reading=reading,
                readings=readings_of(item, reading, tools.settings.most_chars),
                around=known,
                media=media.get(item.item_id) or _NO_MEDIA,
            )
            for item, reading, known in zip(new, readings, around, strict=True)
        ]
        return _Found(
            read=len(changes),
            offset=changes[-1].log_offset if changes else offset,
            tasks=tasks,
            unread=unread,
            unchanged=len(items) - len(changed),
            gone=len(first) - len(items),
        )

    def _judge(
        self, tasks: Sequence[_Task], asked: Asked, rules: Rules, fuse: Fuse
    ) -> tuple[list[Judged], list[_Task]]:
        """Verdicts on what was answered, and the tasks that have to wait."""
        fresh: list[Judged] = []
        awaiting: list[_Task] = []
        for place, (task, scores) in enumerate(zip(tasks, asked.scores, strict=True)):
            if scores is None and task.readings.texts:
                self._refusals[task.item.item_id] += place in asked.refused
                if self._refusals[task.item.item_id] < _MOST_REFUSALS:
                    awaiting.append(task)
                    continue
            verdict = self._verdict(task, scores, rules)
            fresh.append(_filed(verdict, rules.policy, fuse))
        return fresh, awaiting

    def _verdict(self, task: _Task, scores: Scores | None, rules: Rules) -> Verdict:
        refused = scores is None and task.readings.texts
        signals = {
            **task.reading.signals,
            **facts_of(task.item),
            **task.around,
            **task.media.signals,
        }
        if refused:
            signals[UNSCORED] = 1
        labels = (*labels_of(scores), *task.reading.labels, *task.media.labels)
        evidence = Evidence(labels=labels, signals=signals)
        return Verdict(
            item_id=task.item.item_id,
            at_ms=self._clock.now_ms(),
            text_key=task.key,
            evidence=evidence,
            hits=task.reading.hits,
            decided_by="",
            policy_version=rules.policy.version,
            model_version=scores.model_version if scores else None,
            reader_version=rules.reader.version,
        )


def _filed(verdict: Verdict, policy: Policy, fuse: Fuse) -> Judged:
    """Under its strictest decision, and held back where the circuit breaker says so."""
    decisions = decide_all(verdict.evidence, policy)
    removed_by = removing_rule(decisions)
    if fuse.holds_back(removed_by):
        signals = {**verdict.evidence.signals, HELD_BACK: 1}
        evidence = replace(verdict.evidence, signals=signals)
        verdict, removed_by = replace(verdict, evidence=evidence), None
        decisions = decide_all(evidence, policy)
    decided_by = strictest(decisions.values()).decided_by
    filed = replace(verdict, decided_by=decided_by, removed_by=removed_by)
    return Judged(verdict=filed, decisions=decisions)


def _offset(connection: Connection) -> int:
    table = tables.consumers
    query = sa.select(table.c.log_offset).where(table.c.name == CONSUMER)
    return connection.execute(query).scalar() or 0


def _keep(connection: Connection, done: _Done) -> tuple[int, int]:
    """Write everything a scan found, in one transaction; returns verdicts and cases.

    Another moderator may have been faster, and a person may have decided meanwhile: what the
    store says now counts.
    """
    policy = done.tools.rules.policy
    before = latest_verdicts(connection, [each.verdict.item_id for each in done.judged])
    fresh: list[Judged] = []
    concerns: list[Concern] = []
    for each in done.judged:
        old = before.get(each.verdict.item_id)
        if old is not None and old.text_key == each.verdict.text_key:
            continue
        call = _call_that_stays(old)
        if call is not None:
            fresh.append(judged(with_person(each.verdict, call), policy))
        else:
            fresh.append(replace(each, first=old is None))
        if not each.is_sealed:
            concerns += _concerns(each, call, policy)
    append_events(connection, done.opened)
    others = seal_matches(connection, done.tools, fresh, done.now_ms)
    record_verdicts(connection, others, policy)
    found = [each.verdict for each in others]
    teach_from_banks(connection, found, done.tools.rules.teachers, done.now_ms)
    enrol(connection, done.unread)
    opened = open_cases(connection, concerns, done.views, done.now_ms)
    if done.offset > _offset(connection):
        set_consumer(connection, CONSUMER, done.offset, done.now_ms)
    return len(fresh), len(opened)


def _call_that_stays(old: Verdict | None) -> PersonCall | None:
    """A person's restriction outlives an edit until a person looks again; a permission does not."""
    call = old.evidence.person if old is not None else None
    return None if call is None or call.action == "allow" else call


def _concerns(each: Judged, call: PersonCall | None, policy: Policy) -> list[Concern]:
    """Why a person should look at a new verdict: nothing, or one case."""
    verdict = each.verdict
    if call is not None:
        reason = f"edited after the decision of {call.name}"
        queue = call.category or "other"
        return [Concern(item_id=verdict.item_id, queue=queue, kind="edited", reason=reason)]
    concern = asked_by_rules(verdict, policy)
    return [] if concern is None else [concern]
