"""The job of a re-scan: a row that says how far it has come."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import ConflictError, UnknownError
from inhouse.store import tables
from inhouse.store.statements import upsert

KIND: Final = "rescan"
State = Literal["running", "done", "superseded", "stopped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a re-scan has come."""

    job_id: str
    state: State
    policy_version: str  # of the policy it is for
    signals: bool  # whether signals are read again where their reader changed
    models: bool  # whether models are asked again
    share: float  # of the verdicts there were when it began, 0 to 1
    read: int = 0  # posts looked at
    changed: int = 0  # of these are treated differently
    refreshed: int = 0  # of these got new evidence
    opened: int = 0  # cases
    withdrawn: int = 0  # cases that nobody needs to look at any more
    updated_ms: int = 0  # when it last moved


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What the job must remember; `after` moves."""

    policy: str  # version
    before: str | None  # version of the policy it follows
    signals: bool
    models: bool
    after: int  # offset of the last verdict dealt with
    until: int  # offset of the last one there was


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """As in `Progress`."""

    read: int = 0
    changed: int = 0
    refreshed: int = 0
    opened: int = 0
    withdrawn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Counts(**dict(zip(_COUNTS, (a + b for a, b in pairs), strict=True)))


_COUNTS: Final = tuple(field.name for field in dataclasses.fields(Counts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A re-scan, running or over."""

    job_id: str
    state: State
    plan: Plan
    counts: Counts
    updated_ms: int = 0  # when its row was last written


def running_job(connection: Connection) -> Job | None:
    """The job that is not done yet."""
    table = tables.jobs
    query = sa.select(table).where(table.c.kind == KIND, table.c.state == "running")
    row = connection.execute(query.order_by(table.c.updated_ms.desc()).limit(1)).first()
    return None if row is None else _job_of_row(row)


def latest_job(connection: Connection) -> Job | None:
    """The running job, else the one that moved last."""
    table = tables.jobs
    query = sa.select(table).where(table.c.kind == KIND)
    newest = ((table.c.state == "running").desc(), table.c.updated_ms.desc(), table.c.job_id.desc())
    row = connection.execute(query.order_by(*newest).limit(1)).first()
    return None if row is None else _job_of_row(row)


def stop_job(connection: Connection, now_ms: int) -> Job:
    """Let the running job go no further; what it did stays done. Raises ConflictError."""
    job = running_job(connection)
    if job is None:
        raise ConflictError("no re-scan is running; there is nothing to stop")
    stopped = dataclasses.replace(job, state="stopped", updated_ms=now_ms)
    save_job(connection, stopped, now_ms)
    return stopped


def find_job(connection: Connection, job_id: str) -> Job:
    """One job. Raises UnknownError."""
    table = tables.jobs
    query = sa.select(table).where(table.c.kind == KIND, table.c.job_id == job_id)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownError(f"no re-scan has the id {job_id!r}")
    return _job_of_row(row)


def _job_of_row(row: Any) -> Job:
    return Job(
        job_id=row.job_id,
        state=row.state,
        plan=msgspec.json.decode(row.cursor, type=Plan),
        counts=msgspec.json.decode(row.counts, type=Counts),
        updated_ms=row.updated_ms,
    )


def save_job(connection: Connection, job: Job, now_ms: int) -> None:
    """Write its row, in the caller's transaction."""
    row = {
        "job_id": job.job_id,
        "kind": KIND,
        "state": job.state,
        "cursor": msgspec.json.encode(job.plan).decode(),
        "counts": msgspec.json.encode(job.counts).decode(),
        "updated_ms": now_ms,
    }
    upsert(connection, tables.jobs, [row])


def progress_of(job: Job) -> Progress:
    """What people are told of it."""
    plan = job.plan
    share = 1.0 if job.state == "done" else plan.after / plan.until if plan.until else 0.0
    return Progress(
        job_id=job.job_id,
        state=job.state,
        policy_version=plan.policy,
        signals=plan.signals,
        models=plan.models,
        share=share,
        updated_ms=job.updated_ms,
        **dataclasses.asdict(job.counts),
    )
