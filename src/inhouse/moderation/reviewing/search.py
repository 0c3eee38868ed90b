"""Finding cases: by where they lie, why they are there, and what the post says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.errors import InputError
from inhouse.moderation.reviewing.cases import case_of_row
from inhouse.moderation.types import Case, CaseState, Verdict
from inhouse.moderation.verdicts.rows import latest_verdicts
from inhouse.store import tables

MOST_TERM_CHARS: Final = 200
_LINKS: Final = frozenset(("links", "shorteners"))
_CHUNK: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFilter:
    """Which cases; what is None does not matter."""

    state: CaseState | None = "open"
    queue: str | None = None
    item_id: str | None = None
    reason: str | None = None  # words that the reason contains
    rule: str | None = None  # the name of a rule that held the post
    creator_id: str | None = None  # who posted it
    text: str | None = None  # words that the title or the text contains, in any case of letters
    domain: str | None = None  # to which the post links, or to a part of it
    least_priority: float | None = None
    opened_before_ms: int | None = None  # that wait since then or longer
    opened_after_ms: int | None = None
    free_for: str | None = None  # a reviewer: cases they may take now

    def __post_init__(self) -> None:
        for name in ("queue", "item_id", "reason", "rule", "creator_id", "text", "domain"):
            value = getattr(self, name)
            if value is not None and not 1 <= len(value) <= MOST_TERM_CHARS:
                raise InputError(
                    f"{name} has {len(value)} characters; expected 1 to {MOST_TERM_CHARS}"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asks, when, and what is not for them."""

    now_ms: int
    closed: Sequence[str] = ()  # queues that are reviewed by others


def find_cases(
    connection: Connection, which: CaseFilter, asker: Asker, limit: int | None, offset: int = 0
) -> list[Case]:
    """Cases by priority, the longest-waiting of equals first."""
    query = case_query(which, asker)
    if which.domain is None:
        rows = connection.execute(query.limit(limit).offset(offset))
        return [case_of_row(row) for row in rows]
    found = _linking_to(connection, connection.execute(query).all(), which.domain.lower())
    return list(islice(found, offset, None if limit is None else offset + limit))


def case_query(which: CaseFilter, asker: Asker) -> "sa.Select[Any]":
    """The same as a query; a domain is not looked for, only what might be it in the text."""
    table, items = tables.review_cases, tables.items
    query = sa.select(table).order_by(table.c.priority.desc(), table.c.opened_ms, table.c.case_id)
    wanted = [
        table.c[name] == value
        for name, value in (
            ("state", which.state),
            ("queue", which.queue),
            ("item_id", which.item_id),
        )
        if value is not None
    ]
    if which.state is None:
        wanted.append(table.c.gold_id.is_(None))
    if which.reason is not None:
        wanted.append(table.c.reason.contains(which.reason, autoescape=True))
    if which.rule is not None:
        wanted.append(_because_of(which.rule))
    if which.least_priority is not None:
        wanted.append(table.c.priority >= which.least_priority)
    if which.opened_before_ms is not None:
        wanted.append(table.c.opened_ms <= which.opened_before_ms)
    if which.opened_after_ms is not None:
        wanted.append(table.c.opened_ms >= which.opened_after_ms)
    if which.free_for is not None:
        wanted += _free(which.free_for, asker)
    about = _about_the_post(which)
    if about:
        query = query.join(items, items.c.item_id == table.c.item_id)
    return query.where(*wanted, *about)


def _because_of(rule: str) -> "sa.ColumnElement[bool]":
    """The rule is one of the reasons, which stand behind each other with semicolons."""
    padded = sa.literal("; ") + tables.review_cases.c.reason + sa.literal("; ")
    return padded.contains(f"; rule {rule}; ", autoescape=True)


def _about_the_post(which: CaseFilter) -> "list[sa.ColumnElement[bool]]":
    items = tables.items.c
    wanted: list[sa.ColumnElement[bool]] = []
    if which.creator_id is not None:
        wanted.append(items.creator_id == which.creator_id)
    for term in (which.text, which.domain):
        if term is not None:
            wanted.append(
                items.title.icontains(term, autoescape=True)
                | items.text.icontains(term, autoescape=True)
            )
    return wanted


def _free(reviewer: str, asker: Asker) -> "list[sa.ColumnElement[bool]]":
    """Not on somebody else's table, not of a queue for others, and not one they spoke on."""
    c, said, undone = tables.review_cases.c, tables.review_opinions, _undone_opinions()
    spoke = sa.exists().where(
        said.c.case_id == c.case_id,
        said.c.reviewer == reviewer,
        said.c.undoes.is_(None),
        said.c.opinion_id.not_in(undone),
    )
    free = [
        c.locked_by.is_(None) | (c.locked_by == reviewer) | (c.locked_until_ms <= asker.now_ms),
        ~spoke,
    ]
    return [*free, c.queue.not_in(asker.closed)] if asker.closed else free


def _undone_opinions() -> "sa.Select[Any]":
    table = tables.review_opinions.alias()
    return sa.select(table.c.undoes).where(
        table.c.undoes.is_not(None), table.c.case_id == tables.review_cases.c.case_id
    )


def _linking_to(connection: Connection, rows: Sequence[Any], domain: str) -> Iterator[Case]:
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        verdicts = latest_verdicts(connection, {row.item_id for row in some})
        for row in some:
            if links_to(verdicts.get(row.item_id), domain):
                yield case_of_row(row)


def links_to(verdict: Verdict | None, domain: str) -> bool:
    """Whether a post links to a domain or a part of it, as it was read when it was scanned."""
    return verdict is not None and any(
        hit.signal in _LINKS and f".{hit.detail}".endswith(f".{domain}") for hit in verdict.hits
    )
