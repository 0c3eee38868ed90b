"""Erasing a person: every row, file and memory that tells of them, and a receipt that does not.

The job is a row, so whoever dies in the middle is followed by whoever comes next: the same request
again, or the worker. Each step may be done twice.

    gather   whom: the person and the sessions that were linked to them; where the log tells of them
    wipe     one transaction: rows out of every table, and the mark by which processes forget
    files    checkpoints and caches that name them; what learners rehearse from, on disk
    freed    what the database still holds of deleted rows
    told     the learner drops its examples, and says so
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.app.build import Services
from inhouse.app.communities import FOLDER as COMMUNITIES
from inhouse.catalog.catalog import erase_person, posts_of, tell, words_of
from inhouse.catalog.erasures import ERASED, KIND, Erasure, Whom, mark_of, save_erasure
from inhouse.core.clock import SystemClock
from inhouse.core.files import count_in
from inhouse.core.logs import logger
from inhouse.engagement.experiments.store import erase_exposures
from inhouse.events.log import ERASED_UNTIL, erase_events
from inhouse.events.pages import erase_pages
from inhouse.events.sessions import erase_links, linked_to
from inhouse.models.harvest.labels import erase_labels
from inhouse.models.harvest.pairs import erase_pairs
from inhouse.moderation.erasure import erase_person as erase_from_moderation
from inhouse.moderation.measuring import sampling
from inhouse.store import tables
from inhouse.store.database import overwriting

_STALE_S: Final = 10.0  # a job nobody touched for so long has lost its process
_STRAGGLERS_S: Final = 0.5  # other processes hear of an erasure within `follow_ms`
_LOG = logger("erasure")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    erasure: Erasure
    whom: Whom


class Eraser:
    """Erases people from one community. Blocking: call it from a thread."""

    def __init__(self, services: Services) -> None:
        self._use = services
        self._erasures = services.catalog.erasures
        self._wall = SystemClock()
        self.stale_s = _STALE_S

    def wipe(self, user_id: str) -> str:
        """Remove every row; afterwards no process serves from them. Returns the job's id."""
        erasure_id = self._erasures.begin(user_id, self._wall.now_ms())
        self._wipe(erasure_id)
        return erasure_id

    def finish(self, erasure_id: str) -> Erasure:
        """Remove what files and freed pages still hold. Raises StoreError where that must wait;
        the worker goes on with it."""
        erasure, whom = self._erasures.get(erasure_id)
        if erasure.state != "running":
            return erasure
        names = [user_id.encode() for user_id in whom.user_ids]
        if names:
            erasure = self._erase_copies(erasure, whom)
        # Nobody's name is in the job any more: what is left says where examples came from.
        self._use.database.overwrite_freed(names)
        told = replace(erasure, state="told", updated_ms=self._wall.now_ms())
        self._erasures.save(told, _nameless(whom))
        _LOG.info("person_erased", erasure=erasure_id, **told.counts)
        return told

    def _erase_copies(self, erasure: Erasure, whom: Whom) -> Erasure:
        """What was written in the meantime, files, and in the end the job's own memory of whom."""
        time.sleep(_STRAGGLERS_S)
        counts = dict(erasure.counts)
        counts["served_pages"] += self._use.database.write(
            lambda connection: _erase_stragglers(connection, whom)
        )
        counts["files"] = self._erase_files(whom)
        counts["examples"] = self._use.snapshots.forget(whom.page_ms)
        done = replace(erasure, updated_ms=self._wall.now_ms(), counts=counts)

        def write(connection: Connection) -> None:
            overwriting(connection)
            save_erasure(connection, done, _nameless(whom))

        self._use.database.write(write)
        return done

    def go_on(self) -> bool:
        """Take up one job that lost its process; returns whether there was one."""
        now_ms = self._wall.now_ms()
        for erasure, _ in self._erasures.in_state("running"):
            if now_ms - erasure.updated_ms > self.stale_s * 1_000:
                self._wipe(erasure.erasure_id)
                self.finish(erasure.erasure_id)
                return True
        return False

    def _wipe(self, erasure_id: str) -> None:
        erasure, whom = self._erasures.get(erasure_id)
        if erasure.state != "running" or whom.wiped:
            return
        found = self._gathered(whom)
        self._erasures.save(replace(erasure, updated_ms=self._wall.now_ms()), found)
        job = _Job(erasure=erasure, whom=found)
        self._use.database.write(lambda connection: self._wipe_rows(connection, job))

    def _gathered(self, whom: Whom) -> Whom:
        """Where everything is that tells of them; what an earlier try found is kept."""
        log, people = self._use.log, list(whom.user_ids)
        linked = linked_to(self._use.database, people[0])
        people += [name for name in linked if name not in people]
        mentions = log.told_by(people, about=True)
        with self._use.database.read() as connection:
            posts = posts_of(connection, people)
            words = words_of(connection, posts)
        return Whom(
            user_ids=tuple(people),
            posts=tuple(sorted({*whom.posts, *posts})),
            words=tuple(sorted({*whom.words, *words})),
            offsets=tuple(sorted({*whom.offsets, *(m.log_offset for m in mentions)})),
            page_ms=tuple(sorted({*whom.page_ms, *self._use.pages.times_of(people)})),
        )

    def _wipe_rows(self, connection: Connection, job: _Job) -> None:
        overwriting(connection)
        whom, now_ms = job.whom, self._wall.now_ms()
        late = _logged_since(connection, whom)
        offsets = tuple(sorted({*whom.offsets, *late}))
        counts = {
            "events": erase_events(connection, offsets),
            "served_pages": erase_pages(connection, whom.user_ids),
            "items_and_users": erase_person(connection, whom.user_ids, whom.posts),
            "session_links": erase_links(connection, whom.user_ids),
            "exposures": erase_exposures(connection, whom.user_ids),
            "labels": erase_labels(connection, (*whom.posts, *whom.words)),
            "pairs": erase_pairs(connection, whom.user_ids, whom.posts),
            **erase_from_moderation(connection, whom.user_ids, whom.posts, now_ms),
            "jobs": _blank_jobs(connection, whom.user_ids),
        }
        tell(connection, "erased", [mark_of(user_id) for user_id in whom.user_ids])
        erasure = replace(job.erasure, updated_ms=now_ms, counts=counts)
        save_erasure(connection, erasure, replace(whom, offsets=offsets, wiped=True))

    def _erase_files(self, whom: Whom) -> int:
        """Remove checkpoints and caches that name them; the log is what they are made from."""
        names = [user_id.encode() for user_id in whom.user_ids]
        removed = 0
        for path in _loose_files(self._use.settings.folder):
            if count_in(path, names):
                path.unlink(missing_ok=True)
                removed += 1
        return removed


