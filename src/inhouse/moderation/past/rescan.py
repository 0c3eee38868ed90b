"""After another policy came into force: the past catches up with it.

Decisions follow a policy by themselves, since they are computed when read. What does not is done
here, for every post: cases are opened where the policy now asks for a person and withdrawn where it
no longer does, whoever listens hears of each post that is treated differently, and, where term
banks or the reader changed, signals are read again. Models are asked only where somebody says so.

The job is a row. A part of the posts, what follows for them and how far the job has come are one
transaction, so whoever is killed is followed by whoever comes next, at the same place.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from inhouse.core.clock import Clock
from inhouse.core.ids import ItemId, new_id
from inhouse.core.logs import logger
from inhouse.moderation.judging.teaching import teach_from_banks
from inhouse.moderation.past.adoption import adopt, adoptions, is_in_force
from inhouse.moderation.past.refresh import Refresher
from inhouse.moderation.past.rescan_job import (
    KIND,
    Counts,
    Job,
    Plan,
    Progress,
    find_job,
    latest_job,
    progress_of,
    running_job,
    save_job,
    stop_job,
)
from inhouse.moderation.policy.compiled import Decided
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.record import judged, record_verdicts
from inhouse.moderation.recording.sealed import seal_matches
from inhouse.moderation.reviewing.cases import (
    Concern,
    asked_by_rules,
    open_cases,
    open_cases_of,
    withdraw,
)
from inhouse.moderation.tools import Tools
from inhouse.moderation.types import CODES, Decision, Evidence, Surface, Verdict, ViewerClass
from inhouse.moderation.verdicts.decide import compiled, decide_all
from inhouse.moderation.verdicts.history import columns_of, last_verdict, latest_rows
from inhouse.moderation.verdicts.rows import latest_offsets, verdict_of_row
from inhouse.store.database import Database

_AT_ONCE: Final = 2_000  # posts in a transaction
_ASKED_AT_ONCE: Final = 200  # where models are asked
_REVIEW: Final = CODES["review"]
_log = logger("rescan")

Decisions = Mapping[tuple[Surface, ViewerClass], Decision]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """A post that is treated differently from now on."""

    item_id: ItemId
    evidence_before: Evidence
    policy_before: Policy
    evidence: Evidence  # as it is now
    policy: Policy  # in force now

    @property
    def before(self) -> Decisions:
        """What was decided, for every surface and class of viewers."""
        return decide_all(self.evidence_before, self.policy_before)

    @property
    def after(self) -> Decisions:
        """What is decided from now on."""
        return decide_all(self.evidence, self.policy)


Listener = Callable[[Connection, Sequence[Changed]], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """Posts and what they are found to need."""

    verdicts: Sequence[Verdict]  # as they are now, in the order of their offsets
    fresh: Mapping[ItemId, Verdict]  # those whose evidence changed, as it is to be
    changed: Sequence[Changed]
    waiting: Sequence[Concern]  # posts that ask for a person
    settled: Sequence[ItemId]  # posts that do not
    done: bool  # whether nothing is left behind them


class Rescan:
    """Re-scans of one community. Blocking but for models: one step a call."""

    def __init__(
        self, database: Database, clock: Clock, tools: Tools, refresher: Refresher
    ) -> None:
        self.tools = tools  # may be replaced between steps
        self._database = database
        self._clock = clock
        self._refresher = refresher
        self._listeners: list[Listener] = []
        self._former: dict[str, Policy] = {}

    def subscribe(self, listener: Listener) -> None:
        """Call it with every post that is treated differently, in the transaction in which the job
        moves past it: what it writes is there exactly once. Without a policy before, nobody is
        called: what was decided then is not known."""
        self._listeners.append(listener)

    def adopt(self) -> Progress | None:
        """Note that the present rules are in force, and begin a re-scan where they are new."""
        rules = self.tools.rules
        with self._database.read() as connection:
            latest = next(iter(adoptions(connection, 1)), None)
        if is_in_force(rules, latest):
            return None
        reread = latest is not None and latest.reader_version != rules.reader.version

        def write(connection: Connection) -> Job:
            adopt(connection, rules, self._clock.now_ms())
            return self._begin(connection, signals=reread, models=False)

        return progress_of(self._database.write(write))

    def begin(self, *, signals: bool = False, models: bool = False) -> Progress:
        """The running job, where it does as much; else a new one from the first post on."""

        def write(connection: Connection) -> Job:
            running = running_job(connection)
            if running is not None and running.plan.policy == self.tools.rules.policy.version:
                asked = running.plan.signals >= signals and running.plan.models >= models
                if asked:
                    return running
            return self._begin(connection, signals=signals, models=models)

        self.adopt()
        return progress_of(self._database.write(write))

    def stop(self) -> Progress:
        """Go no further: posts that were not reached keep their cases until a re-scan is begun
        again, from the first post on. Raises ConflictError where none is running."""
        now_ms = self._clock.now_ms()
        return progress_of(self._database.write(lambda connection: stop_job(connection, now_ms)))

    def latest(self) -> Progress | None:
        """The running job, else the one that moved last."""
        with self._database.read() as connection:
            job = latest_job(connection)
        return None if job is None else progress_of(job)

    def running(self) -> Progress | None:
        """The job that is not done yet."""
        with self._database.read() as connection:
            job = running_job(connection)
        return None if job is None else progress_of(job)

    def progress(self, job_id: str) -> Progress:
        """Of one job, running or over. Raises UnknownError."""
        with self._database.read() as connection:
            return progress_of(find_job(connection, job_id))

    async def step(self) -> Progress | None:
        """Deal with the next posts of the running job; None where there is none for this policy."""
        with self._database.read() as connection:
            job = running_job(connection)
            if job is None or job.plan.policy != self.tools.rules.policy.version:
                return None
            limit = _ASKED_AT_ONCE if job.plan.models else _AT_ONCE
            rows = latest_rows(connection, job.plan.after, job.plan.until, limit)
        verdicts = [verdict_of_row(row) for row in rows]
        fresh = await self._refresher.refresh(
            verdicts, signals=job.plan.signals, models=job.plan.models
        )
        part = self._look(job.plan, verdicts, fresh, done=len(rows) < limit)
        reached = self._database.write(lambda connection: self._keep(connection, job, part))
        if reached.state == "done":
            _log.info("rescan_done", policy=job.plan.policy, **dataclasses.asdict(reached.counts))
        return progress_of(reached)

    def _begin(self, connection: Connection, *, signals: bool, models: bool) -> Job:
        running = running_job(connection)
        if running is not None:
            save_job(
                connection, dataclasses.replace(running, state="superseded"), self._clock.now_ms()
            )
        version = self.tools.rules.policy.version
        before = (a.policy.version for a in adoptions(connection) if a.policy.version != version)
        plan = Plan(
            policy=version,
            before=next(before, None),
            signals=signals,
            models=models,
            after=0,
            until=last_verdict(connection),
        )
        job = Job(
            job_id=new_id(KIND),
            state="running",
            plan=plan,
            counts=Counts(),
            updated_ms=self._clock.now_ms(),
        )
        save_job(connection, job, job.updated_ms)
        return job

    def _look(
        self,
        plan: Plan,
        verdicts: Sequence[Verdict],
        fresh: Mapping[ItemId, Verdict],
        *,
        done: bool,
    ) -> _Part:
        """Decide by arrays; only posts that need something are looked at one by one."""
        now = [fresh.get(verdict.item_id, verdict) for verdict in verdicts]
        free = np.array([verdict.evidence.person is None for verdict in verdicts], np.bool_)
        after = _decided(self.tools.rules.policy, now)
        waits = (after.codes == _REVIEW).any(0) & free
        policy = self.tools.rules.policy
        asked = [asked_by_rules(now[i], policy) for i in np.flatnonzero(waits).tolist()]
        return _Part(
            verdicts=verdicts,
            fresh=fresh,
            changed=self._changed(plan, verdicts, now, (after, free)),
            waiting=[one for one in asked if one is not None],
            settled=[verdicts[i].item_id for i in np.flatnonzero(free & ~waits).tolist()],
            done=done,
        )

    def _changed(
        self,
        plan: Plan,
        verdicts: Sequence[Verdict],
        now: Sequence[Verdict],
        found: tuple[Decided, NDArray[np.bool_]],
    ) -> Sequence[Changed]:
        former = self._policy_before(plan)
        if former is None:
            return ()
        after, free = found
        before = _decided(former, verdicts)
        moved = np.flatnonzero((before.codes != after.codes).any(0) & free)
        policy = self.tools.rules.policy
        return [
            Changed(
                item_id=verdicts[i].item_id,
                evidence_before=verdicts[i].evidence,
                policy_before=former,
                evidence=now[i].evidence,
                policy=policy,
            )
            for i in moved.tolist()
        ]

    def _policy_before(self, plan: Plan) -> Policy | None:
        if plan.before is not None and plan.before not in self._former:
            with self._database.read() as connection:
                self._former = {a.policy.version: a.policy for a in adoptions(connection)}
        return None if plan.before is None else self._former.get(plan.before)

    def _keep(self, connection: Connection, job: Job, part: _Part) -> Job:
        """Write what a part needs and how far the job is. Where another process was faster, or a
        newer policy took over, nothing."""
        present = find_job(connection, job.job_id)
        if (present.state, present.plan) != (job.state, job.plan):
            return present
        now_ms = self._clock.now_ms()
        there = _unmoved(connection, part.verdicts)
        fresh = [part.fresh[i] for i in there if i in part.fresh]
        policy = self.tools.rules.policy
        filed = seal_matches(connection, self.tools, [judged(v, policy) for v in fresh], now_ms)
        record_verdicts(connection, filed, policy)
        now = [part.fresh.get(v.item_id, v) for v in part.verdicts if v.item_id in there]
        open_ones = [verdict for verdict in now if not verdict.evidence.is_sealed]
        teach_from_banks(connection, open_ones, self.tools.rules.teachers, now_ms)
        changed = [one for one in part.changed if one.item_id in there]
        for listener in self._listeners if changed else ():
            listener(connection, changed)
        opened, withdrawn = self._tend_cases(connection, part, there)
        counts = Counts(
            read=len(part.verdicts),
            changed=len(changed),
            refreshed=len(fresh),
            opened=opened,
            withdrawn=withdrawn,
        )
        last = part.verdicts[-1].log_offset if part.verdicts else job.plan.until
        reached = dataclasses.replace(
            job,
            state="done" if part.done else "running",
            plan=dataclasses.replace(job.plan, after=last),
            counts=job.counts + counts,
            updated_ms=now_ms,
        )
        save_job(connection, reached, now_ms)
        return reached

    def _tend_cases(
        self, connection: Connection, part: _Part, there: set[ItemId]
    ) -> tuple[int, int]:
        """Open and withdraw; returns how many of each."""
        now_ms = self._clock.now_ms()
        cases = open_cases_of(connection, sorted(there))
        needed = [c for c in part.waiting if c.item_id in there and c.item_id not in cases]
        views = self.tools.reach.views([concern.item_id for concern in needed])
        reached = dict(zip((c.item_id for c in needed), views, strict=True))
        opened = open_cases(connection, needed, reached, now_ms)
        idle = [cases[i] for i in part.settled if i in cases]
        why = f"withdrawn by policy {self.tools.rules.policy.version}"
        return len(opened), withdraw(connection, idle, why, now_ms)


def _decided(policy: Policy, verdicts: Sequence[Verdict]) -> Decided:
    ready = compiled(policy)
    columns = columns_of([verdict.evidence for verdict in verdicts], ready.asked)
    return ready.decide_many(columns, len(verdicts))


def _unmoved(connection: Connection, verdicts: Sequence[Verdict]) -> set[ItemId]:
    """The items whose latest verdict is still the one that was looked at."""
    latest = latest_offsets(connection, [verdict.item_id for verdict in verdicts])
    return {v.item_id for v in verdicts if latest.get(v.item_id) == v.log_offset}
