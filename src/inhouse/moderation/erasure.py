"""Erasing a person from moderation: decisions stay, who and what was said goes.

A report is kept without who made it and their words, an appeal that was decided likewise. Verdicts
on the person's posts keep what was decided and lose the places in a text that is no more. The audit
chain keeps its rows and says in a row of its own which of them no longer tell of whom.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.catalog.erasures import ERASED
from inhouse.moderation.media.records import erase_media
from inhouse.moderation.reviewing.bulk import without_creator
from inhouse.moderation.reviewing.cases import GOLD, GOLD_CLOSED
from inhouse.moderation.verdicts.rows import without_text
from inhouse.store import chain, tables

_CHUNK: Final = 500
# Tables of what was found, decided and said of posts.
_OF_POSTS: Final = (
    "verdicts",
    "review_decisions",
    "review_opinions",
    "review_notes",
    "media",
    "media_hashes",
    "audit",
)


def erase_person(
    connection: Connection, user_ids: Sequence[str], posts: Sequence[str], now_ms: int
) -> dict[str, int]:
    """In the caller's transaction; returns how many rows were changed or removed, by table."""
    reports, appeals, cases = tables.reports, tables.appeals, tables.review_cases
    _forget_notifiers(connection, user_ids, posts)
    # One name for all reports of one person: different people are counted.
    nobody = f"{ERASED}:{secrets.token_hex(8)}"
    reported = connection.execute(
        reports.update()
        .where(reports.c.reporter_id.in_(user_ids))
        .values(reporter_id=nobody, note=None)
    ).rowcount
    undecided = appeals.c.user_id.in_(user_ids) & (appeals.c.state == "open")
    withdrawn = connection.execute(appeals.delete().where(undecided)).rowcount
    appealed = connection.execute(
        appeals.update()
        .where(appeals.c.user_id.in_(user_ids))
        .values(user_id=ERASED, words="", answer=None)
    ).rowcount
    judged = 0
    _forget_bulks(connection, user_ids)
    for some in _chunks(posts):
        connection.execute(reports.update().where(reports.c.item_id.in_(some)).values(note=None))
        connection.execute(
            cases.update()
            .where(cases.c.item_id.in_(some), cases.c.state == "open")
            .values(state="closed", closed_ms=now_ms, locked_by=None, locked_until_ms=None)
        )
        connection.execute(
            cases.update()
            .where(cases.c.item_id.in_(some), cases.c.state == GOLD)
            .values(state=GOLD_CLOSED, closed_ms=now_ms)
        )
        _forget_review(connection, some)
        judged += _strip_verdicts(connection, some)
    return {
        "reports": reported,
        "appeals": appealed + withdrawn,
        "verdicts": judged,
        "statements": _strip_statements(connection, user_ids, now_ms),
        "audit": chain.blank(connection, user_ids, posts, now_ms),
        "media": erase_media(connection, posts),
    }


def _forget_review(connection: Connection, posts: Sequence[str]) -> None:
    """What reviewers wrote about their posts goes, and none of them is shown again."""
    for table in (tables.review_decisions, tables.review_opinions):
        connection.execute(table.update().where(table.c.item_id.in_(posts)).values(note=None))
    notes, gold = tables.review_notes, tables.gold_items
    connection.execute(notes.update().where(notes.c.item_id.in_(posts)).values(words=""))
    connection.execute(gold.delete().where(gold.c.item_id.in_(posts)))


def _forget_bulks(connection: Connection, user_ids: Sequence[str]) -> None:
    """That cases were once chosen by who posted them: the choice stays, without whom."""
    bulks = tables.review_bulks
    query = sa.select(bulks.c.bulk_id, bulks.c.body).where(bulks.c.creator_id.in_(user_ids))
    for bulk_id, body in connection.execute(query).all():
        update = bulks.update().where(bulks.c.bulk_id == bulk_id)
        connection.execute(update.values(creator_id=ERASED, body=without_creator(body)))


def _strip_verdicts(connection: Connection, posts: Sequence[str]) -> int:
    table = tables.verdicts
    query = sa.select(table.c.log_offset, table.c.labels).where(table.c.item_id.in_(posts))
    rows = connection.execute(query).all()
    for offset, body in rows:
        connection.execute(
            table.update()
            .where(table.c.log_offset == offset)
            .values(labels=without_text(body), note=None)
        )
    return len(rows)


def _forget_notifiers(
    connection: Connection, user_ids: Sequence[str], posts: Sequence[str]
) -> None:
    """Names and addresses with which the person reported, or was reported."""
    notices, reports = tables.notices, tables.reports
    theirs = sa.select(reports.c.report_id).where(reports.c.reporter_id.in_(user_ids))
    wheres = [notices.c.report_id.in_(theirs)]
    wheres += [notices.c.item_id.in_(some) for some in _chunks(posts)]
    for where in wheres:
        connection.execute(notices.update().where(where).values(name=None, email=None))


def _strip_statements(connection: Connection, user_ids: Sequence[str], now_ms: int) -> int:
    """What was restricted and why is counted on; whose it was is not known any more."""
    table = tables.statements
    theirs = table.c.user_id.in_(user_ids)
    holding = theirs & (table.c.state == "in_force")
    connection.execute(table.update().where(holding).values(state="ended", ended_ms=now_ms))
    blank = {"user_id": ERASED, "item_id": None, "text_key": ""}
    return connection.execute(table.update().where(theirs).values(blank)).rowcount


def told_of(
    connection: Connection, user_ids: Sequence[str], posts: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything moderation holds on people and their posts: table and row, one by one."""
    reports, appeals = tables.reports.c, tables.appeals.c
    yield from _rows(connection, "reports", reports.reporter_id.in_(user_ids))
    theirs = sa.select(reports.report_id).where(reports.reporter_id.in_(user_ids))
    for name in ("notices", "report_answers"):
        table = tables.metadata.tables[name]
        yield from _rows(connection, name, table.c.report_id.in_(theirs))
    yield from _rows(connection, "appeals", appeals.user_id.in_(user_ids))
    yield from _rows(connection, "statements", tables.statements.c.user_id.in_(user_ids))
    yield from _rows(connection, "audit", tables.audit.c.user_id.in_(user_ids))
    for some in _chunks(posts):
        for name in _OF_POSTS:
            yield from _rows(connection, name, tables.metadata.tables[name].c.item_id.in_(some))


def _rows(
    connection: Connection, name: str, where: sa.ColumnElement[bool]
) -> Iterator[tuple[str, dict[str, Any]]]:
    query = sa.select(tables.metadata.tables[name]).where(where)
    for row in connection.execute(query).mappings():
        yield name, dict(row)


def _chunks(posts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(posts), _CHUNK):
        yield posts[start : start + _CHUNK]
