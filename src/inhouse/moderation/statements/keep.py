"""Statements follow decisions: made when a restriction first takes effect, ended when it ends.

In the transaction of the verdicts they belong to; one statement for an item and a decision. The
same decision again, on the same text, says nothing new.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.ids import ItemId, UserId, new_id
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.statements.restriction import Decisions, Restriction, restriction_of
from inhouse.moderation.statements.types import (
    REDRESS_MS,
    Automated,
    Reasons,
    Source,
    State,
    Statement,
)
from inhouse.moderation.statements.words import REDRESS, explanation_of, facts_of
from inhouse.moderation.types import Verdict
from inhouse.moderation.verdicts.decide import NO_RULE, SEALED_BY, decide_all
from inhouse.store import tables

_CHUNK: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A verdict and what follows from it at the moment."""

    verdict: Verdict
    decisions: Decisions  # for every surface and class of viewers
    first: bool = False  # whether the item had no verdict before

    @property
    def is_sealed(self) -> bool:
        """Whether the post is sealed; that decides for everybody everywhere."""
        return self.decisions["feed", "adult"].decided_by == SEALED_BY

    @property
    def is_clear(self) -> bool:
        """Whether no rule and nobody speaks against the post: so it is with most of them."""
        return self.verdict.decided_by == NO_RULE.decided_by


@dataclass(frozen=True, kw_only=True, slots=True)
class _Post:
    """What a statement says of the post itself."""

    creator_id: UserId
    kind: str
    created_ms: int
    language: str | None


def keep_statements(
    connection: Connection, found: Sequence[Judged], policy: Policy
) -> frozenset[UserId]:
    """Make, end and leave statements as the verdicts say, in the caller's transaction. Returns
    whose statements changed."""
    wishes = {
        each.verdict.item_id: None if each.is_clear else restriction_of(each.decisions)
        for each in found
    }
    known = [each.verdict.item_id for each in found if not each.first]
    standing = in_force(connection, known)
    restricted = [item_id for item_id, restriction in wishes.items() if restriction is not None]
    if not restricted and not standing:
        return frozenset()
    posts = _posts(connection, restricted)
    sources = _sources(connection, restricted)
    touched: set[UserId] = set()
    fresh: list[Statement] = []
    for each in found:
        verdict = each.verdict
        item_id, now_ms = verdict.item_id, verdict.at_ms
        wanted, old = wishes[item_id], standing.get(item_id)
        if old is not None and wanted is not None and _same(old, wanted, verdict):
            continue
        if old is not None:
            end(connection, old, _ended_as(old, wanted, verdict), now_ms)
            touched.add(old.user_id)
        if wanted is not None and item_id in posts:
            source = sources.get(item_id, "own")
            made = _made(each, wanted, policy, (posts[item_id], source))
            fresh.append(made)
            touched.add(made.user_id)
    insert(connection, fresh)
    return frozenset(touched)


def in_force(connection: Connection, items: Sequence[str]) -> dict[ItemId, Statement]:
    """The statement that holds, of those items that have one."""
    table = tables.statements
    found: dict[ItemId, Statement] = {}
    for some in _chunks(items):
        query = sa.select(table).where(table.c.item_id.in_(some), table.c.state == "in_force")
        for row in connection.execute(query):
            statement = statement_of_row(row)
            if statement.item_id is not None:
                found[statement.item_id] = statement
    return found


def insert(connection: Connection, fresh: Sequence[Statement]) -> None:
    """Write new statements."""
    if fresh:
        connection.execute(tables.statements.insert(), [_row(statement) for statement in fresh])


def end(connection: Connection, statement: Statement, state: State, now_ms: int) -> None:
    """A statement no longer holds."""
    table = tables.statements
    connection.execute(
        table.update()
        .where(table.c.statement_id == statement.statement_id)
        .values(state=state, ended_ms=now_ms)
    )


def statement_of_row(row: Any) -> Statement:
    """A statement from a row of its table."""
    return Statement(
        statement_id=row.statement_id,
        at_ms=row.at_ms,
        user_id=UserId(row.user_id),
        item_id=None if row.item_id is None else ItemId(row.item_id),
        text_key=row.text_key,
        kinds=tuple(row.kinds.split()),
        category=row.category,
        decided_by=row.decided_by,
        policy_version=row.policy_version,
        reasons=_DECODER.decode(row.body),
        state=row.state,
        ended_ms=row.ended_ms,
        exported_ms=row.exported_ms,
    )


