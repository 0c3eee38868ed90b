"""Recording decisions: verdicts with all that is owed for them, in one transaction.

A verdict's row comes with its row in the audit chain and, where it restricts a post, the author's
statement of reasons. Whoever decides something about posts calls `record_verdicts`; nothing else
appends verdicts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from inhouse.core.ids import ItemId
from inhouse.moderation.policy.types import Policy
from inhouse.moderation.recording.audit import note_policy
from inhouse.moderation.statements.answers import Decided, Outcome, answer_reports
from inhouse.moderation.statements.keep import Judged, keep_statements
from inhouse.moderation.statements.restriction import Decisions
from inhouse.moderation.statements.strikes import keep_accounts
from inhouse.moderation.types import SEALED, Verdict
from inhouse.moderation.verdicts.decide import NO_RULE, SEALED_BY, decide_all, strictest
from inhouse.moderation.verdicts.rows import append_verdicts, evidence_key, latest_verdicts
from inhouse.store import chain, tables

VERDICT: Final = "verdict"  # by a rule
RULING: Final = "ruling"  # by a person: review, or an appeal that was granted
UNDO: Final = "undo"  # of a ruling
SEAL: Final = "seal"  # a post is sealed, or no longer


def judged(verdict: Verdict, policy: Policy) -> Judged:
    """A verdict with its decisions by a policy."""
    return Judged(verdict=verdict, decisions=decide_all(verdict.evidence, policy))


def record_verdicts(
    connection: Connection, found: Sequence[Judged], policy: Policy, what: str = VERDICT
) -> None:
    """Append verdicts and the news of them, and all that is owed, in the caller's transaction."""
    if not found:
        return
    found = _still_sealed(connection, found, policy)
    append_verdicts(connection, [each.verdict for each in found])
    note_policy(connection, policy, found[0].verdict.at_ms)
    chain.append(connection, [_entry(each, what) for each in found])
    touched = keep_statements(connection, found, policy)
    times = [each.verdict.at_ms for each in found]
    keep_accounts(connection, touched, policy, (min(times), max(times)))
    if what != VERDICT:
        for each in found:
            answer_reports(connection, _decided(each, what))


def follow_policy(
    connection: Connection, decided: Mapping[ItemId, Decisions], policy: Policy, now_ms: int
) -> None:
    """Say to authors what another policy means for posts that are treated differently by it, in
    the caller's transaction; their verdicts stay as they are."""
    verdicts = latest_verdicts(connection, decided)
    found = [
        Judged(
            verdict=_renamed(verdict, decided[item_id], policy, now_ms), decisions=decided[item_id]
        )
        for item_id, verdict in verdicts.items()
    ]
    touched = keep_statements(connection, found, policy)
    keep_accounts(connection, touched, policy, (now_ms, now_ms))


def _renamed(verdict: Verdict, decisions: Decisions, policy: Policy, now_ms: int) -> Verdict:
    by = strictest(decisions.values()).decided_by
    return replace(verdict, at_ms=now_ms, decided_by=by, policy_version=policy.version)


def _entry(each: Judged, what: str) -> chain.Entry:
    verdict = each.verdict
    decision = NO_RULE if each.is_clear else strictest(each.decisions.values())
    return chain.Entry(
        at_ms=verdict.at_ms,
        what=what,
        actor=verdict.decided_by,
        item_id=verdict.item_id,
        details={
            "action": decision.action,
            "category": decision.category,
            "policy": verdict.policy_version,
            "model": verdict.model_version,
            "evidence": evidence_key(verdict),
        },
    )


def _decided(each: Judged, what: str) -> Decided:
    """What those who reported the item are told: a person's word, or that it is taken back."""
    evidence, action = each.verdict.evidence, strictest(each.decisions.values()).action
    outcome: Outcome = "none" if action == "allow" else "action"
    undone = what == UNDO and evidence.person is None
    if undone or (what == SEAL and not evidence.is_sealed):
        outcome = "reopened"
    return Decided(
        item_id=each.verdict.item_id,
        at_ms=each.verdict.at_ms,
        outcome=outcome,
        decided_by=each.verdict.decided_by,
        action=action,
    )


def _still_sealed(
    connection: Connection, found: Sequence[Judged], policy: Policy
) -> Sequence[Judged]:
    """What is sealed stays so, whatever was found or decided since."""
    table = tables.sealed
    if connection.execute(sa.select(table.c.item_id).limit(1)).first() is None:
        return found
    ids = [each.verdict.item_id for each in found if not each.is_sealed]
    sealed: set[str] = set()
    for start in range(0, len(ids), 500):
        query = sa.select(table.c.item_id).where(table.c.item_id.in_(ids[start : start + 500]))
        sealed.update(connection.execute(query).scalars())
    return [
        judged(_sealed(each.verdict), policy) if each.verdict.item_id in sealed else each
        for each in found
    ]


def _sealed(verdict: Verdict) -> Verdict:
    evidence = verdict.evidence
    signals = {**evidence.signals, SEALED: 1}
    sealed = replace(evidence, signals=signals)
    return replace(verdict, evidence=sealed, hits=(), note=None, decided_by=SEALED_BY)
