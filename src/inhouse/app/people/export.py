"""Everything that is held on one person, line by line, so that it needs no memory however much."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from inhouse.app.build import Services
from inhouse.catalog.catalog import posts_of, words_of
from inhouse.core.ids import UserId
from inhouse.events.sessions import linked_to
from inhouse.models.harvest.pairs import names_of
from inhouse.moderation.erasure import told_of
from inhouse.store import tables

_EVENTS_AT_ONCE: Final = 500
_REFS_AT_ONCE: Final = 500


def export_lines(use: Services, user_id: UserId) -> Iterator[bytes]:
    """JSON lines, each `{"kind": …, "row": …}`; the last is of kind `end` and counts the others.

    Kinds: profile, event, page, post, report, notice, report_answer, appeal, statement, verdict,
    review_decision, review_opinion, review_note, media, media_hash, audit, exposure, label, pair. A
    file without the last line was cut off. Sessions that were linked to the person are theirs.
    """
    counts: Counter[str] = Counter()
    for kind, row in _rows(use, user_id):
        counts[kind] += 1
        yield msgspec.json.encode({"kind": kind, "row": row}) + b"\n"
    yield msgspec.json.encode({"kind": "end", "row": dict(sorted(counts.items()))}) + b"\n"


def _rows(use: Services, user_id: UserId) -> Iterator[tuple[str, Any]]:
    people = [user_id, *linked_to(use.database, user_id)]
    mentions = use.log.told_by(people)
    users = use.catalog.users(people)
    yield from (("profile", user) for user in users.values())
    for start in range(0, len(mentions), _EVENTS_AT_ONCE):
        offsets = [mention.log_offset for mention in mentions[start : start + _EVENTS_AT_ONCE]]
        yield from (("event", logged) for logged in use.log.at(offsets))
    yield from (("page", page) for page in use.pages.all_of(people))
    with use.database.read() as connection:
        posts = posts_of(connection, people)
    for start in range(0, len(posts), _REFS_AT_ONCE):
        some = posts[start : start + _REFS_AT_ONCE]
        yield from (("post", item) for item in use.catalog.items(some).values())
        with use.database.read() as connection:
            refs = [*some, *words_of(connection, some)]
        yield from _table(use, "label", tables.labels, tables.labels.c.ref.in_(refs))
        others = ~sa.func.coalesce(tables.pairs.c.person, "").in_(names_of(people))
        yield from _table(use, "pair", tables.pairs, tables.pairs.c.ref.in_(some) & others)
    yield from _table(use, "pair", tables.pairs, tables.pairs.c.person.in_(names_of(people)))
    with use.database.read() as connection:
        yield from ((_SINGULAR[name], row) for name, row in told_of(connection, people, posts))
    exposures = tables.exposures
    yield from _table(use, "exposure", exposures, exposures.c.user_id.in_(people))


_SINGULAR: Final = {
    "reports": "report",
    "notices": "notice",
    "report_answers": "report_answer",
    "appeals": "appeal",
    "statements": "statement",
    "audit": "audit",
    "verdicts": "verdict",
    "review_decisions": "review_decision",
    "media": "media",
    "media_hashes": "media_hash",
    "review_opinions": "review_opinion",
    "review_notes": "review_note",
}


def _table(
    use: Services, kind: str, table: sa.Table, where: sa.ColumnElement[bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    with use.database.read() as connection:
        for row in connection.execute(sa.select(table).where(where)).mappings():
            yield kind, dict(row)