def _nameless(whom: Whom) -> Whom:
    return Whom(offsets=whom.offsets, page_ms=whom.page_ms, wiped=True)


def _loose_files(folder: Path) -> list[Path]:
    """Files right in the data folder that are made from the log, or were left half-written."""
    made = [path for path in folder.glob("*.bin") if path.is_file()]
    others = folder / COMMUNITIES  # they lie in the same data folder, and are none of ours
    torn = [path for path in folder.rglob(".*.part") if path.is_file()]
    return [*made, *(path for path in torn if others not in path.parents)]


def _logged_since(connection: Connection, whom: Whom) -> list[int]:
    """What was logged of them while the log was read, found under the lock of the writer."""
    table = tables.events.c
    last = max(whom.offsets, default=0)
    about = [f"creator:{user_id}" for user_id in whom.user_ids]
    query = sa.select(table.log_offset).where(
        table.log_offset > last, table.user_id.in_(whom.user_ids) | table.target.in_(about)
    )
    return list(connection.execute(query).scalars())


def _erase_stragglers(connection: Connection, whom: Whom) -> int:
    """Pages that were being made in a process that had not heard of it yet, and calls about their
    posts that were being kept."""
    overwriting(connection)
    erase_pairs(connection, whom.user_ids, whom.posts)
    query = sa.select(tables.consumers.c.log_offset).where(tables.consumers.c.name == ERASED_UNTIL)
    until = connection.execute(query).scalar() or 0
    return erase_pages(connection, whom.user_ids, until)


def _blank_jobs(connection: Connection, user_ids: tuple[str, ...]) -> int:
    """Bad rows of imports are shown as they were; a name in them goes. A sample's row names posts
    alone, as verdicts do."""
    table, blanked = tables.jobs, 0
    others = table.c.kind.not_in((KIND, sampling.KIND))
    for row in connection.execute(sa.select(table).where(others)).all():
        cursor, counts = row.cursor, row.counts
        for user_id in user_ids:
            cursor, counts = cursor.replace(user_id, ERASED), counts.replace(user_id, ERASED)
        if (cursor, counts) != (row.cursor, row.counts):
            update = table.update().where(table.c.job_id == row.job_id)
            connection.execute(update.values(cursor=cursor, counts=counts))
            blanked += 1
    return blanked