_DECODER: Final = msgspec.json.Decoder(Reasons)
_ENCODE: Final = msgspec.json.Encoder().encode


def _row(statement: Statement) -> dict[str, object]:
    row = {f.name: getattr(statement, f.name) for f in dataclasses.fields(statement)}
    reasons = row.pop("reasons")
    return {**row, "kinds": " ".join(statement.kinds), "body": _ENCODE(reasons).decode()}


def _same(old: Statement, wanted: Restriction, verdict: Verdict) -> bool:
    told = (old.text_key, old.decided_by, old.category, old.kinds)
    new = (verdict.text_key, wanted.decision.decided_by, wanted.category, wanted.kinds)
    return told == new


def _ended_as(old: Statement, wanted: Restriction | None, verdict: Verdict) -> State:
    if old.text_key != verdict.text_key:
        return "ended"
    return "reversed" if wanted is None else "replaced"


def _made(
    each: Judged, found: Restriction, policy: Policy, about: tuple[_Post, Source]
) -> Statement:
    verdict, (post, source) = each.verdict, about
    rights = policy.rights.of(found.category)
    automated, noticed = _automation(each, policy, source)
    rule = found.decision.decided_by.removeprefix("rule:")
    reasons = Reasons(
        facts=facts_of(found, verdict.evidence, source, automated),
        explanation=explanation_of(found, policy),
        ground=rights.ground,
        ground_reference=rights.law
        if rights.ground == "illegal" and rights.law
        else f"policy {policy.name}, {_rule_words(rule, found.category)}",
        automated_detection=noticed,
        automated_decision=automated,
        source=source,
        redress=REDRESS,
        redress_until_ms=verdict.at_ms + REDRESS_MS,
        dsa_category=rights.dsa,
        dsa_keyword=rights.keyword,
        content_kind=post.kind,
        content_ms=post.created_ms,
        language=post.language,
        exempt=rights.exempt,
    )
    return Statement(
        statement_id=new_id("statement"),
        at_ms=verdict.at_ms,
        user_id=post.creator_id,
        item_id=verdict.item_id,
        text_key=verdict.text_key,
        kinds=found.kinds,
        category=found.category,
        decided_by=found.decision.decided_by,
        policy_version=policy.version,
        reasons=reasons,
    )


def _rule_words(rule: str, category: str) -> str:
    return f"category {category}" if rule.startswith("person:") else f"rule {rule}"


def _automation(each: Judged, policy: Policy, source: Source) -> tuple[Automated, bool]:
    """Whether a program decided, and whether one noticed."""
    evidence = each.verdict.evidence
    if evidence.person is None:
        return "fully", True
    alone = dataclasses.replace(evidence, person=None)
    if restriction_of(decide_all(alone, policy)) is not None:
        return "partially", source == "own"
    return "not", False


def _posts(connection: Connection, items: Sequence[str]) -> Mapping[str, _Post]:
    columns = tables.items.c
    found = {}
    for some in _chunks(items):
        query = sa.select(
            columns.item_id,
            columns.creator_id,
            columns.kind,
            columns.created_ms,
            columns.language,
        ).where(columns.item_id.in_(some))
        for item_id, creator_id, kind, created_ms, language in connection.execute(query):
            found[item_id] = _Post(
                creator_id=UserId(creator_id), kind=kind, created_ms=created_ms, language=language
            )
    return found


def _sources(connection: Connection, items: Sequence[str]) -> dict[str, Source]:
    """What brought items up, where it was not our own checks."""
    found: dict[str, Source] = {}
    notices, reports = tables.notices.c, tables.reports.c
    for some in _chunks(items):
        told = sa.select(reports.item_id).where(reports.item_id.in_(some)).distinct()
        found.update(dict.fromkeys(connection.execute(told).scalars(), "report"))
        illegal = sa.select(notices.item_id).where(notices.item_id.in_(some), notices.illegal)
        found.update(dict.fromkeys(connection.execute(illegal).scalars(), "notice"))
    return found


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
